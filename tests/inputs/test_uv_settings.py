"""What uv reads besides the project's own files: its variables, and its settings in other folders."""

import os
import re
from pathlib import Path

import pytest

from roost.system import variables
from tests.lib.packages import installed, package, said, uv_table
from tests.lib.paths import REPOSITORY
from tests.lib.processes import ROOST, ROOST_RUN, UV, run
from tests.lib.projects import Project, builds, start_until_indexed, starts_warm
from tests.lib.variants import slow_after

# uv's variables that change nothing in a venv: about caches, servers, downloads of Pythons (whose content counts), what
# is printed, other commands, or what roost decides by an option; `{name}` stands for any word.
HARMLESS = """
UV_ASTRAL_MIRROR_URL UV_AZURE_ENDPOINT_URL UV_BREAK_SYSTEM_PACKAGES UV_CACHE_DIR
UV_COMPILE_BYTECODE_TIMEOUT UV_CONCURRENT_BUILDS UV_CONCURRENT_CACHE_READS UV_CONCURRENT_DOWNLOADS
UV_CONCURRENT_INSTALLS UV_CREDENTIALS_DIR UV_CUSTOM_COMPILE_COMMAND UV_DOWNLOAD_URL UV_ENV_FILE UV_GCS_ENDPOINT_URL
UV_GITHUB_TOKEN UV_HTTP_CONNECT_TIMEOUT UV_HTTP_RETRIES UV_HTTP_TIMEOUT UV_INDEX_{name}_PASSWORD
UV_INDEX_{name}_USERNAME UV_INIT_BARE UV_INIT_BUILD_BACKEND UV_INSECURE_HOST UV_INSECURE_NO_ZIP_VALIDATION
UV_INSTALLER_GHE_BASE_URL UV_INSTALLER_GITHUB_BASE_URL UV_INSTALL_DIR UV_KEYRING_PROVIDER UV_LIBC UV_LINK_MODE
UV_LOG_CONTEXT UV_MALWARE_CHECK UV_MALWARE_CHECK_URL UV_MANAGED_PYTHON UV_NATIVE_TLS UV_NO_CACHE UV_NO_ENV_FILE
UV_NO_HF_TOKEN UV_NO_MANAGED_PYTHON UV_NO_MODIFY_PATH UV_NO_PROGRESS UV_NO_WRAP UV_OFFLINE UV_PUBLISH_CHECK_URL
UV_PUBLISH_INDEX UV_PUBLISH_NO_ATTESTATIONS UV_PUBLISH_PASSWORD UV_PUBLISH_TOKEN UV_PUBLISH_URL UV_PUBLISH_USERNAME
UV_PYPY_INSTALL_MIRROR UV_PYTHON_BIN_DIR UV_PYTHON_CACHE_DIR UV_PYTHON_CPYTHON_BUILD UV_PYTHON_DOWNLOADS
UV_PYTHON_DOWNLOADS_JSON_URL UV_PYTHON_GRAALPY_BUILD UV_PYTHON_INSTALL_BIN UV_PYTHON_INSTALL_DIR
UV_PYTHON_INSTALL_MIRROR UV_PYTHON_INSTALL_REGISTRY UV_PYTHON_NO_REGISTRY UV_PYTHON_PREFERENCE UV_PYTHON_PYODIDE_BUILD
UV_PYTHON_PYPY_BUILD UV_PYTHON_SEARCH_PATH UV_REQUEST_TIMEOUT UV_REQUIRE_HASHES UV_RUN_RLIMIT_NOFILE
UV_S3_ENDPOINT_URL UV_SHOW_RESOLUTION UV_STACK_SIZE UV_SYSTEM_CERTS UV_TOOL_BIN_DIR UV_TOOL_DIR UV_UNMANAGED_INSTALL
UV_UPLOAD_HTTP_TIMEOUT
""".split()
COMMANDS = ("sync", "venv", "pip install", "pip sync", "pip compile", "python find", "run", "lock", "build", "init")
COUNTED = {*variables.OF_BUILDS, *variables.OF_RESOLUTIONS}


def test_every_variable_of_this_uv_is_removed_or_counts_or_is_known_to_be_harmless() -> None:
    known = {name for name in variables._CALLERS_OWN if name.startswith("UV_")}
    assert not known & COUNTED
    assert not (known | COUNTED) & set(HARMLESS)
    known |= COUNTED | set(HARMLESS)
    documented = {
        name
        for command in COMMANDS
        for name in re.findall(r"\[env: (UV_\w+)", run([UV, "help", "--no-pager", *command.split()]).stdout)
    }
    assert len(documented) > 30
    assert documented <= known
    # The binary has more names than the help. They are not separated from each other, and some are cut into pieces.
    found = {text.decode() for text in re.findall(rb"\bUV_[A-Z][A-Z0-9_]+", Path(UV).read_bytes())}
    known |= {f"{name.partition('{')[0]}" for name in known if "{" in name} | {"UV_INTERNAL__", "UV_TEST_", "UV_RUN_"}
    known |= {"UV_GITHUB_"}  # where its tests find a server
    new = {
        name
        for name in found
        if not any(name.startswith(one) or (len(name) < 10 and one.startswith(name[:-1])) for one in known)
    }
    assert new == set()


def test_shell_script_names_the_variables_that_count() -> None:
    script = (REPOSITORY / "hooks/roost-run").read_text()
    assert set(re.findall(r"\$\{(UV_\w+)-\}", script)) == COUNTED | {"UV_FROZEN"}  # which chooses another index


@pytest.mark.parametrize(
    "name",
    ["PROJECT", pytest.param("LOCAL", marks=pytest.mark.slow), pytest.param("WORKSPACE", marks=pytest.mark.slow)],
)
def test_variables_of_a_dockerfile_never_leave_out_the_project(
    plain: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package(plain, ".", dependencies=["apple"], more=uv_table(plain))
    plain.lock()
    monkeypatch.setenv(f"UV_NO_INSTALL_{name}", "1")
    monkeypatch.setenv("UV_VENV_SEED", "1")
    monkeypatch.setenv("UV_COMPILE_BYTECODE", "1")
    assert installed(plain) == "apple 2.0 project 1.0"
    assert not list(plain.venvs()[0].glob("bin/pip*"))


@pytest.mark.slow
def test_variable_that_changes_the_resolution_makes_another_venv(
    plain: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each value has its own venv, and each of them starts warm."""
    start_until_indexed(plain)
    for _ in range(2):
        for value, expected in (("", "2.0"), ("lowest", "1.0")):
            monkeypatch.setenv("UV_RESOLUTION", value)
            command = ["python", "-c", "import apple; print(apple.VERSION)"]
            for start in (plain.run(*command), run([ROOST_RUN, *command], cwd=plain.root)):
                assert start.stdout == f"{expected}\n", start.stderr
            start_until_indexed(plain)
            assert starts_warm(plain)
    assert builds(plain) == 2


@pytest.mark.slow
def test_file_that_a_variable_names_counts(plain: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("apple<2\n")
    monkeypatch.setenv("UV_CONSTRAINT", str(pins))
    assert installed(plain) == "apple 1.0 banana 1.0"
    start_until_indexed(plain)
    pins.write_text("apple>1\n")
    assert installed(plain) == "apple 2.0 banana 1.0"


def test_index_in_a_variable_does_not_matter_where_there_is_a_lock_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_until_indexed(project)
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "https://example.invalid/simple")
    assert starts_warm(project)
    assert run([ROOST_RUN, "python", "-c", "pass"], cwd=project.root).returncode == 0
    assert builds(project) == 1


def test_renewed_login_of_an_index_builds_nothing(plain: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for token in ("first-token", "second-token"):
        monkeypatch.setenv("UV_EXTRA_INDEX_URL", f"https://me:{token}@example.invalid/simple")
        said(plain)
        start_until_indexed(plain)
        assert starts_warm(plain)
        texts = [path.read_bytes() for path in plain.store.rglob("index/*")]
        assert not any(token.encode() in text for text in texts)
    assert builds(plain) == 1


PLACES = {"uv.toml": "", "pyproject.toml": "[tool.uv]\n", "user": "", "system": ""}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_settings_of_uv_outside_the_project_count(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Where the project has none of its own, as uv reads them."""
    project = Project(tmp_path / "work" / "project", wheels)
    project.file("pyproject.toml", "[project]\nname = 'project'\nversion = '1'\ndependencies = ['apple']\n")
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    folders = {"user": Path(os.environ["HOME"]) / ".config/uv", "system": tmp_path / "etc/uv"}
    path = folders[place] / "uv.toml" if place in folders else project.root.parent / place
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"{PLACES[place]}no-index = true\nfind-links = ['{wheels}']\n"
    for resolution, expected in (("highest", "apple 2.0"), ("lowest", "apple 1.0"), ("highest", "apple 2.0")):
        path.write_text(f"{text}resolution = '{resolution}'\n")
        assert installed(project) == expected
        start_until_indexed(project)
        assert starts_warm(project)
    assert builds(project) == 2
    project.file("uv.toml", text.removeprefix("[tool.uv]\n"))  # from now on only this one counts of the first two
    said(project)
    path.write_text(f"{text}resolution = 'lowest'\n")
    assert bool(said(project)) == (place in folders)


VERSION = "import importlib.metadata as m; print(m.version('apple'))"


@pytest.mark.parametrize("door", slow_after(1, [[ROOST, "run"], [ROOST_RUN]]), ids=["python", "shell"])
def test_other_home_with_other_settings_of_uv(plain: Project, tmp_path: Path, door: list[str]) -> None:
    """As in a container of CI, where `HOME` depends on the step. Nothing in the project changes."""
    other = tmp_path / "other"
    folders = {"HOME": str(other), "XDG_CONFIG_HOME": str(other / ".config"), "XDG_CONFIG_DIRS": str(other / ".config")}
    (other / ".config/uv").mkdir(parents=True)
    (other / ".config/uv/uv.toml").write_text("resolution = 'lowest'\n")
    start_until_indexed(plain)
    for name, value in folders.items():
        env = dict(os.environ) | {name: value}
        got = [run([*door, "python", "-c", VERSION], cwd=plain.root, env=one).stdout for one in (env, None, env, None)]
        assert got == ["1.0\n", "2.0\n"] * 2, name
    assert builds(plain) == 2


def test_other_home_without_settings_of_uv_is_warm_in_both(plain: Project) -> None:
    start_until_indexed(plain)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        env = dict(os.environ) | {name: "/nowhere", "PYTHONPROFILEIMPORTTIME": "1"}
        for door in ([ROOST, "run"], [ROOST_RUN]):
            got = run([*door, "python", "--version"], cwd=plain.root, env=env)
            assert "roost.protocol" not in got.stderr
