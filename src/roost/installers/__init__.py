"""Installers: each knows the flags of one tool, and nothing of locks, markers or where a venv lies."""

import os
from collections.abc import Iterator

from roost.errors import RoostError
from roost.inputs import Inputs
from roost.installers import pylock, requirements
from roost.installers.base import Installer, is_package
from roost.installers.command import CommandInstall
from roost.installers.pdm import PdmSync
from roost.installers.poetry import PoetrySync
from roost.installers.pylock import PylockSync
from roost.installers.requirements import RequirementsInstall
from roost.installers.uv import UvInstall, UvSync
from roost.project import Project, table
from roost.settings import Settings

__all__ = ["choose"]


def choose(project: Project, settings: Settings, inputs: Inputs) -> Installer:
    """Return the installer for `project`: the one that the settings name, else the first that finds what it needs.

    The order is that of `docs/configuration.md`. A file that was looked for in vain counts as an input; one that comes
    after the chosen one is not opened, whatever is in it.

    Raises:
        RoostError: nothing says what to install, or what the settings name lacks its file.
    """
    kind: str = settings.installer
    if kind == "auto":
        kind = "requirements" if settings.requirements else "command" if settings.command else "auto"
    if kind == "command":
        return CommandInstall(project, settings, inputs)
    if kind == "requirements":
        return _requirements(project, settings, inputs)
    locks = _locks(project, settings.env, kind, inputs)
    if name := next(locks, ""):
        others = " and ".join(locks)
        return _locked(project, inputs, name, f"{name}, before {others}" if others else name)
    if kind in ("auto", "uv"):
        return _unlocked(project, settings, inputs)
    file, way = ("pylock.toml", "uv export -o pylock.toml") if kind == "pylock" else (f"{kind}.lock", f"{kind} lock")
    message = f"`tool.roost.installer` in `{project.file}` is `{kind}`, and there is no `{file}` beside it: `{way}`"
    raise RoostError(message)


def _locks(project: Project, env: str, kind: str, inputs: Inputs) -> Iterator[str]:
    """Yield the lock files there are for `kind`, in the order in which they are asked; one `pylock` answers for all.

    Of those after the first only the names are of interest.
    """
    chosen = None
    ways = {"uv": ("uv.lock",), "pylock": pylock.names(env), "poetry": ("poetry.lock",), "pdm": ("pdm.lock",)}
    for names in (names for way, names in ways.items() if kind in ("auto", way)):
        for path in (f"{project.root}/{name}" for name in names):
            if os.path.exists(path) if chosen else inputs.read(path) is not None:
                chosen = os.path.basename(path)
                yield chosen
                break


def _locked(project: Project, inputs: Inputs, name: str, reason: str) -> Installer:
    if name == "uv.lock":
        return UvSync(project, inputs, reason)
    if name == "poetry.lock":
        return PoetrySync(project, inputs, reason)
    if name == "pdm.lock":
        return PdmSync(project, inputs, reason)
    return PylockSync(project, inputs, name, reason)


def _unlocked(project: Project, settings: Settings, inputs: Inputs) -> Installer:
    if table(project.tables, "project") or table(project.tables, "dependency-groups") or project.members:
        return UvInstall(project, inputs, "pyproject.toml, no uv.lock")
    if settings.installer == "auto" and (names := requirements.conventional(project, inputs)):
        return RequirementsInstall(project, inputs, names, ", ".join(names))
    if is_package(project.root, project.tables, inputs):
        return UvInstall(project, inputs, "its build, no uv.lock")
    message = (
        f"`{project.file}` has no `[project]` and no `[dependency-groups]`, and there is no `uv.lock`, no other lock "
        "file and no `requirements.txt` beside it: say there what to install"
    )
    raise RoostError(message)


def _requirements(project: Project, settings: Settings, inputs: Inputs) -> Installer:
    names = list(settings.requirements) or requirements.conventional(project, inputs)
    if not names:
        message = (
            f"`tool.roost.installer` in `{project.file}` is `requirements`, and there is no `{requirements.ALONE}` "
            "beside it: name the files in `tool.roost.requirements`"
        )
        raise RoostError(message)
    return RequirementsInstall(project, inputs, names, ", ".join(names))
