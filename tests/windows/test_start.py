"""A command on Windows: its arguments, streams and status, in projects with unusual paths; all commands of roost."""

import shutil
import textwrap
from pathlib import Path

import pytest

from tests.lib.windows import WindowsProject, lines, native

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["with a space", "mit Umläuten", "100% & ^caret"])
def test_cold_and_warm_start(there: WindowsProject, name: str) -> None:
    project = WindowsProject(there.root.parent / name, there.wheels)
    for file in ("pyproject.toml", "uv.lock"):
        shutil.copy(there.root / file, project.root)
    cold, warm = project.run("apple"), project.run("apple")
    assert "building `default` with uv (uv.lock), Python 3.11" in cold.stderr
    assert (cold.returncode, warm.returncode, warm.stderr) == (0, 0, "")
    assert lines(cold) == lines(warm) == ["apple 2.0"]
    (venv,) = project.complete()
    assert lines(project.roost("sync")) == [native(venv)]
    assert len(project.journal("build")) == 1


def test_arguments_status_and_streams(there: WindowsProject) -> None:
    there.file("echo.py", "import sys\nprint(ascii(sys.argv[1:]), sys.stdin.read())\nsys.exit(int(sys.argv[1]))\n")
    words = ["a b", 'say "hi"', "back\\slash\\", "", "ünïcode", "%PATH%", "^&|<>"]
    for status in (0, 3, 255):
        got = there.run("python", "echo.py", str(status), *words, stdin=None, input="one two")
        assert got.returncode == status, got.stderr
        assert lines(got) == [f"{[str(status), *words]!a} one two"]
    got = there.run("nothing")
    assert (got.returncode, "`nothing` is not in the environment `default`" in got.stderr) == (127, True)
    assert there.roost("run", "--no-such-option").returncode == 2


COMMANDS = (
    *(["sync"], ["status"], ["status", "--json"], ["why"], ["key"], ["log"], ["clean"], ["completion", "bash"]),
    *(["uv", "--version"], ["nox", "--version"], ["--version"], ["doctor"]),
)


def test_every_command_works(there: WindowsProject) -> None:
    """Those that need git or change files are in `test_hooks.py`."""
    for words in COMMANDS:
        got = there.roost(*words)
        assert (got.returncode, got.stdout != "" or "nox" in words) == (0, True), got.stdout + got.stderr
        assert "Traceback" not in got.stderr
    assert "flock works between processes" in got.stdout
    got = there.roost("hook", "install")
    assert (got.returncode, got.stderr.splitlines()) == (125, ["roost: `git` cannot be started: File not found"])


def test_killed_roost_takes_its_command_along(there: WindowsProject, tmp_path: Path) -> None:
    there.file("child.py", "import sys, time\nwhile True:\n    open(sys.argv[1], 'a').write('x'); time.sleep(0.05)\n")
    got = there.script(
        textwrap.dedent("""\
            import os, subprocess, sys, time
            mark = sys.argv[1]
            roost = subprocess.Popen([sys.executable, "-m", "roost", "run", "python", "child.py", mark])
            while not os.path.exists(mark):
                time.sleep(0.05)
            roost.kill()
            roost.wait()
            time.sleep(0.5)
            before = os.path.getsize(mark)
            time.sleep(1)
            print(os.path.getsize(mark) - before)
            """),
        native(tmp_path / "mark"),
    )
    assert lines(got) == ["0"], got.stderr


def test_command_that_never_ran_ends_with_a_killed_roost(there: WindowsProject) -> None:
    """Windows starts it suspended; roost ends right after that, as if it was killed."""
    there.file(
        "killed.py",
        textwrap.dedent("""\
            import ctypes, os, sys
            from roost.system import windows_api, windows_processes
            def add(job, process):
                with open("pid", "w") as file:
                    file.write(str(ctypes.windll.kernel32.GetProcessId(ctypes.c_void_p(process))))
                ctypes.windll.kernel32.TerminateProcess(ctypes.c_void_p(-1), 9)
            windows_api.Job.add = add
            windows_processes.become(sys.executable, ["python", "-c", "pass"], dict(os.environ))
            """),
    )
    got = there.script(
        textwrap.dedent("""\
            import os, signal, subprocess, sys, time
            from roost.system import windows_api
            print(subprocess.run([sys.executable, "killed.py"], stdout=subprocess.DEVNULL).returncode)
            pid = int(open("pid").read())
            end = time.monotonic() + 10
            while windows_api.is_running(pid) and time.monotonic() < end:
                time.sleep(0.05)
            print(windows_api.is_running(pid))
            if windows_api.is_running(pid):
                os.kill(pid, signal.SIGTERM)
            """)
    )
    assert lines(got) == ["9", "False"], got.stderr


def test_ctrl_c_is_left_to_the_command(there: WindowsProject) -> None:
    """Wine has no console here (GenerateConsoleCtrlEvent fails with error 6), so roost's process raises the signals.

    The C runtime does the same, in a thread of its own, once a console has a Ctrl-C or Ctrl-Break.
    """
    there.file(
        "work.py",
        "import os, sys, time\nopen('runs', 'w').close()\nwhile not os.path.exists('raised'):\n"
        "    time.sleep(0.02)\ntime.sleep(0.2)\nsys.exit(7)\n",
    )
    got = there.script(
        textwrap.dedent("""\
            import os, signal, sys, threading, time
            from roost.system import windows_processes
            def interrupt():
                while not os.path.exists("runs"):
                    time.sleep(0.02)
                for signum in (signal.SIGINT, signal.SIGBREAK, signal.SIGINT):
                    signal.raise_signal(signum)
                open("raised", "w").close()
            threading.Thread(target=interrupt, daemon=True).start()
            windows_processes.become(sys.executable, ["python", "work.py"], dict(os.environ))
            """)
    )
    assert (got.returncode, got.stderr) == (7, "")
