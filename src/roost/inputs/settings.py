"""The settings: `[tool.roost]` of a project, with the table of one environment laid over it."""

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

from roost import warm
from roost.errors import RoostError, UsageError
from roost.inputs import groups, schema
from roost.inputs.project import Project
from roost.inputs.schema import BOOLEAN, TABLE, TEXTS, Shape, table
from roost.warm import Selection

Kind = Literal["auto", "uv", "pylock", "requirements", "poetry", "pdm", "command"]
Lock = Literal["locked", "frozen"]

_SHAPES = {
    "python": Shape("a string such as `3.12`", lambda value: isinstance(value, str)),
    "groups": TEXTS,
    "extras": TEXTS,
    "packages": TEXTS,
    "lock": schema.one_of(get_args(Lock)),
    "installer": schema.one_of(get_args(Kind)),
    "requirements": TEXTS,
    "project": BOOLEAN,
    "command": TEXTS,
    "inputs": TEXTS,
    "ignore-tables": TEXTS,
    "link": Shape('`false`, `".venv"` or `"file"`', lambda value: value is False or value in (".venv", "file")),
    "keep": Shape("a whole number, at least 1", lambda value: type(value) is int and value >= 1),
    "compile-bytecode": BOOLEAN,
    "envs": Shape("a table of tables", TABLE.accepts),
}
_OF_PROJECT = ("envs", "ignore-tables", "link", "keep")
_OF_ENVIRONMENT = tuple(key for key in _SHAPES if key not in _OF_PROJECT)
_DEFAULT_GROUPS = Shape('a list of strings, or `"all"`', lambda value: value == "all" or TEXTS.accepts(value))
_INSTALLER_KEYS = ("installer", "requirements", "project", "command")
_ENV_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


class Settings(NamedTuple):
    """The settings of one environment. Groups, extras and packages are those of `groups.Chosen`."""

    env: str
    """The name of its table."""
    name: str
    """Its name with the options that change what it holds (`Selection.name`)."""
    python: str | None
    groups: tuple[str, ...]
    groups_given: bool
    groups_added: tuple[str, ...]
    groups_removed: tuple[str, ...]
    only_groups: bool
    extras: tuple[str, ...]
    packages: tuple[str, ...]
    lock: Lock
    """Whether a lock file that does not fit `pyproject.toml` is an error, or installed as it is."""
    installer: Kind
    requirements: tuple[str, ...]
    project: bool
    command: tuple[str, ...]
    inputs: tuple[str, ...]
    ignore_tables: tuple[str, ...]
    link: str | None
    keep: int
    compile_bytecode: bool


def read(project: Project, selection: Selection) -> Settings:
    """Return the settings of an environment, with the options of `selection` applied.

    Raises:
        UsageError: an option names a group, extra or package that does not exist, or does not fit the settings.
        RoostError: a key, type, group, extra or environment in the settings is not valid; the text names it, the file,
            and what is valid.
    """
    _check(project)
    env = selection.env
    top = table(project.tables, "tool", "roost")
    envs = table(top, "envs")
    if env != "default" and env not in envs:
        known = ", ".join(f"`{name}`" for name in sorted({"default", *envs}))
        raise RoostError(f"there is no environment `{env}` in `{project.file}`: it has {known}")
    values = _inherited(project, selection, top, envs.get(env, {}))
    _check_inputs(project, values.get("inputs", ()))
    return Settings(
        env=env,
        name=selection.name,
        python=values.get("python"),
        **groups.choose(project, selection, values, _inherited_names(selection, envs.get(env, {})))._asdict(),
        lock="frozen" if selection.frozen else values.get("lock", "locked"),
        installer=values.get("installer", "auto"),
        requirements=tuple(values.get("requirements", ())),
        project=values.get("project", False),
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
            raise RoostError(
                f"`{prefix}.envs.{name}` in `{file}` and the environment `{other}` differ only in case, and some file "
                "systems take that for one name: rename one"
            )
        schema.check_keys(values, _OF_ENVIRONMENT, f"{prefix}.envs.{name}", file)
        if not _ENV_NAME.fullmatch(name):
            raise RoostError(
                f"`{prefix}.envs.{name}` in `{file}` is not a valid name for an environment: "
                "use letters, digits, `.`, `_` and `-`"
            )


def _check_inputs(project: Project, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        if pattern.startswith("/") or not pattern.strip("./"):
            raise RoostError(
                f"`{pattern}` in `inputs` of `{project.file}` does not name a file in the project: "
                "write a path from its folder, such as `Cargo.toml` or `rust/**/*.rs`"
            )


def _inherited_names(selection: Selection, own: dict[str, Any]) -> frozenset[str]:
    """Return which of groups and extras come from a table that did not choose the packages."""
    if not selection.packages and "packages" not in own:
        return frozenset()
    return frozenset(key for key in ("groups", "extras") if selection.packages or key not in own)


def _inherited(project: Project, selection: Selection, top: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of `top` with those of an environment's `own` table over them, and the installer they imply.

    The keys that choose an installer belong together: an environment that sets one of them inherits none of the others.
    If its installer knows no groups and extras, it does not inherit these either.

    Raises:
        UsageError: an option names groups or extras for such an installer.
        RoostError: groups or extras are set for an installer that knows none.
    """
    env = selection.env
    chooses = bool(own.keys() & set(_INSTALLER_KEYS))
    values = {key: value for key, value in top.items() if key != "envs" and not (chooses and key in _INSTALLER_KEYS)}
    values |= own
    kind = values.get("installer", "auto")
    if kind == "auto":
        kind = values["installer"] = next((key for key in ("requirements", "command") if values.get(key)), kind)
    if kind not in ("requirements", "command"):
        return values
    has_extras = kind == "requirements" and values.get("project")
    for key in ("groups",) if has_extras else ("groups", "extras"):
        if chooses and key not in own:
            values.pop(key, None)
        elif values.get(key):
            where = f"tool.roost.envs.{env}.{key}" if key in own else f"tool.roost.{key}"
            raise RoostError(
                f"`{where}` in `{project.file}` has no effect: the installer `{kind}` installs what its "
                f"{'files list' if kind == 'requirements' else 'command does'}; remove it, or set another `installer`"
            )
    fields = [field for field in (*warm.LISTS, *warm.FLAGS) if field != "frozen" and getattr(selection, field)]
    option = next((warm.option(field) for field in fields if not (has_extras and "extras" in field)), None)
    if option:
        raise UsageError(
            f"`--{option}` has no effect on the environment `{env}` of `{project.file}`: its installer is `{kind}`; "
            "name another environment with `--env`"
        )
    return values


def names(project: Project) -> list[str]:
    """Return the names of all environments of `project`, `default` first."""
    return ["default", *sorted(set(table(project.tables, "tool", "roost", "envs")) - {"default"})]
