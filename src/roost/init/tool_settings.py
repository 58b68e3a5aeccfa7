"""`[tool.roost]` for the tools that hooks call: the groups, extras or requirements files that have them."""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import tomli

from roost import tool_places
from roost.inputs import requirements_txt
from roost.inputs.files import Inputs
from roost.inputs.schema import table
from roost.installers.base import is_package
from roost.state import Draft
from roost.tool_places import Place

_HEADER = re.compile(r"^\[tool\.roost\][^\n]*\n?", re.MULTILINE)


class Wanted(NamedTuple):
    """The settings to add, and notes about the tools for the user."""

    settings: dict[str, Any]
    notes: list[str]


def find(draft: Draft, tools: Iterable[str]) -> Wanted:
    """Return the settings that bring `tools` into the environment of `draft`."""
    found = Wanted({}, [])
    if draft.installer.kind not in ("uv", "pylock", "requirements"):
        return found
    for tool in dict.fromkeys(tools):
        place = tool_places.find(draft, tool)
        if place is None:
            found.notes.append(f"no dependency group and no requirements file lists `{tool}`: add it to one")
        elif place.key:
            _add(found, draft, tool, place)
    names = found.settings.get("requirements")
    if names and _lacks_project(draft, names):
        found.settings["project"] = True
        found.notes.append("no line of these files installs the project: `project = true` does")
    return found


def _add(found: Wanted, draft: Draft, tool: str, place: Place) -> None:
    """Add the setting for `tool`, unless `[tool.roost]` has it: then the user decides."""
    key, name, selected = place
    if key in table(draft.project.tables, "tool", "roost"):
        where = f"`[tool.roost]` of `{draft.project.file}`"
        found.notes.append(f"`{tool}` is in `{name}`: add that to `{key}` in {where}")
        return
    chosen = found.settings.setdefault(key, [*selected])
    if name not in chosen:
        chosen.append(name)
        found.notes.append(f"`{tool}` is in `{name}`, so `{key} = {json.dumps(chosen)}` goes into `[tool.roost]`")


def _lacks_project(draft: Draft, names: list[str]) -> bool:
    """Return whether the requirements files `names` do not install the project itself, which is a package."""
    project, inputs = draft.project, Inputs()
    is_listed = project.root in requirements_txt.follow(project, inputs, names).local
    return not is_listed and is_package(project.root, project.tables, inputs)


def written(text: str, wanted: dict[str, Any]) -> str | None:
    """Return `pyproject.toml` with `wanted` in `[tool.roost]`. None where its layout does not allow a text edit."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in wanted.items())
    ending = "\r\n" if "\r\n" in text else "\n"
    header = _HEADER.search(text)
    if header:
        new = f"{text[: header.end()]}{lines.replace(chr(10), ending)}{text[header.end() :]}"
    else:
        separator = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        new = f"{text}{f'{separator}[tool.roost]{chr(10)}{lines}'.replace(chr(10), ending)}"
    try:
        before, after = (table(tomli.loads(one), "tool", "roost") for one in (text, new))
    except tomli.TOMLDecodeError:
        return None
    return new if after == before | wanted else None
