"""The soak: many processes do everything at once for a while; see `tests/lib/soak.py`.

`pytest tests/test_soak.py --soak 600` takes ten minutes and a new seed, which it prints; `SOAK_SEED=… ` repeats one.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import roost
from tests.lib.paths import REPOSITORY
from tests.lib.processes import PATIENCE
from tests.lib.projects import SlowProject
from tests.lib.soak_judge import Report
from tests.lib.soak_project import prepare

pytestmark = pytest.mark.usefixtures("own_cache")

SECONDS = 3.0
SEED = os.environ.get("SOAK_SEED")
BROAD = "220862"  # with this one the five workers do nearly everything within their first four acts
LONG = 100.0
# Rules of the protocol, and how they are taken out of a copy of the source: a file, what stands there, what is put there.
RULES = {
    "6 the lease lives as long as what runs": (
        "system/locks.py",
        "os.set_inheritable(lease, True)",
        "os.set_inheritable(lease, False)",
    ),
    "9 one build lock": (  # each process takes a lock of its own, next to the project
        "protocol.py",
        "lock = locks.BuildLock(store.lock)",
        "lock = locks.BuildLock(f'{store.project}.lock.{os.getpid()}')",
    ),
    "9 no orphan beside it": (
        "build/build.py",
        "filter(collection.is_attempt, list(venvs.all_in(store)))",
        "list[venvs.Venv]()",
    ),
    "7 removal needs the lease": (
        "store/venvs.py",
        "lease = locks.claim(folder, lease_file)",
        "lease = folder.open(lease_file)",
    ),
    "3 inputs still equal": ("protocol.py", "changed = changed_input(request, state, rewritten)", "changed = None"),
    "3 the marker comes last": (
        "build/build.py",
        "    return state.installer.install(target, run)",
        "    run([processes.find_uv(), 'venv', '--no-project', '--python', target.base, venv])\n"
        "    marker.publish(made.venv.marker, marker.describe(state, made))\n"
        "    return state.installer.install(target, run)",
    ),
    "1 drift is noticed": ("store/marker.py", "_replaced(marker) or drift(marker)", "_replaced(marker)"),
    "5 the index is compared": (
        "warm/__init__.py",
        "return same and stat(self.paths) == self.expected and",
        "return True or",
    ),
    "5 look again": (
        "protocol.py",
        "if marker.check(answer.store, answer.state)[0] != answer.marker:",
        "if False:",
    ),
    "3 locks still ours": ("protocol.py", "if not (lock.is_current() and made.is_current()):", "if False:"),
}
# Their races are too short for a soak of this length; the model (`tests/lib/model.py`) shows what they are for.
TOO_RARE = ("5 look again", "3 locks still ours")


def storm(project: SlowProject, seconds: float, seed: str, source: Path | None = None) -> Report:
    """Soak `project`, perhaps with another `source` of roost, and return the verdict."""
    prepare(project)
    print(f"seed {seed}")
    words = [sys.executable, "-m", "tests.lib.soak", str(project.root), str(seconds), seed]
    env = dict(os.environ) | ({"PYTHONPATH": str(source)} if source else {})
    got = subprocess.run(
        words, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False, timeout=seconds + 2 * PATIENCE
    )
    assert got.returncode == 0, got.stderr
    report = Report(**json.loads(got.stdout))
    print(report._replace(violations=[]), *report.violations, sep="\n")
    return report


def test_soak(slow_project: SlowProject, soak: float) -> None:
    """Every session has exactly what the inputs ask for, from its beginning to its end, whatever happens around it."""
    report = storm(slow_project, soak or SECONDS, SEED or (secrets.token_hex(4) if soak else BROAD))
    assert not report.violations, f"{len(report.violations)}, printed above"
    assert report.checked >= 6  # as many come after the storm; on a busy machine there may be few in it


@pytest.mark.parametrize("rule", RULES)
def test_soak_without_a_rule_finds_violations(
    slow_project: SlowProject, tmp_path: Path, rule: str, soak: float
) -> None:
    """Show that a soak would tell; for all but the first rule only in one of at least 100 seconds."""
    file, old, new = RULES[rule]
    text = (Path(roost.__file__).parent / file).read_text()
    assert text.count(old) == 1, f"{file} has changed"
    if rule != next(iter(RULES)) and soak < LONG:
        pytest.skip(f"takes a soak of {LONG:.0f} s")
    source = tmp_path / "source"
    shutil.copytree(Path(roost.__file__).parent, source / "roost", ignore=shutil.ignore_patterns("__pycache__"))
    (source / "roost" / file).write_text(text.replace(old, new))
    report = storm(slow_project, soak if soak >= LONG else 2.0, SEED or "1", source)
    assert report.violations or rule in TOO_RARE
