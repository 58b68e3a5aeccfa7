"""Dependency groups, extras and packages: which a project has, and which of them an environment holds."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from roost.errors import RoostError, UsageError
from roost.inputs.project import Project
from roost.inputs.schema import table
from roost.warm import Selection, option


class Chosen(NamedTuple):
    """What an environment holds, by the settings and the options of a selection."""

    groups: tuple[str, ...]
    groups_given: bool
    """Whether the settings or `--only-group` name all groups; else some are a default."""
    groups_added: tuple[str, ...]
    """Those that options add, for tools with default groups of their own."""
    groups_removed: tuple[str, ...]
    """Those that options leave out, for the same tools."""
    only_groups: bool
    """Whether the project itself and its dependencies are left out."""
    extras: tuple[str, ...]
    packages: tuple[str, ...]
    """Members of a uv workspace; empty for all."""


def choose(project: Project, selection: Selection, values: Mapping[str, Any], inherited: Collection[str]) -> Chosen:
    """Return what an environment holds, whose settings are `values`.

    Of the keys in `inherited`, names that the chosen packages lack are ignored.

    Raises:
        UsageError: an option names a group, extra or package that does not exist, or contradicts another.
        RoostError: the settings do.
    """
    _check_options(selection)
    packages = _packages(project, selection, values.get("packages", ()))
    members = {folder: tables for folder, tables in project.all_tables.items() if not packages or folder in packages}
    own = {name for tables in members.values() for name in groups_of(tables)}
    own |= groups_of_other_tools(project.tables).keys()
    groups = own | groups_of(project.tables).keys()  # as in uv: a member that lacks a group gets the root's
    configured = tuple(values["groups"]) if "groups" in values else _default_groups(project, packages)
    if "groups" in inherited:
        configured = tuple(name for name in configured if normalize(name) in own)
    where = f"{next(iter(packages or members))}/pyproject.toml"
    _check_names(where, "dependency group", configured, groups)
    optional = [*selection.groups, *selection.only_groups, *selection.no_groups]
    listed = {name for tables in members.values() for name in extras_of(tables)}
    _check_names(where, "dependency group", optional, groups, UsageError, other=("an extra: `--extra", listed))
    removed = set(map(normalize, selection.no_groups))
    requested = selection.only_groups or [*configured, *selection.groups]
    requested = [name for name in _distinct(requested) if normalize(name) not in removed]
    for folder, tables in {project.root: project.tables, **members}.items():
        for name in requested:
            _follow_group(f"{folder}/pyproject.toml", groups_of(tables), normalize(name), ())
    extras = () if selection.only_groups else _extras(where, members, selection, values, "extras" in inherited)
    _check_conflicts(project, selection, requested, extras)
    return Chosen(
        groups=tuple(requested),
        groups_given="groups" in values or bool(selection.only_groups),
        groups_added=tuple(selection.groups),
        groups_removed=tuple(selection.no_groups),
        only_groups=bool(selection.only_groups),
        extras=extras,
        packages=tuple(normalize(name) for name in packages.values()),
    )


def _check_options(selection: Selection) -> None:
    clash = next((name for name in ("groups", "extras", "all_extras") if getattr(selection, name)), None)
    if selection.only_groups and clash:
        raise UsageError(f"`--only-group` and `--{option(clash)}` exclude each other")


def _distinct(names: Iterable[str]) -> list[str]:
    """Return `names` without those that are another spelling of an earlier one."""
    return list({normalize(name): name for name in reversed([*names])}.values())[::-1]


def _packages(project: Project, selection: Selection, configured: Iterable[str]) -> dict[str, str]:
    """Return the chosen packages: folder to name. Empty where all are meant."""
    known = {
        normalize(name): (folder, name)
        for folder, tables in project.all_tables.items()
        if isinstance(name := table(tables, "project").get("name"), str)
    }
    requested = selection.packages or configured
    error = UsageError if selection.packages else RoostError
    _check_names(project.file, "package", requested, known, error)
    return dict(known[normalize(name)] for name in requested)


def _extras(
    where: str, members: Mapping[str, dict[str, Any]], selection: Selection, values: Mapping[str, Any], inherited: bool
) -> tuple[str, ...]:
    # The root of a workspace may not be a project itself.
    packages = {folder: tables for folder, tables in members.items() if "project" in tables} or members
    known = {name for tables in packages.values() for name in extras_of(tables)}
    configured = tuple(values.get("extras", ()))
    if all(map(_lists_its_extras, packages.values())):
        if inherited:
            configured = tuple(name for name in configured if normalize(name) in known)
        _check_names(where, "extra", configured, known)
        other = {name for tables in members.values() for name in groups_of(tables)}
        _check_names(where, "extra", selection.extras, known, UsageError, other=("a group: `--group", other))
    elif selection.all_extras:
        known |= {normalize(name) for tables in packages.values() for name in table(tables, "tool", "poetry", "extras")}
        if not known:
            raise UsageError(f"`--all-extras`: `{where}` does not list its extras; name each with `--extra`")
    return tuple(_distinct([*configured, *selection.extras, *(sorted(known) if selection.all_extras else ())]))


def _check_conflicts(project: Project, selection: Selection, groups: Collection[str], extras: Collection[str]) -> None:
    """Refuse groups and extras of which `[tool.uv] conflicts` says that they cannot be installed together."""
    known = groups_of(project.tables)
    chosen = {("group", one): f", which `{name}` includes," for name in groups for one in with_included(known, [name])}
    chosen |= {("group", normalize(name)): "" for name in groups} | {("extra", normalize(name)): "" for name in extras}
    optional = [*selection.groups, *selection.only_groups, *selection.extras]
    by_option = {*map(normalize, optional), *with_included(known, optional)}
    for items in _conflicts(project.tables):
        both = sorted(items & chosen.keys())
        if len(both) > 1:
            names = " and ".join(f"the {kind} `{name}`{chosen[kind, name]}" for kind, name in both)
            message = (
                f"{names} cannot be installed together (`tool.uv.conflicts` in `{project.file}`): "
                "leave one out, or use an environment for each"
            )
            usage = selection.all_extras or any(name in by_option for _, name in both)
            raise UsageError(message) if usage else RoostError(message)


def _conflicts(tables: dict[str, Any]) -> Iterator[set[tuple[str, str]]]:
    sets = table(tables, "tool", "uv").get("conflicts")
    for items in sets if isinstance(sets, list) else []:
        entries = [item for item in (items if isinstance(items, list) else []) if isinstance(item, dict)]
        yield {
            (kind, normalize(entry[kind]))
            for entry in entries
            for kind in ("group", "extra")
            if isinstance(entry.get(kind), str) and "package" not in entry
        }


def _follow_group(file: str, groups: dict[str, Any], name: str, path: tuple[str, ...]) -> None:
    if name in path:
        circle = " → ".join(f"`{one}`" for one in (*path[path.index(name) :], name))
        raise RoostError(
            f"the dependency groups in `{file}` include one another in a circle, {circle}: remove one of the includes"
        )
    if path and name not in groups:
        known = ", ".join(f"`{one}`" for one in sorted(groups))
        raise RoostError(
            f"the dependency group `{path[-1]}` in `{file}` includes `{name}`, which does not exist: it has {known}"
        )
    for other in _included(groups.get(name, ())):
        _follow_group(file, groups, other, (*path, name))


def _included(group: Iterable[object]) -> list[str]:
    """Return the groups that `group` includes, by normalized name."""
    names = (item.get("include-group") for item in group if isinstance(item, dict))
    return [normalize(name) for name in names if isinstance(name, str)]


def with_included(groups: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return those of `names` that are in `groups`, and the groups that they include, by normalized name."""
    found: list[str] = []
    pending = [normalize(name) for name in names]
    while pending:
        name = pending.pop()
        if name in groups and name not in found:
            found.append(name)
            pending += _included(groups[name])
    return found


def _check_names(
    file: str,
    what: str,
    requested: Iterable[str],
    existing: Iterable[str],
    error: type[RoostError] = RoostError,
    *,
    other: tuple[str, Collection[str]] = ("", ()),
) -> None:
    """Refuse a name that does not exist. `other` has a kind with its option, and the names of that kind."""
    names = set(existing)
    for name in requested:
        if normalize(name) not in names:
            known = ", ".join(f"`{name}`" for name in sorted(names)) or "none"
            hint = f"; `{name}` is {other[0]} {name}`" if normalize(name) in other[1] else ""
            raise error(f"there is no {what} `{name}` in `{file}`: it has {known}{hint}")


def selectable(project: Project, field: str) -> set[str]:
    """Return the names that exist for a list of a selection, such as `groups`."""
    tables = project.all_tables.values()
    if field == "packages":
        names = (table(one, "project").get("name") for one in tables)
        return {name for name in names if isinstance(name, str)}
    if field == "extras":
        return {name for one in tables for name in extras_of(one)}
    return {name for one in tables for name in groups_of(one)} | {*groups_of_other_tools(project.tables)}


def normalize(name: str) -> str:
    """Return `name` as packaging.python.org compares names of projects, extras and groups."""
    return re.sub(r"[-_.]+", "-", name).lower()


def groups_of(tables: dict[str, Any]) -> dict[str, Any]:
    """Return the dependency groups by normalized name, uv's older `dev-dependencies` among them as `dev`."""
    groups = {normalize(name): group for name, group in table(tables, "dependency-groups").items()}
    old = table(tables, "tool", "uv").get("dev-dependencies")
    if old is not None:
        groups["dev"] = [*groups.get("dev", []), *old]
    return groups


def extras_of(tables: dict[str, Any]) -> dict[str, Any]:
    """Return the optional dependencies by normalized name of the extra."""
    extras = table(tables, "project", "optional-dependencies")
    return {normalize(name): requirements for name, requirements in extras.items()}


def groups_of_other_tools(tables: dict[str, Any]) -> dict[str, Any]:
    """Return the groups in the tables of Poetry and PDM, by normalized name: the names of packages, or requirements."""
    poetry = table(tables, "tool", "poetry")
    found = {name: list(table(group, "dependencies")) for name, group in table(poetry, "group").items()}
    found |= {"dev": list(table(poetry, "dev-dependencies"))} if "dev-dependencies" in poetry else {}
    return {
        normalize(name): group for name, group in (found | table(tables, "tool", "pdm", "dev-dependencies")).items()
    }


def _lists_its_extras(tables: dict[str, Any]) -> bool:
    """Return whether all extras are listed in `[project]`; others are known to a build backend, or to Poetry."""
    dynamic = table(tables, "project").get("dynamic")
    elsewhere = (isinstance(dynamic, list) and "optional-dependencies" in dynamic) or table(
        tables, "tool", "poetry", "extras"
    )
    return "project" in tables and not elsewhere


def _default_groups(project: Project, packages: Collection[str]) -> tuple[str, ...]:
    """Return uv's default groups, else `dev` where it exists; those of each of `packages`, or of the whole project."""
    if packages:
        found = (_defaults([project.all_tables[folder]], project.all_tables[folder]) for folder in packages)
        return tuple(dict.fromkeys(name for names in found for name in names))
    return _defaults(project.all_tables.values(), project.tables)


def _defaults(of: Iterable[dict[str, Any]], tables: dict[str, Any]) -> tuple[str, ...]:
    groups = {name: None for each in of for name in groups_of(each)}
    chosen = table(tables, "tool", "uv").get("default-groups")
    if chosen is None:
        return ("dev",) if "dev" in groups else ()
    return tuple(groups) if chosen == "all" else tuple(chosen)
