"""Work in a second process, by fork, of which a build makes use for its bytecode."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.lib.bytecode import another, built
from tests.lib.processes import finish, run, runs, start, wait_for
from tests.lib.projects import Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")

BEGIN = "import _thread, os, signal, sys, threading, time\nfrom roost.system import processes\nhere = os.getpid()\n"


def printed(code: str) -> str:
    """Return what Python code prints; it ends well, and without a word on standard error."""
    got = run([sys.executable, "-W", "error", "-c", BEGIN + code])
    assert (got.returncode, got.stderr) == (0, "")
    return got.stdout.strip()


def test_another_process_does_the_work() -> None:
    code = """
with processes.forked(lambda: [os.getpid() != here, {"a": 1}]) as result:
    print(result())
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("none is left")
"""
    assert printed(code).splitlines() == ["[True, {'a': 1}]", "none is left"]


@pytest.mark.parametrize(
    "fault",
    [
        "threading.Thread(target=time.sleep, args=(1,), daemon=True).start()",  # a fork may deadlock with others
        "_thread.start_new_thread(time.sleep, (1,))",  # of a library, which `threading` does not count
        "os.fork = lambda: os.open('/nowhere', 0)",  # as with too many processes
        "work = lambda: here if os.getpid() == here else os.kill(os.getpid(), 9)",
        "work = lambda: here if os.getpid() == here else 1 / 0",
        "work = lambda: here if os.getpid() == here else object()",
    ],
)
def test_work_is_done_here_where_another_process_cannot(fault: str) -> None:
    code = f"work = os.getpid\n{fault}\nwith processes.forked(work) as result:\n    print(result() == here)"
    assert printed(code) == "True"


def test_result_arrives_where_no_child_has_a_status() -> None:
    """A program that ignores SIGCHLD gets none."""
    code = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwith processes.forked(lambda: 7) as result: print(result())"
    assert printed(code) == "7"


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_parent(signum: signal.Signals) -> None:
    code = """
def work():
    print(os.getpid(), flush=True)
    time.sleep(300)  # until it is ended
with processes.forked(work) as result:
    result()
"""
    parent = start([sys.executable, "-c", BEGIN + code])
    assert parent.stdout
    pid = int(parent.stdout.readline())
    parent.send_signal(signum)
    finish(parent)
    wait_for(lambda: not runs(pid), "the end of the forked process")


def with_link(folder: Path, lines: str) -> dict[str, str]:
    """Return variables with which a process that roost forks does `lines` before each link to bytecode."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os, time\nhere, link = os.getpid(), os.link\n"
        "def linked(*words):\n"
        f"    if os.getpid() != here and 'pyc' in words[1]:\n        {lines}\n"
        "    link(*words)\n"
        "os.link = linked\n"
    )
    return dict(os.environ) | {"PYTHONPATH": str(folder)}


def test_bytecode_is_complete_where_its_process_is_killed(project: Project, tmp_path: Path) -> None:
    """The build then links it itself."""
    built(project)
    killed = tmp_path / "killed"
    env = with_link(tmp_path / "patch", f"open({str(killed)!r}, 'w').close(); os.kill(os.getpid(), 9)")
    second = another(project, "second")
    got = second.roost("sync", env=env)
    assert got.returncode == 0, got.stderr
    assert killed.exists()
    assert built(second) == Path(got.stdout.strip())


def test_killed_build_leaves_nothing_that_writes(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process for the bytecode ends with it, and holds up no later build."""
    built(project)
    note = tmp_path / "pid"
    # It sleeps until it is ended.
    env = with_link(tmp_path / "patch", f"open({str(note)!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(300)")
    second = another(project, "second")
    build = second.start("sync", env=env)
    text = wait_for(lambda: note.exists() and note.read_text(), "the forked process")
    build.kill()
    finish(build)
    wait_for(lambda: not runs(int(text)), "its end")
    monkeypatch.setenv("ROOST_TIMEOUT", "30")
    built(second)
