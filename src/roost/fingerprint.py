"""The fingerprint: a hash of what the inputs mean, the settings, the interpreter and the project's path.

It is kept in named parts, so that roost can say which one changed.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from roost import installers, interpreter, settings
from roost.errors import RoostError
from roost.inputs import Inputs, is_glob
from roost.installers import sources, versions
from roost.installers.base import Installer
from roost.interpreter import Interpreter
from roost.project import Project, find, table
from roost.settings import Settings

# Read by linters, type checkers, test runners and release tools, and by no installer or build backend. A table that is
# not named here counts: to rebuild for nothing costs a second, to miss a change breaks a promise.
IGNORED_TABLES = frozenset(
    """
    autoflake autopep8 bandit basedpyright black bumpversion bumpver check-manifest check-wheel-contents cibuildwheel
    codespell commitizen coverage darker deptry djlint docformatter doit flake8 git-cliff importlinter interrogate isort
    mutmut mypy nitpick numpydoc_validation pydoclint pydocstyle pylint pylic pyrefly pyright pytest pyupgrade refurb
    repo-review rstcheck ruff semantic_release tbump towncrier tox ty typos unasyncd validate-pyproject vulture yapf
    """.split()
)
_FILES = ("uv.toml", "setup.py", "setup.cfg")


class State(NamedTuple):
    """What an environment should be made from, as the disk says at one moment."""

    project: Project
    settings: Settings
    interpreter: Interpreter
    installer: Installer
    inputs: Inputs
    parts: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits."""
        text = "".join(f"{name}\0{value}\0" for name, value in sorted(self.parts.items()))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Draft(NamedTuple):
    """What can be said of an environment before its interpreter is known."""

    project: Project
    settings: Settings
    installer: Installer
    request: interpreter.Request
    inputs: Inputs

    def with_interpreter(self, chosen: Interpreter) -> State:
        """Return the whole state."""
        parts = dict(self._parts())
        parts |= {f"interpreter {name}": value for name, value in zip(chosen._fields, chosen, strict=True)}
        return State(self.project, self.settings, chosen, self.installer, self.inputs, parts)

    def _parts(self) -> Iterator[tuple[str, str]]:
        project, wanted = self.project, self.settings
        yield "project path", project.root
        yield "installer", self.installer.kind
        yield "setting groups", " ".join(sorted(wanted.groups))
        yield "setting extras", " ".join(sorted(wanted.extras))
        yield "setting compile-bytecode", str(wanted.compile_bytecode)
        yield from _of_pyproject(project, wanted, self.installer)
        yield from _of_way(wanted, self.installer)
        for path in dict.fromkeys(self.installer.files):
            yield from _of_file(project.root, path, self.inputs)
        yield from _of_build(project.root, project.root, project.tables, self.inputs)
        for folder in self.installer.sources:
            yield from _of_source(project.root, folder, self.inputs, wanted)
        yield from _of_inputs(project, wanted, self.inputs)


def draft(start: str, env: str, python: str | None) -> Draft:
    """Read the project around `start`, and what it says about the environment `env`.

    Raises:
        RoostError: something in it is not valid (`roost.errors`).
    """
    inputs = Inputs()
    project = find(start, inputs)
    wanted = settings.read(project, env)
    for name in _FILES:  # now, since uv would read them in search of an interpreter, and wait for ever at a FIFO
        inputs.read(f"{project.root}/{name}")
    chosen = installers.choose(project, wanted, inputs)
    return Draft(project, wanted, chosen, interpreter.request(project, wanted, python, inputs), inputs)


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _of_pyproject(project: Project, wanted: Settings, installer: Installer) -> Iterator[tuple[str, str]]:
    for name, content in project.tables.items():
        if name == "project":
            for key, value in content.items():
                yield f"pyproject.toml [project] {key}", _hash(value)
        elif name not in ("tool", "dependency-groups"):
            yield f"pyproject.toml [{name}]", _hash(content)
    groups = settings.groups_of(project.tables)
    # Nobody knows which of them a command installs.
    for name in groups if installer.kind == "command" else _with_included(groups, wanted.groups):
        yield f"pyproject.toml [dependency-groups] {name}", _hash(groups[name])
    for name, content in _tool_tables(project.tables, wanted):
        yield f"pyproject.toml [tool.{name}]", _hash(content)


def _tool_tables(tables: dict[str, Any], wanted: Settings) -> Iterator[tuple[str, Any]]:
    """Yield the tables under `[tool]` that can change what gets installed; roost's own counts as its settings."""
    own = {name.removeprefix("tool.") for name in wanted.ignore_tables}
    for name, content in table(tables, "tool").items():
        if name not in IGNORED_TABLES | own | {"roost"}:
            yield name, content


def _with_included(groups: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    waiting = [settings.normalize(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in groups and name not in found:
            found.append(name)
            waiting += settings.included(groups[name])
    return found


def _of_file(root: str, path: str, inputs: Inputs) -> Iterator[tuple[str, str]]:
    digest = inputs.digest(path)
    if digest is not None:
        yield os.path.relpath(path, root), digest


def _of_way(wanted: Settings, installer: Installer) -> Iterator[tuple[str, str]]:
    """Yield the settings that only some installers read."""
    if installer.kind == "requirements":
        yield "setting requirements", " ".join(wanted.requirements)
    if installer.kind == "command":
        yield "setting command", _hash(wanted.command)  # a hash: somebody may write a password there
    if installer.kind in ("poetry", "pdm"):
        yield "setting groups given", str(wanted.groups_given)


def _of_glob(root: str, folder: str, pattern: str, what: str, inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield a part for each file that `pattern` matches in `folder`, and one for how many paths those are."""
    paths = sorted(set(inputs.expand(folder, pattern)))
    for path in paths:
        if not os.path.isdir(path):
            yield from _of_file(root, path, inputs)
    yield f"{what} {pattern}", str(len(paths))


def _of_inputs(project: Project, wanted: Settings, inputs: Inputs) -> Iterator[tuple[str, str]]:
    for pattern in wanted.inputs:
        path = os.path.normpath(f"{project.root}/{pattern}")
        if not is_glob(pattern) and os.path.isdir(path):
            cure = f"`{pattern.rstrip('/')}/**` names what is in it"
            message = f"`{path}` is a folder, so no environment can be made from it: {cure}"
            raise RoostError(message)
        yield from _of_glob(project.root, project.root, pattern, "setting inputs", inputs)


def _of_source(root: str, folder: str, inputs: Inputs, wanted: Settings) -> Iterator[tuple[str, str]]:
    """Yield the parts of a workspace member or a local path dependency."""
    name = os.path.relpath(folder, root)
    tables = inputs.toml(f"{folder}/pyproject.toml")
    if tables is not None:
        meaning = {key: value for key, value in tables.items() if key != "tool"} | dict(_tool_tables(tables, wanted))
        yield f"{name}/pyproject.toml", _hash(meaning)
    yield from _of_build(root, folder, tables or {}, inputs)


def _of_build(root: str, folder: str, tables: dict[str, Any], inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield what a build in `folder` reads besides its `pyproject.toml`, and what uv's `cache-keys` there name."""
    for path in sources.read_by_a_build(folder, tables, inputs):
        yield from _of_file(root, path, inputs)
    for path, lines in versions.told(folder, tables, inputs):
        yield f"{os.path.relpath(path, root)} version", _hash(lines)
    name = f"{os.path.relpath(folder, root)} [tool.uv] cache-keys"
    keys = sources.cache_keys(tables)
    for pattern in keys.files:
        yield from _of_glob(root, "" if pattern.startswith("/") else folder, pattern, name, inputs)
    for path in keys.folders:
        yield f"{name} {path}", str(inputs.folder(os.path.normpath(os.path.join(folder, path))))
    for variable in keys.variables:
        inputs.variables.add(variable)
        yield f"environment variable {variable}", _hash(os.environ.get(variable))
