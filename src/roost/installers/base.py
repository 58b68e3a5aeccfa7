"""What the installers have in common: the protocol, and what each is given."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.inputs.schema import table
from roost.inputs.settings import Settings
from roost.system import paths
from roost.system.processes import Completed


class Target(NamedTuple):
    """What an installer is to fill: an empty virtualenv, or an empty folder for one that makes it."""

    project: Project
    settings: Settings
    venv: str
    base: str
    """The interpreter that the virtualenv is made with."""
    refresh: bool = False
    """Whether local projects are to be built anew, whatever the tool kept of an earlier build."""

    @property
    def python(self) -> str:
        """The virtualenv's own interpreter."""
        return paths.python(self.venv)


class Run(Protocol):
    """Runs one program for an installer, in the project's folder and with a scrubbed environment."""

    def __call__(self, command: Sequence[str], **env: str) -> Completed:
        """Run `command` with the variables `env` added."""
        ...


class Installer(Protocol):
    """Makes an empty virtualenv hold what the project asks for."""

    @property
    def makes_venv(self) -> bool:
        """Whether it also makes the virtualenv, which spares a process and a look at a Python that is new to it."""
        ...

    @property
    def kind(self) -> str:
        """What it is called in the settings and in the fingerprint."""
        ...

    @property
    def reason(self) -> str:
        """Why it was chosen, such as the file that it reads."""
        ...

    @property
    def files(self) -> Sequence[str]:
        """The files that it reads whole, besides every `pyproject.toml`: absolute paths, there or not."""
        ...

    @property
    def sources(self) -> Sequence[str]:
        """The folders besides the project's root that it builds and installs from: absolute paths."""
        ...

    def install(self, target: Target, run: Run) -> str | None:
        """Fill `target`.

        Returns None, or why it failed: what the tool printed, or one sentence on how to mend it.
        """
        ...


def is_package(folder: str, tables: dict[str, Any], inputs: Inputs) -> bool:
    """Return whether what lies in `folder` can be built and installed: as uv sees it, or by its `setup.py`."""
    told = table(tables, "tool", "uv").get("package")
    if isinstance(told, bool):
        return told
    if "build-system" in tables or "project" in tables:
        return "build-system" in tables
    if inputs.read(f"{folder}/setup.py") is not None:
        return True
    return b"[metadata]" in (inputs.read(f"{folder}/setup.cfg") or b"")  # linters keep their settings there, too


def active(venv: str) -> dict[str, str]:
    """Return the variables that make `venv` the active one for a tool that looks for it there."""
    path = os.environ.get("PATH", os.defpath)
    return {"VIRTUAL_ENV": venv, "PATH": f"{paths.scripts(venv)}{os.pathsep}{path}", "CONDA_DEFAULT_ENV": ""}
