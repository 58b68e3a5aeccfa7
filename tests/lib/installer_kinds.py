"""A project of each kind that roost can tell apart: how it is made, and how it is changed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.lib.processes import UV, run
from tests.lib.projects import Project

BACKEND = "[build-system]\nrequires = []\nbuild-backend = 'slow_backend'\nbackend-path = ['.']\n"
WHAT = (
    "import importlib.metadata as m; "
    "print(*sorted(f'{d.name} {d.version}' for d in m.distributions() if d.name not in ('pip', 'setuptools')))"
)


class Kind(NamedTuple):
    """What a life cycle goes through. It starts from a project that depends on `apple`, `banana` in its group `dev`."""

    name: str
    """The installer and the reason, as roost says them."""
    prepare: Callable[[Project], None]
    change: Callable[[Project], None]
    """Make it ask for the `apple` below 2."""
    part: str
    """What roost then says has changed."""
    tool: str = ""
    """The program that it needs besides uv, and an index."""
    itself: str = ""
    """What is installed of the project itself."""

    def __str__(self) -> str:
        """Return the name for a test's identity."""
        return "plain" if "no uv.lock" in self.name else self.name.partition(" ")[0]


def installed(project: Project, *options: str) -> str:
    """Return what is in the environment, such as `apple 1.0 banana 1.0`."""
    got = project.roost("run", *options, "python", "-c", WHAT)
    assert got.returncode == 0, got.stderr
    return got.stdout.strip()


def said(project: Project, *options: str) -> str:
    """Return what roost said of a start that succeeded; nothing when it was warm."""
    got = project.roost("run", *options, "python", "-c", "pass")
    assert got.returncode == 0, got.stderr
    return got.stderr


def with_backend(project: Project) -> None:
    """Let the project be built by `tests/lib/slow_backend.py`, at once."""
    shutil.copy(Path(__file__).parent / "slow_backend.py", project.root)
    project.file("slow.txt", "0")
    project.file("src/project.py", "HERE = 1\n")
    project.edit("pyproject.toml", "[tool.roost]\n", f"{BACKEND}[tool.roost]\n")


def with_pylock(project: Project) -> None:
    """Lock to `pylock.toml`."""
    command = [UV, "--quiet", "pip", "compile", "pyproject.toml", "--group", "dev", "-o", "pylock.toml"]
    run(command, cwd=project.root, check=True)


def with_requirements(project: Project) -> None:
    """Ask for the same by requirement files, two of them included."""
    project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\nrequirements = ["requirements.txt"]\n')
    project.file("requirements.txt", "-r more/base.txt\nbanana\n")
    project.file("more/base.txt", "-c pins.txt\napple  # whichever\n")
    project.file("more/pins.txt", "apple<3\n")


def with_command(project: Project) -> None:
    """Ask for the same by a shell script."""
    words = f'["sh", "deps.sh", "{UV}", "apple<3", "banana"]'
    project.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\ncommand = {words}\n")
    project.file("deps.sh", 'uv="$1"; shift; exec "$uv" pip install "$@"\n')


def with_poetry(project: Project) -> None:
    """Make it a package of Poetry's."""
    project.file("src/project/__init__.py", "HERE = 1\n")
    project.edit(
        "pyproject.toml",
        "[tool.roost]\n",
        "[tool.poetry]\npackages = [{from = 'src', include = 'project'}]\n[tool.roost]\n",
    )
    lock_with("poetry", project)


def with_pdm(project: Project) -> None:
    """Make it a package that PDM builds."""
    with_backend(project)
    lock_with("pdm", project)


def name_index(project: Project, tool: str, url: str) -> None:
    """Let Poetry or PDM take everything from the index at `url`."""
    name = "pypi" if tool == "pdm" else "local"  # each knows `pypi`: PDM replaces it, Poetry will not
    table = f'[[tool.{tool}.source]]\nname = "{name}"\nurl = "{url}"\n'
    project.edit("pyproject.toml", "[tool.roost]\n", f"{table}[tool.roost]\n")


def lock_with(tool: str, project: Project) -> None:
    """Make the lock file of Poetry or PDM fit, without a venv of theirs."""
    words = ["-G", ":all"] if tool == "pdm" else []  # else it leaves the extras out
    env = dict(os.environ) | {"POETRY_VIRTUALENVS_CREATE": "false", "PDM_USE_VENV": "false"}
    done = run([tool, "lock", "--quiet", *words], cwd=project.root, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def _narrow(project: Project) -> None:
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')


def _change_uv_lock(project: Project) -> None:
    _narrow(project)
    project.lock()


def _change_pylock(project: Project) -> None:
    _narrow(project)
    (project.root / "pylock.toml").unlink()
    with_pylock(project)


def _change_requirements(project: Project) -> None:
    project.edit("more/pins.txt", "<3", "<2")


def _change_command(project: Project) -> None:
    project.edit("pyproject.toml", '"apple<3"', '"apple<2"')


def _change_poetry(project: Project) -> None:
    _narrow(project)
    lock_with("poetry", project)


def _change_pdm(project: Project) -> None:
    _narrow(project)
    lock_with("pdm", project)


def _nothing(project: Project) -> None:
    del project


KINDS = [
    Kind("uv (uv.lock)", Project.lock, _change_uv_lock, "uv.lock"),
    Kind("uv (pyproject.toml, no uv.lock)", _nothing, _narrow, "pyproject.toml [project] dependencies"),
    Kind("pylock (pylock.toml)", with_pylock, _change_pylock, "pylock.toml"),
    Kind("requirements (requirements.txt)", with_requirements, _change_requirements, "more/pins.txt"),
    Kind("command (`command` in pyproject.toml)", with_command, _change_command, "setting command"),
    Kind("poetry (poetry.lock)", with_poetry, _change_poetry, "poetry.lock", "poetry", " project 1.0"),
    Kind("pdm (pdm.lock)", with_pdm, _change_pdm, "pdm.lock", "pdm", " project 1.0"),
]
