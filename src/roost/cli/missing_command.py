"""The error for a command that is missing from the environment."""

import json
import re
import shutil
from typing import Any

from roost import state
from roost.inputs.groups import extras_of, groups_of, normalize
from roost.state import Draft
from roost.system import processes
from roost.system.paths import absolute
from roost.warm import Selection


def find_on_path(name: str, path: str) -> str | None:
    """Return the absolute path of the command `name` on `path`, or None."""
    found = shutil.which(name, path=path) if name else None
    return absolute(found) if found else None


def explain(name: str, selection: Selection, start: str, venv: str, elsewhere: str | None) -> str:
    """Return one sentence: what is missing where, and how to get it."""
    draft = state.draft(start, selection)
    cure = _in_another_group(name, draft) or _where_to_add_it(draft)
    text = f"`{name}` is not in the environment `{selection.name}` (`{venv}`): {cure}"
    return f"{text}; `--external` would run `{elsewhere}`" if elsewhere else text


def _where_to_add_it(draft: Draft) -> str:
    groups = draft.settings.groups or ("dev",)
    known = groups_of(draft.project.tables)
    group = next((name for name in groups if normalize(name) in known), groups[0])
    file = draft.installer.reason.partition(",")[0]
    tool = processes.uv_to_type() if file == "uv.lock" else file.removesuffix(".lock")
    lock = f", then `{tool} lock`" if file in ("uv.lock", "poetry.lock", "pdm.lock") else ""
    return f"add the package that brings it to the group `{group}` in `{draft.project.file}`{lock}"


def _in_another_group(name: str, draft: Draft) -> str | None:
    """Return how to install the group or extra that lists a package called `name`, or None where there is none."""
    if draft.installer.kind in ("requirements", "command"):  # they install neither
        return None
    tables, wanted = draft.project.tables, draft.settings
    table = "tool.roost" if wanted.env == "default" else f"tool.roost.envs.{wanted.env}"
    groups = ("groups", groups_of(tables), wanted.groups)
    for key, known, asked in (groups, ("extras", extras_of(tables), wanted.extras)):
        for group, items in known.items():
            if normalize(name) in _names(items) and group not in map(normalize, asked):
                line = f"{key} = {json.dumps([*asked, group])}"
                where = f"`[{table}]` of `{draft.project.file}`"
                return f"`{group}` lists a package of that name, so write `{line}` in {where}"
    return None


def _names(items: list[Any]) -> set[str]:
    found = (re.match(r"[\w.-]+", item) for item in items if isinstance(item, str))
    return {normalize(match[0]) for match in found if match}
