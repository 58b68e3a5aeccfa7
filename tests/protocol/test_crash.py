"""Builders that are killed, and installers that outlive them."""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from roost.store import venvs
from roost.store.store import Store
from tests.lib.processes import ROOST, all_at_once, finish, run, runs, wait_for
from tests.lib.projects import Project, SlowProject
from tests.lib.variants import slow_after

KILLS = 50
WHOLE = "import apple.late, apple.later, banana.late, banana.later, project"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.normally(seed=[0])
def test_killed_builders_with_installers_left_behind(slow_project: SlowProject, seed: int, soak: float) -> None:
    """SIGKILL at random moments of a slow build in the source tree: the next start succeeds and is whole.

    Ten a seed, fifty in all, in the normal suite four. The backend goes on after its builder and uv are gone, and no other may run next to it.
    """
    slow_project.file("slow.txt", "0.25")
    chance = random.Random(seed)
    for number in range(KILLS // 5 if soak else 4):
        begun = sum(what == "begin" for _, _, what in slow_project.builds())
        builder = slow_project.start("run", "python", "-c", "pass")
        if number % 2:
            slow_project.begun(begun + 1)
            time.sleep(chance.uniform(0, 0.3))
        else:
            time.sleep(chance.uniform(0.05, 0.8))
        builder.kill()
        finish(builder)
        got = slow_project.python(WHOLE)
        assert got.returncode == 0, got.stderr
        assert len(slow_project.complete()) == 1
        assert slow_project.overlaps() == []
        # A complete venv would be reused. Taking its lease away makes the next start build again.
        next(slow_project.store.glob(".venv/.v2/envs/*/*.lease")).unlink()
    assert any(what == "begin" for _, _, what in slow_project.builds())


def test_next_build_waits_for_the_installer_of_a_killed_builder(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        builder.kill()
        finish(builder)
        got = slow_project.python(WHOLE, env=dict(os.environ) | {"ROOST_TIMEOUT": "1.2"})
    assert got.returncode == 124
    backend = slow_project.builds()[-1][1]
    assert f"waiting for the lease of a build that ended, held by pid {backend} (`" in got.stderr
    assert f"the lease of a build that ended is held by pid {backend} (`" in got.stderr
    assert "roost run" not in got.stderr  # that one was killed
    assert slow_project.python(WHOLE).returncode == 0
    assert slow_project.overlaps() == []
    assert len(slow_project.venvs()) == 1  # what the killed one left is gone


@pytest.mark.slow
def test_without_waiting_for_orphans_two_builds_meet_in_the_source_tree(slow_project: SlowProject) -> None:
    """Show that the rule is needed: with the leftover's lease taken away, the next builder meets its installer."""
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        builder.kill()
        finish(builder)
        next(slow_project.store.glob(".venv/.v2/envs/*/*.lease")).unlink()
        slow_project.python(WHOLE)
    assert slow_project.overlaps()


def test_uv_dies_with_its_builder(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        children = run(["/bin/sh", "-c", f"cat /proc/{builder.pid}/task/*/children"]).stdout.split()
        assert len(children) == 1
        builder.kill()
        finish(builder)
        wait_for(lambda: not runs(int(children[0])), "the end of uv")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.normally(signum=[signal.SIGINT])  # the others in `test_signals.py`
def test_interrupted_build_leaves_nothing_that_counts(slow_project: SlowProject, signum: signal.Signals) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        builder.send_signal(signum)
        _, _, err = finish(builder)
        assert not runs(slow_project.builds()[-1][1])  # the backend, which uv leaves running, was ended too
    assert "Traceback" not in err
    assert builder.returncode == 128 + signum
    assert "the build of `default` was interrupted, and its installer ended" in err
    assert err.endswith("roost: interrupted; nothing was run\n")
    assert slow_project.venvs() == []
    assert slow_project.complete() == []
    assert slow_project.python(WHOLE).returncode == 0


@pytest.mark.slow
def test_git_clean_while_others_start(project: Project, soak: float) -> None:
    """They end with success or a clear error; what starts after it is whole."""
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    run(["git", "add", "pyproject.toml", "uv.lock"], cwd=project.root, check=True)
    chance = random.Random(7)
    for _ in range(12 if soak else 3):
        starting = [project.start("run", "python", "-c", "import apple.late, banana.late") for _ in range(4)]
        time.sleep(chance.uniform(0, 0.5))
        cleaned = run(["git", "clean", "-fdxq"], cwd=project.root)
        del cleaned
        for child in starting:
            status, _, err = finish(child)
            clear = status == 125 and err.splitlines()[-1].startswith("roost: ")
            gone = ("No module named", "No such file", "can't open", "cannot import name")
            under_its_feet = status != 0 and any(words in err for words in gone)
            assert status == 0 or clear or under_its_feet, (status, err)
            assert 'Traceback (most recent call last):\n  File "<string>"' in err or "Traceback" not in err
        got = project.python("import apple.late, apple.later, banana.late, banana.later")
        assert got.returncode == 0, got.stderr


def test_whole_folder_removed_during_a_build(slow_project: SlowProject) -> None:
    """What was built under a lock that is gone is never published.

    A process that starts after the removal cannot know of the build that continues. Two backends may meet then, and
    this one refuses to. That is an error, and no venv.
    """
    with slow_project.in_build("run", "python", "-c", WHOLE, umask=0o022) as child:
        shutil.rmtree(slow_project.store)
        other = slow_project.start("run", "python", "-c", WHOLE)
    for one in (child, other):
        status, _, err = finish(one)
        assert status == 0 or (status == 125 and "could not be built with uv" in err), err
    assert slow_project.python(WHOLE).returncode == 0
    assert len(slow_project.complete()) == len(slow_project.venvs()) == 1


@pytest.mark.parametrize("umask", slow_after(1, [0o002, 0o022]))
def test_installer_that_makes_the_removed_folder_again_leaves_none(slow_project: SlowProject, umask: int) -> None:
    """No other process made it before. uv makes it with the user's umask, and roost trusts none that a group can write."""
    with slow_project.in_build("run", "python", "-c", WHOLE, umask=umask) as child:
        shutil.rmtree(slow_project.store)
    status, _, err = finish(child)
    assert (status, err.count("building")) == (0, 2), err
    assert len(slow_project.complete()) == len(slow_project.venvs()) == 1
    assert slow_project.store.stat().st_mode & 0o777 == 0o700
    assert slow_project.journal("failure") == []


def test_lock_file_that_is_gone_does_not_let_two_publish(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", WHOLE) as child:
        (slow_project.store / ".venv/.lock").unlink()
    status, _, err = finish(child)
    assert status == 0, err
    assert err.count("building") == 2
    assert len(slow_project.complete()) == len(slow_project.venvs()) == 1


def test_leftovers_of_a_crash_are_collected(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        builder.kill()
        finish(builder)
    assert len(slow_project.venvs()) == 1
    assert slow_project.python(WHOLE).returncode == 0
    assert len(slow_project.venvs()) == 1
    assert list((slow_project.store / ".venv/.v2/trash").iterdir()) == []
    assert run([ROOST, "run", "python", "-c", WHOLE], cwd=slow_project.root).stderr == ""


# Two processes with one number, as in two containers over one checkout, write one file again and again.
SAME = """
import os, sys
from roost.system import files
for _ in range(500):
    files.write(sys.argv[1], f"{os.getpid()}")
print(os.getpid())
"""


def test_processes_of_one_number_do_not_write_one_temporary_file(tmp_path: Path) -> None:
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--pid", "--fork"]
    if shutil.which("unshare") is None or run([*unshare, "true"]).returncode != 0:
        pytest.skip("this system gives no process a number of its own")
    launch = [*unshare, sys.executable, "-c", SAME, str(tmp_path / "index")]
    ended = [finish(child) for child in all_at_once(2, tmp_path, lambda _: launch)]
    assert [(status, err) for status, _, err in ended] == [(0, "")] * 2
    assert len({out for _, out, _ in ended}) == 1
    assert [path.name for path in tmp_path.iterdir() if "index" in path.name] == ["index"]


# As on a full disk, nothing more can be written to any file.
FULL = """
import resource, sys
from roost.store import venvs
from roost.store.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
venvs.create(Store(sys.argv[1]), "0" * 16, "pid 1")
"""


def test_attempt_whose_lease_cannot_be_recorded_is_none(project: Project) -> None:
    """Without the record, no process would wait for the installer of a killed builder."""
    assert project.python("pass").returncode == 0
    before = project.venvs()
    got = run([sys.executable, "-c", FULL, project.root])
    assert got.returncode == 1
    assert "OSError: [Errno 27]" in got.stderr  # File too large
    assert list(project.store.glob(".venv/.v2/envs/" + "0" * 16 + "/*")) == []
    assert project.venvs() == before


def test_removal_of_a_venv_that_was_wiped_leaves_the_marker_of_the_next_one(project: Project) -> None:
    """The removing process may have looked before the wipe, and holds the lock of the folder that is gone."""
    assert project.python("pass").returncode == 0
    store = Store(str(project.root))
    (old,) = venvs.all_in(store)
    shutil.rmtree(project.store)
    assert project.python("pass").returncode == 0
    new = project.complete()
    assert new != [Path(old.path)]
    venvs.remove(store, old, marker=True)
    assert project.complete() == new
    assert project.python("pass").stderr == ""
