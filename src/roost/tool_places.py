"""Where a project lists a tool: in what its environment has, or in another group, extra or requirements file."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from roost.inputs import groups, requirements_txt
from roost.inputs.files import Inputs
from roost.inputs.groups import normalize
from roost.inputs.schema import table
from roost.installers.requirements import RequirementsInstall
from roost.state import Draft
from roost.system.paths import relative

_REQUIREMENTS_FILES = ("*requirements*.txt", "requirements/*.txt")


class Place(NamedTuple):
    """A list of packages."""

    key: str
    """The setting that selects it: `groups`, `extras` or `requirements`; empty for what the environment has."""
    name: str
    """The name of the group, extra or file."""
    selected: list[str]
    """What the setting selects now."""


def find(draft: Draft, tool: str) -> Place | None:
    """Return the place that lists a package with the name of `tool`: one that the environment has, if there is one."""
    if draft.installer.kind == "command":  # it knows none of them
        return None
    return next((place for place, names in _places(draft, Inputs()) if normalize(tool) in names), None)


def _places(draft: Draft, inputs: Inputs) -> Iterator[tuple[Place, set[str]]]:
    tables, wanted, root = draft.project.tables, draft.settings, draft.project.root
    files: list[str] = []
    if isinstance(draft.installer, RequirementsInstall):
        files = draft.installer.names
        for name in files:
            yield Place("", name, files), _names(inputs.text(f"{root}/{name}").splitlines())
    else:
        project = table(tables, "project")
        yield Place("", "", []), _names(_texts(project.get("dependencies"))) | {normalize(str(project.get("name")))}
        known_groups = groups.groups_of(tables) | groups.groups_of_other_tools(tables)
        in_effect = [normalize(name) for name in wanted.groups]
        selected = [name for name in wanted.groups if normalize(name) in known_groups]
        for name in sorted(known_groups, key=lambda name: name not in in_effect):
            texts = [text for one in groups.with_included(known_groups, [name]) for text in _texts(known_groups[one])]
            yield Place("" if name in in_effect else "groups", name, selected), _names(texts)
        chosen = {normalize(name) for name in wanted.extras}
        for name, items in groups.extras_of(tables).items():
            yield Place("" if name in chosen else "extras", name, [*wanted.extras]), _names(_texts(items))
    for path in (path for pattern in _REQUIREMENTS_FILES for path in inputs.expand(root, pattern)):
        yield Place("requirements", relative(path, root), files), _names(inputs.text(path).splitlines())


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _names(requirements: Iterable[str]) -> set[str]:
    return {normalize(name) for name in map(requirements_txt.name_in, requirements) if name}
