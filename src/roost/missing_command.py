"""The error for a command that is missing from the environment."""

import json
import os
import re
import shutil
from collections.abc import Sequence

from roost import state, tool_places
from roost.inputs.groups import groups_of, normalize
from roost.installers.requirements import RequirementsInstall
from roost.installers.tools import ToolSync
from roost.installers.uv import UvSync
from roost.state import Draft
from roost.system import processes
from roost.system.paths import absolute
from roost.tool_places import Place
from roost.warm import Selection

_PIP = re.compile(r"pip[\d.]*")


def find_on_path(name: str, path: str) -> str | None:
    """Return the absolute path of the command `name` on `path`, or None."""
    found = shutil.which(name, path=path) if name else None
    return absolute(found) if found else None


def explain(command: Sequence[str], selection: Selection, start: str) -> str:
    """Return one sentence: what is missing, and how to get it."""
    name, *words = command
    if name.endswith(".py") and os.path.isfile(name):
        return f"`{name}` is a file, not a command of the environment: `roost run python {name}`"
    draft = state.draft(start, selection)
    if _PIP.fullmatch(name) and words[:1] == ["install"]:
        return f"roost never changes a complete environment, so no `{name}` is in it: {_how_to_add(words[1:], draft)}"
    place = tool_places.find(draft, name)
    cure = _how_to_select(place, draft) if place and place.key else f"add the package that brings it to {_where(draft)}"
    return f"`{name}` is not in the environment `{selection.name}`: {cure}"


def _how_to_add(words: Sequence[str], draft: Draft) -> str:
    """Return how to add the packages in `words`, the arguments of `pip install`, to the project."""
    packages = " ".join(word for word in words if not word.startswith("-")) or "PACKAGE"
    kind = draft.installer.kind
    if kind == "uv" and "project" in draft.project.tables:
        return f"`{processes.uv_to_type()} add --dev {packages}`"
    if kind == "poetry":
        return f"`poetry add --group dev {packages}`"
    if kind == "pdm":
        return f"`pdm add --dev {packages}`"
    return f"add `{packages}` to {_where(draft)}"


def _where(draft: Draft) -> str:
    """Return the place where a package is added to the environment, and the command after that."""
    if isinstance(draft.installer, RequirementsInstall):
        return f"`{draft.project.root}/{draft.installer.names[-1]}`"
    if draft.installer.kind == "command":
        return f"what `command` in `[tool.roost]` of `{draft.project.file}` installs"
    groups = draft.settings.groups or ("dev",)
    known = groups_of(draft.project.tables)
    group = next((name for name in groups if normalize(name) in known), groups[0])
    tool = processes.uv_to_type() if isinstance(draft.installer, UvSync) else draft.installer.kind
    lock = f", then `{tool} lock`" if isinstance(draft.installer, UvSync | ToolSync) else ""
    return f"the group `{group}` in `{draft.project.file}`{lock}"


def _how_to_select(place: Place, draft: Draft) -> str:
    """Return how to install the group, extra or file that lists a package of that name."""
    wanted = draft.settings.env
    table = "tool.roost" if wanted == "default" else f"tool.roost.envs.{wanted}"
    line = f"`{place.key} = {json.dumps([*place.selected, place.name])}` in `[{table}]` of `{draft.project.file}`"
    if place.key == "requirements":
        return f"it is in `{place.name}`: {line}"
    what = place.key.removesuffix("s")
    return f"it is in the {what} `{place.name}`: `--{what} {place.name}`, or {line}"
