"""The settings: `[tool.roost]` of a project, with an environment's own table laid over it."""

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

from roost.errors import RoostError
from roost.project import Project, table

Kind = Literal["auto", "uv", "pylock", "requirements", "poetry", "pdm", "command"]

_SHAPES: dict[str, tuple[type, str]] = {
    "python": (str, "a string such as `3.12`"),
    "groups": (list, "a list of strings"),
    "extras": (list, "a list of strings"),
    "installer": (str, f"one of {', '.join(f'`{kind}`' for kind in get_args(Kind))}"),
    "requirements": (list, "a list of strings"),
    "command": (list, "a list of strings"),
    "inputs": (list, "a list of strings"),
    "ignore-tables": (list, "a list of strings"),
    "link": (object, '`false` or `".venv"`'),
    "keep": (int, "a whole number, at least 1"),
    "compile-bytecode": (bool, "`true` or `false`"),
    "envs": (dict, "a table of tables"),
}
_TOP_ONLY = ("envs", "ignore-tables", "link", "keep")
_WAYS = ("installer", "requirements", "command")
_ENV_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


class Settings(NamedTuple):
    """What is wanted of one environment."""

    env: str
    python: str | None
    groups: tuple[str, ...]
    groups_given: bool
    """Whether the settings name them, and they are not a default."""
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
        RoostError: a key, type, group, extra or environment is not valid; the text names it, the file and what would
            be.
    """
    top = table(project.tables, "tool").get("roost", {})
    if not isinstance(top, dict):
        raise _wrong(project, "tool.roost", "a table")
    _check(project, top, "tool.roost")
    envs = top.get("envs", {})
    _check_envs(project, envs)
    if env != "default" and env not in envs:
        known = ", ".join(f"`{name}`" for name in sorted({"default", *envs}))
        message = f"there is no environment `{env}` in `{project.file}`: it has {known}"
        raise RoostError(message)
    values = _inherited(project, env, top, envs.get(env, {}))
    groups = tuple(values["groups"]) if "groups" in values else _default_groups(project)
    extras = tuple(values.get("extras", ()))
    _check_groups(project, groups)
    if all(map(_says_its_extras, _packages(project))):
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


def _check_envs(project: Project, envs: dict[str, Any]) -> None:
    for name, values in envs.items():
        if not isinstance(values, dict):
            raise _wrong(project, f"tool.roost.envs.{name}", "a table")
        if not _ENV_NAME.fullmatch(name):
            message = (
                f"`tool.roost.envs.{name}` in `{project.file}` is no name for an environment: "
                "use letters, digits, `.`, `_` and `-`"
            )
            raise RoostError(message)
        _check(project, values, f"tool.roost.envs.{name}", without=_TOP_ONLY)


def _check_inputs(project: Project, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        if pattern.startswith("/") or not pattern.strip("./"):
            message = (
                f"`{pattern}` in `inputs` of `{project.file}` names no file in the project: "
                "write a path from its folder, such as `Cargo.toml` or `rust/**/*.rs`"
            )
            raise RoostError(message)


def _inherited(project: Project, env: str, top: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of `top` with those of an environment's `own` table over them.

    What one table says of the way to install is one choice: half of it makes no sense with half of another. Groups and
    extras that it inherits are nothing to an environment that chooses a way without any.

    Raises:
        RoostError: groups or extras are asked for where nothing installs them.
    """
    chooses = bool(own.keys() & set(_WAYS))
    values = {key: value for key, value in top.items() if key != "envs" and not (chooses and key in _WAYS)} | own
    kind = values.get("installer", "auto")
    if kind == "auto":
        kind = next((way for way in ("requirements", "command") if values.get(way)), kind)
    for key in ("groups", "extras") if kind in ("requirements", "command") else ():
        if chooses and key not in own:
            values.pop(key, None)
        elif values.get(key):
            where = f"tool.roost.envs.{env}.{key}" if key in own else f"tool.roost.{key}"
            message = (
                f"`{where}` in `{project.file}` means nothing to the installer `{kind}`, which installs what its "
                f"{'files say' if kind == 'requirements' else 'command does'}: remove it, or choose another `installer`"
            )
            raise RoostError(message)
    return values


def _check(project: Project, values: dict[str, Any], where: str, without: tuple[str, ...] = ()) -> None:
    valid = [key for key in _SHAPES if key not in without]
    for key, value in values.items():
        if key not in valid:
            import difflib  # noqa: PLC0415 - only here

            near = difflib.get_close_matches(key, valid, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"valid are {', '.join(valid)}"
            message = f"unknown key `{key}` in `[{where}]` of `{project.file}`: {hint}"
            raise RoostError(message)
        shape, words = _SHAPES[key]
        if not _fits(key, value, shape):
            raise _wrong(project, f"{where}.{key}", words)


def _fits(key: str, value: object, shape: type) -> bool:
    if key == "link":
        return value is False or value == ".venv"
    if key == "keep":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if key == "installer":
        return value in get_args(Kind)
    if shape is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, shape)


def _wrong(project: Project, where: str, words: str) -> RoostError:
    return RoostError(f"`{where}` in `{project.file}` must be {words}")


def _check_groups(project: Project, asked: tuple[str, ...]) -> None:
    """Refuse groups that are nowhere, and those that include themselves or what is nowhere."""
    found = {folder: groups_of(tables) for folder, tables in project.all_tables.items()}
    names = {name for groups in found.values() for name in groups}
    _check_names(project, "dependency group", asked, names | _groups_of_others(project.tables))
    for folder, groups in found.items():
        for name in asked:
            _follow_group(f"{folder}/pyproject.toml", groups, normalize(name), ())


def _follow_group(file: str, groups: dict[str, Any], name: str, way: tuple[str, ...]) -> None:
    if name in way:
        circle = " → ".join(f"`{one}`" for one in (*way[way.index(name) :], name))
        message = f"the dependency groups in `{file}` include one another in a circle, {circle}: take one of them out"
        raise RoostError(message)
    if way and name not in groups:
        known = ", ".join(f"`{one}`" for one in sorted(groups))
        message = f"the dependency group `{way[-1]}` in `{file}` includes `{name}`, which is not there: it has {known}"
        raise RoostError(message)
    for other in included(groups.get(name, ())):
        _follow_group(file, groups, other, (*way, name))


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


def _groups_of_others(tables: dict[str, Any]) -> set[str]:
    """Return the names of the groups in the tables of poetry and PDM, which know more than dependency groups."""
    poetry = table(tables, "tool", "poetry")
    old = {"dev": poetry["dev-dependencies"]} if "dev-dependencies" in poetry else {}
    found = table(poetry, "group") | old | table(tables, "tool", "pdm", "dev-dependencies")
    return {normalize(name) for name in found}


def _packages(project: Project) -> list[dict[str, Any]]:
    """Return the tables of all that can have extras: not the root of a workspace that is no project itself."""
    return [tables for tables in project.all_tables.values() if "project" in tables] or [project.tables]


def _says_its_extras(tables: dict[str, Any]) -> bool:
    """Return whether all extras stand in `[project]`; else a build backend knows them, or poetry does."""
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
    if not _fits("groups", chosen, list):
        raise _wrong(project, "tool.uv.default-groups", 'a list of strings, or `"all"`')
    return tuple(chosen)


def names(project: Project) -> list[str]:
    """Return the names of all environments of `project`, `default` first."""
    return ["default", *sorted(set(table(project.tables, "tool", "roost", "envs")) - {"default"})]
