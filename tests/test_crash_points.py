"""A crash at every step: whatever process ends wherever, the next one starts, on a venv that is whole."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests import crash_child, whole
from tests.support import ROOST, Project, SlowProject, finish, run, start, wait_for

# In the normal suite, of the scenarios that are a build in other circumstances only every so many steps.
STRIDES = {"refresh": 4, "heal": 4, "wait": 6}
PROCESSES = 2


def _project(folder: Path, wheels: Path) -> Project:
    """Make a project with two states, `apple` 1.0 and 2.0, as `tests/crash_child.py` wants it."""
    project = Project(folder, wheels)
    for number, version in (("1", "1.0"), ("2", "2.0")):
        project.write(dependencies=[f"apple=={version}"], roost="compile-bytecode = false\nkeep = 1", name="project")
        project.lock()
        for name in ("pyproject.toml", "uv.lock"):
            project.file(f"states/{number}/{name}", (project.root / name).read_text())
    return project


@pytest.mark.parametrize("scenario", crash_child.SCENARIOS)
def test_crash_at_every_step(tmp_path: Path, wheels: Path, scenario: str, soak: float) -> None:
    """After each the next acquisition succeeds, its venv is whole and leased, and nothing is left over."""
    stride = 1 if soak else STRIDES.get(scenario, 1)
    children = []
    for number in range(PROCESSES):
        project = _project(tmp_path / f"work/{number}", wheels)
        words = [str(project.root), scenario, str(1 + number * stride), str(PROCESSES * stride)]
        command = [sys.executable, "-m", "tests.crash_child", *words, "all" if soak else "changes"]
        children.append(start(command, cwd=Path(__file__).parent.parent))
    ends = [child.communicate(timeout=1200) for child in children]
    assert [child.returncode for child in children] == [0] * PROCESSES, ends
    found = [json.loads(out) for out, _ in ends]
    assert [fault for one in found for fault in one["faults"]] == []
    tried, steps = sum(one["tried"] for one in found), max(one["steps"] for one in found)
    assert tried >= steps / stride - PROCESSES  # one that waited a poll longer had more steps
    assert tried >= (4 if scenario in ("sync", "lease") else 8)


def test_crash_points_find_a_marker_that_is_written_first(tmp_path: Path, wheels: Path) -> None:
    """Show that the crashes would tell: with the marker before the installer, some venv is leased that is not whole."""
    project = _project(tmp_path / "work/project", wheels)
    code = (
        "import sys\n"
        "from roost import building, locks, marker\n"
        "from roost.installers.uv import UvSync\n"
        "from tests import crash_child\n"
        "install, real = UvSync.install, building._install\n"
        "def _install(store, state, made):\n"
        "    def early(self, target, run):\n"
        "        locks.write_record(made.lease, '')\n"
        "        marker.publish(f'{made.venv.folder}/complete', marker.describe(state, made, {}))\n"
        "        return install(self, target, run)\n"
        "    UvSync.install = early\n"
        "    return real(store, state, made)\n"
        "building._install = _install\n"
        "crash_child.main(*sys.argv[1:])\n"
    )
    words = [str(project.root), "rebuild", "12", "5", "changes"]
    got = run([sys.executable, "-c", code, *words], cwd=Path(__file__).parent.parent)
    assert got.returncode == 0, got.stderr
    assert any("not ['apple-" in fault for fault in json.loads(got.stdout)["faults"]), got.stdout


SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("whom", ["roost", "installer", "both"])
@pytest.mark.parametrize("signum", SIGNALS)
def test_signal_during_a_build(slow_project: SlowProject, signum: signal.Signals, whom: str) -> None:
    """Whoever it hits: a clear end, never a venv that is not whole, and the next start succeeds."""
    builder = slow_project.start("run", "python", "-c", "pass")
    slow_project.begun()
    children = run(["/bin/sh", "-c", f"cat /proc/{builder.pid}/task/*/children"]).stdout.split()
    pids = ([] if whom == "installer" else [builder.pid]) + ([] if whom == "roost" else [int(pid) for pid in children])
    assert children
    for pid in pids:
        os.kill(pid, signum)
    status, _, err = finish(builder)
    assert "Traceback" not in err
    if whom == "installer":
        assert status == 125, err
        assert "could not be built with uv" in err
    else:
        assert status == (-9 if signum == signal.SIGKILL else 128 + signum), err
    assert whole.of_markers(slow_project.store) == []
    assert slow_project.complete() == []
    got = slow_project.python("import apple.late, banana.late, project")
    assert got.returncode == 0, got.stderr
    # A backend that was ended noted no end; its flock tells whether it was gone.
    assert not any("flock" in overlap for overlap in slow_project.overlaps())
    assert whole.of_markers(slow_project.store) == []
    assert len(slow_project.complete()) == len(slow_project.venvs()) == 1


def test_killed_at_any_moment(project: Project, soak: float) -> None:
    """SIGKILL of the whole process group, a little later each time."""
    moments = [number / 50 for number in range(1, 31)] if soak else [number / 12 for number in range(1, 7)]
    for moment in moments:
        builder = start([ROOST, "sync", "--refresh"], cwd=project.root, start_new_session=True)
        time.sleep(moment)
        if builder.poll() is None:
            os.killpg(builder.pid, signal.SIGKILL)
        finish(builder)
        assert whole.of_markers(project.store) == []
        got = project.python("import apple.late, apple.later, banana.late, banana.later")
        assert got.returncode == 0, got.stderr


def test_interrupt_of_all_at_once_says_so_once(slow_project: SlowProject) -> None:
    """A terminal sends Ctrl-C to the whole group."""
    builder = start([ROOST, "run", "python"], cwd=slow_project.root, start_new_session=True)
    slow_project.begun()
    os.killpg(builder.pid, signal.SIGINT)
    status, _, err = finish(builder)
    assert (status, "Traceback" in err) == (130, False)
    assert "was interrupted, its installer ended" in err
    wait_for(lambda: not slow_project.venvs(), "the attempt's removal")
