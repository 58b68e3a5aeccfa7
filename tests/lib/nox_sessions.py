"""Tools for the tests of the nox backend: noxfiles, and real nox processes."""

import glob
import hashlib
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from roost import warm
from tests.lib.processes import run
from tests.lib.projects import Project

if TYPE_CHECKING:
    import subprocess

NOX = os.path.join(sysconfig.get_path("scripts"), "nox")
HEAD = "import nox\nimport roost.nox\nnox.options.default_venv_backend = roost.nox.BACKEND\n"
PREFIX = 'session.run("python", "-c", "import sys; print(sys.prefix)")'


def _other_python() -> tuple[str, str]:
    """Return the folder and the version, such as 3.12, of a Python that these tests do not run on, or empty strings."""
    folders = [folder for folder in os.get_exec_path() if "shims" not in folder and not folder.startswith(sys.prefix)]
    folders += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin")))
    for minor in range(11, 16):
        for folder in folders:
            if minor != sys.version_info.minor and os.access(f"{folder}/python3.{minor}", os.X_OK):
                return folder, f"3.{minor}"
    return "", ""


OTHER_FOLDER, OTHER_PYTHON = _other_python()
HERE_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="session")
def parallel_nox() -> None:
    """Skip a test where nox runs nothing in parallel."""
    if "--parallel" not in run([NOX, "--help"]).stdout:
        pytest.skip("this nox runs nothing in parallel")


def write_noxfile(project: Project, body: str, head: str = HEAD) -> None:
    """Write the project's noxfile: the registration, then `body`."""
    project.file("noxfile.py", head + body)


def session(name: str, *lines: str, options: str = "") -> str:
    """Return the text of a session."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"@nox.session({options})\ndef {name}(session):\n{body}\n"


def nox(project: Project, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run real nox in the project."""
    options.setdefault("cwd", project.root)
    env = {"PYTHONUNBUFFERED": "1"} | dict(options.pop("env", os.environ))
    return run([NOX, *words], env=env, **options)


def with_other_python() -> dict[str, str]:
    """Return an environment whose PATH leads to the other Python, too."""
    return dict(os.environ) | {"PATH": f"{os.environ['PATH']}{os.pathsep}{OTHER_FOLDER}"}


def own_venvs(project: Project, name: str) -> list[Path]:
    """Return the venvs that the session `name` has of its own."""
    folder = project.store / ".venv/.v2/envs" / warm.session_folder(str(project.root), f".nox/{name}")
    return sorted(path for path in folder.glob("venv-*") if path.is_dir())


def digest(venv: Path) -> dict[str, str]:
    """Return a hash of every file in `venv`, but of the empty one that uv locks."""
    found = {}
    for path in sorted(venv.rglob("*")):
        name = str(path.relative_to(venv))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file() and name != ".lock":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
