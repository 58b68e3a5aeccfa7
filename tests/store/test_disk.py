"""A disk that is full, read-only or fails: one sentence, and what was there before goes on to work."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.lib import integrity
from tests.lib.namespaces import namespace
from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.projects import Project, builds

LIMITED = (
    "import os, resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
Words = list["str | Path"]
Wrap = Callable[[Words], Words]
"""Puts words before a command, so that it is run in the right place."""


class States:
    """A project that goes through states, each with a venv of its own. That of the first one is to survive all faults."""

    def __init__(self, project: Project, wrap: Wrap = lambda words: words) -> None:
        """Make the first state ready."""
        self.project = project
        self.wrap = wrap
        self.count = 0
        project.write(dependencies=["apple"])
        project.lock()
        self.go(0)
        assert self.start().returncode == 0
        self.first = self.venv()

    def go(self, number: int) -> None:
        """Go to a state; none has a venv before somebody was there."""
        roost = "compile-bytecode = false\nkeep = 99"
        self.project.write(dependencies=["apple"], roost=roost, extra=f"[tool.mine]\nx = {number}")

    def next(self) -> None:
        """Go to a state that was not seen before."""
        self.count += 1
        self.go(self.count)

    def start(self, *prefix: "str | Path", code: str = "import apple.later") -> CompletedProcess[str]:
        """Run code in the environment, by a `roost run` with `prefix` before it."""
        return run(self.wrap([*prefix, ROOST, "run", "python", "-c", code]), cwd=self.project.root)

    def venv(self) -> str:
        """Return the venv of this state, which must be there."""
        got = self.start(code="import sys; print(sys.prefix)")
        assert (got.returncode, got.stderr) == (0, ""), got.stderr
        return got.stdout

    def check(self, got: CompletedProcess[str], what: str) -> None:
        """Check how a start ended whose disk failed; and that without the fault all is as good as before."""
        context = f"{what}: {got.returncode} {got.stderr}"
        assert got.returncode in (0, 125), context
        assert "Traceback" not in got.stderr, context
        assert got.returncode == 0 or re.search(r"^roost: .*(cannot|could not) be ", got.stderr, re.MULTILINE), context
        self.go(0)
        assert self.venv() == self.first, context
        self.go(self.count)
        again = self.start()
        assert again.returncode == 0, (context, again.stderr)


@pytest.fixture
def states(project: Project) -> States:
    """Provide a project whose first state is ready."""
    return States(project)


@pytest.fixture(scope="session")
def strace() -> str:
    """Provide the path of `strace`, which makes system calls fail."""
    found = shutil.which("strace")
    if found is None or run([found, "-qq", "-o", "/dev/null", "true"]).returncode != 0:
        pytest.skip("there is no `strace` that may trace here, which makes system calls fail")
    return found


# What is called while a venv is built and published, about which path, and what a failure of that must come to: 125, or
# 0 where it must not matter. The regular expression goes for what strace prints, with the paths of descriptors.
FAULTS = [
    ("mkdir", r"/envs/[0-9a-f]{16}\"", 125),
    ("mkdir", r"/venv-\w{6}\"", 125),
    ("ftruncate", r"/\.lock>", 0),
    ("pwrite64", r"/\.lock>", 0),
    ("pwrite64", r"\.lease>, \"", 125),
    ("write", r"/\.\.roost-files\.\w+>", 125),
    ("ftruncate", r"\.lease>, 0", 125),
    ("write", r"/\.complete\.\w+>", 125),
    ("fsync", r"/\.complete\.\w+>", 125),
    ("rename", r"/\.complete\.", 125),
    ("fsync", r"/envs/[0-9a-f]{16}>", 0),
    ("write", r"/journal>", 0),
    ("write", r"/index/", 0),
    ("rename", r"/index/", 0),
    ("utimensat", r"\.lease>", 0),
]
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS")
CALLS = ",".join(sorted({call for call, _, _ in FAULTS}))


def _calls(states: States, strace: str, out: Path) -> Iterator[tuple[str, int, str]]:
    """Build a state, and yield each call that roost itself made: its name, the how manieth, and what it was about."""
    states.next()
    got = states.start(strace, "-y", "-qq", "-s", "9", "-o", out, "-e", f"trace={CALLS},execve")
    assert got.returncode == 0, got.stderr
    counts: dict[str, int] = {}
    for line in out.read_text().splitlines()[1:]:
        name, _, about = line.partition("(")
        if name == "execve":
            return  # the command, which may do as it likes
        if name in CALLS.split(","):
            counts[name] = counts.get(name, 0) + 1
            yield name, counts[name], about


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
def test_call_that_fails_during_a_build(states: States, strace: str, tmp_path: Path, half: int, soak: float) -> None:
    """An error, and the state before intact; what is only for later does not stop a start."""
    calls = list(_calls(states, strace, tmp_path / "calls"))
    for number, (call, pattern, status) in enumerate(FAULTS):
        if number % 2 != half:
            continue
        when = [count for name, count, about in calls if name == call and re.search(pattern, about)]
        assert when, f"no {call} about {pattern} in {calls}"
        for error in ERRORS if soak else ERRORS[number // 2 % len(ERRORS) :][:1]:
            states.next()
            fault = f"inject={call}:error={error}:when={when[-1]}"
            got = states.start(strace, "-qq", "-o", tmp_path / "out", "-e", f"trace={call}", "-e", fault)
            assert "INJECTED" in (tmp_path / "out").read_text(), fault
            assert got.returncode == status, (call, pattern, got.stderr)
            states.check(got, f"{error} for {call} about {pattern}")
    assert integrity.of_markers(states.project.store) == []


@pytest.mark.slow
def test_marker_is_in_place_when_its_folder_cannot_be_flushed(states: States, strace: str, tmp_path: Path) -> None:
    """It is too late to fail then: the marker before it is gone, and taking the venv away would leave neither."""
    old = states.venv().strip()
    words = ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2", ROOST, "sync", "--refresh"]
    got = run([strace, "-qq", "-o", tmp_path / "out", *words], cwd=states.project.root)
    assert "INJECTED" in (tmp_path / "out").read_text()
    assert got.returncode == 0, got.stderr
    (new,) = states.project.complete()
    folder = new.parent
    assert (
        f"warning: `{folder}` cannot be flushed (Input/output error): a power cut may undo this build\n" in got.stderr
    )
    assert got.stdout == f"{new}\n"
    assert str(new) != old
    assert states.venv() == f"{new}\n"
    assert builds(states.project) == 2
    assert integrity.of_markers(states.project.store) == []


def test_marker_that_cannot_be_flushed_leaves_the_one_before(states: States, strace: str, tmp_path: Path) -> None:
    for call, when in (("fsync", 1), ("rename", 2)):
        words = ["-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={when}", ROOST, "sync", "--refresh"]
        got = run([strace, "-qq", "-o", tmp_path / "out", *words], cwd=states.project.root)
        assert "INJECTED" in (tmp_path / "out").read_text()
        assert (got.returncode, got.stdout) == (125, "")
        marker = Path(states.first.strip()).parent / "complete"
        assert (
            f"roost: the marker `{marker}` cannot be written: Input/output error; free disk space, or set" in got.stderr
        )
        assert states.venv() == states.first
        assert [str(path) for path in states.project.venvs()] == [states.first.strip()]
        assert integrity.leftovers(states.project.store) == []


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(0, marks=pytest.mark.slow),
        100,
        pytest.param(1000, marks=pytest.mark.slow),
        pytest.param(4000, marks=pytest.mark.slow),
        pytest.param(100_000, marks=pytest.mark.slow),
    ],
)
@pytest.mark.normally(size=[0, 1000, 100_000])
def test_limit_on_the_size_of_files(states: States, size: int) -> None:
    """As a quota does, a program that writes more fails: roost, uv, or none."""
    states.next()
    got = states.start(sys.executable, "-c", LIMITED, str(size))
    assert got.returncode == (0 if size == 100_000 else 125), got.stderr
    states.check(got, f"limit of {size} bytes")


def test_installer_that_is_killed_is_named_with_the_signal(states: States) -> None:
    """It says nothing itself: the kernel ended it, for want of memory, say, or here for a limit on the size of files."""
    states.next()
    said = states.start(sys.executable, "-c", LIMITED, "100").stderr
    # On a line of its own after what `uv` printed; it may have printed nothing.
    assert re.search(r"(^ *|: )`uv` was ended by signal \d+ \(File size limit exceeded\)$", said, re.MULTILINE), said


ROOMS = {"size": ("%b %f", 4096), "nr_inodes": ("%c %d", 1)}
"""Options of tmpfs, what `stat` says of that: how much there is and how much is free, and in what units."""


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_disk_that_gets_full(
    project: Project, monkeypatch: pytest.MonkeyPatch, room: str, soak: float, tmp_path: Path
) -> None:
    """Wherever in a build it does: a file system with room for so many more pages, or files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setenv("ROOST_DIR", str(disk))
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    ample = "size=64m,nr_inodes=9999"
    with namespace(["mount", "-t", "tmpfs", "-o", ample, "tmpfs", disk]) as place:
        states = States(project, lambda words: place.inside(project.root, *words))
        kind, unit = ROOMS[room]
        ended = set()
        for more in range(60) if soak else (0, 2, 6, 12, 99):
            states.next()
            there, free = map(int, place.do("stat", "-f", "-c", kind, disk).split())
            place.do("mount", "-o", f"remount,{room}={(there - free + more) * unit}", disk)
            got = states.start()
            place.do("mount", "-o", f"remount,{ample}", disk)
            states.check(got, f"room for {more} of {room}")
            ended.add(got.returncode)
        assert ended == {0, 125}


def test_read_only_disk(states: States) -> None:
    """What is ready runs; what is not is refused, with the way out."""
    root = states.project.root
    bind: list[Words] = [["mount", "--bind", root, root], ["mount", "-o", "remount,ro,bind", root]]
    with namespace(*bind) as place:
        for door in ([ROOST, "run"], [ROOST_RUN]):
            got = run(place.inside(root, *door, "python", "-c", "import sys; print(sys.prefix)"))
            assert (got.returncode, got.stdout, got.stderr) == (0, states.first, "")
        states.next()
        for door in ([ROOST, "run"], [ROOST_RUN]):
            got = run(place.inside(root, *door, "python", "-c", ""))
            assert got.returncode == 125
            assert "cannot be used: Read-only file system; make it writable, or set `ROOST_DIR`" in got.stderr
        os.utime(root / "uv.lock")
        states.go(0)
        got = run(place.inside(root, ROOST, "run", "python", "-c", "import sys; print(sys.prefix)"))
        assert (got.returncode, got.stdout, got.stderr) == (0, states.first, "")


@pytest.mark.parametrize("call", ["unlinkat", pytest.param("renameat", marks=pytest.mark.slow)])
def test_clean_up_that_fails_does_not_fail_the_build(project: Project, strace: str, call: str) -> None:
    """As with an old venv that is immutable (`chattr +i`)."""
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\nkeep = 1")
    assert project.roost("sync").returncode == 0
    (old,) = project.venvs()
    project.edit("pyproject.toml", "[tool.roost]", "[tool.mine]\nx = 1\n[tool.roost]")
    assert project.roost("sync").returncode == 0  # the link leads to its venv
    project.age()
    project.edit("pyproject.toml", "x = 1", "x = 2")
    faulty = [strace, "-qq", "-o", "/dev/null", "-e", f"trace=/^{call}", "-e", f"inject=/^{call}:error=EPERM"]
    got = run([*faulty, ROOST, "run", "python", "-c", "print(1)"], cwd=project.root)
    assert (got.returncode, got.stdout) == (0, "1\n"), got.stderr
    path = old.parent / "complete" if call == "unlinkat" else old
    assert (
        got.stderr.count(f"roost: warning: an old venv stays: `{path}` cannot be removed: Operation not permitted") == 1
    )
    assert old in project.venvs()
