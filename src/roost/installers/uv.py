"""uv as the installer: `uv sync --locked` where there is a lock file, else `uv pip install`."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from roost.console import messages
from roost.inputs import local_projects, lock_files
from roost.inputs.files import Inputs
from roost.inputs.groups import extras_of, groups_of, normalize
from roost.inputs.project import Project
from roost.inputs.schema import table
from roost.inputs.settings import Settings
from roost.installers.base import FROZEN, Installer, Run, Target, each, is_package
from roost.system.paths import normal, relative
from roost.system.processes import find_uv, uv_to_type
from roost.system.variables import OF_BUILDS, OF_RESOLUTIONS

_ROUTINE = ("Using ", "Creating virtual environment ", "Resolved ")  # lines that do not explain a failure


def _without_routine(output: str) -> str:
    return "".join(line for line in output.splitlines(keepends=True) if not line.startswith(_ROUTINE))


def uv_pip(words: Sequence[str], builds: Sequence[local_projects.Build], target: Target, run: Run) -> str | None:
    """Run `uv pip WORDS` on `target`, which may build `builds`. Returns its output if it failed, else None."""
    command = [find_uv(), "--preview-features", "pylock", "pip", *words, *_fresh_builds(builds, target)]
    command += ["--python", target.python, "--no-compile-bytecode"]  # done in the build, for all installers
    status, output = run(command)
    return None if status == 0 else _without_routine(output)


def _fresh_builds(builds: Sequence[local_projects.Build], target: Target) -> list[str]:
    """Return the options that make uv build local projects again, instead of using an earlier build.

    uv compares the files that it knows: neither roost's `inputs`, nor all files that a build backend reads.
    """
    every = target.refresh or target.settings.inputs
    names = [build.name for build in builds if every or build.reads_more]
    return ["--refresh"] if "" in names else each("--refresh-package", names)


class UvSync(Installer):
    """`uv sync`: installs exactly what is in `uv.lock`, or fails. The lock file is never changed."""

    kind = "uv"
    makes_venv = True
    variables = OF_BUILDS

    def __init__(self, project: Project, inputs: Inputs, reason: str) -> None:
        """Read which folders the lock file names."""
        self.reason = reason
        path = f"{project.root}/uv.lock"
        lock = inputs.toml(path) or {}
        self.files = [path, f"{project.root}/uv.toml", *lock_files.archives(lock, project.root)]
        self.sources = sorted({*project.members, *lock_files.folders(lock, project.root)} - {project.root})
        self._builds = local_projects.builds([project.root, *self.sources], inputs)

    def install(self, target: Target, run: Run) -> str | None:
        """Install the groups and extras, and all members of a workspace."""
        project, settings = target.project, target.settings
        if gone := next((folder for folder in self.sources if not os.path.isdir(folder)), None):
            name = os.path.basename(gone)
            # A plain `uv lock` looks for it at its former place.
            cure = f"put it back, or `{uv_to_type()} lock --upgrade-package {name}` if that is its name"
            return f"`{project.root}/uv.lock` installs from `{gone}`, which does not exist: {cure}"
        command = [find_uv(), "sync", f"--{settings.lock}", "--no-default-groups", "--python", target.base]
        command += each("--only-group" if settings.only_groups else "--group", settings.groups)
        command += [*each("--extra", settings.extras), *each("--package", settings.packages)]
        command += ["--all-packages"] if project.members and not settings.packages else []
        command += ["--no-compile-bytecode"]  # done in the build, for all installers
        command += _fresh_builds(self._builds, target)
        status, output = run(command, UV_PROJECT_ENVIRONMENT=target.venv)
        if status == 0 and settings.lock == "frozen":
            self._warn_if_stale(target, run)
        if status == 0:
            return None
        if "needs to be updated" in output and "--locked" in output:
            cure = f"run `{uv_to_type()} lock`, or {FROZEN}"
            return f"`{project.root}/uv.lock` does not fit `pyproject.toml` any more: {cure}"
        if settings.lock == "locked" and "No solution found" in output:
            return f'{_without_routine(output)}\n`--frozen`, or `lock = "frozen"`, installs what `uv.lock` says'
        return _without_routine(output)

    def _warn_if_stale(self, target: Target, run: Run) -> None:
        """Print a line where the lock file does not fit `pyproject.toml`. uv compares it without the network."""
        status, _ = run([find_uv(), "lock", "--check", "--offline", "--python", target.base])
        if status != 0:
            messages.warning(
                f"`{target.project.root}/uv.lock` does not fit `pyproject.toml`, and is installed as it is (frozen): "
                f"`{uv_to_type()} lock` updates it"
            )


class UvInstall(Installer):
    """`uv pip install` of the project, its groups and extras, for a project without a lock file."""

    kind = "uv"
    variables = (*OF_BUILDS, *OF_RESOLUTIONS)

    def __init__(self, project: Project, inputs: Inputs, reason: str) -> None:
        """Follow the local dependencies."""
        self.reason = reason
        self.sources = local_projects.followed(project, inputs)
        folders = [project.root, *self.sources]
        self.files = [f"{project.root}/uv.toml", *local_projects.archives(folders, inputs)]
        self._builds = local_projects.builds(folders, inputs)
        self._packages = [folder for folder, tables in project.all_tables.items() if is_package(folder, tables, inputs)]

    def install(self, target: Target, run: Run) -> str | None:
        """Install the root and all members: editable what can be built, else its dependencies alone, as uv does."""
        tables_by_folder = target.project.all_tables
        folders = [folder for folder, tables in tables_by_folder.items() if _is_chosen(tables, target.settings)]
        what = [word for folder in folders for word in self._words(folder, target)]
        what += _groups_of_root(folders, target)
        if not what:
            return None
        return uv_pip(["install", *what], self._builds, target, run)

    def _words(self, folder: str, target: Target) -> list[str]:
        """Return the words for the root or a member, with those of the groups and extras that it has."""
        project, settings = target.project, target.settings
        name = relative(folder, project.root)
        file = normal(f"{name}/pyproject.toml")
        words = each("--group", [f"{file}:{group}" for group in _own(settings.groups, folder, project, groups_of)])
        if settings.only_groups:
            return words
        extras = _own(settings.extras, folder, project, extras_of)
        if folder in self._packages:
            what = "." if name == "." else f"./{name}"
            return [*words, "--editable", f"{what}[{','.join(extras)}]" if extras else what]
        if "project" in project.all_tables[folder]:
            words += ["--requirements", file, *each("--extra", extras)]
        return words


def _is_chosen(tables: dict[str, Any], settings: Settings) -> bool:
    """Return whether the root or member with `tables` is among the chosen packages."""
    return not settings.packages or normalize(str(table(tables, "project").get("name", ""))) in settings.packages


def _groups_of_root(folders: Sequence[str], target: Target) -> list[str]:
    """Return the words for the groups that a chosen member takes from the root, as in uv: it has none of that name."""
    project = target.project
    if project.root in folders:
        return []
    own = [groups_of(project.all_tables[folder]) for folder in folders]
    lacking = [name for name in target.settings.groups if any(normalize(name) not in groups for groups in own)]
    return each("--group", [f"pyproject.toml:{name}" for name in _own(lacking, project.root, project, groups_of)])


def _own(
    requested: Sequence[str], folder: str, project: Project, find: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[str]:
    """Return which of the names `asked` belong to `folder`. Names that no project lists belong to the root."""
    known = {one: set(find(tables)) for one, tables in project.all_tables.items()}
    unknown = {normalize(name) for name in requested}.difference(*known.values())
    mine = known[folder] | (unknown if folder == project.root else set())
    return [name for name in requested if normalize(name) in mine]
