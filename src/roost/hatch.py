"""The hatch plugin: the environment type `roost`, by hatch's hook `hatch_register_environment`.

A hatch environment that the project's shared venv satisfies runs there. Any other gets a virtualenv of its own from
hatch, as with hatch's default type.
"""

import gc
import os
import sys
from typing import TYPE_CHECKING, Any

from hatch._version import version as hatch_version
from hatch.env.virtual import VirtualEnvironment
from hatch.utils.fs import Path
from hatch.venv.core import VirtualEnv
from hatchling.plugin import hookimpl

from roost import environment, warm
from roost.errors import NoInterpreterError, NotSharedError, RoostError
from roost.runners import mentions

if TYPE_CHECKING:
    from roost.environment import Environment

NEEDED = (1, 16, 5)  # 1.16 is the first with `dependency-groups`, and this one works with virtualenv 21


@hookimpl
def hatch_register_environment() -> type[VirtualEnvironment]:
    """Register the environment type `roost`."""
    return RoostEnvironment


class _SharedVenv(VirtualEnv):
    """The shared venv while a command runs in it."""

    IGNORED_ENV_VARS = (  # type: ignore[assignment] # hatch's has two, by inference
        *VirtualEnv.IGNORED_ENV_VARS,
        *environment.DROPPED,
    )


class RoostEnvironment(VirtualEnvironment):
    """A hatch environment in the shared venv, where that has all it asks for, else in a virtualenv of its own."""

    PLUGIN_NAME = "roost"

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take the arguments of hatch's environment types. A hatch that is too old ends here."""
        super().__init__(*args, **options)
        if tuple(int(part) for part in hatch_version.split(".")[:3]) < NEEDED:
            needed = ".".join(map(str, NEEDED))
            text = f"the environment type `roost` needs hatch {needed}, this is {hatch_version}"
            self.app.abort(f"{text}: `pip install 'hatch>={needed}'`")
        self._own = self.virtual_env
        self._shared: Environment | None = None
        self._why_own = ""

    @staticmethod
    def get_option_types() -> dict[str, type]:
        """Return the options: those of hatch's virtualenvs, and the environment of `[tool.roost]`."""
        return {**VirtualEnvironment.get_option_types(), "roost-env": str}

    # Which venv it is

    def exists(self) -> bool:
        """Return whether nothing has to be created. Builds no shared venv where there is nothing of hatch's either."""
        if not self._shared and not self._why_own:
            self._decide(build=self._own.exists())
        return self._shared is not None or (bool(self._why_own) and bool(self._own.exists()))

    def create(self) -> None:
        """Build the shared venv, or a virtualenv of the environment's own where that lacks something."""
        if not self._shared and not self._why_own:
            self._decide(build=True)
        if not self._shared:
            self.app.display_info(f"roost: `{self.name}` gets a venv of its own: {self._why_own}")
            super().create()

    def find(self) -> Any:
        """Return the folder of the venv."""
        self.exists()
        return self.virtual_env.directory

    def remove(self) -> None:
        """Remove the virtualenv of the environment's own. The shared venv is roost's."""
        self.virtual_env = self._own
        super().remove()

    def _decide(self, *, build: bool) -> None:
        """Use the shared venv, unless the environment asks for something that it lacks."""
        try:
            self._check_settings()
            self._shared = self._acquire(build=build)
            if self._shared:
                self.virtual_env = _SharedVenv(Path(self._shared.venv), self.platform, self.verbosity)
                self._check_contents(self._shared)
        except (NoInterpreterError, NotSharedError, ValueError) as error:
            # hatch can download a Python, and reports a feature or group that does not exist when it installs.
            self._shared, self.virtual_env = None, self._own
            self._why_own = str(error)
        except RoostError as error:
            self.app.abort(f"roost: {error}")

    def _check_settings(self) -> None:
        if self.builder:
            raise NotSharedError("it builds the project")
        if not self.skip_install and not self.dev_mode:
            raise NotSharedError("`dev-mode = false` installs what gets built")
        if getattr(self, "locked", False):  # since hatch 1.17
            raise NotSharedError("`locked` is set")
        for key in ("system-packages", "path", "pre-install-commands", "post-install-commands"):
            if self.config.get(key):
                raise NotSharedError(f"`{key}` is set")
        if found := mentions.variable(str(self.config.get("env-vars", ""))):
            raise NotSharedError(f"`{found}` in `env-vars`")
        if found := mentions.installer(str(self.config.get("scripts", ""))):
            raise NotSharedError(f"`{found}` in its scripts")

    def _acquire(self, *, build: bool) -> "Environment | None":
        name = self.config.get("roost-env") or None
        python = self.config.get("python") or os.environ.get("HATCH_PYTHON") or None
        python = sys.executable if python == "self" else python
        selection = warm.select(name, python=python)
        if not build:
            return environment.find(str(self.root), selection)
        from roost.runners import shared  # noqa: PLC0415 - not on a warm start

        words = [str(dependency) for dependency in self.all_dependencies_complex if not dependency.path]
        return shared.acquire(str(self.root), selection, f"hatch: {self.name}", words)

    def _check_contents(self, found: "Environment") -> None:
        """Check that `found` has all that the environment installs. hatch keeps a first answer."""
        if self.app.project.env_metadata.dependency_hash(self) == self.dependency_hash():
            return
        words: list[str] = []
        for dependency in self.all_dependencies_complex:
            if dependency.path:
                words += ["--editable"] if dependency.editable else []
                words.append(str(dependency.path))
            else:
                words.append(str(dependency))
        if words:
            from roost.runners import shared  # noqa: PLC0415 - not on a warm start

            shared.check(found, words, str(self.root))

    # What hatch does with it

    def dependency_hash(self) -> str:
        """Return hatch's hash of what is installed; in a shared venv it stands for that venv only."""
        found = str(super().dependency_hash())
        return f"{found} in {self._shared.venv}" if self._shared else found

    def install_project(self) -> None:
        """Install the project, unless the shared venv has it."""
        if not self._shared:
            super().install_project()

    def install_project_dev_mode(self) -> None:
        """Install the project as an editable, unless the shared venv has it."""
        if not self._shared:
            super().install_project_dev_mode()

    def dependencies_in_sync(self) -> bool:
        """Return whether nothing has to be installed. A shared venv was chosen because it has all."""
        return self._shared is not None or bool(super().dependencies_in_sync())

    def run_shell_command(self, command: str, **options: Any) -> Any:
        """Run a command, but never let an installer change the shared venv."""
        if self._shared:
            if refusal := mentions.refusal(command, self._shared.venv):
                cure = f'list it in the `dependencies` of `{self.name}`, or set `type = "virtual"` there'
                self.app.abort(f"roost: {refusal}: {cure}")
            gc.freeze()  # else the collector examines all that hatch imported when hatch exits, for 20 ms
        return super().run_shell_command(command, **options)
