"""The project: the folder that an environment belongs to, found from any folder inside it."""

import os
from typing import Any, NamedTuple

from roost.errors import RoostError, UsageError
from roost.inputs import schema
from roost.inputs.files import Inputs
from roost.inputs.schema import LIST, TABLE, TEXTS, Shape, table
from roost.system import paths

_SHAPES: dict[str, Shape] = {  # tables of other tools, where another type would break the code below
    "project": TABLE,
    "project.optional-dependencies": TABLE,
    "dependency-groups": TABLE,
    "dependency-groups.*": LIST,
    "tool": TABLE,
    "tool.uv": TABLE,
    "tool.uv.dev-dependencies": TEXTS,
    "tool.uv.workspace": TABLE,
    "tool.uv.workspace.members": TEXTS,
    "tool.uv.workspace.exclude": TEXTS,
}
BEFORE_PYPROJECT = ("setup.py", "setup.cfg", "requirements.txt")  # files of a project that has no `pyproject.toml` yet


class Project(NamedTuple):
    """A project as its files describe it."""

    root: str
    """Absolute path without links; for a member of a uv workspace the workspace's root."""
    tables: dict[str, Any]
    """The root's `pyproject.toml`."""
    members: tuple[str, ...]
    """Folders of the uv workspace's members, without the root."""
    member_tables: tuple[dict[str, Any], ...] = ()
    """The `pyproject.toml` of each member."""

    @property
    def file(self) -> str:
        """The path of the root's `pyproject.toml`."""
        return f"{self.root}/pyproject.toml"

    @property
    def all_tables(self) -> dict[str, dict[str, Any]]:
        """The `pyproject.toml` of the root and of each member, by folder."""
        return {self.root: self.tables} | dict(zip(self.members, self.member_tables, strict=True))

    @classmethod
    def at(cls, path: str, inputs: Inputs | None = None) -> "Project":
        """Return the project around the folder `path`.

        Every `pyproject.toml` in the folders above counts as an input, also a missing one: a folder above can become a
        workspace later.

        Raises:
            UsageError: `path` is not a folder.
            RoostError: there is no `pyproject.toml` in `path` or above it, or one does not parse.
        """
        inputs = inputs or Inputs()
        start = paths.real(path)
        if not os.path.isdir(start):
            raise UsageError(f"`{start}` is not a folder: name one inside a project")
        root = nearest(start)
        if root is None:
            raise _missing(start)
        tables = _read(root, inputs)
        if _workspace(tables) is None:
            for folder in paths.upwards(root)[1:]:
                above = inputs.toml(f"{folder}/pyproject.toml")
                if above is not None:
                    if _workspace(above) is not None and root in _members(folder, _read(folder, inputs), inputs):
                        return _with_members(folder, above, inputs)
                    break  # as in uv: the search for a workspace ends at the first file above, whatever it contains
        return _with_members(root, tables, inputs)


def nearest(start: str) -> str | None:
    """Return the folder with a `pyproject.toml` that is `start` or the nearest one above it, or None."""
    return next((folder for folder in paths.upwards(start) if os.path.exists(f"{folder}/pyproject.toml")), None)


def _missing(start: str) -> RoostError:
    other = next((name for name in BEFORE_PYPROJECT if os.path.exists(f"{start}/{name}")), None)
    cure = "go into a project, or name one with `--project`"
    if other:
        cure = f"write one next to `{other}`, an empty one will do"
    return RoostError(f"no `pyproject.toml` in `{start}` or above it: {cure}")


def _with_members(root: str, tables: dict[str, Any], inputs: Inputs) -> Project:
    members = _members(root, tables, inputs)
    return Project(root, tables, members, tuple(_read(folder, inputs) for folder in members))


def _read(folder: str, inputs: Inputs) -> dict[str, Any]:
    """Return the tables of the `pyproject.toml` in `folder`, with their types checked."""
    file = f"{folder}/pyproject.toml"
    tables = inputs.toml(file) or {}
    schema.check(tables, _SHAPES, file)
    return tables


def _workspace(tables: dict[str, Any]) -> dict[str, Any] | None:
    found = table(tables, "tool", "uv").get("workspace")
    return found if isinstance(found, dict) else None


def _members(root: str, tables: dict[str, Any], inputs: Inputs) -> tuple[str, ...]:
    workspace = _workspace(tables) or {}

    def matching(key: str) -> set[str]:
        return {path for pattern in workspace.get(key, []) for path in inputs.expand(root, pattern)}

    found = {paths.normal(path) for path in matching("members")} - matching("exclude") - {root}
    # They are read, so that a folder which becomes a member later is noticed.
    return tuple(sorted(folder for folder in found if inputs.read(f"{folder}/pyproject.toml") is not None))
