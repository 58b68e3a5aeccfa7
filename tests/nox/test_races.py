"""Many nox processes at one gate, each with a TMPDIR of its own."""

import signal
from pathlib import Path

import pytest

from tests.lib.broken import without_build_lock
from tests.lib.nox_sessions import (
    HERE_PYTHON,
    NOX,
    OTHER_PYTHON,
    digest,
    nox,
    own_venvs,
    session,
    with_other_python,
    write_noxfile,
)
from tests.lib.processes import ROOST, all_at_once, finish, start, until, wait_for
from tests.lib.projects import Project, SlowProject

LOOPS = 3
SHOW = 'session.run("python", "-c", "import sys, apple.late, banana.later; print(\'in\', sys.prefix)")'


@pytest.fixture
def many(soak: float) -> int:
    """Provide how many processes start at once."""
    return 6 if soak else 4


def _places(outputs: list[str]) -> list[str]:
    return [line.removeprefix("in ") for out in outputs for line in out.splitlines() if line.startswith("in ")]


@pytest.mark.parametrize("loop", range(LOOPS))
@pytest.mark.normally(loop=[0])
def test_nox_at_once_on_a_cold_checkout(slow_project: SlowProject, tmp_path: Path, loop: int, many: int) -> None:
    """Each runs three sessions; one of them installs, which builds the project in its source tree once more."""
    del loop
    slow_project.file("slow.txt", "0.2")
    installs = ["session.install('cherry')", "session.run('cherry')"]
    write_noxfile(slow_project, session("first", SHOW) + session("second", SHOW) + session("third", *installs, SHOW))
    ended = [finish(child) for child in all_at_once(many, tmp_path, lambda _: [NOX], cwd=slow_project.root)]
    assert [status for status, _, _ in ended] == [0] * many, ended
    shared = {place for place in _places([out for _, out, _ in ended]) if "/session-" not in place}
    own = {place for place in _places([out for _, out, _ in ended]) if "/session-" in place}
    assert shared == {str(path) for path in slow_project.venvs()}
    assert len(shared) == len(slow_project.journal("build")) == 1
    assert len(own) == many
    assert slow_project.overlaps() == []


@pytest.mark.slow
def test_installs_of_the_source_tree_never_build_in_it_at_once(
    slow_project: SlowProject, tmp_path: Path, many: int
) -> None:
    slow_project.file("slow.txt", "0.2")
    write_noxfile(slow_project, session("first", "session.install('.')", SHOW))
    ended = [finish(child) for child in all_at_once(many, tmp_path, lambda _: [NOX], cwd=slow_project.root)]
    assert [status for status, _, _ in ended] == [0] * many, ended
    # Twice for each session: as an editable with all else, then as it is installed.
    assert sum(what == "begin" for _, _, what in slow_project.builds()) == 2 * many
    assert slow_project.venvs() == []
    assert slow_project.overlaps() == []


@pytest.mark.slow
@pytest.mark.parametrize("words", ["'.'", "'-r', 'dev.txt'"])
def test_next_build_waits_for_the_installer_of_a_killed_nox(slow_project: SlowProject, words: str) -> None:
    """Its installer still builds in the source tree, by itself. Before that comes the session's venv."""
    slow_project.file("slow.txt", "0")
    slow_project.file("dev.txt", "# this project\n.\n")
    slower = "open('slow.txt', 'w').write('inf')"
    write_noxfile(slow_project, session("first", "session.install('cherry')", slower, f"session.install({words})"))
    victim = start([NOX], cwd=slow_project.root)
    slow_project.begun(2)
    victim.kill()
    waiter = slow_project.start("sync", "--refresh")
    until(waiter, "roost: waiting for the lease of a build that ended")
    slow_project.file("slow.txt", "0")
    assert finish(waiter)[0] == 0
    victim.communicate()
    assert [what for _, _, what in slow_project.builds()] == ["begin", "end"] * 3
    assert slow_project.overlaps() == []


@pytest.mark.slow
def test_nox_without_the_build_lock_builds_many_times(slow_project: SlowProject, tmp_path: Path, many: int) -> None:
    """Show that the gate is a real one."""
    write_noxfile(slow_project, session("first", SHOW))
    env = without_build_lock(tmp_path)
    with slow_project.holding():
        children = all_at_once(many, tmp_path, lambda _: [NOX], cwd=slow_project.root, env=env)
        for child in children:
            until(child, "roost: building", "roost: waiting")
    for child in children:
        finish(child)
    assert slow_project.overlaps() or len(slow_project.journal("build")) > 1


@pytest.mark.slow
@pytest.mark.usefixtures("parallel_nox")
@pytest.mark.parametrize("loop", range(LOOPS))
@pytest.mark.normally(loop=[0])
def test_four_parallel_sessions_in_each_of_three_nox_and_hooks_beside(
    project: Project, tmp_path: Path, loop: int, many: int
) -> None:
    del loop
    pythons = [HERE_PYTHON, OTHER_PYTHON] if OTHER_PYTHON else [HERE_PYTHON]
    options = f"python={pythons!r}, allow_parallel=True"
    bodies = (
        session("first", SHOW, options=options),
        session("second", "session.install('cherry')", SHOW, options=options),
    )
    write_noxfile(project, "".join(bodies))
    launch = [[NOX, "-j", "4"], [NOX, "-j", "4"], [NOX], [ROOST, "run", "python", "-c", "import apple.late"]]
    env = with_other_python()
    children = all_at_once(many, tmp_path, lambda number: launch[number % len(launch)], cwd=project.root, env=env)
    ended = [finish(child) for child in children]
    assert [status for status, _, _ in ended] == [0] * many, ended
    shared = {place for place in _places([out for _, out, _ in ended]) if "/session-" not in place}
    # `roost run` asks for no Python: that may be one of the two, or a third.
    assert len(shared) == len(pythons)
    assert shared <= {str(path) for path in project.venvs()}
    assert len(project.journal("build")) == len(project.venvs()) <= len(pythons) + 1


@pytest.mark.slow
def test_killed_builder_leaves_the_others_unharmed(slow_project: SlowProject, tmp_path: Path, many: int) -> None:
    write_noxfile(slow_project, session("first", SHOW))
    with slow_project.holding():
        first = start([NOX], cwd=slow_project.root)
        slow_project.begun()
        others = all_at_once(many - 1, tmp_path, lambda _: [NOX], cwd=slow_project.root)
        first.kill()
    ended = [finish(child) for child in others]
    assert finish(first)[0] == -signal.SIGKILL
    assert [status for status, _, _ in ended] == [0] * (many - 1), ended
    assert len(set(_places([out for _, out, _ in ended]))) == len(slow_project.venvs()) == 1
    assert slow_project.overlaps() == []


@pytest.mark.slow
def test_killed_builder_of_an_own_venv_leaves_the_others_unharmed(
    slow_project: SlowProject, tmp_path: Path, many: int
) -> None:
    """What its installer still does in the source tree is waited for, and its half-made venv is removed."""
    write_noxfile(slow_project, session("first", "session.install('cherry')", SHOW))
    assert slow_project.python("pass").returncode == 0
    with slow_project.holding():
        first = start([NOX], cwd=slow_project.root)
        slow_project.begun(2)
        others = all_at_once(many - 1, tmp_path, lambda _: [NOX], cwd=slow_project.root)
        first.kill()
    ended = [finish(child) for child in others]
    finish(first)
    assert [status for status, _, _ in ended] == [0] * (many - 1), ended
    assert slow_project.overlaps() == []
    assert nox(slow_project).returncode == 0
    assert len(own_venvs(slow_project, "first")) == 1
    assert len(slow_project.venvs()) == 1


def test_install_that_was_killed_is_not_counted_as_complete(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    late = (
        f"import pathlib; pathlib.Path({str(go)!r}).touch(); import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    )
    killed = [f"session.run_install('uv', 'run', 'python', '-c', {late!r})"]
    write_noxfile(project, session("first", *killed, SHOW))
    child = start([NOX], cwd=project.root)
    wait_for(go.exists, "the install")
    child.kill()
    finish(child)
    cut = own_venvs(project, "first")
    assert len(cut) == 1
    write_noxfile(project, session("first", "session.install('cherry')", "session.run('cherry')"))
    got = nox(project, "-R")
    assert (got.returncode, got.stdout) == (0, "cherry 1.0\n"), got.stderr
    assert own_venvs(project, "first") != cut
    assert len(own_venvs(project, "first")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("reuse", [(), ("-r",), ("-R",)], ids=["new", "-r", "-R"])
def test_second_nox_with_the_same_session_changes_nothing_under_the_first(
    project: Project, tmp_path: Path, reuse: tuple[str, ...]
) -> None:
    """The first imports late, after the second has run from its beginning to its end."""
    write_noxfile(project, session("first", "session.install('cherry')", *_late(tmp_path)))
    if reuse:
        (tmp_path / "go").touch()
        assert nox(project).returncode == 0
        (tmp_path / "go").unlink()
        (tmp_path / "there").unlink()
    first = start([NOX, *reuse], cwd=project.root)
    wait_for((tmp_path / "there").exists, "the first session")
    mine = own_venvs(project, "first")
    before = digest(mine[0])
    write_noxfile(
        project, session("first", "session.install('cherry', 'apple<2')", SHOW.replace("banana.later", "cherry.later"))
    )
    second = nox(project, *reuse)
    assert second.returncode == 0, second.stderr
    assert _places([second.stdout]) != [str(mine[0])]
    assert digest(mine[0]) == before
    (tmp_path / "go").touch()
    status, out, err = finish(first)
    assert (status, out.split()[-1]) == (0, "2.0"), err


def _late(tmp_path: Path) -> list[str]:
    code = (
        f"import pathlib, time; pathlib.Path({str(tmp_path / 'there')!r}).touch()\n"
        f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n"
        "import apple.later, banana.later; print(apple.later.VERSION)"
    )
    return [f"session.run('python', '-c', {code!r})"]


@pytest.mark.slow
def test_running_session_keeps_its_packages_while_the_lock_file_changes(project: Project, tmp_path: Path) -> None:
    write_noxfile(
        project, session("first", *_late(tmp_path)) + session("second", SHOW.replace("banana.later", "apple.later"))
    )
    first = start([NOX, "-s", "first"], cwd=project.root)
    wait_for((tmp_path / "there").exists, "the first session")
    old = project.venvs()[0]
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    project.edit("pyproject.toml", '["banana"]', "[]")
    project.lock()
    second = nox(project, "-s", "second")
    assert second.returncode == 0, second.stderr
    assert _places([second.stdout]) != [str(old)]
    assert project.roost("sync").returncode == 0
    project.age()
    assert f"kept {old}: in use" in project.roost("clean", "--all").stdout
    (tmp_path / "go").touch()
    status, out, err = finish(first)
    assert (status, out.split()[-1]) == (0, "2.0"), err
