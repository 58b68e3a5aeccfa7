"""What all tests stand on: a home, a cache and wheels of their own, and guards against anything else."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib import processes
from tests.lib.git_hooks import frameworks, hooked  # noqa: F401 - fixtures for all tests
from tests.lib.index_fixtures import add_tool, open_index, shared_folder  # noqa: F401 - fixtures
from tests.lib.indexes import ready  # noqa: F401 - fixtures
from tests.lib.nox_sessions import parallel_nox  # noqa: F401 - fixtures
from tests.lib.paths import REPOSITORY
from tests.lib.projects import Project, SlowProject
from tests.lib.venvs import fake  # noqa: F401 - fixtures
from tests.lib.wheels import make_wheel

# Background jobs of a shell inherit an ignored SIGINT, `nohup` passes on an ignored SIGHUP, and so would every process
# that a test starts. A handler that is not inherited gives them the default, and pytest still survives a hang-up.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

LONG = REPOSITORY / "tests/long"
"""All tests in this folder are slow."""
REAL_HOME = Path(os.path.expanduser("~")).resolve()
# Of the developer's environment nothing reaches a test but the locale and what a TLS connection would need. Not `CI`
# either: nox makes an error of a missing interpreter where it is set.
_PASSED_ON = ("LANG", "LC_ALL", "TERM", "TMPDIR", "SSL_CERT_FILE")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGING = ("os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.utime")
_OWN = f"{REPOSITORY}/.roost/"
_guarded: list[str] = []


def _guard(event: str, args: tuple[object, ...]) -> None:
    """Refuse, in this process, to write in the real home or in this repository's own `.roost`."""
    if not _guarded:
        return
    if event == "open":
        path, mode, flags = args
        writes = (isinstance(mode, str) and any(letter in mode for letter in "wax+")) or (
            isinstance(flags, int) and flags & _WRITING
        )
        if not writes:
            return
        changed = [path]
    elif event == "os.rename":
        changed = list(args[:2])
    elif event in ("os.symlink", "os.link"):
        changed = [args[1]]
    elif event in _CHANGING:
        changed = [args[0]]
    else:
        return
    for path in changed:
        if isinstance(path, str | bytes) and _is_guarded(os.path.abspath(os.fsdecode(path))):
            message = f"a test tried to write `{os.fsdecode(path)}` ({event})"
            raise PermissionError(message)


def _is_guarded(path: str) -> bool:
    """Return whether no test may write `path`. pytest itself writes into this repository, which may lie in the home."""
    return path.startswith(tuple(_guarded)) and (path.startswith(_OWN) or not path.startswith(f"{REPOSITORY}/"))


sys.addaudithook(_guard)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add how long to look for what a short run would not find."""
    parser.addoption(
        "--soak",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="the long form of every test: all crash points, repeats of races and combinations of parameters; "
        "what goes on by chance does so for SECONDS (default: 0, the short forms)",
    )


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> float:
    """Return the seconds that a soak may take; 0 in the normal suite."""
    return float(request.config.getoption("--soak"))


def pytest_configure(config: pytest.Config) -> None:
    """Arm the guard once pytest has written what it keeps for itself."""
    del config
    temporary = os.path.realpath(os.environ.get("TMPDIR", "/tmp"))
    if not temporary.startswith(str(REAL_HOME)):
        _guarded.append(f"{REAL_HOME}/")
    _guarded.append(_OWN)


def _skips_slow(config: pytest.Config) -> bool:
    """Return whether this is the whole suite without its `slow` tests."""
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS
    return whole and not config.getoption("--soak") and "slow" not in str(config.getoption("markexpr"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the folder of long tests before they are imported: that takes each worker a second."""
    return True if collection_path == LONG and _skips_slow(config) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out `slow` tests unless a file or `-m` asks for them, and the long forms unless `--soak` does."""
    for item in items:
        if LONG in item.path.parents:
            item.add_marker(pytest.mark.slow)
    if config.getoption("--soak") or any("[" in word for word in config.args):
        return
    seen: dict[tuple[object, str], list[object]] = {}
    for item in items:
        for name, value in _parameters(item).items():
            values = seen.setdefault((getattr(item, "function", None), name), [])
            if value not in values:
                values.append(value)
    skip_slow = _skips_slow(config)
    left_out = [item for item in items if not _is_short(item, seen) or (skip_slow and item.get_closest_marker("slow"))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _parameters(item: pytest.Item) -> dict[str, object]:
    """Return the parameters of a test."""
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


def _is_short(item: pytest.Item, seen: dict[tuple[object, str], list[object]]) -> bool:
    """Return whether a test with its parameters is in the normal suite; `seen` has those of all its variants."""
    given = _parameters(item)
    for mark in item.iter_markers("normally"):
        if any(given[name] not in values for name, values in mark.kwargs.items()):
            return False
    for mark in item.iter_markers("paired"):
        columns = {name: seen[getattr(item, "function", None), name] for name in mark.args}
        fewer = min(map(len, columns.values()))
        if len({values.index(given[name]) % fewer for name, values in columns.items()}) > 1:
            return False
    return item.get_closest_marker("soak") is None


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide one folder for what all tests share: the caches of uv and roost, and the wheels."""
    return tmp_path_factory.mktemp("session")


@pytest.fixture(scope="session")
def wheels(session_folder: Path) -> Path:
    """Provide the folder with the wheels that tests install."""
    folder = session_folder / "wheels"
    folder.mkdir()
    for name, version in (("apple", "1.0"), ("apple", "2.0"), ("banana", "1.0"), ("cherry", "1.0")):
        make_wheel(folder, name, version)
    return folder


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, session_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a home, a temporary folder and an environment of its own, and start it outside any project."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if "COVERAGE_PROCESS_START" in os.environ:  # as in `.ci/run`
        kept |= {name: os.environ[name] for name in ("COVERAGE_PROCESS_START", "COVERAGE_FILE", "PYTHONPATH")}
    for name in list(os.environ):
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n\tname = T\n\temail = t@example.invalid\n[init]\n\tdefaultBranch = main\n"
    )
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    own = {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "UV_CACHE_DIR": str(session_folder / "uv-cache"),
        "ROOST_CACHE_DIR": str(session_folder / "roost-cache"),
        "UV_PYTHON_DOWNLOADS": "never",
        "PATH": os.pathsep.join([os.path.dirname(processes.BASE_PYTHON), "/usr/bin", "/bin"]),
    }
    for name, value in (kept | own).items():
        monkeypatch.setenv(name, value)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide an empty cache of roost's for this test: its builds compile, and its cache is its own."""
    monkeypatch.setenv("ROOST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def project(tmp_path: Path, wheels: Path, session_folder: Path) -> Project:
    """Provide a locked project that depends on `apple`, with `banana` in its group `dev`.

    `uv lock` runs once: a lock file names the wheels relative to the project, and all of these are equally deep.
    """
    made = Project(tmp_path / "work" / "project", wheels)
    made.write(dependencies=["apple"], groups={"dev": ["banana"]})
    lock_file = session_folder / "uv.lock"
    if not lock_file.exists():
        made.lock()
        shutil.copyfile(made.root / "uv.lock", lock_file)
    shutil.copyfile(lock_file, made.root / "uv.lock")
    return made


@pytest.fixture
def built(session_folder: Path, wheels: Path) -> Iterator[Project]:
    """Provide a built project as `project` is. All tests share it, so they must leave its state as it is.

    What they write next to it is removed: a noxfile, for example, and what nox sessions left.
    """
    made = Project(session_folder / "work" / "project", wheels)
    if not made.store.exists():
        made.write(dependencies=["apple"], groups={"dev": ["banana"]})
        made.lock()
        assert made.python("pass").returncode == 0
    inputs = {path.name: path.read_text() for path in (made.root / "pyproject.toml", made.root / "uv.lock")}
    venvs, journal = made.venvs(), made.journal("build")
    assert (len(venvs), len(journal)) == (1, 1)
    yield made
    assert (made.venvs(), made.complete(), made.journal("build")) == (venvs, venvs, journal)
    assert inputs == {name: (made.root / name).read_text() for name in inputs}
    others = [path for path in made.root.iterdir() if path.name not in (*inputs, made.store.name)]
    for path in [*others, *made.store.glob(".venv/.v2/envs/session-*")]:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.fixture
def plain(tmp_path: Path, wheels: Path) -> Project:
    """Provide a project without a lock file that depends on `apple`, with `banana` in its group `dev`."""
    made = Project(tmp_path / "work" / "project", wheels)
    made.write(dependencies=["apple"], groups={"dev": ["banana"]})
    return made


@pytest.fixture
def slow_project(tmp_path: Path, wheels: Path) -> SlowProject:
    """Provide a locked project whose own build takes half a second, in the source tree."""
    made = SlowProject(tmp_path / "work" / "project", wheels)
    made.write(dependencies=["apple"], groups={"dev": ["banana"]}, extra=SlowProject.TABLES)
    made.lock()
    return made
