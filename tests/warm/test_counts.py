"""What a start costs, in what can be counted: processes, files, modules. No test asserts a time."""

import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.projects import Project, start_until_indexed
from tests.lib.strace import Call, before_command, trace
from tests.lib.variants import slow_after

HEAVY = {"json", "re", "argparse", "subprocess", "filelock", "click", "pathlib", "hashlib", "typing"}
WARM = ("environment", "system", "system.files", "system.locks", "system.paths", "warm")
COMMAND = ["python", "-c", "pass"]


def indexed(project: Project) -> list[str]:
    """Return the paths that the index names."""
    return (project.store / ".venv/.v2/index/default").read_text().split("\n\t\n")[1].splitlines()


def looks(project: Project, calls: list[Call]) -> Counter[str]:
    """Count how often each file was asked for: those of the project, and those that the index names elsewhere."""
    named = set(indexed(project))
    return Counter(call.path for call in calls if call.path in named or call.path.startswith(f"{project.root}/"))


def expected(project: Project) -> Counter[str]:
    """Count what a warm start has to look at: each path of the index once, and what leads to them."""
    (venv,) = project.venvs()
    wanted = Counter(indexed(project))
    wanted[str(project.root / "pyproject.toml")] += 1  # is this the project?
    wanted[str(project.store)] += 1  # whose is it, and who can write to it?
    wanted[str(project.store / ".venv/.v2/index/default")] += 1
    wanted[f"{venv}.lease"] += 2  # take it, then look again
    wanted[f"{venv}/bin/python"] += 2  # is there such a command? And become it
    return wanted


def test_warm_run_is_one_process_that_looks_at_each_file_once(built: Project) -> None:
    start_until_indexed(built)
    (calls,) = trace([ROOST, "run", *COMMAND], built.root)
    became = [call.path for call in calls if call.becomes()]
    assert (became[0], became[-1]) == (ROOST, f"{built.venvs()[0]}/bin/python")
    before = before_command(calls)
    first = next(number for number, call in enumerate(before) if call.path.startswith(f"{built.root}/"))
    before = before[first:]  # Python's own start also looks at the base interpreter
    assert looks(built, before) == expected(built)
    opened = Counter(call.path for call in before if call.opens() and call.path.startswith(str(built.root)))
    assert opened == Counter([str(built.store / ".venv/.v2/index/default"), f"{built.venvs()[0]}.lease"])
    assert [call for call in before if "O_WRONLY" in call.arguments or "O_RDWR" in call.arguments] == []


def test_warm_roost_run_is_four_processes_that_look_at_each_file_once(built: Project) -> None:
    """The shell, which becomes the command, and `cat`, `flock` and `stat`."""
    start_until_indexed(built)
    shell, *others = trace([ROOST_RUN, *COMMAND], built.root)
    (venv,) = built.venvs()
    others = [calls for calls in others if any(call.becomes() for call in calls)]  # zsh and others fork for `$(…)`
    programs = [Path(call.path).name for calls in others for call in calls if call.becomes()]
    assert programs == ["cat", "flock", "stat"]
    index, lease = str(built.store / ".venv/.v2/index/default"), f"{venv}.lease"
    opened = Counter(
        call.path
        for calls in (before_command(shell), *others)
        for call in calls
        if call.opens() and call.path.startswith(f"{built.root}/")
    )
    assert opened == Counter([index, lease])
    looked = Counter(call.path for call in others[-1] if call.path in {*indexed(built), lease})
    assert looked == Counter([*indexed(built), lease])


def modules(said: str) -> set[str]:
    """Return what was imported, by `PYTHONPROFILEIMPORTTIME`."""
    return {line.rpartition("|")[2].strip() for line in said.splitlines() if line.startswith("import time:")}


def test_warm_run_imports_ten_small_modules_of_roost_and_fcntl(built: Project) -> None:
    """Besides what every Python imports when it starts in that virtualenv."""
    start_until_indexed(built)
    env = dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"}
    run([ROOST, "run", "true"], cwd=built.root)  # compiles what was not compiled
    bare = modules(run([sys.executable, "-c", "pass"], env=env).stderr)
    warm = modules(built.run("python", "-I", "-S", "-c", "pass", env=env).stderr)
    own = {f"roost.{name}" for name in (*WARM, "cli", "cli.run", "errors")}
    assert own <= warm
    assert warm - bare <= {"roost", "errno", "fcntl", *own}
    assert not warm & HEAVY


def test_start_in_an_earlier_state_imports_two_modules_of_roost_and_hashlib_besides(built: Project) -> None:
    """As after a branch switch. `contextlib` and `typing` alone would take longer than all else that it does."""
    start_until_indexed(built)
    (built.root / "pyproject.toml").write_bytes((built.root / "pyproject.toml").read_bytes())
    env = dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"}
    bare = modules(run([sys.executable, "-c", "import hashlib"], env=env).stderr)
    got = modules(built.run("python", "-I", "-S", "-c", "pass", env=env).stderr)
    own = {f"roost.{name}" for name in (*WARM, "cli", "cli.run", "errors", "warm.earlier_states", "warm.views")}
    assert got - bare - {"errno"} == {"roost", "fcntl", *own}  # hashlib imports errno since Python 3.15


def test_warm_acquire_imports_no_more(built: Project) -> None:
    """As a noxfile or a test suite calls it."""
    start_until_indexed(built)
    code = f"import sys; before = set(sys.modules); import roost; roost.acquire({str(built.root)!r}); "
    got = run([sys.executable, "-c", f"{code} print(*set(sys.modules) - before)"])
    assert got.returncode == 0, got.stderr
    mine = {name for name in got.stdout.split() if name.startswith("roost.")}
    assert mine == {f"roost.{name}" for name in (*WARM, "errors")}


def test_first_start_imports_nothing_that_it_rarely_needs() -> None:
    code = "import sys; before = set(sys.modules); import roost.protocol; print(*set(sys.modules) - before)"
    got = set(run([sys.executable, "-c", code], check=True).stdout.split())
    assert "tomli" in got
    assert not got & {"click", "difflib", "filelock", "ipaddress", "urllib.parse"}


def test_fresh_worktree_starts_three_programs(project: Project) -> None:
    """uv, which looks for a Python; uv, which installs; and the new venv's Python.

    What the base interpreter is, and the bytecode, are known from another worktree. git would have made a `.roost` that
    it tracks.
    """
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    start_until_indexed(project)
    other = project.root.parent / "other"
    shutil.copytree(project.root, other, ignore=shutil.ignore_patterns(".roost"))
    processes = trace([ROOST, "run", *COMMAND], other, "execve")
    started = [call.texts[1:] for calls in processes[1:] for call in calls if call.becomes()]
    own = [words for words in started if words[0].startswith(f"{other}/")]
    assert len(own) == 1
    assert "-S" not in own[0]
    assert [words[1] for words in started if words[0].endswith("/uv")] == ["python", "sync"]
    assert len([words for words in started if "ld-linux" not in words[0]]) == 3  # by which uv knows the C library


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("cached", slow_after(1, [True, False]))
def test_lock_change_starts_three_programs(project: Project, *, cached: bool) -> None:
    """git, which says whether `.roost` is tracked; uv; and the new venv's Python, for its health.

    A fourth, the same Python without its packages, compiles what the bytecode cache lacks.
    """
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    start_until_indexed(project)
    project.write(dependencies=["apple", "cherry"], groups={"dev": ["banana"]})
    project.lock()
    if cached:
        other = project.root.parent / "other"
        shutil.copytree(project.root, other, ignore=shutil.ignore_patterns(".*"))
        assert run([ROOST, "sync"], cwd=other).returncode == 0
    processes = trace([ROOST, "run", *COMMAND], project.root, "execve")
    started = [call.texts[1:] for calls in processes[1:] for call in calls if call.becomes()]
    uv = [words[1] for words in started if words[0].endswith("/uv")]
    assert uv == ["sync"]
    assert sum(words[0].endswith("/git") for words in started) == 1
    pythons = [words for words in started if words[0].startswith(f"{project.root}/")]
    assert [("-S" in words) for words in pythons] == ([False] if cached else [False, True])
