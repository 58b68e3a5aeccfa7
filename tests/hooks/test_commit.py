"""Commits under pre-commit and prek, as a user makes them."""

import os
from pathlib import Path

import pytest

from tests.lib import processes
from tests.lib.git_hooks import PRE_COMMIT, PREK, HookedProject
from tests.lib.processes import run

BOTH = pytest.mark.parametrize("program", [PRE_COMMIT, PREK], ids=["pre-commit", "prek"])
WHOLE = "import apple.late, banana.late, sys; print(sys.prefix)"


@BOTH
@pytest.mark.normally(program=[PREK])
def test_hook_that_passes_builds_first_and_says_nothing_the_second_time(hooked: HookedProject, program: Path) -> None:
    hooked.hooks(f"{{id: run, args: [python, -c, '{WHOLE}'], verbose: true}}")
    hooked.install(program)
    for building in (True, False):
        hooked.change()
        got = hooked.commit()
        assert got.returncode == 0, got.stdout
        assert ("roost: building `default`" in got.stdout) is building
        assert str(hooked.venvs()[0]) in got.stdout
    assert len(hooked.journal("build")) == 1


@BOTH
@pytest.mark.normally(program=[PREK])
def test_hook_that_fails_shows_the_tools_own_output_and_stops_the_commit(hooked: HookedProject, program: Path) -> None:
    code = 'import apple; print("apple", apple.VERSION, "is sour"); raise SystemExit(3)'
    hooked.hooks(f"{{id: run, args: [python, -c, '{code}']}}")
    hooked.install(program)
    hooked.change()
    got = hooked.commit()
    assert got.returncode == 1
    assert "exit code: 3" in got.stdout
    assert "apple 2.0 is sour" in got.stdout
    assert hooked.git("log", "--oneline").count("\n") == 1


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PRE_COMMIT])
def test_hook_split_over_several_processes_builds_once(hooked: HookedProject, program: Path) -> None:
    code = f'import os; {WHOLE}; print("process", os.getpid())'
    hooked.hooks(
        f"{{id: run, args: [python, -c, '{code}'], verbose: true, pass_filenames: true, require_serial: false}}"
    )
    hooked.install(program)
    many = "long" * 50
    for number in range(1500):  # more than one command line may hold, so that two cores are not what decides
        (hooked.root / f"{number}-{many}.txt").touch()
    hooked.git("add", "--all")
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    assert len({line for line in got.stdout.splitlines() if line.startswith("process ")}) > 1
    assert got.stdout.count("roost: building") == len(hooked.journal("build")) == len(hooked.venvs()) == 1


def test_eight_hooks_that_prek_runs_at_once_build_once(hooked: HookedProject) -> None:
    hooked.hooks(
        *(f"{{id: run, name: hook {n}, args: [python, -c, '{WHOLE}'], verbose: true, priority: 1}}" for n in range(8))
    )
    hooked.install(PREK)
    hooked.change()
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    assert got.stdout.count(f"{hooked.venvs()[0]}\n") == 8
    assert got.stdout.count("roost: building") == len(hooked.journal("build")) == len(hooked.venvs()) == 1


@BOTH
@pytest.mark.normally(program=[PREK])
def test_options_of_run_and_roost_env_choose_the_environment(hooked: HookedProject, program: Path) -> None:
    hooked.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []")
    code = 'import importlib.util as u; print("banana:", u.find_spec("banana") is not None)'
    hooked.hooks(f"{{id: run, args: [--env, bare, --, python, -c, '{code}'], verbose: true}}")
    hooked.install(program)
    hooked.git("add", "--all")
    assert "banana: False" in hooked.commit().stdout
    hooked.hooks(f"{{id: run, args: [python, -c, '{code}'], verbose: true}}")
    hooked.change()
    got = hooked.commit(env=dict(os.environ) | {"ROOST_ENV": "bare"})
    assert "banana: False" in got.stdout
    hooked.change()
    assert "banana: True" in hooked.commit().stdout


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PRE_COMMIT])
def test_commit_with_the_short_path_of_a_gui_client_gets_the_venv_of_the_terminal(
    hooked: HookedProject, program: Path
) -> None:
    terminal = hooked.python(WHOLE).stdout
    hooked.hooks(f"{{id: run, args: [python, -c, '{WHOLE}'], verbose: true}}")
    hooked.install(program)
    hooked.change()
    assert hooked.commit().returncode == 0  # the framework's own installation, which takes more than that
    hooked.change()
    kept = ("HOME", "PRE_COMMIT_HOME", "PREK_HOME")
    got = hooked.commit(env={name: os.environ[name] for name in kept} | {"PATH": "/usr/bin:/bin"})
    assert got.returncode == 0, got.stdout
    assert terminal in got.stdout
    assert len(hooked.journal("build")) == 1


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PRE_COMMIT])
@pytest.mark.parametrize("first", ["hook", "terminal"])
@pytest.mark.paired("program", "first")
def test_frameworks_own_virtualenv_never_decides_for_a_python(hooked: HookedProject, program: Path, first: str) -> None:
    """Both put the virtualenv that roost is installed in first on PATH, and name it in `VIRTUAL_ENV`."""
    code = f'{WHOLE}; import os; print("base", os.path.realpath(sys._base_executable))'
    hooked.hooks(f"{{id: run, args: [python, -c, '{code}'], verbose: true}}")
    hooked.install(program)
    hooked.change()
    if first == "terminal":
        hooked.python("pass")
    got = hooked.commit(env=dict(os.environ) | {"VIRTUAL_ENV": "/nowhere", "CONDA_PREFIX": "/nowhere"})
    assert got.returncode == 0, got.stdout
    terminal = hooked.python(code).stdout
    assert terminal in got.stdout
    assert terminal.splitlines()[1] == f"base {processes.BASE_PYTHON}"
    assert len(hooked.journal("build")) == 1


def test_run_needs_a_command(hooked: HookedProject) -> None:
    hooked.hooks("{id: run}")
    got = run([PREK, "run", "--all-files"], cwd=hooked.root)
    assert got.returncode == 1
    assert "Usage: roost run" in got.stdout
