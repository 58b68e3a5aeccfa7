"""Signals: to a build, to its installer, to what it started and to all of them; and to those who wait.

After each: no venv counts that is not whole, and the next start succeeds.
"""

import os
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

import roost
from roost.system import folders
from tests.lib import integrity
from tests.lib.processes import ROOST, finish, run, runs, start, until, wait_for
from tests.lib.projects import Project, SlowProject, builds, start_until_indexed
from tests.lib.variants import slow_after

if TYPE_CHECKING:
    import subprocess

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _children(pid: int) -> list[int]:
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            found += [int(child) for child in file.read().split()]
    return found


SHORT = {"roost": SIGNALS, "installer": SIGNALS[:2], "both": SIGNALS[::2], "backend": SIGNALS[:1]}
CASES = [(signum, whom) for whom in ("roost", "installer", "both") for signum in SIGNALS]
CASES += [(signal.SIGKILL, "backend"), (signal.SIGTERM, "backend")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signum", "whom"),
    [pytest.param(*case, marks=() if case[0] in SHORT[case[1]] else pytest.mark.soak) for case in CASES],
)
def test_signal_during_a_build(slow_project: SlowProject, signum: signal.Signals, whom: str) -> None:
    """Whichever process gets it, the end is clear; what roost started ends too, unless roost is killed."""
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        roost, (installer,), backend = builder.pid, _children(builder.pid), slow_project.builds()[-1][1]
        for pid in {"roost": [roost], "installer": [installer], "both": [roost, installer], "backend": [backend]}[whom]:
            os.kill(pid, signum)
        status, _, err = finish(builder)
        left = [pid for pid in (installer, backend) if runs(pid)]
    assert "Traceback" not in err
    if whom in ("installer", "backend"):
        assert status == 125, err
        assert "could not be built with uv" in err
    elif signum == signal.SIGKILL:
        assert status == -9
    else:
        assert status == 128 + signum, err
        assert "the build of `default` was interrupted, and its installer ended" in err
        assert err.endswith("roost: interrupted; nothing was run\n")
        assert left in ([], [backend] if whom == "both" else [])  # once uv is gone, only its lease shows whose it is
    assert slow_project.complete() == []
    got = slow_project.python("import apple.late, banana.late, project")
    assert got.returncode == 0, got.stderr
    # A backend that was ended noted no end; its flock tells whether it was gone.
    assert not any("flock" in overlap for overlap in slow_project.overlaps())
    assert integrity.of_markers(slow_project.store) == []
    assert len(slow_project.complete()) == len(slow_project.venvs()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("signum", SIGNALS)
def test_signal_at_any_moment(project: Project, signum: signal.Signals, soak: float) -> None:
    """To the whole process group of one that builds again, a little later each time: the old venv stays good."""
    assert project.python("pass").returncode == 0
    moments = [number / 50 for number in range(1, 31)] if soak else [number / 8 for number in range(1, 5)]
    for moment in moments:
        before = project.complete()
        builder = start([ROOST, "sync", "--refresh"], cwd=project.root, start_new_session=True)
        time.sleep(moment)
        if builder.poll() is None:
            os.killpg(builder.pid, signum)
        _, _, err = finish(builder)
        assert "roost/" not in err.partition("Traceback")[2]
        assert integrity.of_markers(project.store) == []
        count = builds(project)
        got = project.python("import apple.late, apple.later, banana.late, banana.later")
        assert (got.returncode, got.stderr) == (0, "")
        assert builds(project) == count  # either the old one or the new one, and neither has to be built
        assert project.complete() == before or len(project.complete()) == 1


def test_interrupt_right_after_the_marker_keeps_its_venv(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marker's rename and the return from `publish` are two steps; no signal can be sent between them for sure."""

    def interrupted(path: str) -> None:
        raise KeyboardInterrupt(path)

    with monkeypatch.context() as patched:
        patched.setattr(folders, "flush", interrupted)
        with pytest.raises(KeyboardInterrupt):
            roost.acquire(project.root)
    assert integrity.of_markers(project.store) == []
    assert len(project.complete()) == 1
    with roost.acquire(project.root) as environment:
        assert [environment.path] == project.venvs()
    assert builds(project) == 0  # the journal's line comes after the marker


@pytest.mark.parametrize("signum", slow_after(1, SIGNALS))
@pytest.mark.normally(signum=[signal.SIGKILL, signal.SIGTERM])
def test_signal_to_a_waiter_affects_no_other_process(slow_project: SlowProject, signum: signal.Signals) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        waiter = slow_project.start("run", "python", "-c", "raise SystemExit('ran')")
        until(waiter, "roost: waiting for the build lock")
        waiter.send_signal(signum)
        status, _, err = finish(waiter)
    assert status == (-9 if signum == signal.SIGKILL else 128 + signum)
    assert err == ("" if signum == signal.SIGKILL else "roost: interrupted; nothing was run\n")
    assert finish(builder)[0] == 0
    assert (builds(slow_project), len(slow_project.venvs())) == (1, 1)


def _stubborn(project: Project) -> "subprocess.Popen[str]":
    """Start a build whose installer only notes the signals that it gets, and wait until it is there."""
    project.file("stubborn.sh", "trap 'echo >> noted' TERM\necho $$ > new\nmv new pid\nwhile :; do sleep 1; done\n")
    settings = "[tool.roost]\ninstaller = 'command'\ncommand = ['sh', 'stubborn.sh']"
    project.edit("pyproject.toml", "[tool.roost]", settings)
    builder = project.start("run", "python", "-c", "pass")
    wait_for((project.root / "pid").exists, "the installer")
    return builder


def test_installer_that_ignores_the_end_is_killed(project: Project) -> None:
    builder = _stubborn(project)
    builder.send_signal(signal.SIGINT)
    status, _, err = finish(builder)
    assert status == 130
    assert "was interrupted, and its installer ended" in err
    assert (project.root / "noted").exists()
    assert not runs(int((project.root / "pid").read_text()))
    assert project.venvs() == []


def test_second_interrupt_does_not_wait_for_the_installer(project: Project) -> None:
    """On Linux, where this runs, the installer is killed along with roost; elsewhere its lease goes on."""
    builder = _stubborn(project)
    builder.send_signal(signal.SIGINT)
    wait_for((project.root / "noted").exists, "the first interrupt")
    builder.send_signal(signal.SIGINT)
    status, _, err = finish(builder)
    assert status == 130
    assert "Traceback" not in err
    assert err.endswith("roost: interrupted; nothing was run\n")
    wait_for(lambda: not runs(int((project.root / "pid").read_text())), "the end of the installer")
    assert project.complete() == []


def test_interrupt_of_all_at_once_says_so_once(slow_project: SlowProject) -> None:
    """A terminal sends Ctrl-C to the whole group."""
    with slow_project.in_build("run", "python", start_new_session=True) as builder:
        os.killpg(builder.pid, signal.SIGINT)
        status, _, err = finish(builder)
    assert (status, "Traceback" in err) == (130, False)
    assert "was interrupted, and its installer ended" in err
    wait_for(lambda: not slow_project.venvs(), "the attempt's removal")


def test_interrupt_right_after_the_end_of_a_program_is_one() -> None:
    """It takes the exit status with it, which is no fault of the user's program."""
    code = """
import os
from roost.system import processes
wait = os.waitpid
def interrupted(pid, flags):
    if wait(pid, flags)[0]:
        os.waitpid = wait
        raise KeyboardInterrupt
    return 0, 0
os.waitpid = interrupted
try:
    processes.query(["true"], cwd="/")
except KeyboardInterrupt:
    print("interrupted")
"""
    assert run([sys.executable, "-c", code]).stdout == "interrupted\n"


# roost, which gets a signal at one of its steps: in a callback of a weak reference, where Python ignores exceptions.
IGNORED = """
import os, sys, weakref
from roost import cli
class Thing: pass
def step(event, args):
    global steps
    if os.getpid() == pid and event != "os.kill":
        steps += 1
        if event == "os.exec":
            print(steps, file=sys.stderr)
        if steps == last or (event == "os.exec" and last < 0):
            thing = Thing()
            callback = weakref.ref(thing, lambda _: os.kill(pid, signum))
            del thing
pid, steps, signum, last = os.getpid(), 0, int(sys.argv[1]), int(sys.argv[2])
sys.argv[:3] = ["roost"]
def command():
    sys.addaudithook(step)
    return dispatch()
dispatch, cli._dispatch = cli._dispatch, command
sys.exit(cli.main())
"""


def _signalled(project: Project, signum: signal.Signals, step: int) -> "subprocess.CompletedProcess[str]":
    """Start a command, and roost gets a signal at this step; 0 is none, and -1 is exec."""
    words = ["run", "--quiet", "python", "-c", "print('ran')"]
    return run([sys.executable, "-c", IGNORED, str(int(signum)), str(step), *words], cwd=project.root)


@pytest.mark.parametrize("signum", slow_after(1, SIGNALS[1:]))
@pytest.mark.parametrize("warm", slow_after(1, [True, False]))
def test_interrupt_that_python_ignores(project: Project, signum: signal.Signals, soak: float, *, warm: bool) -> None:
    """The command is never run, and no traceback is printed; the next start succeeds."""
    start_until_indexed(project)
    if not warm:
        shutil.rmtree(project.store)
    whole = _signalled(project, signum, 0)
    assert whole.stdout == "ran\n"
    count = int(whole.stderr)
    for step in range(1, count * 9 // 10, max(count // (200 if soak else 4), 1)):  # the count differs a little
        if not warm:
            shutil.rmtree(project.store, ignore_errors=True)
        got = _signalled(project, signum, step)
        assert (got.returncode, got.stdout) == (128 + signum, ""), (step, got)
        assert got.stderr.splitlines()[-1] == "roost: interrupted; nothing was run"
        assert "Traceback" not in got.stderr
        assert warm or project.complete() == project.venvs()
    got = _signalled(project, signum, -1)  # there the signal itself ends the process
    assert (got.returncode, got.stdout) == (-signum, "")
    assert project.python("pass").returncode == 0


@pytest.mark.parametrize("error", ["OSError", "errors.VanishedError", "errors.RoostError"])
def test_cleanup_that_fails_does_not_hide_the_interrupt(error: str) -> None:
    code = f"""
import os, signal, sys
from roost import cli, errors
def command():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        raise {error}("the cleanup failed")
cli._dispatch = command
sys.exit(cli.main())
"""
    got = run([sys.executable, "-c", code])
    assert (got.returncode, got.stderr) == (128 + signal.SIGTERM, "roost: interrupted; nothing was run\n")


@pytest.mark.parametrize("signum", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_commands_of_the_command_line_end_with_the_signals_status(
    slow_project: SlowProject, signum: signal.Signals
) -> None:
    """The library that reads the command line makes one exception of all interrupts."""
    with slow_project.in_build("sync") as builder:
        builder.send_signal(signum)
        status, _, err = finish(builder)
    assert (status, err.splitlines()[-1]) == (128 + signum, "roost: interrupted; nothing was run")


@pytest.mark.parametrize("signum", slow_after(1, SIGNALS[1:]))
def test_signal_while_a_command_starts_or_ends(built: Project, signum: signal.Signals, soak: float) -> None:
    """No traceback once `main` runs; Python prints one for Ctrl-C while it imports the package."""
    assert built.roost("sync").returncode == 0
    for number in range(200 if soak else 12):
        command = built.start("sync")
        time.sleep(0.01 * (number % 20))
        command.send_signal(signum)
        status, _, err = finish(command)
        assert status in (0, 128 + signum, -signum) or (signum == signal.SIGINT and status == 1), err
        assert "in _guarded" not in err.partition("Traceback")[2], err
