"""The protocol on Windows: one venv for all, leases, killed builds, drift, a moved project, bounded waits."""

import os
import random
import textwrap
from pathlib import Path

import pytest

from tests.lib.processes import all_at_once, finish, wait_for
from tests.lib.windows import WindowsProject, lines, native, python, variables

pytestmark = pytest.mark.slow
WHOLE = "import apple.late, apple.later, banana.later; print(apple.VERSION)"


def test_eight_cold_starts_make_one_venv(there: WindowsProject, tmp_path: Path) -> None:
    words = ["env", f"TMPDIR={variables()['TMPDIR']}", *python("-m", "roost", "run", "python", "-c", WHOLE)]
    children = all_at_once(8, tmp_path, lambda _: words, cwd=there.root, env=variables())
    got = [finish(child) for child in children]
    assert [(status, out.strip()) for status, out, _ in got] == [(0, "2.0")] * 8, got
    assert len(there.venvs()) == len(there.journal("build")) == 1


def test_session_keeps_its_packages(there: WindowsProject, tmp_path: Path) -> None:
    """While the lock file changes, another process builds, and `clean --all` runs."""
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    there.file(
        "session.py",
        textwrap.dedent("""\
            import os, sys, time
            import apple
            open(sys.argv[1], "w").close()
            while not os.path.exists(sys.argv[2]):
                time.sleep(0.05)
            import apple.later, banana.later
            print(apple.later.VERSION, sys.prefix)
            """),
    )
    session = there.start("run", "python", "session.py", native(mark), native(gate))
    wait_for(mark.exists, "the session")
    (old,) = there.venvs()
    there.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    there.lock()
    assert lines(there.python(WHOLE)) == ["1.0"]
    there.age()
    cleaned = there.roost("clean", "--all")
    assert f"kept Z:{old}: in use" in cleaned.stdout, cleaned.stdout + cleaned.stderr
    gate.touch()
    status, out, err = finish(session)
    assert (status, out.strip()) == (0, f"2.0 {native(old)}"), err
    there.age()
    assert f"removed Z:{old}" in there.roost("clean", "--all").stdout
    assert not old.exists()


KILL = """\
import random, shutil, subprocess, sys, time
roost = [sys.executable, "-m", "roost", "run", "python", "-c", sys.argv[2]]
nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
shutil.rmtree(".roost", ignore_errors=True)
builder = subprocess.Popen(roost, **nothing)
time.sleep(float(sys.argv[1]))
for seconds in (10, 20):
    builder.kill()
    try:
        builder.wait(seconds)
        break
    except subprocess.TimeoutExpired:
        print(f"pid {builder.pid} runs {seconds} s after TerminateProcess", file=sys.stderr, flush=True)
begun = time.monotonic()
got = subprocess.run(roost, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
print(got.returncode, got.stdout.strip(), round(time.monotonic() - begun, 1))
print(got.stderr, file=sys.stderr)
"""


@pytest.mark.parametrize("part", [1, 2])
def test_killed_builds_leave_nothing_that_is_used(there: WindowsProject, part: int, soak: float) -> None:
    """TerminateProcess at random moments; the installer ends with its builder, and the next start is whole."""
    del part  # two processes share the kills
    usual = 0.0
    for _ in range(50 if soak else 10):
        got = there.script(KILL, str(random.uniform(usual * 0.2, usual)), WHOLE)
        status, version, seconds = got.stdout.split()
        assert (status, version) == ("0", "2.0"), got.stderr
        usual = float(seconds)


def test_drift_and_a_moved_project(there: WindowsProject) -> None:
    assert lines(there.python(WHOLE)) == ["2.0"]
    (first,) = there.venvs()
    (info,) = first.glob("Lib/site-packages/apple-*.dist-info")
    info.rename(info.with_name("apple-9.0.dist-info"))
    got = there.python(WHOLE)
    assert (lines(got), "was removed from" in got.stderr or "was added to" in got.stderr) == (["2.0"], True), got.stderr
    moved = WindowsProject(there.root.parent / "moved", there.wheels)
    os.rmdir(moved.root)
    there.root.rename(moved.root)
    got = moved.python("import sys; print(sys.prefix)")
    assert lines(got)[0].startswith(native(moved.root)), got.stderr


def test_wait_ends_and_names_the_holder(there: WindowsProject) -> None:
    there.file("hold.py", "import sys, time\nopen('held', 'w').close()\ntime.sleep(30)\n")
    there.edit("pyproject.toml", "[tool.roost]", '[tool.roost]\ncommand = ["python", "hold.py"]')
    holder = there.start("sync")
    try:
        wait_for((there.root / "held").exists, "the build")
        got = there.run("python", "-c", "pass", env={"ROOST_TIMEOUT": "1"})
        assert got.returncode == 124, got.stderr
        assert "gave up after 1 s: the build lock is held by pid " in got.stderr
        assert "(`roost sync`) since " in got.stderr
    finally:
        holder.kill()
        finish(holder)


def test_marker_is_replaced_while_a_reader_holds_it(there: WindowsProject) -> None:
    got = there.script(
        textwrap.dedent("""\
            import threading, time
            from roost.system import files
            files.write("marker", "old")
            reader = open("marker")
            threading.Timer(0.5, reader.close).start()
            files.write("marker", "new")
            print(reader.closed, open("marker").read())
            """)
    )
    assert lines(got)[0].endswith("new"), got.stderr
