"""Odd and hostile things in `.roost`: a start works or says one sentence, and touches nothing outside.

Each thing of roost's is replaced by each of the shapes in `tests/lib/file_shapes.py`, in turn. `OUTCOMES` says what comes of it: in a
project that is ready, where `roost-run` looks first, and in one whose next start builds.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from roost.store.store import Store
from tests.lib import file_shapes, integrity
from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.projects import Project

PROBE = "import sys, apple; print(sys.prefix, apple.VERSION)"
EMPTY = "roost: the journal is empty\n"
STRIDE = 41  # in the normal suite, of all cells every so many: all things, states and doors are among them, most shapes
STALE = "[tool.mine]\nx = 1\n[tool.roost]"
DOORS = {"shell": [ROOST_RUN], "python": [ROOST, "run"]}


def _venv(project: Project) -> Path:
    return project.complete()[0]


FILES: dict[str, Callable[[Project], Path]] = {
    "lock": lambda project: project.store / ".venv/.lock",
    "index": lambda project: project.store / ".venv/.v2/index/default",
    "marker": lambda project: _venv(project).parent / "complete",
    "lease": lambda project: Path(f"{_venv(project)}.lease"),
    "record": lambda project: Path(Store(str(project.root)).python("default", ">=3.11")),
    "journal": lambda project: project.store / ".venv/.v2/journal",
    "pyvenv.cfg": lambda project: _venv(project) / "pyvenv.cfg",
}
FOLDERS: dict[str, Callable[[Project], Path]] = {
    ".roost": lambda project: project.store,
    ".venv": lambda project: project.store / ".venv",
    ".v2": lambda project: project.store / ".venv/.v2",
    ".venv/.v2/index": lambda project: project.store / ".venv/.v2/index",
    ".venv/.v2/python": lambda project: project.store / ".venv/.v2/python",
    "envs": lambda project: project.store / ".venv/.v2/envs",
    "fingerprint": lambda project: _venv(project).parent,
    "venv": _venv,
    "bin": lambda project: _venv(project) / "bin",
    "trash": lambda project: project.store / ".venv/.v2/trash",
}
# For each shape, in the order of `file_shapes.OF_FILES` and `file_shapes.OF_FOLDERS`: `.` starts without a word, `b` builds again and says
# why, `x` is refused with a sentence that names the path, `a` starts, with or without a build: the things themselves are
# there, by a link that the index does not look at. First what a ready project does, then one that has to build.
OUTCOMES = {
    "lock": ("..............", "xxxxxxxxbbbbbb"),
    "index": ("..............", "bbbbbbbbbbbbbb"),
    "marker": ("bbbbbxb.b.bbbb", "bbbbbbbbbbbbbb"),
    "lease": ("babbbbbb......", "bbbbbbbbbbbbbb"),
    "record": (".....x........", "bbbbbxbbbbbbbb"),
    "journal": ("..............", "bbbbbbbbbbbbbb"),
    "pyvenv.cfg": ("b.bbbbbb..bbbb", "bbbbbbbbbbbbbb"),  # where only the ctime moved, the content decides
    ".roost": ("xxxxxxxxxb", "xxxxxxxxxb"),
    ".venv": ("xxxxxxx..b", "xxxxxxxbbb"),
    ".v2": ("xxxxxxx..b", "xxxxxxxbbb"),
    ".venv/.v2/index": ("..xxxxx...", "xxxxxxxbbb"),
    ".venv/.v2/python": ("x.xxxxx...", "xxxxxxxbbb"),
    "envs": ("xaxxxxx..b", "xxxxxxxbbb"),
    "fingerprint": ("xaxxxxx..b", "xxxxxxxbbb"),
    "venv": ("babbbbb..b", "bbbbbbbbbb"),
    "bin": ("babbbbb..b", "bbbbbbbbbb"),
    "trash": ("..........", "xxxxxxxbbb"),
}


class Cell(NamedTuple):
    """One thing in one shape."""

    thing: str
    shape: file_shapes.Shape
    ready: str
    stale: str

    def place(self, project: Project) -> Path:
        """Return where the thing is."""
        return (FILES | FOLDERS)[self.thing](project)

    def __str__(self) -> str:
        """Return what a report says."""
        return f"{self.thing} as {self.shape.__name__}"


def _cells() -> Iterator[Cell]:
    for thing, (ready, stale) in OUTCOMES.items():
        shapes = file_shapes.OF_FILES if thing in FILES else file_shapes.OF_FOLDERS
        assert len(ready) == len(stale) == len(shapes), thing
        for shape, *outcomes in zip(shapes, ready, stale, strict=True):
            yield Cell(thing, shape, *outcomes)


CELLS = list(_cells())


class Bench:
    """A project to do odd things to, and a folder next to it that must stay as it is."""

    def __init__(self, project: Project) -> None:
        """Take `project`, a small one that builds fast."""
        self.project = project
        self.elsewhere = project.root.parent / "elsewhere"
        self.ran = project.root.parent / "ran"
        project.write(dependencies=["apple"], roost="compile-bytecode = false")
        project.lock()

    def fresh(self, *, indexed: bool) -> None:
        """Make everything as it was, and the project ready; `indexed` also for a warm start."""
        for path in (self.project.store, self.elsewhere):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        self.elsewhere.mkdir()
        for name in ("precious", "complete", "default", "lock", "journal"):  # which roost writes by these names
            (self.elsewhere / name).write_text("precious\n")
        for number in range(1 + indexed):  # the first builds; for the second the inputs are old enough for an index
            got = self.project.python(PROBE)
            assert got.returncode == 0, got.stderr
            assert bool(got.stderr) == (number == 0)

    def look(self, cell: Cell, state: str, door: str) -> list[str]:
        """Do to the ready project what `cell` says, start the probe by a door, and return what is wrong with that."""
        self.fresh(indexed=state == "ready" or cell.thing == "index")
        path = cell.place(self.project)
        cell.shape(path, self.elsewhere)
        if state == "stale":
            self.project.edit("pyproject.toml", "[tool.roost]", STALE)
        watch = file_shapes.Watch(self.elsewhere, self.project.root, without=(self.project.store,))
        env = dict(os.environ) | {"RAN": str(self.ran)}
        got = run([*DOORS[door], "python", "-c", PROBE], cwd=self.project.root, env=env)
        faults = [f"changed {name}" for name in watch.changes() if "/moved " not in name]
        if state == "stale":
            self.project.edit("pyproject.toml", STALE, "[tool.roost]")
        faults += ["ran what lies elsewhere"] if self.ran.exists() else []
        lines = got.stderr.splitlines()
        faults += [] if all(line.startswith("roost: ") for line in lines) else ["said more than sentences"]
        expected = cell.ready if state == "ready" else cell.stale
        if expected == "x":
            faults += [] if (got.returncode, got.stdout) == (125, "") else [f"ended with {got.returncode}"]
            faults += [] if lines and f"`{path}" in lines[-1] else [f"did not name `{path}`"]
        else:
            faults += _of_session(got.returncode, got.stdout, self.project)
            built = any("building" in line for line in lines)
            faults += [] if expected == "a" or built == (expected == "b") else [f"built: {built}"]
        return [f"{cell}, {state}, by {door}: {fault}; {got.stderr}" for fault in faults]


def _of_session(status: int, out: str, project: Project) -> list[str]:
    """Return what is wrong with a start that should have worked."""
    prefix, _, version = out.strip().rpartition(" ")
    if status != 0 or version != "2.0":
        return [f"ended with {status}"]
    if not prefix.startswith(f"{project.store}/.venv/.v2/envs/"):
        return [f"ran in `{prefix}`"]
    return integrity.faults(Path(prefix))


@pytest.fixture
def bench(project: Project, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Provide a project to do odd things to."""
    monkeypatch.setenv("ROOST_TIMEOUT", "20")
    return Bench(project)


@pytest.mark.slow
@pytest.mark.parametrize("thing", OUTCOMES)
def test_unusual_thing_in_the_folder(bench: Bench, thing: str, soak: float) -> None:
    """In the normal suite some of the shapes, each in one state and by one door; with `--soak` all of them."""
    cells = [(cell, state, door) for cell in CELLS for state in ("ready", "stale") for door in DOORS]
    chosen = [where for number, where in enumerate(cells) if soak or number % STRIDE == 0]
    faults = []
    for cell, state, door in chosen:
        if cell.thing != thing or (cell.shape in file_shapes.FOR_ROOT and os.geteuid() != 0):
            continue
        faults += bench.look(cell, state, door)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "shape",
    [
        file_shapes.link,
        pytest.param(file_shapes.fifo, marks=pytest.mark.slow),
        pytest.param(file_shapes.file, marks=pytest.mark.slow),
    ],
    ids=lambda shape: shape.__name__,
)
@pytest.mark.normally(shape=[file_shapes.link, file_shapes.fifo])
def test_unusual_thing_in_place_of_a_venv_is_collected(bench: Bench, shape: file_shapes.Shape) -> None:
    """With its lease, whatever that is; and nothing of it is left, nor missing elsewhere."""
    for thing in ("venv", "lease"):
        bench.fresh(indexed=False)
        path = (FILES | FOLDERS)[thing](bench.project)
        (bench.project.store / ".venv/default").unlink()  # it would spare the venv
        shape(path, bench.elsewhere)
        watch = file_shapes.Watch(bench.elsewhere)
        assert bench.project.python("import apple").returncode == 0
        for lease in bench.project.store.glob(".venv/.v2/envs/*/*.lease"):
            os.utime(lease, (1, 1), follow_symlinks=False)
        os.utime(path.parent, (1, 1))
        got = bench.project.roost("clean")
        assert (got.returncode, got.stderr) == (0, "")
        assert len(bench.project.complete()) == len(list(bench.project.store.glob(".venv/.v2/envs/*/venv-??????"))) == 1
        assert integrity.leftovers(bench.project.store) == []
        assert watch.changes() == []


@pytest.mark.slow
def test_what_somebody_removed_is_made_again(bench: Bench, soak: float) -> None:
    bench.fresh(indexed=True)
    lookers = ["status", "why", "log", "key", "clean", "doctor", "sync"]
    for number, name in enumerate(
        ("lock", "index", "record", "journal", ".venv/.v2/index", ".venv/.v2/python", "trash")
    ):
        path = (FILES | FOLDERS)[name](bench.project)
        chosen = lookers if soak else [lookers[(number + more) % len(lookers)] for more in (0, 3)]
        for words in (text.split() for text in [*chosen, "run python -c pass"]):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            got = bench.project.roost(*words)
            assert (got.returncode, got.stderr.removeprefix(EMPTY)) == (0, ""), (name, words)
    assert len(bench.project.venvs()) == 1


def test_index_in_whose_place_is_a_folder_leaves_nothing_behind(bench: Bench) -> None:
    bench.fresh(indexed=True)
    path = bench.project.store / ".venv/.v2/index/default"
    file_shapes.folder(path, bench.elsewhere)
    for _ in range(3):
        assert bench.project.python("import apple").stderr == ""
    assert [other.name.partition(":")[0] for other in path.parent.iterdir()] == ["default"] * 2  # and that of its state


def newer(text: str) -> str:
    """Return a file as a later version may write it: JSON with more in it, or more lines."""
    try:
        return json.dumps({"format": 2, "more": json.loads(text)})
    except ValueError:
        return f"version 2\n{text}more\n"


@pytest.mark.slow
def test_files_of_a_newer_format(bench: Bench) -> None:
    """None is taken for one of ours, and what another version keeps next to it stays as it is."""
    bench.fresh(indexed=True)
    other = bench.project.store / "v2/envs/3f9c2a7be1d04c55/venv-aaaaaa"
    other.mkdir(parents=True)
    (other / "file").write_text("precious\n")
    for name in ("index", "marker", "record", "lock", "journal"):
        path = FILES[name](bench.project)
        path.write_text(newer(path.read_text()))
        os.utime(bench.project.root / "uv.lock")
        for door in DOORS.values():
            got = run([*door, "python", "-c", PROBE], cwd=bench.project.root)
            assert _of_session(got.returncode, got.stdout, bench.project) == [], (name, got.stderr)
        for words in ("status", "log", "clean --all"):
            assert bench.project.roost(*words.split()).returncode == 0
        assert (other / "file").read_text() == "precious\n"


@pytest.mark.slow
def test_files_of_another_project(bench: Bench, wheels: Path, soak: float) -> None:
    """Its marker, its index and its venv, put where ours would be: what they name is never run."""
    other = Bench(Project(bench.project.root.parent / "other/project", wheels))
    other.fresh(indexed=True)
    for program in ("python", "python3"):
        theirs = _venv(other.project) / "bin" / program
        theirs.unlink()
        theirs.write_text(file_shapes.SCRIPT)
        theirs.chmod(0o755)
    watch = file_shapes.Watch(other.project.root)
    for name in ("index", "marker", "record", "lease"):
        for as_link in (False, True):
            bench.fresh(indexed=True)
            path, source = FILES[name](bench.project), FILES[name](other.project)
            path.unlink()
            if as_link:
                path.symlink_to(source)
            else:
                shutil.copy2(source, path)
            for door in DOORS.values() if soak else [DOORS["python" if as_link else "shell"]]:
                env = dict(os.environ) | {"RAN": str(bench.ran)}
                got = run([*door, "python", "-c", PROBE], cwd=bench.project.root, env=env)
                assert _of_session(got.returncode, got.stdout, bench.project) == [], (name, got.stderr)
    assert not bench.ran.exists()
    assert watch.changes() == []


@pytest.mark.slow
def test_unusual_journal_is_read_as_far_as_it_is_one(bench: Bench) -> None:
    """Nothing is waited for, neither a writer nor an end."""
    bench.fresh(indexed=False)
    path = FILES["journal"](bench.project)
    text = path.read_text()
    for shape in file_shapes.OF_FILES:
        if shape in file_shapes.FOR_ROOT and os.geteuid() != 0:
            continue
        shape(path, bench.elsewhere)
        got = bench.project.roost("log")
        assert (got.returncode, got.stderr.removeprefix(EMPTY)) == (0, ""), shape
        assert bool(got.stdout) == (shape in (file_shapes.hardlink, file_shapes.writable, file_shapes.huge)), shape
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        path.write_text(text)


def test_venv_by_a_link_is_not_counted_as_one(bench: Bench) -> None:
    """Even the thing itself, moved away: who moved it may do anything there."""
    bench.fresh(indexed=False)
    venv = _venv(bench.project)
    file_shapes.moved(venv, bench.elsewhere)
    FILES["index"](bench.project).unlink(missing_ok=True)  # a warm start looks at the files, which are the same
    got = bench.project.python("import sys; print(sys.prefix)")
    assert f"`{venv.name}` is a link, or reached through one\n" in got.stderr
    assert (got.returncode, got.stdout) == (0, f"{_venv(bench.project)}\n")
    assert _venv(bench.project) != venv
