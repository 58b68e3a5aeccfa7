"""Odd and hostile inputs: files of the project that are no files, have no end, or hold anything; and its path."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib import file_shapes, integrity
from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.projects import Project, builds, refused, start_until_indexed, starts_warm

PYLOCK = 'lock-version = "1.0"\ncreated-by = "tests"\npackages = []\n'
POETRY = 'metadata = {lock-version = "2.1", python-versions = ">=3.11", content-hash = "x"}\n'
PROJECT = '[project]\nname = "part"\nversion = "1.0"\n'


def as_is(project: Project) -> None:
    """Leave a locked project."""
    project.write(dependencies=["apple"])
    project.lock()


def of_requirements(project: Project) -> None:
    """Make a project of requirement files, of which one includes another."""
    project.write(dependencies=["apple"], roost='requirements = ["requirements.txt"]')
    project.file("requirements.txt", "-r more.txt\n-c limits.txt\napple\n")
    project.file("more.txt", "apple\n")
    project.file("limits.txt", "apple==2.0\n")


def of_pylock(project: Project) -> None:
    """Make a project with a standard lock file."""
    project.write()
    project.file("pylock.toml", PYLOCK)


def of_poetry(project: Project) -> None:
    """Make a project of Poetry's."""
    project.write()
    project.file("poetry.lock", POETRY)


def of_pdm(project: Project) -> None:
    """Make a project of PDM's."""
    project.write()
    project.file("pdm.lock", POETRY)


def of_parts(project: Project) -> None:
    """Make a workspace with a member and a path dependency, and name an input."""
    more = '[tool.uv.workspace]\nmembers = ["member"]\n[tool.uv.sources]\npart = {path = "part"}\n'
    project.write(dependencies=["part"], extra=more, roost='inputs = ["input", "deep/*"]')
    for name in ("member", "part"):
        project.file(f"{name}/pyproject.toml", PROJECT.replace("part", name))
    project.file("input", "input\n")
    project.file("deep/input", "input\n")


# What makes the project, and for each shape in the order of `file_shapes.OF_FILES` what `roost key` says to it: `.` a key, `x` a
# sentence that names the path or its folder, `a` either, by where the cut is. Where there is no file of that name, it is one of `TEXTS` that gets the shape.
INPUTS: dict[str, tuple[Callable[[Project], None], str]] = {
    "pyproject.toml": (as_is, "..xxxxx....axx"),
    "uv.lock": (as_is, "...xxxx....axx"),
    ".python-version": (as_is, "...xxxx...xxxx"),
    "uv.toml": (as_is, "...xxxx....xxx"),
    "setup.py": (as_is, "...xxxx......x"),
    "setup.cfg": (as_is, "...xxxx......x"),
    "../pyproject.toml": (as_is, "...xxxx....xxx"),
    "poetry.lock": (of_poetry, "...xxxx....xxx"),
    "pdm.lock": (of_pdm, "...xxxx....xxx"),
    "requirements.txt": (of_requirements, "..xxxxx....x.x"),
    "more.txt": (of_requirements, "..xxxxx......x"),
    "limits.txt": (of_requirements, "..xxxxx......x"),
    "pylock.toml": (of_pylock, "...xxxx....xxx"),
    "member/pyproject.toml": (of_parts, "...xxxx....xxx"),
    "part/pyproject.toml": (of_parts, "...xxxx....xxx"),
    "input": (of_parts, "...xxxx......x"),
    "deep/input": (of_parts, "...xx.x......x"),
}
TEXTS = {
    ".python-version": "3.11\n",
    "uv.toml": "no-index = true\n",
    "setup.py": "",
    "setup.cfg": "",
    "../pyproject.toml": PROJECT,
}
DOORS = (
    [ROOST, "key"],
    [ROOST, "run", "python", "-c", "open('ran', 'w')"],
    [ROOST_RUN, "python", "-c", "open('ran', 'w')"],
)
STRIDE = 9  # in the normal suite, of all cells every so many


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
def test_unusual_input(tmp_path: Path, wheels: Path, name: str, soak: float) -> None:
    """What no environment can be made from is refused by all commands, at once; the rest gives a fingerprint."""
    make, outcomes = INPUTS[name]
    first = list(INPUTS).index(name) * len(outcomes)
    for number, (shape, outcome) in enumerate(zip(file_shapes.OF_FILES, outcomes, strict=True), first):
        if (shape in file_shapes.FOR_ROOT and os.geteuid() != 0) or (number % STRIDE and not soak):
            continue
        project = Project(tmp_path / f"{shape.__name__}/project", wheels)
        elsewhere = project.root.parent / "elsewhere"
        elsewhere.mkdir()
        make(project)
        path = Path(os.path.normpath(project.root / name))
        if not path.exists():
            path.write_text(TEXTS[name])
        shape(path, elsewhere)
        watch = file_shapes.Watch(project.root.parent, without=(project.store,))
        doors = DOORS if outcome == "x" else [DOORS[0]]  # a run would build
        for door in doors if soak else [doors[number % len(doors)]]:
            got = run(door, cwd=project.root)
            context = f"{name} as {shape.__name__}, {door[:2]}: {got.stderr}"
            assert got.returncode in {".": (0,), "a": (0, 125), "x": (125,)}[outcome], context
            assert "Traceback" not in got.stderr, context
            assert got.returncode == 0 or f"`{path}`" in got.stderr or f"`{path.parent}`" in got.stderr, context
        assert watch.changes() == []


@pytest.mark.parametrize("shape", [file_shapes.zero, pytest.param(file_shapes.fifo, marks=pytest.mark.slow)])
def test_input_of_a_ready_project_that_becomes_unusual(project: Project, shape: file_shapes.Shape) -> None:
    """Warm starts look at inputs without opening them."""
    start_until_indexed(project)
    venvs = project.venvs()
    for name in ("uv.lock", "pyproject.toml", ".python-version"):
        path = project.root / name
        text = path.read_text() if path.exists() else None
        shape(path, project.root.parent)
        for door in DOORS[1:]:
            got = run(door, cwd=project.root)
            assert got.returncode == 125
            assert f"roost: `{path}` is not a regular file, so no environment can be made from it\n" in got.stderr
        path.unlink()
        if text is not None:
            path.write_text(text)
    assert not (project.root / "ran").exists()
    assert project.python("pass").stderr == ""
    assert project.venvs() == venvs


PATHS = [
    "with space",
    'it\'s "quoted"',
    "ünï ✓",
    "new\nline",
    "tab\there",
    "-dash",
    "per%cent back\\slash #comment",
    "$HOME `id` ;true [glob]*?{a,b}",
    "long" * 35,
]


@pytest.mark.slow
@pytest.mark.parametrize("name", PATHS, ids=range(len(PATHS)))
def test_project_path(tmp_path: Path, wheels: Path, name: str, soak: float) -> None:
    """A command with a first line of its own runs there, also where that is longer than a first line may be."""
    project = Project(tmp_path / "work/odd" / name, wheels)
    project.write(dependencies=["apple"], name="odd")
    for number, door in enumerate([[ROOST, "run"], [ROOST, "run"], [ROOST_RUN]]):
        got = run([*door, "apple"], cwd=project.root)
        if got.returncode and {"\n", "\t"} & set(
            name
        ):  # uv writes another first line where the path is too long for one
            said = "cannot be run: a first line holds no path with a newline or tab, rename the folder\n"
            assert got.returncode in (126, 127)
            assert said in got.stderr or (door == [ROOST_RUN] and "apple: not found" in got.stderr), got.stderr
        else:
            assert (got.returncode, got.stdout, bool(got.stderr)) == (0, "apple 2.0\n", number == 0), got.stderr
    assert builds(project) == 1
    assert integrity.of_markers(project.store) == []
    for words in ("sync", "status", "log", "why", "key", "doctor", "clean") if soak else ("sync", "status"):
        assert project.roost(words).returncode == 0
    assert sorted(path.name for path in project.root.parent.iterdir()) == [name]


@pytest.mark.slow
def test_path_that_is_no_text(tmp_path: Path, wheels: Path) -> None:
    """It is uv that refuses it; roost says so."""
    project = Project(tmp_path / "work" / os.fsdecode(b"no\xfftext"), wheels)
    project.write(dependencies=["apple"], name="odd")
    got = project.python("open('ran', 'w')", errors="surrogateescape")
    assert got.returncode == 125
    assert "could not be built with uv:\n  error: invalid UTF-8" in got.stderr
    assert "Traceback" not in got.stderr
    env = dict(os.environ) | {"PYTHONIOENCODING": "utf-8:strict"}  # as in most locales, though not in that of the tests
    for words in ("sync", "status", "log", "why", "key", "clean", "doctor"):
        got = project.roost(words, errors="surrogateescape", env=env)
        assert got.returncode in (0, 125)
        assert "Traceback" not in got.stderr


def test_path_that_ends_a_folder_in_path_is_refused(tmp_path: Path, wheels: Path) -> None:
    """The rest would be a folder in PATH that counts from wherever the command is."""
    project = Project(tmp_path / "work/co:lon", wheels)
    project.write(dependencies=["apple"], name="odd")
    said = f"roost: `{project.store}` contains `:`, the separator in PATH: rename it, or set `ROOST_DIR`\n"
    assert refused(project) == said
    env = dict(os.environ) | {"ROOST_DIR": str(tmp_path / "stores")}
    got = project.run("apple", env=env)
    assert (got.returncode, got.stdout) == (0, "apple 2.0\n"), got.stderr
    assert [path.name.endswith("%2Fwork%2Fco%3Alon") for path in (tmp_path / "stores").iterdir()] == [True]


@pytest.mark.slow
def test_path_too_long_for_the_name_of_one_folder(tmp_path: Path, wheels: Path) -> None:
    """With `ROOST_DIR` a project's folder is named after its path; two such long paths have two."""
    env = dict(os.environ) | {"ROOST_DIR": str(tmp_path / "stores")}
    for name in ("one", "two"):
        project = Project(tmp_path / "work" / ("ü" * 100) / ("d" * 100) / name, wheels)
        project.write(dependencies=["apple"], name="odd")
        for number in range(2):
            got = project.run("apple", env=env)
            assert (got.returncode, got.stdout, bool(got.stderr)) == (0, "apple 2.0\n", number == 0), got.stderr
    names = [path.name for path in (tmp_path / "stores").iterdir()]
    assert [len(name) for name in names] == [67, 67]
    assert all(name.startswith("%2F") for name in names)


STAMPS = {"past": 1.0, "future": 4102444800.0}


@pytest.mark.slow
@pytest.mark.parametrize("when", STAMPS)
def test_clock_that_jumps(project: Project, when: str, soak: float) -> None:
    """Files from another time: nothing is built again for that, and nothing that is in use is removed."""
    project.python("pass")
    (venv,) = project.venvs()
    stamp = STAMPS[when]
    for path in (
        project.root / "pyproject.toml",
        project.root / "uv.lock",
        project.store / ".venv/.lock",
        project.store,
    ):
        os.utime(path, (stamp, stamp))
    marker = venv.parent / "complete"
    year = "1971" if when == "past" else "2099"
    reports = ("status", "log", "clean", "log --timeline picture.svg --since 1e9")
    stamps = (f"{year}-01-01T00:00:00+00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "yesterday")
    for number, at in enumerate(stamps):
        text = marker.read_text()
        built = text.partition('"built": "')[2].partition('"')[0]
        marker.write_text(text.replace(built, at))
        os.utime(f"{venv}.lease", (stamp, stamp))
        with (project.store / ".venv/.v2/journal").open("a") as file:
            file.write(f'{{"at": "{at}", "event": "wait", "pid": 1, "seconds": 1e300}}\n')
        for words in reports if soak else (reports[number], reports[number - 1]):
            got = project.roost(*words.split())
            assert got.returncode in (0, 125), (words, got.stderr)
            assert "Traceback" not in got.stderr, (words, got.stderr)
        assert project.python("pass").stderr == ""
        os.utime(f"{venv}.lease", (stamp, stamp))
        project.edit("pyproject.toml", "[tool.roost]", "[tool.mine]\nx = 1\n[tool.roost]")
        assert project.python("pass").returncode == 0
        project.edit("pyproject.toml", "[tool.mine]\nx = 1\n[tool.roost]", "[tool.roost]")
    assert project.venvs()
    assert project.python("pass").stderr == ""
    start_until_indexed(project)
    assert starts_warm(project)
    assert builds(project) == 2


@pytest.mark.parametrize("shape", [pytest.param(file_shapes.zero, marks=pytest.mark.slow), file_shapes.fifo])
def test_file_that_is_looked_at_in_passing(project: Project, shape: file_shapes.Shape) -> None:
    """Not for an environment, but for advice: `.gitignore`, `.dockerignore`, hooks of git's."""
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    for name in (".gitignore", ".dockerignore", "Dockerfile", "lefthook.yml", ".git/hooks/post-merge"):
        (project.root / name).parent.mkdir(exist_ok=True)
        shape(project.root / name, project.root.parent)
    got = project.python("pass")
    assert got.returncode == 0, got.stderr
    for words in (["doctor"], ["hook", "install"], ["hook", "uninstall"]):
        got = project.roost(*words)
        assert got.returncode in (0, 125)
        assert "Traceback" not in got.stderr


def test_program_that_the_repository_names_for_git_is_not_run(project: Project) -> None:
    """Whatever git is asked, it asks its monitor, and that can be any program."""
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    script = project.file("monitor", "#!/bin/sh\n: >ran\n")
    script.chmod(0o755)
    run(["git", "add", "pyproject.toml"], cwd=project.root, check=True)
    run(["git", "config", "core.fsmonitor", "./monitor"], cwd=project.root, check=True)
    run(["git", "status"], cwd=project.root, check=True)
    assert (project.root / "ran").exists()
    run(["git", "ls-files"], cwd=project.root, check=True)
    (project.root / "ran").unlink()
    for words in (["run", "python", "-c", "pass"], ["clean"], ["doctor"], ["status"], ["hook", "sync", "post-merge"]):
        assert project.roost(*words).returncode == 0
    assert not (project.root / "ran").exists()


def test_version_request_that_takes_for_ever_to_refuse(project: Project) -> None:
    """A pattern that can split spaces in two ways tries all of them for each of the clauses."""
    for text in (">=3  " * 40 + "x", ">=3  ,  " * 40 + "x", "3" * 100_000 + "x", ">=3." * 50_000):
        project.file(".python-version", text)
        assert "is not a version specifier; write one such as `3.12`" in refused(project)


@pytest.mark.parametrize(
    "depth", [pytest.param(90, marks=pytest.mark.slow), 400, pytest.param(900, marks=pytest.mark.slow), 3000]
)
def test_table_that_is_deep(project: Project, depth: int) -> None:
    """Deeper than what hashes it, or than what reads it."""
    for text in (f"[tool.{'a.' * depth}b]\nx = 1\n", f"[tool.mine]\nx = {'[' * depth}{']' * depth}\n"):
        project.write(dependencies=["apple"], extra=text)
        got = project.roost("key")
        assert got.returncode in (0, 125)
        assert "Traceback" not in got.stderr
        assert got.returncode == 0 or f"`{project.root}/pyproject.toml`" in got.stderr, got.stderr


def test_device_that_is_no_input(project: Project) -> None:
    assert shutil.which("sh")
    for path in ("/dev/zero", "/dev/null", "/proc/self/mem"):
        (project.root / "link").unlink(missing_ok=True)
        (project.root / "link").symlink_to(path)
        project.write(dependencies=["apple"], roost='inputs = ["link"]')
        assert f"`{project.root}/link` is not a regular file" in refused(project) or "mem" in path
