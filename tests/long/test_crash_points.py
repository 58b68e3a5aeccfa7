"""A crash at every step: whatever process ends wherever, the next one starts, on a venv that is whole."""

import json
import sys
from pathlib import Path

import pytest

from tests.lib import crash_child
from tests.lib.paths import REPOSITORY
from tests.lib.processes import run, start
from tests.lib.projects import Project

# In the normal suite, of the scenarios that are a build in other circumstances only every so many steps.
STRIDES = {"cold": 8, "rebuild": 12, "own": 8, "refresh": 12, "heal": 12, "wait": 12}
LONG = 100.0  # seconds of a soak that also takes the steps which only read: between two that change something, each
# crash leaves the same behind


def _project(folder: Path, wheels: Path) -> Project:
    """Make a project with two states, `apple` 1.0 and 2.0, as `tests/lib/crash_child.py` wants it."""
    project = Project(folder, wheels)
    for number, version in (("1", "1.0"), ("2", "2.0")):
        project.write(dependencies=[f"apple=={version}"], roost="compile-bytecode = false\nkeep = 1", name="project")
        project.lock()
        for name in ("pyproject.toml", "uv.lock"):
            project.file(f"states/{number}/{name}", (project.root / name).read_text())
    return project


def _at_every_step(folder: Path, wheels: Path, scenario: str, stride: int, kind: str, what: str) -> tuple[int, int]:
    """Let `what` happen at every step of the scenario; return how many were tried, and how many there are."""
    children = []
    processes = 1 if stride > 1 or scenario in ("sync", "lease") else 2  # each first makes its two venvs
    for number in range(processes):
        project = _project(folder / f"work/{number}", wheels)
        words = [str(project.root), scenario, str(1 + number * stride), str(processes * stride), kind, what]
        children.append(start([sys.executable, "-m", "tests.lib.crash_child", *words], cwd=REPOSITORY))
    ends = [child.communicate(timeout=1200) for child in children]
    assert [child.returncode for child in children] == [0] * processes, ends
    found = [json.loads(out) for out, _ in ends]
    faults = [fault for one in found for fault in one["faults"]]
    assert not faults, "\n".join(faults)
    return sum(one["tried"] for one in found), max(one["steps"] for one in found)


@pytest.mark.parametrize("scenario", crash_child.SCENARIOS)
def test_crash_at_every_step(tmp_path: Path, wheels: Path, scenario: str, soak: float) -> None:
    """After each the next acquisition succeeds, its venv is whole and leased, and nothing is left over."""
    stride = 1 if soak else STRIDES.get(scenario, 1)
    kind = "all" if soak >= LONG or scenario not in STRIDES else "changes"
    tried, steps = _at_every_step(tmp_path, wheels, scenario, stride, kind, "crash")
    print(f"{tried} of {steps} steps")
    assert tried >= steps / stride - 2  # one that waited a poll longer had more steps
    assert tried >= 4


@pytest.mark.parametrize("scenario", crash_child.SCENARIOS)
def test_wipe_at_every_step(tmp_path: Path, wheels: Path, scenario: str, soak: float) -> None:
    """It succeeds, or ends with a sentence of roost's; and the next acquisition is as good as ever."""
    stride = 1 if soak or scenario in ("sync", "lease") else 4 if scenario == "collect" else 24
    tried, steps = _at_every_step(tmp_path, wheels, scenario, stride, "changes", "wipe")
    print(f"{tried} of {steps} steps")
    assert tried >= 2


MARKER_FIRST = """
from roost.build import build
from roost.installers.uv import UvSync
from roost.store import marker
install, real = UvSync.install, build._install
def _install(store, state, made, **options):
    def early(self, target, run):
        build.mark_installer_finished(made)
        marker.publish(made.venv.marker, marker.describe(state, made))
        return install(self, target, run)
    UvSync.install = early
    return real(store, state, made, **options)
build._install = _install
"""
MARKER_STAYS = """
from roost.nox.session_venv import SessionVenv
SessionVenv.begin = lambda self: None
"""


# The window of the second is four steps wide, and what an earlier crash left behind moves it: each step is tried.
@pytest.mark.parametrize(
    ("patch", "scenario", "first", "stride", "fault"),
    [(MARKER_FIRST, "rebuild", 12, 5, "has no Python"), (MARKER_STAYS, "own", 44, 1, "extra")],
    ids=["marker first", "marker stays during an install"],
)
def test_crash_points_find_a_marker_of_a_venv_that_is_not_complete(  # noqa: PLR0913, PLR0917 - one case
    tmp_path: Path, wheels: Path, patch: str, scenario: str, first: int, stride: int, fault: str
) -> None:
    """Show that the crashes would tell: `patch` breaks a rule, and a marker names a venv that is not complete."""
    project = _project(tmp_path / "work/project", wheels)
    code = f"{patch}\nimport sys\nfrom tests.lib import crash_child\ncrash_child.main(*sys.argv[1:])\n"
    words = [str(project.root), scenario, str(first), str(stride), "changes", "crash"]
    got = run([sys.executable, "-c", code, *words], cwd=REPOSITORY)
    assert got.returncode == 0, got.stderr
    assert any(fault in one for one in json.loads(got.stdout)["faults"]), got.stdout
