"""Installers: each knows the flags of one tool, and nothing of locks, markers or where a venv lies."""

import os

from roost.errors import RoostError
from roost.inputs import Inputs
from roost.installers.base import Installer
from roost.installers.uv import UvInstall, UvSync
from roost.project import Project, table
from roost.settings import Settings

_ELSEWHERE = {"poetry.lock": "poetry", "pdm.lock": "pdm", "pylock.toml": "pylock"}


def choose(project: Project, settings: Settings, inputs: Inputs) -> Installer:
    """Return the installer for `project`: `uv.lock` before a `pyproject.toml` without a lock.

    Raises:
        RoostError: nothing says what to install, or the installer is not supported yet.
    """
    if settings.installer not in ("auto", "uv"):
        message = f"the installer `{settings.installer}` in `{project.file}` is not supported yet: use `uv` or `auto`"
        raise RoostError(message)
    if inputs.read(f"{project.root}/uv.lock") is not None:
        return UvSync()
    if settings.installer == "auto":
        for name, kind in _ELSEWHERE.items():
            if os.path.exists(f"{project.root}/{name}"):
                message = (
                    f"`{name}` in `{project.root}` needs the installer `{kind}`, which is not supported yet: "
                    f'`uv lock`, or set `installer = "uv"` in `[tool.roost]` to install without a lock'
                )
                raise RoostError(message)
    if not (table(project.tables, "project") or table(project.tables, "dependency-groups")):
        message = (
            f"`{project.file}` has no `[project]` and no `[dependency-groups]`, and there is no `uv.lock` beside it: "
            "say there what to install"
        )
        raise RoostError(message)
    return UvInstall()
