"""The environment variables of the programs that roost starts for its own purposes."""

from collections.abc import Mapping

BUILDING = "ROOST_BUILDING"  # in an installer's environment: the store it builds for

# Git sets variables for its hooks that describe the commit in progress. An installer that clones a git dependency with
# these set would write into that commit's index. The following concern the connection to a server, and stay.
_GIT_ABOUT_SERVERS = (
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_VALUE_",
    "GIT_CURL_VERBOSE",
    "GIT_EXEC_PATH",
    "GIT_HTTP_",
    "GIT_PROTOCOL",
    "GIT_PROXY_",
    "GIT_SSH",
    "GIT_SSL_",
    "GIT_TERMINAL_PROMPT",
    "GIT_TRACE",
)
# These point an installer at another environment, Python or project than the one it is called for, or colour its
# output, which roost reads.
_CALLERS_OWN = frozenset(
    {
        "CLICOLOR_FORCE",
        "CONDA_PREFIX",
        "FORCE_COLOR",
        "PDM_FROZEN_LOCKFILE",
        "PDM_IGNORE_ACTIVE_VENV",
        "PDM_IN_VENV",
        "PDM_LOCKFILE",
        "PDM_NO_EDITABLE",
        "PDM_NO_LOCK",
        "PDM_NO_SELF",
        "PDM_PROJECT",
        "PDM_PYTHON",
        "PDM_PYTHON_VERSION",
        "PY_COLORS",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "UV_ACTIVE",
        "UV_COMPILE_BYTECODE",  # uv refuses it together with the option that roost passes
        "UV_DEV",
        "UV_FROZEN",
        "UV_ISOLATED",
        "UV_LOCKED",
        "UV_NO_DEFAULT_GROUPS",
        "UV_NO_DEV",
        "UV_NO_EDITABLE",
        "UV_NO_GROUP",
        "UV_NO_INSTALLER_METADATA",
        "UV_NO_INSTALL_LOCAL",
        "UV_NO_INSTALL_PROJECT",
        "UV_NO_INSTALL_WORKSPACE",
        "UV_NO_PROJECT",
        "UV_NO_SYNC",
        "UV_ONLY_INSTALL_LOCAL",
        "UV_ONLY_INSTALL_PROJECT",
        "UV_ONLY_INSTALL_WORKSPACE",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_VENV_CLEAR",
        "UV_VENV_RELOCATABLE",
        "UV_VENV_SEED",
        "UV_WORKING_DIR",
        "UV_WORKING_DIRECTORY",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "__PYVENV_LAUNCHER__",
    }
)

# uv's variables that change what it installs, and are the user's to set: they are inputs. `hooks/roost-run` names all
# of them. The other variables of uv change nothing in a venv; a test compares the lists with what uv documents.
OF_BUILDS = (
    *("UV_BUILD_CONSTRAINT", "UV_CONFIG_FILE", "UV_GIT_LFS", "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD"),
    *("UV_NO_BUILD_ISOLATION", "UV_NO_BUILD_PACKAGE", "UV_NO_CONFIG", "UV_NO_SOURCES", "UV_NO_SOURCES_PACKAGE"),
    *("UV_NO_SYSTEM_CONFIG", "UV_NO_VERIFY_HASHES", "UV_PREVIEW", "UV_PREVIEW_FEATURES", "UV_TORCH_BACKEND"),
)
OF_RESOLUTIONS = (  # of no effect with a lock file: uv refuses one that was made with other values
    *("UV_AMD_GPU_ARCHITECTURE", "UV_CONSTRAINT", "UV_CUDA_DRIVER_VERSION", "UV_DEFAULT_INDEX", "UV_EXCLUDE"),
    *("UV_EXCLUDE_NEWER", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_FORK_STRATEGY", "UV_INDEX", "UV_INDEX_STRATEGY"),
    *("UV_INDEX_URL", "UV_OVERRIDE", "UV_PRERELEASE", "UV_RESOLUTION"),
)
FILES = ("UV_BUILD_CONSTRAINT", "UV_CONFIG_FILE", "UV_CONSTRAINT", "UV_EXCLUDE", "UV_OVERRIDE")  # those that name files


def for_installer(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return the environment variables of an installer: `environ` without its caller's own, and `more`."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in _CALLERS_OWN and (not name.startswith("GIT_") or name.startswith(_GIT_ABOUT_SERVERS))
    }
    return kept | more
