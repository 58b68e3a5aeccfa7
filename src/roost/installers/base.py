"""The protocol of installers, and what each of them gets."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.inputs.schema import table
from roost.inputs.settings import Kind, Settings
from roost.system import paths
from roost.system.processes import Completed

FROZEN = 'install it as it is with `--frozen`, `UV_FROZEN=1` or `lock = "frozen"`'
"""The other way out where a lock file does not fit `pyproject.toml`."""


class Target(NamedTuple):
    """The venv for an installer to fill: an empty virtualenv, or an empty folder where the installer creates it."""

    project: Project
    settings: Settings
    venv: str
    base: str
    """The interpreter that the virtualenv is made with."""
    refresh: bool = False
    """Whether to build local projects again, even if the tool has an earlier build."""

    @property
    def python(self) -> str:
        """The virtualenv's own interpreter."""
        return paths.python(self.venv)

    @property
    def activation(self) -> dict[str, str]:
        """The environment variables that activate the virtualenv."""
        return paths.active(self.venv, os.environ.get("PATH", os.defpath)) | {"CONDA_DEFAULT_ENV": ""}


class Run(Protocol):
    """Runs one program for an installer, in the project's folder and with a scrubbed environment."""

    def __call__(self, command: Sequence[str], **env: str) -> Completed:
        """Run `command` with the variables `env` added."""
        ...


class Installer(Protocol):
    """Installs what a project asks for into an empty virtualenv."""

    kind: Kind
    """Its name in the settings and in the fingerprint."""
    reason: str
    """Why it was chosen, such as the file that it reads."""
    files: Sequence[str]
    """The files that it reads besides every `pyproject.toml`: absolute paths, existing or not."""
    sources: Sequence[str]
    """The folders besides the project's root that it installs from: absolute paths."""
    variables: Sequence[str] = ()
    """The names of uv's variables that change what it installs; none where uv only creates the virtualenv."""
    makes_venv: bool = False
    """Whether it also creates the virtualenv, which saves a process."""

    def install(self, target: Target, run: Run) -> str | None:
        """Fill `target`.

        Returns None, or why it failed: the output of the tool, or one sentence with what to do.
        """
        ...


def is_package(folder: str, tables: dict[str, Any], inputs: Inputs) -> bool:
    """Return whether the project in `folder` can be built and installed, by uv's rules or by its `setup.py`."""
    package = table(tables, "tool", "uv").get("package")
    if isinstance(package, bool):
        return package
    if "build-system" in tables or "project" in tables:
        return "build-system" in tables
    if inputs.read(f"{folder}/setup.py") is not None:
        return True
    return "[metadata]" in inputs.text(f"{folder}/setup.cfg")  # linters keep settings there as well


def each(option: str, values: Sequence[str]) -> list[str]:
    """Return the words that give each of `values` to a command-line `option` that can be repeated."""
    return [word for value in values for word in (option, value)]
