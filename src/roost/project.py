"""The project: the folder that an environment belongs to, found from any folder inside it."""

import os
from typing import Any, NamedTuple

from roost.errors import RoostError, UsageError
from roost.inputs import Inputs

# Of what other tools read, too: where roost's own reading would stumble over another type.
_LIST = "a list"
_TEXTS = "a list of strings"
_TABLE = "a table"
_SHAPES = {
    ("project",): _TABLE,
    ("project", "optional-dependencies"): _TABLE,
    ("dependency-groups",): _TABLE,
    ("dependency-groups", "*"): _LIST,
    ("tool",): _TABLE,
    ("tool", "uv"): _TABLE,
    ("tool", "uv", "dev-dependencies"): _TEXTS,
    ("tool", "uv", "workspace"): _TABLE,
    ("tool", "uv", "workspace", "members"): _TEXTS,
    ("tool", "uv", "workspace", "exclude"): _TEXTS,
}


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


def find(start: str, inputs: Inputs) -> Project:
    """Return the project that `start` lies in.

    Every `pyproject.toml` looked for on the way up counts as an input, also where there is none: a folder above can
    become a workspace later.

    Raises:
        UsageError: `start` is not a folder.
        RoostError: there is no `pyproject.toml` in `start` or above it, or one does not parse.
    """
    start = os.path.realpath(start)
    if not os.path.isdir(start):
        message = f"`{start}` is not a folder: name one inside a project"
        raise UsageError(message)
    ways = list(_upwards(start))
    root = next((folder for folder in ways if os.path.exists(f"{folder}/pyproject.toml")), None)
    if root is None:
        others = [name for name in ("setup.py", "setup.cfg", "requirements.txt") if os.path.exists(f"{start}/{name}")]
        cure = (
            f"write one beside `{others[0]}`, an empty one will do"
            if others
            else "go into a project, or name one with `--project`"
        )
        message = f"no `pyproject.toml` in `{start}` or above it: {cure}"
        raise RoostError(message)
    tables = _checked(inputs.toml(f"{root}/pyproject.toml") or {}, root)
    if _workspace(tables) is None:
        for folder in ways[ways.index(root) + 1 :]:
            above = inputs.toml(f"{folder}/pyproject.toml")
            if above is not None:
                if _workspace(above) is not None and root in _members(folder, _checked(above, folder), inputs):
                    return _of_root(folder, above, inputs)
                break  # as uv does: the search for a workspace ends at the first file above, whatever is in it
    return _of_root(root, tables, inputs)


def _of_root(root: str, tables: dict[str, Any], inputs: Inputs) -> Project:
    members = _members(root, tables, inputs)
    read = (_checked(inputs.toml(f"{folder}/pyproject.toml") or {}, folder) for folder in members)
    return Project(root, tables, members, tuple(read))


def _checked(tables: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return `tables`, the `pyproject.toml` in `folder`, once their types are what roost goes by."""
    for keys, words in _SHAPES.items():
        *way, last = keys
        around = table(tables, *way)
        for key in around if last == "*" else around.keys() & {last}:
            if not _fits(around[key], words):
                message = f"`{'.'.join([*way, key])}` in `{folder}/pyproject.toml` must be {words}"
                raise RoostError(message)
    return tables


def _fits(value: object, words: str) -> bool:
    if words == _TABLE:
        return isinstance(value, dict)
    return isinstance(value, list) and (words == _LIST or all(isinstance(item, str) for item in value))


def _upwards(folder: str) -> list[str]:
    found = [folder]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found


def _workspace(tables: dict[str, Any]) -> dict[str, Any] | None:
    found = table(tables, "tool", "uv").get("workspace")
    return found if isinstance(found, dict) else None


def _members(root: str, tables: dict[str, Any], inputs: Inputs) -> tuple[str, ...]:
    workspace = _workspace(tables) or {}

    def paths(key: str) -> list[str]:
        patterns = workspace.get(key, [])
        return [path for pattern in patterns for path in inputs.expand(root, pattern)]

    excluded = set(paths("exclude"))
    found = {os.path.normpath(path) for path in paths("members")} - excluded - {root}
    # Read, so that a folder which becomes a member later is noticed.
    return tuple(sorted(folder for folder in found if inputs.read(f"{folder}/pyproject.toml") is not None))


def table(tables: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return the table at `keys`, or an empty one where there is none (or something else)."""
    here: Any = tables
    for key in keys:
        here = here.get(key) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}
