"""The nox door: importing this registers the backend `roost` in `nox.virtualenv.ALL_VENVS`.

A session runs in the project's shared venv. When it installs something that this lacks, it gets a venv of its own, and
runs there from then on (`roost.nox_venv`). A warm session imports nothing but this, `roost.index` and `roost.locks`.
"""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nox.command import CommandFailed
from nox.logger import logger
from nox.sessions import Session
from nox.virtualenv import ALL_VENVS, InterpreterNotFound, ProcessEnv, VirtualEnv, uv_install_python

from roost.errors import NoInterpreterError, RoostError

if TYPE_CHECKING:
    from roost.nox_command import Change
    from roost.nox_venv import Own
    from roost.protocol import Request

NAME = "roost"
_PLATFORM = sys.platform
_leased: dict[str, int] = {}
"""The venvs that sessions of this process ran in, each with a lease that ends when the process does."""


class RoostEnv(VirtualEnv):
    """What one session runs in: the project's shared venv, until it installs something that this lacks."""

    def __init__(
        self,
        location: str,
        interpreter: str | None = None,
        *,
        reuse_existing: bool = False,
        venv_params: Sequence[str] = (),
        download_python: str = "auto",
    ) -> None:
        """Take what nox gives its backends; `location` is the folder that nox keeps for the session."""
        super().__init__(location, interpreter, reuse_existing=reuse_existing, venv_params=venv_params)
        # Beside what nox would put there: its backend `uv` refuses a folder that is no virtualenv. nox gives no folder
        # a name with a dot.
        self.folder = f"{self.location}.roost"
        # Never the shared venv: noxfiles hand `location` to `uv sync`, which would strip it. Nothing is there before
        # the session gets a venv of its own. The name is random: no two processes ever build in one path.
        self.location = f"{self.folder}/venv-{os.urandom(3).hex()}"
        self.download = download_python
        self.env |= dict.fromkeys(("UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "VIRTUAL_ENV_PROMPT"))
        self._venv = self.location
        self._own: Own | None = None

    @property
    def venv_backend(self) -> str:
        """The name that selects this backend."""
        return NAME

    @property
    def allowed_globals(self) -> tuple[str, ...]:
        """What may be run from elsewhere without a warning. nox's own answer starts a uv to ask for its version."""
        return ("uv", "uvx")

    @property
    def bin_paths(self) -> list[str]:
        """The folder of the commands, as a list."""
        return [f"{self._venv}/bin"]

    def create(self) -> bool:
        """Make sure of the shared venv, and lease it; return whether this session saw it for the first time."""
        with _said(self.interpreter):
            self._use(self._acquire())
            fingerprint = os.path.basename(os.path.dirname(self._venv))
            if not self.reuse_existing:
                self._forget_own()
            elif own := self._reuse_own(fingerprint):
                self._own, self.location = own, own.venv
                self._use(own.venv)
            self._reused = (self._remember() and self.reuse_existing) or self._own is not None
        return not self._reused

    def _use(self, venv: str) -> None:
        self._venv = self.env["VIRTUAL_ENV"] = venv

    def _acquire(self) -> str:
        """Return the shared venv, leased until this process ends."""
        from roost import index  # noqa: PLC0415 - needs flock, which Windows lacks

        env = self._env_name()
        start = os.path.realpath(os.curdir)
        found = index.warm(start, index.key(env, self.interpreter))
        venv, lease = (found[0].venv, found[1]) if found else self._acquire_cold()
        if venv in _leased:
            os.close(lease)
        else:
            _leased[venv] = lease
        return venv

    def _acquire_cold(self) -> tuple[str, int]:
        from roost import protocol  # noqa: PLC0415 - not on a warm start

        asked = self._request()
        if self.download == "always":
            self._download()
        try:
            held = protocol.acquire(asked)
        except NoInterpreterError:
            if self.download != "auto" or not self._download():
                raise
            held = protocol.acquire(asked)
        return held.venv, held.lease

    def _request(self) -> "Request":
        from roost import protocol, waiting  # noqa: PLC0415 - not on a warm start

        label = f"nox: {os.path.basename(self.folder)}"
        start = os.path.realpath(os.curdir)
        return protocol.Request(start, self._env_name(), self.interpreter, waiting.timeout(os.environ), label)

    def _download(self) -> bool:
        return bool(self.interpreter) and "/" not in str(self.interpreter) and uv_install_python(str(self.interpreter))

    def _env_name(self) -> str:
        """Return the environment that `venv_params` names, else `ROOST_ENV`, as for a command line.

        Raises:
            RoostError: they say anything else.
        """
        match [part for word in self.venv_params for part in word.split("=", 1)]:
            case []:
                return os.environ.get("ROOST_ENV") or "default"
            case ["--env", name]:
                return name
        message = f'`venv_params={self.venv_params!r}` is not what the backend `roost` takes: `["--env", "NAME"]`'
        raise RoostError(message)

    def _forget_own(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if any(name.startswith("venv-") for name in os.listdir(self.folder)):
                from roost import nox_venv  # noqa: PLC0415 - not on a warm start

                nox_venv.sweep(self.folder)

    def _reuse_own(self, fingerprint: str) -> "Own | None":
        from roost import nox_venv  # noqa: PLC0415 - not without `-r`

        return nox_venv.reuse(self.folder, fingerprint)

    @property
    def _note(self) -> str:
        return f"{self.folder}/roost"

    def _remember(self) -> bool:
        """Note that the session runs in this shared venv; return whether it did so the last time.

        nox calls an environment reused when its folder is there, and skips installs then (`-R`). A shared venv has no
        folder for each session, so a note stands in for it. It goes when the session gets a venv of its own.
        """
        with contextlib.suppress(FileNotFoundError), open(self._note, encoding="utf-8") as file:
            if file.read() == self._venv:
                return True
        if self._own is None:
            with contextlib.suppress(OSError):
                _make_folder(self.folder)
                with open(self._note, "w", encoding="utf-8") as file:
                    file.write(self._venv)
        return False

    def change(self, args: Sequence[Any], options: dict[str, Any]) -> "Change | None":
        """Return what the command `args` would change in the session's venv; None for any but an installer's."""
        if callable(args[0]) or not _may_install(args):
            return None
        from roost import nox_command  # noqa: PLC0415 - not without an installer

        return nox_command.read(args, options, self.location, self.bin)

    def lacks(self, change: "Change") -> bool:
        """Return whether the shared venv, in which the session still runs, lacks what is to be installed."""
        from roost import nox_command  # noqa: PLC0415 - not without an installer

        if self._own is not None or change.requirements is None:
            return True
        if not nox_command.satisfied(self._venv, change):
            return True
        logger.info(f"roost: `{change.words}` has nothing to do: the environment `{self._env_name()}` has all of it")
        return False

    @contextlib.contextmanager
    def changing(self, change: "Change") -> Iterator[None]:
        """Be in a venv of the session's own, which does not count as complete while it is changed."""
        from roost import nox_venv  # noqa: PLC0415 - not without an installer

        with _said(self.interpreter):
            if self._own is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._note)
                _make_folder(self.folder)
                reason = f"a venv of the session's own, for `{change.words}`"
                self._own = nox_venv.make(self._request(), self.location, reason)
                self._use(self.location)
            self._own.begin()
        with contextlib.ExitStack() as stack:
            if change.builds:
                with _said(self.interpreter):
                    stack.enter_context(nox_venv.building_in_tree(self._request()))
            yield
        self._own.complete()


def _make_folder(folder: str) -> None:
    above = os.path.dirname(folder)
    os.makedirs(folder, exist_ok=True)
    for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n")):
        with contextlib.suppress(FileExistsError), open(f"{above}/{name}", "x", encoding="ascii") as file:
            file.write(text)


@contextlib.contextmanager
def _said(interpreter: str | None) -> Iterator[None]:
    """Turn roost's failures into nox's: a line of the log and a failed session, without a traceback.

    Where the session asks for the `interpreter` that is missing, nox decides whether it is skipped or failed.
    """
    try:
        yield
    except RoostError as error:
        if isinstance(error, NoInterpreterError) and interpreter:
            raise InterpreterNotFound(interpreter) from error
        raise _failed(str(error)) from error
    except OSError as error:
        where = f"`{error.filename}`: " if error.filename else ""
        message = f"{where}{error.strerror or error}"
        raise _failed(message) from error


def _failed(text: str) -> CommandFailed:
    from roost import report  # noqa: PLC0415 - a warm session says nothing

    said = report.printable(text, lines=True)
    logger.error(f"roost: {said}")
    return CommandFailed(said)


_INSTALLERS = ("uv", "pip", "poetry", "pdm", "pipenv", "flit", "maturin")


def _may_install(args: Sequence[Any]) -> bool:
    """Return whether it is worth to look closer at a command: this runs before each of them."""
    name = os.path.basename(os.fspath(args[0]))
    return name.startswith(_INSTALLERS) or (name.startswith("python") and len(args) > 1)


# The one patch. nox has no hook between a session and the commands that it runs, so nothing else can see an install
# before it happens. A method of `ProcessEnv` that gets each command and returns the one to run would replace this.
_run = Session._run  # noqa: SLF001


@functools.wraps(_run)
def _run_unless_shared(session: Session, *args: Any, **options: Any) -> Any:
    """Run a command as nox does, but never let an installer at the shared venv."""
    venv = session.virtualenv
    change = venv.change(args, options) if isinstance(venv, RoostEnv) else None
    if change is None or not isinstance(venv, RoostEnv):
        return _run(session, *args, **options)
    if not change.changes:
        return _run(session, *change.args, **change.options)
    if not venv.lacks(change):
        return "" if options.get("silent") else True
    with venv.changing(change):
        return _run(session, *change.args, **change.options)


def _fall_back(location: str, interpreter: str | None = None, **options: Any) -> ProcessEnv:
    """Return an environment of nox's backend `uv`, and say so."""
    logger.warning(
        "roost: Windows is not supported yet, so this session gets a venv of its own, from nox's backend `uv`"
    )
    options.pop("venv_params", None)
    return VirtualEnv(location, interpreter, venv_backend="uv", **options)


if _PLATFORM == "win32":
    ALL_VENVS[NAME] = _fall_back
else:
    ALL_VENVS[NAME] = RoostEnv
    Session._run = _run_unless_shared  # type: ignore[method-assign, assignment] # noqa: SLF001
