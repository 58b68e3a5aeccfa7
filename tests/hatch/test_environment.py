"""The hatch environment type, as users of hatch see it."""

import os
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lib.nox_sessions import HERE_PYTHON, NOX, OTHER_FOLDER, OTHER_PYTHON, digest
from tests.lib.processes import ROOST, ROOST_RUN, all_at_once, finish, run
from tests.lib.projects import Project, SlowProject, start_until_indexed
from tests.lib.runners import WARM, imported

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    import subprocess

SCRIPTS = sysconfig.get_path("scripts")
HATCH, TOX, POE = (os.path.join(SCRIPTS, name) for name in ("hatch", "tox", "poe"))
PREFIX = "import sys; print('in', sys.prefix)"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep hatch's environments, and let pip find the wheels of the tests alone."""
    monkeypatch.setenv("HATCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "data"


def write_hatch(project: Project, text: str) -> None:
    """Write `hatch.toml`."""
    project.file("hatch.toml", text)


def hatch(project: Project, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run real hatch in the project."""
    env = {"PIP_FIND_LINKS": str(project.wheels)} | dict(options.pop("env", os.environ))
    return run([HATCH, *words], cwd=project.root, env=env, **options)


def places(text: str) -> list[str]:
    """Return the prefixes that the commands printed."""
    return [line[3:] for line in text.splitlines() if line.startswith("in ")]


def test_environments_share_the_venv_that_roost_run_uses(project: Project) -> None:
    write_hatch(
        project,
        '[envs.default]\ntype = "roost"\nskip-install = true\n'
        '[envs.lint]\ntype = "roost"\ndetached = true\ndependencies = ["apple>=1", "banana"]\n'
        '[envs.lint.scripts]\ncheck = "python check.py {args}"\n',
    )
    project.file("check.py", PREFIX)
    for words in (("run", "python", "check.py"), ("run", "lint:check"), ("run", "lint:check")):
        got = hatch(project, *words)
        assert places(got.stdout) == [str(project.venvs()[0])], got.stdout + got.stderr
    assert (got.stdout, got.stderr) == (f"in {project.venvs()[0]}\n", "")
    assert hatch(project, "env", "find", "lint").stdout == f"{project.venvs()[0]}\n"
    assert len(project.journal("build")) == 1


def test_later_start_imports_what_a_warm_start_needs(project: Project) -> None:
    write_hatch(project, '[envs.default]\ntype = "roost"\nskip-install = true\ndependencies = ["apple"]\n')
    start_until_indexed(project)
    assert hatch(project, "run", "python", "-c", PREFIX).returncode == 0
    got = hatch(project, "run", "python", "-c", PREFIX, env=dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert imported(got.stderr) == WARM


def test_exit_of_hatch_collects_nothing_that_it_imported(project: Project, tmp_path: Path) -> None:
    write_hatch(project, '[envs.default]\ntype = "roost"\nskip-install = true\n')
    count = "'hatch.cli' in sys.modules and print('left', len(gc.get_objects()))"
    code = f"import atexit, gc, sys\natexit.register(lambda: {count})\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    got = hatch(project, "run", "python", "-c", "", env=dict(os.environ) | {"PYTHONPATH": str(tmp_path)})
    left = int(got.stdout.rpartition("left ")[2])
    assert left < 10_000, got.stdout + got.stderr  # of 35,000


@pytest.mark.parametrize(
    ("asked", "shared", "why"),
    [
        ('dependencies = ["cherry"]', 0, "`cherry` is not in the lock file of the environment `default`"),
        (
            'dependencies = ["banana"]\nroost-env = "bare"',
            1,
            "the environment `bare` lacks `banana==1.0`",
        ),
    ],
)
def test_environment_that_asks_for_more_gets_its_own(
    project: Project, data: Path, asked: str, shared: int, why: str
) -> None:
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost.envs.bare]\ngroups = []\n[tool.roost]")
    write_hatch(project, f'[envs.more]\ntype = "roost"\ndetached = true\n{asked}\n')
    name = asked.split('"')[1]
    got = hatch(project, "run", "more:python", "-c", f"import {name}; {PREFIX}")
    assert got.returncode == 0, got.stdout + got.stderr
    (place,) = places(got.stdout)
    assert place.startswith(str(data))
    assert f"roost: `more` gets a venv of its own: {why}\n" in got.stderr
    again = hatch(project, "run", "more:python", "-c", PREFIX)
    assert (again.stdout, again.stderr) == (f"in {place}\n", "")
    assert len(project.all_venvs()) == shared


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dev-mode = false", "`dev-mode = false` installs what gets built"),
        ("skip-install = true\nsystem-packages = true", "`system-packages` is set"),
        ('skip-install = true\nenv-vars.UV_CONSTRAINT = "old.txt"', "`UV_CONSTRAINT` in `env-vars`"),
        ('skip-install = true\n[envs.one.scripts]\nx = "pip install cherry"', "`pip install` in its scripts"),
    ],
)
def test_reason_for_a_venv_of_its_own(project: Project, text: str, why: str) -> None:
    write_hatch(project, f'[envs.one]\ntype = "roost"\n{text}\n')
    got = hatch(project, "env", "create", "one")
    assert f"roost: `one` gets a venv of its own: {why}\n" in got.stderr, got.stdout + got.stderr
    assert project.venvs() == []


def test_command_that_would_change_the_shared_venv_fails_in_words(project: Project) -> None:
    write_hatch(project, '[envs.default]\ntype = "roost"\nskip-install = true\n')
    project.python("pass")
    before = digest(project.venvs()[0])
    got = hatch(project, "run", "uv", "pip", "install", "cherry")
    assert got.returncode == 1
    assert "roost: `uv pip install cherry` would change the shared venv: list it in the `dependencies`" in got.stderr
    assert digest(project.venvs()[0]) == before


def test_removal_leaves_the_shared_venv(project: Project) -> None:
    write_hatch(project, '[envs.default]\ntype = "roost"\nskip-install = true\n')
    assert hatch(project, "env", "show").returncode == 0
    assert project.all_venvs() == []
    assert hatch(project, "run", "python", "-c", PREFIX).returncode == 0
    assert hatch(project, "env", "remove", "default").returncode == 0
    assert hatch(project, "env", "prune").returncode == 0
    assert len(project.complete()) == 1


def test_removal_needs_no_valid_features(project: Project) -> None:
    """An unknown feature is an error when hatch installs, and not before, as with hatch's own type."""
    write_hatch(project, '[envs.default]\ntype = "roost"\nskip-install = true\n[envs.one]\nfeatures = ["none"]\n')
    project.python("pass")
    for words in (("env", "find", "one"), ("env", "remove", "one"), ("env", "prune")):
        got = hatch(project, *words)
        assert got.returncode == 0, got.stdout + got.stderr
    got = hatch(project, "env", "create", "one")
    assert got.returncode != 0
    assert "Feature `none`" in got.stderr


def test_unknown_environment_is_one_sentence(project: Project) -> None:
    write_hatch(project, '[envs.default]\ntype = "roost"\nroost-env = "none"\n')
    got = hatch(project, "run", "python")
    assert got.returncode == 1
    assert "roost: there is no environment `none`" in got.stderr
    assert "Traceback" not in got.stderr


def test_shell_runs_in_the_shared_venv(project: Project) -> None:
    write_hatch(project, '[envs.default]\ntype = "roost"\nskip-install = true\n')
    env = dict(os.environ) | {
        "HATCH_CONFIG": str(
            project.file(
                "config.toml",
                '[shell]\nname = "python"\npath = "python"\nargs = ["-c", "import sys; print(\'in\', sys.prefix)"]\n',
            )
        )
    }
    got = hatch(project, "shell", env=env)
    assert places(got.stdout) == [str(project.venvs()[0])], got.stdout + got.stderr


@pytest.mark.skipif(not OTHER_PYTHON, reason="there is only one Python on this machine")
def test_matrix_gets_one_venv_for_each_python(project: Project) -> None:
    matrix = f'[[envs.m.matrix]]\npython = ["{HERE_PYTHON}", "{OTHER_PYTHON}"]\nkind = ["a", "b"]\n'
    write_hatch(project, f'[envs.m]\ntype = "roost"\nskip-install = true\n{matrix}')
    env = dict(os.environ) | {"PATH": f"{os.environ['PATH']}{os.pathsep}{OTHER_FOLDER}"}
    got = hatch(project, "run", "m:python", "-c", PREFIX, env=env)
    assert got.returncode == 0, got.stdout + got.stderr
    assert len(places(got.stdout)) == 4
    assert set(places(got.stdout)) == {str(path) for path in project.venvs()}
    assert len(project.venvs()) == 2


@pytest.mark.parametrize("number", range(3))
@pytest.mark.normally(number=[0])
def test_six_of_all_kinds_at_once_on_a_cold_checkout(slow_project: SlowProject, tmp_path: Path, number: int) -> None:
    slow_project.file("slow.txt", "0.2")
    slow_project.file("where.py", PREFIX)
    write_hatch(slow_project, '[envs.default]\ntype = "roost"\n')
    slow_project.file("tox.ini", "[tox]\nenv_list = a,b\n[testenv]\nrunner = roost\ncommands = python where.py\n")
    tasks = '[tool.poe]\nexecutor = { type = "simple" }\n[tool.poe.tasks]\nwhere = "python where.py"\n'
    slow_project.edit("pyproject.toml", "[project]", f"{tasks}[project]")
    slow_project.file(
        "noxfile.py",
        "import nox, roost.nox\n@nox.session(venv_backend=roost.nox.BACKEND)\n"
        "def one(session): session.run('python', 'where.py')\n",
    )
    launch = [
        [HATCH, "run", "python", "where.py"],
        [TOX, "run-parallel", "--parallel-live"],
        [NOX],
        [ROOST, "run", "--external", POE, "where"],
        [ROOST, "run", "python", "where.py"],
        [ROOST_RUN, "python", "where.py"],
    ]
    launch = launch[number:] + launch[:number]
    children = all_at_once(6, tmp_path, lambda number: launch[number], cwd=slow_project.root)
    ended = [finish(child) for child in children]
    assert [status for status, _, _ in ended] == [0] * 6, ended
    assert [place for _, out, _ in ended for place in places(out)] == [str(slow_project.venvs()[0])] * 7
    assert len(slow_project.journal("build")) == 1
    assert slow_project.overlaps() == []


def test_hatch_that_is_too_old_names_the_version(project: Project, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "sitecustomize.py").write_text("import hatch._version as v\nv.version = v.__version__ = '1.14.0'\n")
    write_hatch(project, '[envs.default]\ntype = "roost"\n')
    got = hatch(project, "run", "python", env=dict(os.environ) | {"PYTHONPATH": str(old)})
    assert got.returncode == 1
    assert (
        "the environment type `roost` needs hatch 1.16.5, this is 1.14.0: `pip install 'hatch>=1.16.5'`" in got.stderr
    )
    assert not project.store.exists()
