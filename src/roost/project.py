"""The project: the folder that an environment belongs to, found from any folder inside it."""

import os
from typing import Any, NamedTuple

from roost.errors import RoostError
from roost.inputs import Inputs


class Project(NamedTuple):
    """A project as its files describe it."""

    root: str
    """Absolute path without links; for a member of a uv workspace the workspace's root."""
    tables: dict[str, Any]
    """The root's `pyproject.toml`."""
    members: tuple[str, ...]
    """Folders of the uv workspace's members, without the root."""

    @property
    def file(self) -> str:
        """The path of the root's `pyproject.toml`."""
        return f"{self.root}/pyproject.toml"


def find(start: str, inputs: Inputs) -> Project:
    """Return the project that `start` lies in.

    Every `pyproject.toml` looked for on the way up counts as an input, also where there is none: a folder above can
    become a workspace later.

    Raises:
        RoostError: there is no `pyproject.toml` in `start` or above it, or one does not parse.
    """
    start = os.path.realpath(start)
    if not os.path.isdir(start):
        message = f"`{start}` is not a folder: name one inside a project"
        raise RoostError(message)
    ways = list(_upwards(start))
    root = next((folder for folder in ways if os.path.exists(f"{folder}/pyproject.toml")), None)
    if root is None:
        message = f"no `pyproject.toml` in `{start}` or above it: go into a project, or name one with `--project`"
        raise RoostError(message)
    tables = inputs.toml(f"{root}/pyproject.toml") or {}
    if _workspace(tables) is None:
        for folder in ways[ways.index(root) + 1 :]:
            above = inputs.toml(f"{folder}/pyproject.toml")
            if above is None:
                continue
            if _workspace(above) is not None:
                members = _members(folder, above, inputs)
                if root in members:
                    return Project(folder, above, members)
            if "project" in above or _workspace(above) is not None:
                break  # as uv does: the search for a workspace ends at the first project above
    return Project(root, tables, _members(root, tables, inputs))


def _upwards(folder: str) -> list[str]:
    found = [folder]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found


def _workspace(tables: dict[str, Any]) -> dict[str, Any] | None:
    found = table(tables, "tool", "uv", "workspace")
    return found or None


def _members(root: str, tables: dict[str, Any], inputs: Inputs) -> tuple[str, ...]:
    workspace = _workspace(tables) or {}

    def paths(key: str) -> list[str]:
        patterns = workspace.get(key, [])
        return [path for pattern in patterns for path in inputs.expand(root, pattern)]

    excluded = set(paths("exclude"))
    found = {os.path.normpath(path) for path in paths("members")} - excluded - {root}
    return tuple(sorted(folder for folder in found if os.path.exists(f"{folder}/pyproject.toml")))


def table(tables: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return the table at `keys`, or an empty one where there is none (or something else)."""
    here: Any = tables
    for key in keys:
        here = here.get(key) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}
