"""The tox plugin: the runner `roost`, by tox's hook `tox_register_tox_env`.

A tox environment that the project's shared venv satisfies runs there. Any other gets a virtualenv of its own from tox,
as with tox's default runner.
"""

import re
import shlex
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tox.plugin import impl
from tox.report import HandledError
from tox.tox_env.errors import Fail
from tox.tox_env.python.pip.pip_install import Pip
from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner
from tox.version import version as tox_version

from roost import environment, warm
from roost.errors import NoInterpreterError, NotSharedError, RoostError
from roost.runners import mentions
from roost.system import paths

if TYPE_CHECKING:
    from tox.tox_env.register import ToxEnvRegister

    from roost.environment import Environment

NEEDED = (4, 22)  # the first with `dependency_groups`
# Settings that change what gets installed, or how the venv is made.
_NEED_OWN = (
    *("constraints", "extra_setup_commands", "install_command", "pip_pre", "pylock"),
    *("sitepackages", "system_site_packages"),
)
_PYTHON = r"(?a:(?:py|python|cpython-?)?(\d)\.?(\d+)?(t?))"  # compiled where an environment names a Python
_PYPY = r"(?a:pypy-?(\d)\.?(\d+)?)"


@impl
def tox_register_tox_env(register: "ToxEnvRegister") -> None:
    """Register the runner `roost`."""
    register.add_run_env(RoostRunner)


class _Installer(Pip):
    """tox's pip, which has nothing to do in a shared venv."""

    _env: "RoostRunner"

    def install(self, arguments: Any, section: str, of_type: str) -> None:
        """Install `arguments` into a venv of the environment's own."""
        if self._env.shared is None:
            super().install(arguments, section, of_type)

    def installed(self) -> list[str]:
        """Return the installed packages, as `pip freeze` prints them."""
        if self._env.shared is None:
            return list(super().installed())
        from roost.runners import dry_run  # noqa: PLC0415 - only with `--result-json` or `--list-dependencies`

        return dry_run.installed(self._env.shared.venv)


class RoostRunner(VirtualEnvRunner):
    """A tox environment in the shared venv, where that has all it asks for, else in a virtualenv of its own."""

    def __init__(self, create_args: Any) -> None:
        """Register the settings.

        Raises:
            HandledError: tox is too old.
        """
        if tuple(int(part) for part in tox_version.split(".")[:2]) < NEEDED:
            needed = ".".join(map(str, NEEDED))
            raise HandledError(
                f"the runner `roost` needs tox {needed}, this is {tox_version}: `pip install 'tox>={needed}'`"
            )
        self.shared: Environment | None = None
        """The shared venv, once it is known that the environment runs there."""
        self._decided = False
        self._why_own = ""
        super().__init__(create_args)

    @staticmethod
    def id() -> str:
        """Return the name that selects this runner."""
        return "roost"

    def register_config(self) -> None:
        """Add the setting `roost_env`: the environment of `[tool.roost]` to use."""
        super().register_config()
        self.conf.add_config(
            keys=["roost_env"],
            of_type=str,
            default="",
            desc="environment of [tool.roost] whose venv is used",
        )

    @property
    def default_pkg_type(self) -> str:
        """How the project is installed where `package` is not set: as an editable, as the shared venv has it."""
        found = super().default_pkg_type
        return "editable" if found == "sdist" else found

    @property
    def installer(self) -> Pip:
        """The installer, which leaves the shared venv as it is."""
        if self._installer is None:
            self._installer = _Installer(self)
        return self._installer

    # Where it runs

    def ensure_python_env(self) -> None:
        """Decide in which venv the environment runs, and create it if it is a venv of its own."""
        self._decide()
        if self.shared is None:
            super().ensure_python_env()

    def create_python_env(self) -> None:
        """Create a virtualenv of the environment's own."""
        if self._why_own:
            print(f"roost: `{self.name}` gets a venv of its own: {self._why_own}", file=sys.stderr)  # noqa: T201
        super().create_python_env()

    def prepend_env_var_path(self) -> list[Path]:
        """Return the folder of the commands, as a list."""
        found: list[Path] = [self.env_bin_dir()] if self.shared else super().prepend_env_var_path()
        return found

    def env_bin_dir(self) -> Path:
        """Return the folder of the commands."""
        return self._path(paths.scripts) or super().env_bin_dir()

    def env_python(self) -> Path:
        """Return the Python."""
        return self._path(paths.python) or super().env_python()

    def env_site_package_dir(self) -> Path:
        """Return `site-packages`."""
        return self._path(lambda venv: next(iter(paths.site_packages(venv)))) or super().env_site_package_dir()

    def env_site_package_dir_plat(self) -> Path:
        """Return the same: a venv has one."""
        return self.env_site_package_dir() if self.shared else super().env_site_package_dir_plat()

    def _path(self, find: Any) -> Path | None:
        if not self._decided and getattr(self.options, "command", "") not in ("config", "c"):
            self._decide()  # `set_env` names it before the environment is set up
        return Path(find(self.shared.venv)) if self.shared else None

    @property
    def environment_variables(self) -> dict[str, str]:
        """The variables of commands: the shared venv is active in them."""
        found: dict[str, str] = super().environment_variables
        if self.shared:
            found["VIRTUAL_ENV"] = self.shared.venv
            for name in environment.DROPPED:
                found.pop(name, None)
        return found

    @contextmanager
    def execute_async(self, cmd: Any, *args: Any, **options: Any) -> Generator[Any]:
        """Run a command, but never let an installer change the shared venv.

        Raises:
            Fail: it would.
        """
        if self.shared and (refusal := mentions.refusal(shlex.join(map(str, cmd)), self.shared.venv)):
            raise Fail(f"roost: {refusal}: list it in `deps` of `{self.name}`, or set `runner = virtualenv` there")
        with super().execute_async(cmd, *args, **options) as status:
            yield status

    def _build_packages(self) -> list[Any]:
        """Build the project, unless the shared venv has it."""
        return [] if self.shared else super()._build_packages()

    # Whether it is the shared venv

    def _decide(self) -> None:
        """Use the shared venv, unless the environment asks for something that it lacks."""
        if self._decided:
            return
        self._decided = True  # the settings that are read below may name a path in the venv
        try:
            self._check_settings()
            found = self._acquire()
            self._check_contents(found)
            self.shared = found
        except (NoInterpreterError, NotSharedError) as error:
            self._why_own = str(error)  # tox finds a Python elsewhere, or skips the environment, or fails
        except RoostError as error:
            raise Fail(f"roost: {error}") from error

    def _check_settings(self) -> None:
        if getattr(self.options, "devenv_path", None):
            raise NotSharedError("`tox devenv` creates one")
        if self.pkg_type not in ("skip", "editable", "deps-only"):
            raise NotSharedError(f"`package = {self.pkg_type}` installs what gets built")
        for key in _NEED_OWN:
            if self._raw(key).strip().lower() not in ("", "false"):
                raise NotSharedError(f"`{key}` is set")
        for key in ("set_env", "setenv"):
            if found := mentions.variable(self._raw(key)):
                raise NotSharedError(f"`{found}` in `{key}`")
        for key in ("commands_pre", "commands", "commands_post"):
            if found := mentions.installer(self._raw(key)):
                raise NotSharedError(f"`{found}` in `{key}`")

    def _raw(self, key: str) -> str:
        """Return a setting as it is written: values with paths in the venv are not known yet."""
        for loader in self.conf.loaders:
            with suppress(KeyError):
                return "\n".join(_lines(loader.load_raw(key, None, self.name)))
        return ""

    def _acquire(self) -> "Environment":
        """Return the environment for the first of the Pythons that tox would use and that exists."""
        from roost.runners import shared  # noqa: PLC0415 - not in a venv of its own

        wanted: list[str] = self.conf["base_python"]
        root, name = str(self.core["tox_root"]), str(self.conf["roost_env"]) or None
        words = self._listed()[1]
        for python in wanted:
            request = None if python == sys.executable else as_request(python)
            try:
                return shared.acquire(root, warm.select(name, python=request), f"tox: {self.name}", words)
            except NoInterpreterError as error:
                missing = error
        raise missing

    def _listed(self) -> tuple[list[str], list[str]]:
        """Return the options and the requirements in `deps`, also those of the files that it names."""
        deps = self.conf["deps"]
        options, requirements = deps.unroll() if deps.lines() else ([], [])
        return options, requirements

    def _check_contents(self, found: "Environment") -> None:
        """Check that `found` has all that the environment installs. A first answer is kept in tox's cache."""
        words = [word for group in sorted(self.conf["dependency_groups"]) for word in ("--group", group)]
        options, requirements = self._listed()
        words += self.conf["deps"].as_root_args  # what tox gives to pip
        if self.pkg_type != "skip":
            root = str(self.core["package_root"])
            extras = ",".join(sorted(self.conf["extras"]))
            words += ["--editable", f"{root}[{extras}]" if extras else root]
        answer = {"venv": found.venv, "words": words, "deps": [*options, *requirements]}
        if words:
            from roost.runners import shared  # noqa: PLC0415 - not in a venv of its own

            with self.cache.compare(answer, "roost") as (same, _):  # an error leaves the record as it was
                if not same:
                    shared.check(found, words, str(self.core["tox_root"]))


def _lines(raw: Any) -> list[str]:
    """Return a raw setting as lines: in TOML, a command is a list of words."""
    if isinstance(raw, list) and not any(isinstance(part, str) for part in raw):
        return [line for part in raw for line in _lines(part)]
    return [" ".join(map(str, raw)) if isinstance(raw, list) else str(raw)]


def as_request(base_python: str) -> str:
    """Return one of tox's names for a Python, such as `py312`, as a request for roost."""
    if paths.is_path(base_python):
        return base_python
    if found := re.fullmatch(_PYTHON, base_python):
        return f"{found[1]}.{found[2]}{found[3]}" if found[2] else found[1]
    if found := re.fullmatch(_PYPY, base_python):
        return f"pypy{found[1]}.{found[2]}" if found[2] else f"pypy{found[1]}"
    return base_python
