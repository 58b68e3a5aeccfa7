"""The settings: `[tool.roost]` of a project, with the table of one environment laid over it."""

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

from roost.errors import RoostError
from roost.inputs import schema
from roost.inputs.project import Project
from roost.inputs.schema import BOOLEAN, TABLE, TEXTS, Shape, table

Kind = Literal["auto", "uv", "pylock", "requirements", "poetry", "pdm", "command"]

_SHAPES = {
    "python": Shape("a string such as `3.12`", lambda value: isinstance(value, str)),
    "groups": TEXTS,
    "extras": TEXTS,
    "installer": schema.one_of(get_args(Kind)),
    "requirements": TEXTS,
    "command": TEXTS,
    "inputs": TEXTS,
    "ignore-tables": TEXTS,
    "link": Shape('`false` or `".venv"`', lambda value: value is False or value == ".venv"),
    "keep": Shape("a whole number, at least 1", lambda value: type(value) is int and value >= 1),
    "compile-bytecode": BOOLEAN,
    "envs": Shape("a table of tables", TABLE.accepts),
}
_OF_PROJECT = ("envs", "ignore-tables", "link", "keep")
_OF_ENVIRONMENT = tuple(key for key in _SHAPES if key not in _OF_PROJECT)
_DEFAULT_GROUPS = Shape('a list of strings, or `"all"`', lambda value: value == "all" or TEXTS.accepts(value))
_INSTALLER_KEYS = ("installer", "requirements", "command")
_ENV_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


class Settings(NamedTuple):
    """The settings of one environment."""

    env: str
    python: str | None
    groups: tuple[str, ...]
    groups_given: bool
    """Whether the settings name the groups; else they are a default."""
    extras: tuple[str, ...]
    installer: Kind
    requirements: tuple[str, ...]
    command: tuple[str, ...]
    inputs: tuple[str, ...]
    ignore_tables: tuple[str, ...]
    link: str | None
    keep: int
    compile_bytecode: bool


def read(project: Project, env: str) -> Settings:
    """Return the settings of the environment `env`.

    Raises:
        RoostError: a key, type, group, extra or environment is not valid; the text names it, the file, and what is
            valid.
    """
    _check(project)
    top = table(project.tables, "tool", "roost")
    envs = table(top, "envs")
    if env != "default" and env not in envs:
        known = ", ".join(f"`{name}`" for name in sorted({"default", *envs}))
        message = f"there is no environment `{env}` in `{project.file}`: it has {known}"
        raise RoostError(message)
    values = _inherited(project, env, top, envs.get(env, {}))
    groups = tuple(values["groups"]) if "groups" in values else _default_groups(project)
    extras = tuple(values.get("extras", ()))
    _check_groups(project, groups)
    if all(map(_lists_its_extras, _packages(project))):
        _check_names(project, "extra", extras, {name for tables in _packages(project) for name in extras_of(tables)})
    _check_inputs(project, values.get("inputs", ()))
    return Settings(
        env=env,
        python=values.get("python"),
        groups=groups,
        groups_given="groups" in values,
        extras=extras,
        installer=values.get("installer", "auto"),
        requirements=tuple(values.get("requirements", ())),
        command=tuple(values.get("command", ())),
        inputs=tuple(values.get("inputs", ())),
        ignore_tables=tuple(values.get("ignore-tables", ())),
        link=values.get("link") or None,
        keep=values.get("keep", 3),
        compile_bytecode=values.get("compile-bytecode", True),
    )


def _check(project: Project) -> None:
    """Check names and types in `[tool.roost]`, and in the table of each environment."""
    file, prefix = project.file, "tool.roost"
    shapes = {prefix: TABLE} | {f"{prefix}.{key}": shape for key, shape in _SHAPES.items()}
    shapes |= {f"{prefix}.envs.*": TABLE}
    shapes |= {f"{prefix}.envs.*.{key}": _SHAPES[key] for key in _OF_ENVIRONMENT}
    schema.check_keys(table(project.tables, "tool", "roost"), list(_SHAPES), prefix, file)
    schema.check(project.tables, shapes | {"tool.uv.default-groups": _DEFAULT_GROUPS}, file)
    seen = {"default": "default"}
    for name, values in table(project.tables, "tool", "roost", "envs").items():
        if (other := seen.setdefault(name.lower(), name)) != name:
            message = (
                f"`{prefix}.envs.{name}` in `{file}` and the environment `{other}` differ only in case, and some file "
                "systems take that for one name: rename one"
            )
            raise RoostError(message)
        schema.check_keys(values, _OF_ENVIRONMENT, f"{prefix}.envs.{name}", file)
        if not _ENV_NAME.fullmatch(name):
            message = (
                f"`{prefix}.envs.{name}` in `{file}` is not a valid name for an environment: "
                "use letters, digits, `.`, `_` and `-`"
            )
            raise RoostError(message)


def _check_inputs(project: Project, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        if pattern.startswith("/") or not pattern.strip("./"):
            message = (
                f"`{pattern}` in `inputs` of `{project.file}` does not name a file in the project: "
                "write a path from its folder, such as `Cargo.toml` or `rust/**/*.rs`"
            )
            raise RoostError(message)


def _inherited(project: Project, env: str, top: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of `top` with those of an environment's `own` table over them.

    The keys that choose an installer belong together: an environment that sets one of them inherits none of the others.
    If its installer knows no groups and extras, it does not inherit these either.

    Raises:
        RoostError: groups or extras are set for an installer that knows none.
    """
    chooses = bool(own.keys() & set(_INSTALLER_KEYS))
    values = {key: value for key, value in top.items() if key != "envs" and not (chooses and key in _INSTALLER_KEYS)}
    values |= own
    kind = values.get("installer", "auto")
    if kind == "auto":
        kind = next((key for key in ("requirements", "command") if values.get(key)), kind)
    for key in ("groups", "extras") if kind in ("requirements", "command") else ():
        if chooses and key not in own:
            values.pop(key, None)
        elif values.get(key):
            where = f"tool.roost.envs.{env}.{key}" if key in own else f"tool.roost.{key}"
            message = (
                f"`{where}` in `{project.file}` has no effect: the installer `{kind}` installs what its "
                f"{'files list' if kind == 'requirements' else 'command does'}; remove it, or set another `installer`"
            )
            raise RoostError(message)
    return values


def _check_groups(project: Project, asked: tuple[str, ...]) -> None:
    """Refuse groups that do not exist, and those that include themselves or a missing group."""
    found = {folder: groups_of(tables) for folder, tables in project.all_tables.items()}
    names = {name for groups in found.values() for name in groups}
    _check_names(project, "dependency group", asked, names | _groups_of_other_tools(project.tables))
    for folder, groups in found.items():
        for name in asked:
            _follow_group(f"{folder}/pyproject.toml", groups, normalize(name), ())


def _follow_group(file: str, groups: dict[str, Any], name: str, path: tuple[str, ...]) -> None:
    if name in path:
        circle = " → ".join(f"`{one}`" for one in (*path[path.index(name) :], name))
        message = (
            f"the dependency groups in `{file}` include one another in a circle, {circle}: remove one of the includes"
        )
        raise RoostError(message)
    if path and name not in groups:
        known = ", ".join(f"`{one}`" for one in sorted(groups))
        message = (
            f"the dependency group `{path[-1]}` in `{file}` includes `{name}`, which does not exist: it has {known}"
        )
        raise RoostError(message)
    for other in included(groups.get(name, ())):
        _follow_group(file, groups, other, (*path, name))


def included(group: Iterable[object]) -> list[str]:
    """Return the groups that `group` includes, by normalized name."""
    names = (item.get("include-group") for item in group if isinstance(item, dict))
    return [normalize(name) for name in names if isinstance(name, str)]


def _check_names(project: Project, what: str, asked: tuple[str, ...], there: Iterable[str]) -> None:
    names = set(there)
    for name in asked:
        if normalize(name) not in names:
            known = ", ".join(f"`{name}`" for name in sorted(names)) or "none"
            message = f"there is no {what} `{name}` in `{project.file}`: it has {known}"
            raise RoostError(message)


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


def _groups_of_other_tools(tables: dict[str, Any]) -> set[str]:
    """Return the names of the groups in the tables of Poetry and PDM."""
    poetry = table(tables, "tool", "poetry")
    old = {"dev": poetry["dev-dependencies"]} if "dev-dependencies" in poetry else {}
    found = table(poetry, "group") | old | table(tables, "tool", "pdm", "dev-dependencies")
    return {normalize(name) for name in found}


def _packages(project: Project) -> list[dict[str, Any]]:
    """Return the tables of all that can have extras: a workspace's root may not be a project itself."""
    return [tables for tables in project.all_tables.values() if "project" in tables] or [project.tables]


def _lists_its_extras(tables: dict[str, Any]) -> bool:
    """Return whether all extras are listed in `[project]`; others are known to a build backend, or to Poetry."""
    dynamic = table(tables, "project").get("dynamic")
    elsewhere = (isinstance(dynamic, list) and "optional-dependencies" in dynamic) or table(
        tables, "tool", "poetry", "extras"
    )
    return "project" in tables and not elsewhere


def _default_groups(project: Project) -> tuple[str, ...]:
    """Return uv's default groups, else `dev` where it exists."""
    groups = {name: None for tables in project.all_tables.values() for name in groups_of(tables)}
    chosen = table(project.tables, "tool", "uv").get("default-groups")
    if chosen is None:
        return ("dev",) if "dev" in groups else ()
    if chosen == "all":
        return tuple(groups)
    return tuple(chosen)


def names(project: Project) -> list[str]:
    """Return the names of all environments of `project`, `default` first."""
    return ["default", *sorted(set(table(project.tables, "tool", "roost", "envs")) - {"default"})]
