"""A lock file as packaging.python.org specifies it (PEP 751): `pylock.toml`, or `pylock.NAME.toml`."""

from collections.abc import Iterator, Sequence

from roost.errors import RoostError
from roost.inputs import local_projects, lock_files
from roost.inputs.files import Inputs
from roost.inputs.groups import normalize
from roost.inputs.project import Project
from roost.inputs.schema import table, tables_at
from roost.inputs.settings import Settings
from roost.installers.base import Installer, Run, Target, each, is_package
from roost.installers.uv import uv_pip
from roost.system.variables import OF_BUILDS


class PylockSync(Installer):
    """`uv pip sync pylock.toml`: installs exactly what is in the lock file, and the project itself."""

    kind = "pylock"
    variables = OF_BUILDS

    def __init__(self, project: Project, inputs: Inputs, name: str, reason: str) -> None:
        """Read the lock file called `name`."""
        self.reason = reason
        self.path = f"{project.root}/{name}"
        self.lock = inputs.toml(self.path) or {}
        self.files = [self.path, f"{project.root}/uv.toml", *lock_files.archives(self.lock, project.root)]
        found = lock_files.folders(self.lock, project.root)
        own = normalize(str(table(project.tables, "project").get("name", "")))
        there = {normalize(str(package.get("name", ""))) for package in tables_at(self.lock, "packages")}
        missing = project.root not in found and own not in there
        self._adds_project = missing and is_package(project.root, project.tables, inputs)
        self.sources = sorted(found - {project.root})
        self._builds = local_projects.builds([project.root, *self.sources], inputs)

    def unlisted(self, groups: Sequence[str], extras: Sequence[str]) -> str | None:
        """Return an error if the lock file does not list one of these, which options name, or None."""
        for key, name, _ in self._missing(groups, extras):
            what = "group" if key == "dependency-groups" else "extra"
            return (
                f"`{self.path}` does not list the {what} `{name}` in its `{key}`: write a lock file of its own "
                f"for an environment, such as `pylock.{name}.toml` for `--env {name}`"
            )
        return None

    def _missing(self, groups: Sequence[str], extras: Sequence[str]) -> Iterator[tuple[str, str, set[str] | None]]:
        """Yield each name that the lock file does not list: the key for it, the name, and the list if there is one."""
        for key, names in (("dependency-groups", groups), ("extras", extras)):
            there = self.lock.get(key)
            known = {normalize(str(name)) for name in there} if isinstance(there, list) else None
            yield from ((key, name, known) for name in names if normalize(name) not in (known or ()))

    def install(self, target: Target, run: Run) -> str | None:
        """Install what the lock file has for the groups and extras; then the project, unless the lock file has it."""
        settings = target.settings
        self._check(settings)
        what = [*each("--group", settings.groups), *each("--extra", settings.extras)]
        failure = uv_pip(["sync", self.path, "--allow-empty-requirements", *what], self._builds, target, run)
        if failure or not self._adds_project:
            return failure
        return uv_pip(["install", "--no-deps", "--editable", "."], self._builds, target, run)

    def _check(self, settings: Settings) -> None:
        """Refuse groups and extras for which the lock file was not made; uv leaves them out silently.

        Raises:
            RoostError: such a group or extra is requested.
        """
        for key, name, known in self._missing(settings.groups if settings.groups_given else (), settings.extras):
            if known is not None:
                raise RoostError(
                    f"`{self.path}` was not made for `{name}`: its `{key}` are "
                    f"{', '.join(f'`{one}`' for one in sorted(known)) or 'none'}; lock it again with that"
                )
