"""Many processes at one gate, each with a TMPDIR of its own."""

import os
import re
import time
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from tests.lib.broken import without_build_lock
from tests.lib.processes import ROOST, all_at_once, finish, stopped, until
from tests.lib.projects import Project, SlowProject

MANY = 16
WHOLE = "import apple.late, banana.later, sys; print(sys.prefix)"


def test_sixteen_cold_starts_make_one_venv(project: Project, tmp_path: Path) -> None:
    children = all_at_once(MANY, tmp_path, lambda _: [ROOST, "run", "python", "-c", WHOLE], cwd=project.root)
    ended = [finish(child) for child in children]
    assert [status for status, _, _ in ended] == [0] * MANY, ended
    assert {out.strip() for _, out, _ in ended} == {str(path) for path in project.venvs()}
    assert len(project.venvs()) == len(project.journal("build")) == 1
    assert sum("building" in err for _, _, err in ended) == 1


@pytest.mark.slow
def test_cold_starts_without_the_build_lock_build_many_times(slow_project: SlowProject, tmp_path: Path) -> None:
    """Show that the gate is a real one: with nothing but the lock taken away, several build."""
    env = without_build_lock(tmp_path)
    launch = [ROOST, "run", "python", "-c", ""]
    with slow_project.holding():
        children = all_at_once(6, tmp_path, lambda _: launch, cwd=slow_project.root, env=env)
        for child in children:
            until(child, "roost: building", "roost: waiting")
    for child in children:
        finish(child)
    assert sum(what == "begin" for _, _, what in slow_project.builds()) > 1


def test_build_lock_is_the_one_that_other_tools_take(slow_project: SlowProject) -> None:
    """As `filelock` does, which many of them use."""
    lock = FileLock(slow_project.store / ".venv/.lock")
    with slow_project.in_build("sync") as builder, pytest.raises(Timeout):
        lock.acquire(timeout=0)
    assert finish(builder)[0] == 0
    with lock:
        got = slow_project.roost("sync", "--refresh", env=dict(os.environ) | {"ROOST_TIMEOUT": "0.1"})
    assert got.returncode == 124
    assert "gave up" in got.stderr


@pytest.mark.slow
def test_two_environments_at_once_share_the_build_lock(project: Project, tmp_path: Path) -> None:
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []")
    children = all_at_once(
        8,
        tmp_path,
        lambda number: [ROOST, "run", "--env", ("default", "bare")[number % 2], "python", "-c", "import apple.late"],
        cwd=project.root,
    )
    assert [finish(child)[0] for child in children] == [0] * 8
    assert sorted(line["environment"] for line in project.journal("build")) == ["bare", "default"]


def test_running_session_keeps_its_packages(project: Project, tmp_path: Path) -> None:
    """It imports late, while the lock file changes, others build the new state, and `clean --all` runs."""
    go = tmp_path / "go"
    code = (
        "import apple, pathlib, time; print(apple.VERSION, flush=True)\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
        "import apple.later, banana.later; print(apple.later.VERSION)"
    )
    session = project.start("run", "python", "-c", code)
    assert session.stdout
    assert session.stdout.readline() == "2.0\n"
    old = project.venvs()[0]
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    project.edit("pyproject.toml", '["banana"]', "[]")
    project.lock()
    children = all_at_once(
        4, tmp_path, lambda _: [ROOST, "run", "python", "-c", "import apple; print(apple.VERSION)"], cwd=project.root
    )
    assert [finish(child)[:2] for child in children] == [(0, "1.0\n")] * 4
    assert project.roost("sync").returncode == 0
    project.age()
    cleaned = project.roost("clean", "--all")
    assert f"kept {old}: in use" in cleaned.stdout
    go.touch()
    assert finish(session)[:2] == (0, "2.0\n")
    project.age()
    assert f"removed {old}" in project.roost("clean", "--all").stdout
    assert not old.exists()
    assert project.python("import apple").returncode == 0


def test_two_states_alternating_are_built_twice_and_never_again(project: Project) -> None:
    states = []
    for requirement in ('["apple"]', '["apple<2"]'):
        project.write(dependencies=[requirement[2:-2]], groups={"dev": ["banana"]})
        project.lock()
        states.append([(project.root / name).read_text() for name in ("pyproject.toml", "uv.lock")])
    for turn in range(6):
        for name, text in zip(("pyproject.toml", "uv.lock"), states[turn % 2], strict=True):
            project.file(name, text)
        assert project.python("import apple; print(apple.VERSION)").stdout == ("2.0\n", "1.0\n")[turn % 2]
    assert len(project.journal("build")) == 2


def test_input_that_changes_during_the_build_is_built_again(slow_project: SlowProject) -> None:
    before = {name: (slow_project.root / name).read_text() for name in ("pyproject.toml", "uv.lock")}
    slow_project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    slow_project.lock()
    after = {name: (slow_project.root / name).read_text() for name in before}
    for name, text in before.items():
        slow_project.file(name, text)
    with slow_project.in_build("run", "python", "-c", "import apple; print(apple.VERSION)") as child:
        for name, text in after.items():
            slow_project.file(name, text)
    status, out, err = finish(child)
    assert (status, out) == (0, "1.0\n"), err
    assert "changed during the build" in err
    assert len(slow_project.complete()) == len(slow_project.venvs()) == 1


@pytest.mark.slow
def test_build_that_fails_over_a_changing_input_is_tried_again(slow_project: SlowProject) -> None:
    slow_project.edit("pyproject.toml", "[tool.roost]", '[tool.roost]\ninputs = ["slow.txt"]')
    slow_project.file("slow.txt", "mend me")
    got = slow_project.python("import apple; print(apple.VERSION)")
    assert (got.returncode, got.stdout) == (0, "2.0\n"), got.stderr
    assert f"`{slow_project.root}/slow.txt` changed during the build" in got.stderr


@pytest.mark.slow
def test_input_that_changes_and_changes_back_is_built_again(slow_project: SlowProject) -> None:
    """The installer may have read what was there in between: only the ctime tells."""
    pyproject = slow_project.root / "pyproject.toml"
    text, stamp = pyproject.read_text(), pyproject.stat()
    with slow_project.in_build("run", "python", "-c", "import apple; print(apple.VERSION)") as child:
        pyproject.write_text(text.replace('["apple"]', '["apple<2"]'))
        pyproject.write_text(text)
        os.utime(pyproject, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    status, out, err = finish(child)
    assert (status, out) == (0, "2.0\n"), err
    assert err.count("building") == 2
    assert len(slow_project.complete()) == len(slow_project.venvs()) == 1


@pytest.mark.slow
def test_input_that_never_rests_is_named(slow_project: SlowProject) -> None:
    pyproject = slow_project.root / "pyproject.toml"
    text, turn = pyproject.read_text(), 0
    child = slow_project.start("run", "python", "-c", "pass")
    while child.poll() is None:
        turn += 1
        os.replace(slow_project.file("new.toml", f"{text}# {turn}\n"), pyproject)
        time.sleep(0.05)
    _, err = child.communicate()
    assert child.returncode == 125
    assert f"`{slow_project.root}/pyproject.toml` changed during each of 3 builds" in err
    assert slow_project.venvs() == []


def test_stopped_builder_is_named_to_those_who_wait(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder, stopped(builder.pid):
        got = slow_project.run("python", "-c", "pass", env=dict(os.environ) | {"ROOST_TIMEOUT": "1.5"})
    assert got.returncode == 124
    first, second = got.stderr.splitlines()
    who = rf"held by pid {builder.pid} \(`roost run python`\) since \d\d:\d\d:\d\d, which is stopped"
    assert re.match(rf"roost: waiting for the build lock, {who}", first)
    assert re.match(rf"roost: gave up after \d+ s: the build lock is {who}", second)
    assert finish(builder)[0] == 0


def test_wait_is_silent_for_a_second_and_bounded(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        got = slow_project.run("python", "-c", "pass", env=dict(os.environ) | {"ROOST_TIMEOUT": "0"})
    assert got.returncode == 124
    assert "waiting" not in got.stderr
    assert finish(builder)[0] == 0


def test_build_that_calls_roost_is_told_at_once(project: Project) -> None:
    """A build backend that runs `roost run` would wait for itself for ever."""
    project.edit(
        "pyproject.toml",
        "[dependency-groups]",
        SlowProject.TABLES.replace("slow_backend", "backend") + "[dependency-groups]",
    )
    code = (
        "import subprocess, sys\n"
        f"got = subprocess.run([{ROOST!r}, 'run', 'python'], capture_output=True, text=True)\n"
        "sys.stderr.write(got.stderr); raise SystemExit(got.returncode)\n"
    )
    project.file("backend.py", code)
    (project.root / "uv.lock").unlink()
    before = time.monotonic()
    got = project.run("python", "-c", "pass", env=dict(os.environ) | {"ROOST_TIMEOUT": "60"})
    assert got.returncode == 125
    assert "was called from its own build of" in got.stderr
    assert time.monotonic() - before < 30


def test_waiter_of_a_running_builder_watches_the_marker_without_the_lock_library(slow_project: SlowProject) -> None:
    """It costs 50 ms of a core, which the builder needs."""
    env = dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"}
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        waiter = slow_project.start("run", "python", "-c", "import apple.late", env=env)
        said = until(waiter, "roost: waiting for the build lock")
    assert waiter.stderr
    assert "roost.protocol" in said
    assert "filelock" not in said + waiter.stderr.read()
    assert finish(waiter)[0] == 0
    assert finish(builder)[0] == 0
    assert len(slow_project.journal("build")) == 1


def test_few_of_many_cold_starts_import_the_lock_library(project: Project, tmp_path: Path) -> None:
    """It costs as much of a core as all else that a waiter does. Another one may try the lock just before its holder."""
    env = dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"}
    launch = [ROOST, "run", "python", "-I", "-c", "pass"]
    children = all_at_once(8, tmp_path, lambda _: launch, cwd=project.root, env=env)
    ended = [finish(child) for child in children]
    assert [status for status, _, _ in ended] == [0] * 8
    assert 1 <= sum("| filelock\n" in err for _, _, err in ended) <= 3
