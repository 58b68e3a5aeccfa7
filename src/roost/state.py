"""What an environment is made from at one moment: project, settings, interpreter, installer, inputs; the fingerprint.

The fingerprint is a hash of what the inputs mean, the settings, the interpreter and the project's path. It is computed
from named parts, so that roost can report which one changed.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from roost import warm
from roost.errors import RoostError, UsageError
from roost.inputs import interpreter, local_projects, lock_files, requirements_txt, settings, uv_settings
from roost.inputs.files import Inputs, is_glob
from roost.inputs.groups import groups_of, normalize, with_included
from roost.inputs.interpreter import Interpreter
from roost.inputs.project import Project
from roost.inputs.schema import table
from roost.inputs.settings import Settings
from roost.installers.base import Installer, is_package
from roost.installers.command import CommandInstall
from roost.installers.pdm import PdmSync
from roost.installers.poetry import PoetrySync
from roost.installers.pylock import PylockSync
from roost.installers.requirements import RequirementsInstall
from roost.installers.uv import UvInstall, UvSync
from roost.system import processes
from roost.system.paths import joined, normal, relative
from roost.warm import Selection

# Tables that only linters, type checkers, test runners and release tools read. Any other table is part of the
# fingerprint: a needless build costs a second, a missed change breaks the guarantee.
IGNORED_TABLES = frozenset(
    """
    autoflake autopep8 bandit basedpyright black bumpversion bumpver check-manifest check-wheel-contents cibuildwheel
    codespell commitizen coverage darker deptry djlint docformatter doit flake8 git-cliff importlinter interrogate isort
    mutmut mypy nitpick numpydoc_validation pydoclint pydocstyle pylint pylic pyrefly pyright pytest pyupgrade refurb
    repo-review rstcheck ruff semantic_release tbump towncrier tox ty typos unasyncd validate-pyproject vulture yapf
    """.split()
)
_FILES = ("uv.toml", "setup.py", "setup.cfg")
_OF_LOCK_FILES: dict[str, Callable[[Project, Inputs, str], Installer]] = {
    "uv.lock": UvSync,
    "poetry.lock": PoetrySync,
    "pdm.lock": PdmSync,
}


class State(NamedTuple):
    """What an environment is made from, read from the disk at one moment."""

    project: Project
    settings: Settings
    request: interpreter.PythonRequest
    interpreter: Interpreter
    installer: Installer
    inputs: Inputs
    parts: dict[str, str]
    session: str = ""
    """The nox session whose own venv it describes, as nox names its folder; empty for the shared one."""

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits."""
        text = "".join(f"{name}\0{value}\0" for name, value in sorted(self.parts.items()))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def folder(self) -> str:
        """The name of its folder in the store: the fingerprint, and for a session the same in every state."""
        return warm.session_folder(self.project.root, self.session) if self.session else self.fingerprint


class Draft(NamedTuple):
    """A state whose interpreter is not known yet."""

    project: Project
    settings: Settings
    installer: Installer
    request: interpreter.PythonRequest
    inputs: Inputs

    def with_interpreter(self, chosen: Interpreter, session: str = "") -> State:
        """Return the state with the interpreter `chosen`."""
        parts = dict(self._parts())
        # By its real path: the same file under two names, such as `/bin/python3` and `/usr/bin/python3`, is one Python.
        named = zip(chosen._fields, chosen._replace(path=chosen.real_path), strict=True)
        parts |= {f"interpreter {name}": value for name, value in named}
        return State(self.project, self.settings, self.request, chosen, self.installer, self.inputs, parts, session)

    def _parts(self) -> Iterator[tuple[str, str]]:
        project, wanted = self.project, self.settings
        yield "project path", project.root
        yield "installer", self.installer.kind
        yield "setting groups", " ".join(_not_included(project, wanted, self.installer))
        yield "setting extras", " ".join(sorted(map(normalize, wanted.extras)))
        if wanted.only_groups:
            yield "setting only-groups", "True"
        if wanted.packages:
            yield "setting packages", " ".join(sorted(wanted.packages))
        yield "setting compile-bytecode", str(wanted.compile_bytecode)
        yield from _of_pyproject(project, wanted, self.installer)
        yield from _of_installer(wanted, self.installer)
        if self.installer.variables:
            yield from _of_uv(project, self.installer.variables, self.inputs)
        for path in dict.fromkeys(self.installer.files):
            yield from _of_file(project.root, path, self.inputs)
        yield from _of_build(project.root, project.root, project.tables, self.inputs)
        for folder in self.installer.sources:
            yield from _of_source(project.root, folder, self.inputs, wanted)
        yield from _of_inputs(project, wanted, self.inputs)


def draft(start: str, selection: Selection) -> Draft:
    """Read the project around `start`, and its settings for `selection`.

    Raises:
        UsageError: an option of `selection` is not valid for this project.
        RoostError: something in the project is not valid (`roost.errors`).
    """
    inputs = Inputs()
    project = Project.at(start, inputs)
    try:
        return _draft(project, selection, inputs)
    except UsageError as error:
        raise UsageError(f"{error}{_by_variables(selection)}") from error


def _draft(project: Project, selection: Selection, inputs: Inputs) -> Draft:
    wanted = settings.read(project, selection)
    for name in _FILES:  # before uv reads them to find an interpreter: it would wait for the writer of a FIFO
        inputs.read(f"{project.root}/{name}")
    chosen = choose_installer(project, wanted, inputs)
    _check_support(project, wanted, chosen, selection)
    return Draft(project, wanted, chosen, interpreter.request(project, wanted, selection.python, inputs), inputs)


def _by_variables(selection: Selection) -> str:
    """Return the variables that selected what an error about an option is about, as a remark after its sentence."""
    pairs = (("ROOST_GROUPS", selection.groups), ("ROOST_EXTRAS", selection.extras))
    found = [f"`{variable}` is set" for variable, names in pairs if names and {*warm.names_in(variable)} == {*names}]
    return f" ({' and '.join(found)})" if found else ""


def _check_support(project: Project, wanted: Settings, installer: Installer, selection: Selection) -> None:
    """Refuse what the installer cannot leave out."""
    support = (
        (wanted.packages, "packages", ("uv",)),
        (wanted.only_groups, "only-group", ("uv", "poetry", "pdm")),
        (wanted.project, "project", ("requirements",)),
    )
    for used, what, kinds in support:
        if used and installer.kind not in kinds:
            option = what == "only-group" or bool(what == "packages" and selection.packages)
            name = f"`--{what.removesuffix('s')}`" if option else f"`{what}` in `{project.file}`"
            message = (
                f"{name} is not possible with the installer `{installer.kind}` ({installer.reason}): "
                f"it works with {' and '.join(f'`{kind}`' for kind in kinds)}"
            )
            raise UsageError(message) if option else RoostError(message)
    if isinstance(installer, PylockSync):
        extras = wanted.extras if selection.all_extras else selection.extras
        if unlisted := installer.unlisted([*selection.groups, *selection.no_groups], extras):
            raise UsageError(unlisted)


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
    groups = groups_of(project.tables)
    # A command may install any of them.
    for name in groups if installer.kind == "command" else with_included(groups, wanted.groups):
        yield f"pyproject.toml [dependency-groups] {name}", _hash(groups[name])
    for name, content in _tool_tables(project.tables, wanted):
        yield f"pyproject.toml [tool.{name}]", _hash(content)


def _tool_tables(tables: dict[str, Any], wanted: Settings) -> Iterator[tuple[str, Any]]:
    """Yield the tables under `[tool]` that can change what gets installed, without roost's own."""
    own = {name.removeprefix("tool.") for name in wanted.ignore_tables}
    for name, content in table(tables, "tool").items():
        if name not in IGNORED_TABLES | own | {"roost"}:
            yield name, content


def _not_included(project: Project, wanted: Settings, installer: Installer) -> list[str]:
    """Return the names of the groups, without those that another one includes in each member that has them."""
    names = sorted(map(normalize, wanted.groups))
    if installer.kind != "uv":  # a lock file, or a table of another tool, may not record what a group includes
        return names
    members = [groups_of(tables) for tables in project.all_tables.values()]

    def is_included(name: str) -> bool:
        others = [other for other in names if other != name]
        found = [name in with_included(groups, others) for groups in members if name in groups]
        return bool(found) and all(found)

    return [name for name in names if not is_included(name)]


def _of_file(root: str, path: str, inputs: Inputs) -> Iterator[tuple[str, str]]:
    digest = inputs.digest(path)
    if digest is not None:
        yield relative(path, root), digest


def _of_installer(wanted: Settings, installer: Installer) -> Iterator[tuple[str, str]]:
    """Yield the settings that only some installers read."""
    if installer.kind == "requirements":
        yield "setting requirements", " ".join(wanted.requirements)
        if wanted.project:
            yield "setting project", "True"
    if installer.kind == "command":
        yield "setting command", _hash(wanted.command)  # a hash: it may contain a password
    if installer.kind in ("poetry", "pdm"):
        yield "setting groups given", str(wanted.groups_given)
        if not wanted.groups_given and wanted.groups_added + wanted.groups_removed:
            yield "setting groups added", " ".join(wanted.groups_added)
            yield "setting groups removed", " ".join(wanted.groups_removed)
    if wanted.lock == "frozen" and isinstance(installer, UvSync | PdmSync):
        yield "setting lock", "frozen"


def _of_uv(project: Project, names: Sequence[str], inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield what uv reads besides the files of its projects."""
    for name, value in uv_settings.values(names):
        yield f"environment variable {name}", _hash(value)
    for path in uv_settings.files(project, names):
        yield from _of_file(project.root, path, inputs)
    for where, content in uv_settings.above(project, inputs):
        yield os.path.relpath(where, project.root), _hash(content)


def _of_glob(root: str, folder: str, pattern: str, what: str, inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield a part for each file that `pattern` matches in `folder`, and one for how many paths those are."""
    paths = sorted(set(inputs.expand(folder, pattern)))
    for path in paths:
        if not os.path.isdir(path):
            yield from _of_file(root, path, inputs)
    yield f"{what} {pattern}", str(len(paths))


def _of_inputs(project: Project, wanted: Settings, inputs: Inputs) -> Iterator[tuple[str, str]]:
    for pattern in wanted.inputs:
        path = normal(f"{project.root}/{pattern}")
        if not is_glob(pattern) and os.path.isdir(path):
            cure = f"`{pattern.rstrip('/')}/**` matches the files in it"
            raise RoostError(f"`{path}` in `tool.roost.inputs` is a folder: {cure}")
        yield from _of_glob(project.root, project.root, pattern, "setting inputs", inputs)


def _of_source(root: str, folder: str, inputs: Inputs, wanted: Settings) -> Iterator[tuple[str, str]]:
    """Yield the parts of a workspace member or a local path dependency."""
    name = relative(folder, root)
    tables = inputs.toml(f"{folder}/pyproject.toml")
    if tables is not None:
        meaning = {key: value for key, value in tables.items() if key != "tool"} | dict(_tool_tables(tables, wanted))
        yield f"{name}/pyproject.toml", _hash(meaning)
    yield from _of_build(root, folder, tables or {}, inputs)


def _of_build(root: str, folder: str, tables: dict[str, Any], inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield parts for what a build in `folder` reads besides `pyproject.toml`, and for uv's `cache-keys` there."""
    for path in local_projects.read_by_a_build(folder, tables, inputs):
        yield from _of_file(root, path, inputs)
    name = f"{relative(folder, root)} [tool.uv] cache-keys"
    keys = local_projects.cache_keys(tables)
    for pattern in keys.files:
        yield from _of_glob(root, "" if pattern.startswith("/") else folder, pattern, name, inputs)
    for path in keys.folders:
        yield f"{name} {path}", str(inputs.folder(joined(folder, path)))
    for variable in keys.variables:
        inputs.variables.add(variable)
        yield f"environment variable {variable}", _hash(os.environ.get(variable))


def choose_installer(project: Project, settings: Settings, inputs: Inputs) -> Installer:
    """Return the installer for `project`: the one that the settings name, else the first whose file exists.

    The order is that of `docs/configuration.md`. A missing file becomes an input. Lock files that are not chosen are
    never opened.

    Raises:
        RoostError: there is nothing to install from, or the file of the installer in the settings is missing.
    """
    kind = settings.installer
    if kind == "command":
        return CommandInstall(project, settings, inputs)
    if kind == "requirements":
        return _requirements(project, settings, inputs)
    locks = lock_files.available(project, settings.env, kind, inputs)
    if name := next(locks, ""):
        others = " and ".join(locks)
        reason = f"{name}, before {others}" if others else name
        if name in _OF_LOCK_FILES:
            return _OF_LOCK_FILES[name](project, inputs, reason)
        return PylockSync(project, inputs, name, reason)
    if kind in ("auto", "uv"):
        return _unlocked(project, settings, inputs)
    file, command = f"{kind}.lock", f"{kind} lock"
    if kind == "pylock":
        file, command = "pylock.toml", f"{processes.uv_to_type()} export -o pylock.toml"
    raise RoostError(
        f"`tool.roost.installer` in `{project.file}` is `{kind}`, and there is no `{file}` next to it: `{command}`"
    )


def _unlocked(project: Project, settings: Settings, inputs: Inputs) -> Installer:
    if table(project.tables, "project") or table(project.tables, "dependency-groups") or project.members:
        return UvInstall(project, inputs, "pyproject.toml, no uv.lock")
    if settings.installer == "auto" and (names := requirements_txt.conventional(project, inputs)):
        return RequirementsInstall(project, settings, inputs, names)
    if is_package(project.root, project.tables, inputs):
        return UvInstall(project, inputs, "its build, no uv.lock")
    raise RoostError(
        f"`{project.file}` has no `[project]` and no `[dependency-groups]`, and there is no `uv.lock`, no other lock "
        "file and no `requirements.txt` next to it: list there what to install"
    )


def _matching(project: Project, name: str, inputs: Inputs) -> list[str]:
    """Return the requirement files that `name` stands for, which may be a glob."""
    if not is_glob(name):
        return [name]
    found = sorted(relative(path, project.root) for path in set(inputs.expand(project.root, name)))
    if not found:
        raise RoostError(f"`{name}` in `tool.roost.requirements` of `{project.file}` matches no file: correct it")
    return found


def _requirements(project: Project, settings: Settings, inputs: Inputs) -> Installer:
    named = [one for name in settings.requirements for one in _matching(project, name, inputs)]
    names = named or requirements_txt.conventional(project, inputs)
    if not names:
        raise RoostError(
            f"`tool.roost.installer` in `{project.file}` is `requirements`, and there is no `{requirements_txt.ALONE}` "
            "next to it: name the files in `tool.roost.requirements`"
        )
    return RequirementsInstall(project, settings, inputs, names)
