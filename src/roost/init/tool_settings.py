"""`[tool.roost]` for the tools that hooks call: the groups, extras or requirements files that have them."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import tomli

from roost.inputs import groups
from roost.inputs.files import Inputs
from roost.inputs.groups import normalize
from roost.inputs.schema import table
from roost.installers import base
from roost.state import Draft

_HEADER = re.compile(r"^\[tool\.roost\][^\n]*\n?", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_PROJECT_LINE = re.compile(r"^\s*(?:-e\s*|--editable[\s=]+)?\.(?:\[|\s|$)", re.MULTILINE)


class Wanted(NamedTuple):
    """The settings to add, and what to tell about the tools."""

    settings: dict[str, list[str]]
    notes: list[str]


def find(draft: Draft, tools: Iterable[str], inputs: Inputs) -> Wanted:
    """Return the settings that bring `tools` into the environment of `draft`."""
    found = Wanted({}, [])
    if draft.installer.kind not in ("uv", "pylock", "requirements"):
        return found
    for tool in dict.fromkeys(tools):
        place = _place(draft, tool, inputs)
        if place is None:
            found.notes.append(f"no dependency group and no requirements file lists `{tool}`: add it to one")
        elif place.key:
            _add(found, draft, tool, place)
    return found


class _Place(NamedTuple):
    key: str
    """The setting that selects it; empty for what the environment already has."""
    name: str


def _place(draft: Draft, tool: str, inputs: Inputs) -> _Place | None:
    return next((place for place, names in _places(draft, inputs) if normalize(tool) in names), None)


def _places(draft: Draft, inputs: Inputs) -> Iterator[tuple[_Place, set[str]]]:
    """Yield what the environment has, then what it could have: groups, extras and requirements files."""
    tables, wanted = draft.project.tables, draft.settings
    project = table(tables, "project")
    own = {normalize(str(project.get("name", "")))}
    root = draft.project.root
    if draft.installer.kind == "requirements":
        for name in draft.installer.reason.split(", "):
            yield _Place("", name), _names(_lines(f"{root}/{name}", inputs))
    else:
        there, extras = groups.groups_of(tables), groups.extras_of(tables)
        yield _Place("", ""), _names(_texts(project.get("dependencies"))) | own
        in_effect = [*map(normalize, wanted.groups)]
        for name in [*in_effect, *(name for name in there if name not in in_effect)]:
            yield _Place("" if name in in_effect else "groups", name), _in_group(there, name)
        chosen = {normalize(name) for name in wanted.extras}
        for name, items in extras.items():
            yield _Place("" if name in chosen else "extras", name), _names(_texts(items))
    for name in _requirements_files(root):
        yield _Place("requirements", name), _names(_lines(f"{root}/{name}", inputs))


def _add(found: Wanted, draft: Draft, tool: str, place: _Place) -> None:
    """Add the setting for `tool`, unless `[tool.roost]` has it: then the user decides."""
    key, name = place
    file = draft.project.file
    if key in table(draft.project.tables, "tool", "roost"):
        found.notes.append(f"`{tool}` is in `{name}`: add that to `{key}` in `[tool.roost]` of `{file}`")
        return
    before = {
        "groups": [one for one in draft.settings.groups if normalize(one) in groups.groups_of(draft.project.tables)],
        "extras": list(draft.settings.extras),
        "requirements": draft.installer.reason.split(", ") if draft.installer.kind == "requirements" else [],
    }
    chosen = found.settings.setdefault(key, before[key])
    if name not in chosen:
        chosen.append(name)
        found.notes.append(f"`{tool}` is in `{name}`, so `{key} = {json.dumps(chosen)}` goes into `[tool.roost]`")


def lacks_project(draft: Draft, names: Iterable[str], inputs: Inputs) -> bool:
    """Return whether the requirements files `names` do not install the project itself, which is a package."""
    root = draft.project.root
    lines = "\n".join(line for name in names for line in _lines(f"{root}/{name}", inputs))
    return base.is_package(root, draft.project.tables, inputs) and not _PROJECT_LINE.search(lines)


def _requirements_files(root: str) -> list[str]:
    found = [name for name in sorted(os.listdir(root)) if "requirements" in name and name.endswith(".txt")]
    if os.path.isdir(f"{root}/requirements"):
        found += [
            f"requirements/{name}" for name in sorted(os.listdir(f"{root}/requirements")) if name.endswith(".txt")
        ]
    return found


def _lines(path: str, inputs: Inputs) -> list[str]:
    return (inputs.read(path) or b"").decode(errors="replace").splitlines()


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _names(requirements: Iterable[str]) -> set[str]:
    return {normalize(match[0]) for match in map(_NAME.match, requirements) if match}


def _in_group(there: dict[str, Any], name: str) -> set[str]:
    """Return the packages in a group and in those that it includes; settings were checked for circles."""
    items = there.get(name, [])
    return _names(_texts(items)).union(*(_in_group(there, other) for other in groups.included(items)))


def written(text: str, wanted: dict[str, list[str]]) -> str | None:
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
