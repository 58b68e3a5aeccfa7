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
        "PY_COLORS",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "UV_ACTIVE",
        "UV_DEV",
        "UV_FROZEN",
        "UV_ISOLATED",
        "UV_LOCKED",
        "UV_NO_DEFAULT_GROUPS",
        "UV_NO_DEV",
        "UV_NO_EDITABLE",
        "UV_NO_GROUP",
        "UV_NO_PROJECT",
        "UV_NO_SYNC",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_VENV_CLEAR",
        "UV_WORKING_DIR",
        "UV_WORKING_DIRECTORY",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "__PYVENV_LAUNCHER__",
    }
)


def for_installer(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return the environment variables of an installer: `environ` without its caller's own, and `more`."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in _CALLERS_OWN and (not name.startswith("GIT_") or name.startswith(_GIT_ABOUT_SERVERS))
    }
    return kept | more
