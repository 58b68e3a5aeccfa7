"""Odd surroundings: missing variables, closed descriptors, other masks and limits, mounts, and root in a user's project."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lib import integrity
from tests.lib.file_shapes import NOBODY
from tests.lib.namespaces import namespace
from tests.lib.processes import ROOST, ROOST_RUN, finish, run, start
from tests.lib.projects import Project, SlowProject, builds, refused
from tests.lib.variants import slow_after
from tests.lib.venvs import FakePython

DOORS = ([ROOST, "run"], [ROOST_RUN])
PREFIX = "import sys; print(sys.prefix)"
SETTING = (
    "import os, resource, signal, sys\n"
    "what, value, *command = sys.argv[1:]\n"
    "if what == 'umask': os.umask(int(value, 8))\n"
    "if what == 'files': resource.setrlimit(resource.RLIMIT_NOFILE, (int(value), int(value)))\n"
    "if what == 'close': [os.close(int(digit)) for digit in value]\n"
    "if what == 'ignore': signal.signal(signal.Signals[value], signal.SIG_IGN)\n"
    "os.execv(command[0], command)\n"
)


def under(what: str, value: object) -> list[str]:
    """Return the words that set something for the command that follows them."""
    return [sys.executable, "-c", SETTING, what, str(value)]


def both_ways(project: Project, *prefix: str, **options: Any) -> None:
    """Start by both doors, and again when warm; each is in the project's one venv, which is whole."""
    for door in (*DOORS, *DOORS):
        got = run([*prefix, *door, "python", "-c", PREFIX], **({"cwd": project.root} | options))
        assert got.returncode == 0, got.stderr
        assert got.stdout == f"{project.venvs()[0]}\n"
    assert builds(project) == 1
    assert integrity.of_markers(project.store) == []


@pytest.fixture(autouse=True)
def default_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let roost choose the folder of its caches, as for most users."""
    monkeypatch.delenv("ROOST_CACHE_DIR")


VARIABLES = ["HOME PATH TMPDIR USER LOGNAME SHELL PWD", "TMPDIR", "HOME", "PATH"]


@pytest.mark.parametrize("names", slow_after(1, VARIABLES))
def test_variables_that_are_not_set(project: Project, names: str) -> None:
    env = {name: value for name, value in os.environ.items() if name not in names.split()}
    assert len(env) < len(os.environ)
    if "PATH" in names:  # which Python is meant, nothing says then
        assert project.python("pass").returncode == 0
    both_ways(project, env=env)


@pytest.mark.slow
def test_locale_of_another_encoding_is_the_same_project(tmp_path: Path, wheels: Path) -> None:
    """Also with a path whose letters that encoding lacks, or writes in another way."""
    project = Project(tmp_path / "work/prøjekt", wheels)
    project.write(dependencies=["apple"], name="project")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    both_ways(project)
    project.edit("pyproject.toml", "[tool.roost]", "# a comment\n[tool.roost]")  # so that the state is read again
    both_ways(project, env=dict(os.environ) | ascii_only, encoding="utf-8")
    code = "import sys; print(sys.flags.utf8_mode, sys.getfilesystemencoding())"
    assert project.python(code, env=dict(os.environ) | ascii_only).stdout == "0 ascii\n"


@pytest.mark.parametrize("home", slow_after(1, ["relative", "~", ""]))
def test_home_that_is_no_absolute_path(project: Project, home: str) -> None:
    """As for a user that is in no list of users, and has no `HOME`: `~` is not replaced then."""
    both_ways(project, env=dict(os.environ) | {"HOME": home})
    got = project.roost("doctor", env=dict(os.environ) | {"HOME": home})
    assert ("there is no home for" in got.stdout) == bool(home)
    assert str(project.root) in project.roost("doctor", env=dict(os.environ) | {"HOME": "/"}).stdout


@pytest.mark.slow
@pytest.mark.parametrize("names", ["PATH", "HOME PATH"])
def test_first_start_without_a_path_works_or_says_what_it_lacks(project: Project, names: str) -> None:
    for value in (None, ""):
        env = {name: text for name, text in os.environ.items() if name not in names.split()}
        env |= {} if value is None else {"PATH": value}
        for door in DOORS:
            got = run([*door, "python", "-c", PREFIX], cwd=project.root, env=env)
            assert got.returncode in (0, 125), got.stderr
            assert "Traceback" not in got.stderr
            assert got.returncode == 0 or "no Python satisfies `>=3.11`" in got.stderr


def test_empty_path_when_ready(built: Project) -> None:
    built.python("pass")
    both_ways(built, env=dict(os.environ) | {"PATH": ""})


@pytest.mark.parametrize("mask", [pytest.param("000", marks=pytest.mark.slow), "077"])
def test_mask_for_new_files(project: Project, mask: str) -> None:
    """With any mask, roost's files are for their owner only, and the command keeps its mask."""
    both_ways(project, *under("umask", mask))
    modes = {path: path.lstat().st_mode & 0o777 for path in [project.store, *project.store.glob(".venv/.v2/**/*")]}
    shared = [str(path) for path, mode in modes.items() if "venv-" not in str(path) and mode & 0o077]
    assert not shared
    assert (project.store.stat().st_mode & 0o777) == 0o700
    code = "import os; print(oct(os.umask(0)))"
    got = run([*under("umask", mask), ROOST, "run", "python", "-c", code], cwd=project.root)
    assert got.stdout == f"{oct(int(mask, 8))}\n"


@pytest.mark.slow
def test_mask_that_takes_everything(project: Project) -> None:
    both_ways(project, *under("umask", "777"))


@pytest.mark.slow
@pytest.mark.parametrize("count", [64, 20])
def test_few_open_files(project: Project, count: int) -> None:
    both_ways(project, *under("files", count))


def test_parent_that_ignores_the_end_of_children(project: Project) -> None:
    """The kernel keeps no exit status then, and an installer that fails seems to succeed."""
    ignored = under("ignore", "SIGCHLD")
    both_ways(project, *ignored)
    project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["false"]\n')
    assert "could not be built with command" in refused(project, prefix=ignored)


REAPS = """
import os, signal, sys
def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
signal.signal(signal.SIGCHLD, reap)
import roost
roost.acquire(sys.argv[1])
"""


@pytest.mark.slow
def test_program_that_waits_for_all_children(project: Project) -> None:
    """As a supervisor does: it may take an exit status before roost does, and a lost one is no success."""
    project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["sh", "-c", "exit 3"]\n')
    assert project.python("pass").returncode == 125  # from now on its Python is known
    for _ in range(3):
        got = run([sys.executable, "-c", REAPS, project.root])
        assert got.returncode == 1
        assert "exit status was lost" in got.stderr or "ended with status 3" in got.stderr
    assert project.complete() == []


@pytest.mark.parametrize("closed", slow_after(2, ["0", "012", "1", "2"]))
@pytest.mark.parametrize("door", DOORS, ids=["python", "shell"])
@pytest.mark.paired("closed", "door")
def test_closed_standard_streams(project: Project, closed: str, door: list[str]) -> None:
    """Cold, slow and warm; the command finds them closed, too, and nothing of roost's in their place."""
    code = (
        "import os\n"
        "def is_open(fd):\n"
        "    try: return bool(os.fstat(fd))\n"
        "    except OSError: return False\n"
        "found = [fd for fd in range(3) if is_open(fd)]\n"
        "open('found', 'w').write(str(found))"
    )
    for turn in range(3):
        if turn == 1:
            os.utime(project.root / "pyproject.toml")
        got = run([*under("close", closed), *door, "python", "-c", code], cwd=project.root)
        assert got.returncode == 0, got.stderr
        assert (project.root / "found").read_text() == str([fd for fd in range(3) if str(fd) not in closed])
        (project.root / "found").unlink()
    assert builds(project) == 1
    assert integrity.of_markers(project.store) == []


COMMANDS = ("sync", "status", "why", "log", "key", "clean --all", "doctor", "--help", "--version")


@pytest.mark.slow
def test_result_that_cannot_be_written_is_an_error(project: Project) -> None:
    """Python by itself ends with 120, and in words of its own."""
    project.python("pass")
    for words in COMMANDS:
        with open("/dev/full", "w") as full:
            got = project.roost(*words.split(), stdout=full)
        said = "roost: standard output cannot be written: No space left on device\n"
        assert (got.returncode, got.stderr) == (125, said), words
    assert project.roost("run", "python", "-c", "pass", stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.slow
def test_closed_output_is_no_traceback(project: Project, soak: float) -> None:
    project.python("pass")
    for number, words in enumerate(COMMANDS):
        for closed in ("1", "012") if soak else (("1", "012")[number % 2],):
            got = run([*under("close", closed), ROOST, *words.split()], cwd=project.root)
            assert got.returncode in (0, 125), (words, closed, got.stderr)
            assert "Traceback" not in got.stderr


def test_two_temporary_folders_are_one_project(slow_project: SlowProject, tmp_path: Path) -> None:
    """As two containers have them, or a service with a `/tmp` of its own: under one name, two folders."""
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "tmpfs", tmp_path / "tmp"]
    with namespace(mount) as one, namespace(mount) as other:
        one.do("touch", tmp_path / "tmp/of one")
        assert other.do("ls", tmp_path / "tmp") == ""
        root = slow_project.root
        children = [start(place.inside(root, ROOST, "run", "python", "-c", PREFIX)) for place in (one, other) * 2]
        ends = [finish(child) for child in children]
    assert {(status, out) for status, out, _ in ends} == {(0, f"{slow_project.venvs()[0]}\n")}, ends
    assert builds(slow_project) == 1
    assert slow_project.overlaps() == []


def test_overlay_that_is_mounted_again(project: Project, tmp_path: Path) -> None:
    """As a container that is made again over the same layers: another device, and the same venv."""
    for name in ("upper", "layer", "merged"):
        (tmp_path / name).mkdir()
    root = tmp_path / "merged"
    layers = f"lowerdir={project.root},upperdir={tmp_path / 'upper'},workdir={tmp_path / 'layer'}"
    mount: list[str | Path] = ["mount", "-t", "overlay", "overlay", "-o", layers, root]
    with namespace(mount) as place:
        command = place.inside(root, ROOST, "run", "python", "-c", PREFIX)
        first = run(command)
        assert (first.returncode, "building" in first.stderr) == (0, True), first.stderr
        for _ in range(2):
            place.do("umount", root)
            place.do(*mount)
            for door in DOORS:
                again = run(place.inside(root, *door, "python", "-c", PREFIX))
                assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")


@pytest.mark.slow
def test_checkout_by_two_paths_has_two_venvs(project: Project, tmp_path: Path) -> None:
    """As on a host, and in a container that mounts the checkout elsewhere: neither rebuilds, nor removes, the other's."""
    there = tmp_path / "work/there"
    there.mkdir()
    with namespace(["mount", "--bind", project.root, there]) as place:
        words: list[str | Path] = [ROOST, "run", "python", "-c", PREFIX]
        host, container = words, place.inside(there, *words)
        for turn in range(3):
            seen = [run(host, cwd=project.root), run(container)]
            assert [got.returncode for got in seen] == [0, 0], seen
            assert seen[0].stdout.startswith(f"{project.store}/")
            assert seen[1].stdout.startswith(f"{there}/.roost/")
            assert ["building" in got.stderr for got in seen] == [turn == 0] * 2
        project.age()
        project.edit("pyproject.toml", "[tool.roost]\n", "[tool.mine]\nx = 1\n[tool.roost]\n")
        assert "building" in run(container).stderr  # which collects
        project.edit("pyproject.toml", "[tool.mine]\nx = 1\n[tool.roost]\n", "[tool.roost]\n")
        assert run(host, cwd=project.root).stderr == ""
        assert run(container).stderr == ""
    assert builds(project) == 3


@pytest.mark.slow
def test_checkout_with_two_interpreters_at_one_path_has_two_venvs(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a host, and in a container that mounts the checkout at its own path."""
    ours, theirs = FakePython(tmp_path / "python"), FakePython(tmp_path / "other")
    theirs.upgrade()
    monkeypatch.setenv("PATH", f"{ours.folder}/bin:/usr/bin:/bin")
    if run([ours.program, "-c", "import sys; print(sys.base_prefix)"]).stdout != f"{ours.folder}\n":
        pytest.skip("a copy of this interpreter does not find its library")
    with namespace(["mount", "--bind", theirs.folder, ours.folder]) as place:
        venvs = []
        words: list[str | Path] = [ROOST, "run", "python", "-c", PREFIX]
        for turn in range(3):
            for command in (words, place.inside(project.root, *words)):
                got = run(command, cwd=project.root)
                assert (got.returncode, "building" in got.stderr) == (0, turn == 0), got.stderr
                venvs.append(got.stdout)
    assert venvs == venvs[:2] * 3
    assert venvs[0] != venvs[1]
    assert builds(project) == 2


ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root in another's project")


def owners(folder: Path) -> set[int]:
    """Return whose the files in a folder are."""
    return {path.lstat().st_uid for path in [folder, *folder.rglob("*")]}


def give_away(folder: Path) -> None:
    """Make everything in a folder another user's."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@pytest.mark.slow
@ROOT
def test_root_leaves_nothing_in_the_project_of_another(project: Project, tmp_path: Path) -> None:
    """That user could not remove it from a folder that only root may enter."""
    give_away(project.root)
    for door in ([*DOORS[0], "python"], [*DOORS[1], "python"], [ROOST, "sync"], [ROOST, "doctor"]):
        got = run(door, cwd=project.root)
        assert (got.returncode, got.stdout) == (125, "")
        assert got.stderr == (
            f"roost: `{project.root}` belongs to another user (uid {NOBODY}), who could not remove files of root: "
            "run this as that user, or set `ROOST_DIR` to a folder of root\n"
        )
    for words in ("status", "why", "log", "clean", "key"):
        assert project.roost(words).returncode in (0, 125)
    assert owners(project.root) == {NOBODY}
    got = project.python(PREFIX, env=dict(os.environ) | {"ROOST_DIR": str(tmp_path / "of root")})
    assert got.returncode == 0, got.stderr
    assert got.stdout.startswith(str(tmp_path / "of root"))
    assert owners(project.root) == {NOBODY}


@ROOT
def test_root_leaves_alone_the_environment_of_another(project: Project) -> None:
    project.python("pass")
    give_away(project.root)
    for door in DOORS:
        got = run([*door, "python", "-c", "pass"], cwd=project.root)
        assert got.returncode == 125
        assert f"`{project.store}` belongs to another user (uid {NOBODY}, you are 0)" in got.stderr
    for words in (("sync", "--refresh"), ("clean", "--all"), ("doctor",)):
        assert project.roost(*words).returncode == 125
    assert owners(project.root) == {NOBODY}
    assert len(project.complete()) == 1
