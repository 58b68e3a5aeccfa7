"""The nox backend: importing this module registers the backend `roost` in `nox.virtualenv.ALL_VENVS`.

A session runs in the project's shared venv, which is built when the session first needs it. When it installs something
that the shared venv lacks, it gets a venv of its own, and runs there from then on (`roost.nox.session_venv`). A warm
session imports only what a warm start needs.
"""

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

# With Python 3.15, nox imports its options when they are first used, and they list the backends of that moment. It
# passes those on to the processes of parallel sessions, which refuse one that they do not know yet.
from nox import options as _  # noqa: F401 - for the import alone
from nox.command import CommandFailed
from nox.logger import logger
from nox.sessions import Session
from nox.virtualenv import ALL_VENVS, InterpreterNotFound, VirtualEnv, uv_install_python

from roost import environment, warm
from roost.environment import Environment
from roost.errors import CommandNotFoundError, NoInterpreterError, RoostError, describe
from roost.system import files, paths
from roost.warm import Selection

if TYPE_CHECKING:
    from roost.nox.session_venv import SessionVenv
    from roost.protocol import Request
    from roost.runners.install_commands import Change

BACKEND = "roost"
"""The name of the backend, for `nox.options.default_venv_backend` and `venv_backend`."""
_REMOVED = (*environment.DROPPED, "UV_PYTHON")
_leased: dict[str, Environment] = {}
"""The venvs that sessions of this process ran in. Their leases end with the process."""


class _Variables(dict[str, str | None]):
    """The variables of a session. `VIRTUAL_ENV` is not among them until the session has a venv."""

    def __init__(self, venv: "RoostEnv", values: dict[str, str | None]) -> None:
        """Hold `values` for a session that runs in `venv`."""
        super().__init__(values)
        self._session_env = venv

    def __missing__(self, name: str) -> str | None:
        """Return `VIRTUAL_ENV`, which needs the venv."""
        if name != "VIRTUAL_ENV":
            raise KeyError(name)
        self._session_env.need()
        return self[name]


class RoostEnv(VirtualEnv):
    """The environment of one session: the shared venv, until the session installs something that it lacks."""

    def __init__(
        self,
        location: str,
        interpreter: str | None = None,
        *,
        reuse_existing: bool = False,
        venv_params: Sequence[str] = (),
        download_python: str = "auto",
    ) -> None:
        """Take the arguments of nox's backends; `location` is the folder that nox keeps for the session."""
        super().__init__(location, interpreter, reuse_existing=reuse_existing, venv_params=venv_params)
        self.folder = location
        self.download = download_python
        self.env = _Variables(self, self.env | dict.fromkeys(_REMOVED))
        del self.env["VIRTUAL_ENV"]
        if os.environ.get("NOX_DEFAULT_VENV_BACKEND") == BACKEND:  # a nox inside the session may not know the backend
            self.env["NOX_DEFAULT_VENV_BACKEND"] = None
        self._venv = ""
        self._own: SessionVenv | None = None
        self._session = self._own_folder = ""
        self._start = ""  # the folder of the noxfile; a session may change to another

    @property
    def venv_backend(self) -> str:
        """The name that selects this backend."""
        return BACKEND

    @property
    def allowed_globals(self) -> tuple[str, ...]:
        """What may be run from elsewhere without a warning. nox's own answer starts a uv to ask for its version."""
        return ("uv", "uvx")

    @property
    def bin_paths(self) -> list[str]:
        """The folder of the commands, as a list."""
        self.need()
        return [paths.native(paths.scripts(self._venv))]

    def create(self) -> bool:
        """Lease the shared venv, if it is complete. Returns whether this session uses it for the first time.

        Where it is not, it is built when the session needs it: a session that only fills a venv of its own never does.
        """
        with self._reported():
            self._start = paths.real(os.curdir)
            found = environment.find(self._start, self._selection())
            project, complete = (found.project, True) if found else self._look()
            self._prepare_own(project)
            if not self.reuse_existing:
                files.remove(f"{self._own_folder}/complete")  # so that the next collection removes an earlier venv
            elif own := self._reuse_own():
                self._own, self.location, self._reused = own, own.path, True
                self._use(own.path)
            if complete:
                self._share(found or self._acquire())
        return not self._reused

    def need(self) -> None:
        """Get and lease the shared venv, unless the session has a venv, or uv is to make one at its location."""
        if not self._venv:
            with self._reported():
                if self.env.get("UV_PROJECT_ENVIRONMENT") == self.location:
                    self._get_own("UV_PROJECT_ENVIRONMENT", empty=True).create()
                else:
                    self._share(self._acquire())

    def _get_own(self, why: str, *, empty: bool) -> "SessionVenv":
        from roost.nox import session_venv  # noqa: PLC0415 - not on a warm start

        files.remove(self._note)
        logger.info(f"roost: `{why}`: the session gets a venv of its own")
        self._own = session_venv.make(self._request()._replace(empty=empty))
        self._use(self.location)
        return self._own

    def _share(self, shared: Environment) -> None:
        """Use the venv `shared`, which stays leased until this process ends, unless the session has one of its own."""
        if shared.venv in _leased:
            shared.close()
        _leased.setdefault(shared.venv, shared)
        if self._own is None:
            self._use(shared.venv)
            self._reused = self._remember() and self.reuse_existing

    def _use(self, venv: str) -> None:
        self._venv, self.env["VIRTUAL_ENV"] = venv, paths.native(venv)

    def _prepare_own(self, project: str) -> None:
        """Choose the path of the venv that this session would get.

        nox's `location` is never the shared venv: noxfiles pass it to `uv sync`, which would strip that. Nothing exists
        there before the session gets a venv of its own.
        """
        self._session = paths.relative(paths.absolute(self.folder), project)
        self._own_folder = f"{warm.folder(project)}/{warm.INNER}/envs/{warm.session_folder(project, self._session)}"
        self.location = f"{self._own_folder}/venv-{os.urandom(3).hex()}"

    def _look(self) -> tuple[str, bool]:
        """Return the project's folder, and whether the shared venv is complete.

        Raises:
            NoInterpreterError: the Python does not exist. nox skips such a session before it runs.
        """
        from roost.nox import session_venv  # noqa: PLC0415 - not on a warm start

        if self.download == "always":
            self._download()
        try:
            return session_venv.look(self._request())
        except NoInterpreterError:
            if self.download != "auto" or not self._download():
                raise
            return session_venv.look(self._request())

    def _acquire(self) -> Environment:
        return environment.acquire(self._start, selection=self._selection(), label=self._label)

    @property
    def _label(self) -> str:
        return f"nox: {os.path.basename(self.folder)}"

    def _request(self) -> "Request":
        from roost.console import waiting  # noqa: PLC0415 - not on a warm start
        from roost.protocol import Request  # noqa: PLC0415

        name = os.path.basename(self.location)
        return Request(self._start, self._selection(), waiting.timeout(), self._label, session=self._session, name=name)

    def _download(self) -> bool:
        wanted = str(self.interpreter or "")
        return bool(wanted) and not paths.is_path(wanted) and uv_install_python(wanted)

    def _selection(self) -> Selection:
        """Return what `venv_params` selects, by options of `roost run`; else the variables decide.

        Raises:
            RoostError: `venv_params` has anything else.
        """
        selected: dict[str, Any] = {}
        words = list(self.venv_params)
        while words:
            if words[0].startswith("--python") or not warm.take_option(selected, words):
                raise RoostError(
                    f"`venv_params={self.venv_params!r}` is not valid for the backend `roost`: use "
                    '`["--env", "NAME"]`, or other options that select'
                )
        return warm.select(python=self.interpreter, **selected)

    def _reuse_own(self) -> "SessionVenv | None":
        if not os.path.exists(f"{self._own_folder}/complete"):
            return None
        from roost.nox import session_venv  # noqa: PLC0415 - not on a warm start

        return session_venv.reuse(self._request())

    @property
    def _note(self) -> str:
        return f"{self._own_folder}/shared"

    def _remember(self) -> bool:
        """Note that the session runs in this shared venv. Returns whether it did so the last time.

        nox calls an environment reused when its folder exists, and then skips installs (`-R`). The shared venv has no
        folder for each session, so this note takes its place. It is removed when the session gets a venv of its own.
        """
        with contextlib.suppress(FileNotFoundError), open(self._note, encoding="utf-8") as file:
            if file.read() == self._venv:
                return True
        with contextlib.suppress(OSError):
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._own_folder, 0o700)  # fails where `.roost` was removed meanwhile
            files.write(self._note, self._venv)
        return False

    def read(self, args: Sequence[Any], options: dict[str, Any]) -> "Change | None":
        """Return what the command `args` would change in the session's venv; None for any but an installer's."""
        if callable(args[0]):
            return None
        if _may_install(args):
            from roost.runners import install_commands  # noqa: PLC0415 - not without an installer

            scripts = paths.scripts(self._venv or self.location)
            own = {name: text for name, text in self.env.items() if name.startswith("UV_") and name not in _REMOVED}
            options = {**options, "env": {**own, **(options.get("env") or {})}}
            change = install_commands.read(args, options, self.location, scripts)
            if self._venv or (change and (change.needs_own or self._never_has(change))):
                return change
        if not self._venv:
            self.need()
            return self.read(args, options)
        return None

    def _never_has(self, change: "Change") -> bool:
        from roost.runners import unbuilt  # noqa: PLC0415 - not without an installer

        with self._reported():
            return bool(unbuilt.missing(self._start, self._selection(), change.requirements or []))

    def require(self, args: Sequence[Any], options: dict[str, Any]) -> None:
        """Fail with roost's sentence where nox would find no program, since its own names no cure.

        Raises:
            CommandFailed: the command `args` is neither in the venv nor on PATH.
        """
        if callable(args[0]) or options.get("external") is True:
            return
        command = [os.fspath(word) for word in args]
        path = (options.get("env") or {}).get("PATH") or ""
        places = [*self.bin_paths, path, os.environ.get("PATH", os.defpath)]
        if paths.is_path(command[0]) or shutil.which(command[0], path=os.pathsep.join(places)):
            return
        from roost import missing_command  # noqa: PLC0415 - not where the command is there

        with self._reported():
            raise CommandNotFoundError(missing_command.explain(command, self._selection(), self._start))

    def lacks(self, change: "Change") -> bool:
        """Return whether the shared venv, in which the session still runs, lacks something that `change` installs."""
        if self._own is not None or not self._venv or change.needs_own:
            return True
        from roost.runners import dry_run  # noqa: PLC0415 - not without an installer

        if dry_run.lacking(self._venv, change.requirements or [], os.getcwd(), change.options["env"]):
            return True
        logger.info(
            f"roost: `{change.words}` has nothing to do: the environment `{self._selection().name}` has all of it"
        )
        return False

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn roost's errors into nox's: a line in the log and a failed session, without a traceback.

        If the interpreter of the session is missing, nox decides whether the session is skipped or fails.
        """
        try:
            yield
        except RoostError as error:
            if isinstance(error, NoInterpreterError) and self.interpreter:
                raise InterpreterNotFound(self.interpreter) from error
            raise _failed(str(error)) from error
        except OSError as error:
            raise _failed(describe(error)) from error

    @contextlib.contextmanager
    def changing(self, change: "Change") -> Iterator[None]:
        """Use a venv of the session's own, which does not count as complete while it is changed."""
        from roost.nox import session_venv  # noqa: PLC0415 - not without an installer

        with self._reported():
            own = self._own or self._get_own(change.words, empty=change.replaces)
            own.begin()
            if change.makes_venv and not own.exists and change.options["env"]["UV_PYTHON"] == paths.python(own.path):
                change.options["env"]["UV_PYTHON"] = own.base
            else:
                own.create()
        with contextlib.ExitStack() as stack:
            if change.builds:
                with self._reported():
                    stack.enter_context(session_venv.building_in_tree(self._request()))
                    stack.enter_context(own.lend(f"{self._label}: {change.words}"))
            try:
                yield
            finally:
                with self._reported():
                    own.create()  # a command such as `uv sync --dry-run` does not
        with self._reported():
            own.complete()


def _failed(text: str) -> CommandFailed:
    from roost.console import messages  # noqa: PLC0415 - a warm session prints nothing

    shown = messages.printable(text, lines=True)
    logger.error(f"roost: {shown}")
    return CommandFailed(shown)


# Not that of `runners`, which a warm session does not import.
_INSTALLERS = ("conda", "flit", "hatch", "mamba", "maturin", "micromamba", "pdm", "pip", "poetry", "uv")


def _may_install(args: Sequence[Any]) -> bool:
    """Return whether a command may be an installer's. This runs before each command."""
    name = paths.stem(os.fspath(args[0]))
    return name.startswith(_INSTALLERS) or (name.startswith("python") and len(args) > 1)


# The one patch. nox has no hook between a session and the commands that it runs, so an installation cannot be seen
# before it happens. A method of `ProcessEnv` that receives each command and returns the one to run would replace this.
_run = Session._run  # noqa: SLF001


@functools.wraps(_run)
def _run_unless_shared(session: Session, *args: Any, **options: Any) -> Any:
    """Run a command as nox does, but never let an installer change the shared venv."""
    venv = session.virtualenv
    if not isinstance(venv, RoostEnv):
        return _run(session, *args, **options)
    change = venv.read(args, options)
    if change is None:
        venv.require(args, options)
        return _run(session, *args, **options)
    if not change.changes:
        return _run(session, *change.args, **change.options)
    if not venv.lacks(change):
        return "" if options.get("silent") else True
    with venv.changing(change):
        return _run(session, *change.args, **change.options)


ALL_VENVS[BACKEND] = RoostEnv
Session._run = _run_unless_shared  # type: ignore[method-assign, assignment] # noqa: SLF001
