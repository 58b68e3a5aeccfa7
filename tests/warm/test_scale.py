"""Large projects and many starts: what grows with them, and what does not. Counted, never timed."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from roost.console import waiting
from tests.lib.processes import PATIENCE, ROOST, ROOST_RUN, all_at_once, finish, run, start, wait_for
from tests.lib.projects import Project, builds, start_until_indexed
from tests.lib.shells import SHELLS, Shell
from tests.lib.strace import before_command, trace

COMMAND = ["python", "-c", "pass"]
DOORS = {"roost run": [ROOST, "run"], "roost-run": [ROOST_RUN]}


class Cost:
    """What a warm start of a project asks of the kernel."""

    def __init__(self, project: Project, door: str) -> None:
        """Count it."""
        start_until_indexed(project)
        processes = trace([*DOORS[door], *COMMAND], project.root, "all")
        first, *others = [calls for calls in processes if any(call.becomes() for call in calls)]
        calls = [call for calls in (before_command(first), *others) for call in calls]
        self.processes = len(others)
        self.opened = sum(call.opens() for call in calls)
        self.looked = Counter(call.path for call in calls if "stat" in call.name and call.path.startswith("/"))
        self.all = len(calls)


@pytest.mark.slow
def test_warm_start_of_many_members_costs_three_looks_for_each(project: Project, tmp_path: Path) -> None:
    """Each member may have a `pyproject.toml`, a `setup.py` and a `setup.cfg`; nothing more is opened or started."""
    project.edit("pyproject.toml", "[tool.uv]", "[tool.uv]\nworkspace.members = ['packages/*']")
    costs = []
    there = 0
    for count in (1, 100, 300):
        for number in range(there, count):
            text = f'[project]\nname = "member-{number}"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
            project.file(f"packages/m{number}/pyproject.toml", text)
        there = count
        project.lock()
        assert project.python("pass").returncode == 0
        costs.append([Cost(project, door) for door in DOORS])
    for one, some, many in zip(*costs, strict=True):
        assert one.processes == some.processes == many.processes
        assert one.opened == some.opened == many.opened
        assert sum(some.looked.values()) - sum(one.looked.values()) == 99 * 3
        assert sum(many.looked.values()) - sum(some.looked.values()) == 200 * 3
        assert many.all - some.all <= 201 / 99 * (some.all - one.all) + 20  # larger files are read in more pieces
    for name, path in SHELLS.items():
        if path:
            shell = Shell(tmp_path / name, path)
            # Of processor time: a pattern that is matched at each letter of the index took four seconds here.
            limited: list[str | Path] = ["sh", "-c", 'ulimit -t 2; exec "$@"', "sh", shell.script, *COMMAND]
            assert run(limited, cwd=project.root / "packages/m299").returncode == 0, name
            assert not shell.handed_over(), name


MAKE = """
import os, sysconfig
folder = sysconfig.get_paths()["purelib"]
for number in range(int(open("count.txt").read())):
    info = f"{folder}/made_{number}-1.0.dist-info"
    os.mkdir(info)
    for name, text in (("METADATA", f"Metadata-Version: 2.1\\nName: made-{number}\\nVersion: 1.0\\n"), ("RECORD", "")):
        with open(f"{info}/{name}", "w") as file:
            file.write(text)
"""


@pytest.mark.slow
def test_warm_start_looks_at_no_distribution(plain: Project) -> None:
    """There may be a thousand."""
    plain.file("make.py", MAKE)
    costs = []
    for count in (1, 1000):
        plain.file("count.txt", str(count))
        plain.write(roost="installer = 'command'\ncommand = ['python', 'make.py']\ninputs = ['count.txt', 'make.py']")
        got = plain.python("import importlib.metadata as m; print(sum(1 for d in m.distributions()))")
        assert (got.returncode, got.stdout) == (0, f"{count}\n"), got.stderr
        costs.append([Cost(plain, door) for door in DOORS])
    for one, many in zip(*costs, strict=True):
        assert (one.opened, one.processes) == (many.opened, many.processes)
        assert sum(one.looked.values()) == sum(many.looked.values())
        assert many.all <= one.all + 10  # a shell that waits may be interrupted once more


@pytest.mark.slow
def test_many_warm_starts_at_once(project: Project, tmp_path: Path, soak: float) -> None:
    """Half of them through the shell script; all get one venv, and none waits."""
    count = 256 if soak else 64
    start_until_indexed(project)
    code = "import os; os.write(1, os.environb[b'VIRTUAL_ENV'] + b'\\n')"
    doors = list(DOORS.values())
    with (tmp_path / "said").open("ab") as said:
        children = all_at_once(
            count,
            tmp_path,
            lambda number: [*doors[number % 2], "python", "-I", "-S", "-c", code],
            cwd=project.root,
            stdout=said,
            stderr=said,
        )
        assert [child.wait(PATIENCE) for child in children] == [0] * count
    assert Counter((tmp_path / "said").read_text().splitlines()) == {str(project.venvs()[0]): count}
    assert project.journal("wait") == []
    assert builds(project) == 1


def test_64_cold_starts_at_once(project: Project, tmp_path: Path, soak: float) -> None:
    """With four times as many as in `test_concurrency.py`."""
    if not soak:
        pytest.skip("takes long: `--soak 1`")
    children = all_at_once(64, tmp_path, lambda _: [ROOST, "run", "python", "-c", "import apple"], cwd=project.root)
    ended = [finish(child) for child in children]
    assert [status for status, _, _ in ended] == [0] * 64, ended
    assert builds(project) == len(project.venvs()) == 1
    assert len(project.journal("wait")) == 63


def test_waiter_looks_for_the_marker_often_and_needs_no_lock(project: Project) -> None:
    """It goes on while the builder, which may have more to do, still holds the lock."""
    assert waiting.POLL <= 0.05
    assert project.python("pass").returncode == 0
    (venv,) = project.venvs()
    marker = venv.parent / "complete"
    marker.rename(project.root / "aside")
    holder = start(["flock", "-x", project.store / ".venv/.lock", "cat"], stdin=subprocess.PIPE)
    wait_for(lambda: run(["flock", "-n", project.store / ".venv/.lock", "true"]).returncode == 1, "the holder")
    env = dict(os.environ) | {"ROOST_TIMEOUT": "30"}
    waiter = project.start("run", "python", "-c", "import sys; print(sys.prefix)", env=env)
    assert waiter.stderr
    assert "waiting for the build lock" in waiter.stderr.readline()
    (project.root / "aside").rename(marker)
    status, out, err = finish(waiter)
    assert (status, out) == (0, f"{venv}\n"), err
    assert holder.poll() is None
    holder.communicate("")
    assert [line["environment"] for line in project.journal("wait")] == ["default"]
    assert builds(project) == 1
