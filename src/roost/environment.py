"""A leased environment, the one way in which every entry point gets it, and what a command in it sees."""

import os

from roost import warm
from roost.system import paths

TYPE_CHECKING = False
if TYPE_CHECKING:  # a warm start imports none of these
    import subprocess
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any, Self

# Variables of the caller that a command does not get. PYTHONHOME gives a venv's Python another library. With
# UV_PROJECT_ENVIRONMENT, a test suite that runs `uv sync` in another project would strip the shared venv. The prompt
# names the venv of the caller.
DROPPED = ("PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV_PROMPT", "__PYVENV_LAUNCHER__")


def variables(venv: str, environ: "Mapping[str, str]") -> dict[str, str]:
    """Return the environment variables of a command that runs in `venv`: `environ` with the venv active in it."""
    found = {name: value for name, value in environ.items() if name not in DROPPED}
    return found | paths.active(venv, found.get("PATH", os.defpath))


def acquire(
    start: str,
    *,
    selection: "warm.Selection | None" = None,
    timeout: float | None = None,
    label: str = "python",
    refresh: bool = False,
    cancelled: "Callable[[], bool]" = bool,
) -> "Environment":
    """Return the environment that `selection` describes, of the project around the folder `start`, with a lease on it.

    Where nothing changed since an earlier start, the index leads to the venv, and nothing else is imported. Else the
    protocol finds or builds it. Without `selection` the variables decide (`warm.select`). `timeout` bounds all waits,
    in seconds; by default `ROOST_TIMEOUT`, else 600. `label` is the command that others see while they wait. With
    `refresh` it is built again. A wait ends when `cancelled` returns True.

    Raises:
        UsageError: `start` is not a folder, `timeout` is not a number of seconds, or an option of `selection` is not
            valid for this project.
        RoostError: there is no such environment, it cannot be built, or the wait timed out or was cancelled.
    """
    selection = selection or warm.select()
    if not refresh and (found := find(start, selection)):
        return found
    from roost import protocol  # noqa: PLC0415 - not on a warm start
    from roost.console import waiting  # noqa: PLC0415 - not on a warm start

    request = protocol.Request(
        paths.real(start), selection, waiting.timeout(timeout), label, refresh, cancelled=cancelled
    )
    held = protocol.acquire(request)
    root, link = held.state.project.root, held.state.settings.link
    return Environment(selection.name, held.marker.venv, held.lease_descriptor, root, link, built=held.built)


def find(start: str, selection: warm.Selection) -> "Environment | None":
    """Return the environment where nothing changed since an earlier start, else None.

    Raises:
        UsageError: `start` is not a folder.
    """
    folder = paths.real(start)
    if not os.path.isdir(folder):  # the index of a folder above would be found
        from roost.errors import UsageError  # noqa: PLC0415 - not on a warm start

        raise UsageError(f"`{folder}` is not a folder: name one inside a project")
    found = warm.start(folder, selection.key)
    if found is None:
        return None
    index, descriptor = found
    return Environment(selection.name, index.venv, descriptor, index.project, index.link)


class Environment:
    """A leased virtual environment. It is not removed until `close()`.

    Made by `roost.acquire`. Usable as a context manager.
    """

    def __init__(
        self, name: str, venv: str, lease_descriptor: int, project: str, link: str | None, *, built: bool = False
    ) -> None:
        """Hold `venv` by the descriptor of a lease on it."""
        self.name = name
        """The environment's name, such as `default`."""
        self.venv = venv
        """The venv's folder, an absolute path, as text."""
        self.lease_descriptor = lease_descriptor
        """The descriptor with the shared flock. A process that inherits it keeps the venv."""
        self.project = project
        """The project's folder, an absolute path without links, as text."""
        self.link = link
        """The setting `link`."""
        self.built = built
        """Whether it was built by this call."""

    @property
    def path(self) -> "Path":
        """The venv's folder."""
        from pathlib import Path  # noqa: PLC0415 - not on a warm start

        return Path(self.venv)

    @property
    def bin(self) -> "Path":
        """The folder of its commands."""
        from pathlib import Path  # noqa: PLC0415 - not on a warm start

        return Path(paths.scripts(self.venv))

    @property
    def python(self) -> "Path":
        """Its interpreter."""
        from pathlib import Path  # noqa: PLC0415 - not on a warm start

        return Path(paths.python(self.venv))

    def variables(self) -> dict[str, str]:
        """Return this process's environment variables with the venv active in them."""
        return variables(self.venv, os.environ)

    def run(self, command: "Sequence[str]", **options: "Any") -> "subprocess.CompletedProcess[Any]":
        """Run `command` in the environment with `subprocess.run`, whose options it takes.

        The command inherits the lease: a process that it leaves running keeps the venv. A first word without a slash is
        looked up in the venv.

        Raises:
            UsageError: the environment was closed, or there is no command.
            CommandNotFoundError: the venv has no such command.
            OSError: the command, or its `cwd`, does not exist, or cannot be run.
            subprocess.CalledProcessError: with `check=True`, the command failed.
        """
        from roost.errors import CommandNotFoundError, UsageError  # noqa: PLC0415 - not on a warm start
        from roost.system import processes  # noqa: PLC0415

        if self.lease_descriptor < 0 or not command:
            raise UsageError(
                "there is no command to run" if not command else f"the environment `{self.name}` was closed"
            )
        program = command[0] if paths.is_path(command[0]) else paths.command(self.venv, command[0])
        if program is None:
            raise CommandNotFoundError(f"`{command[0]}` is not in the environment `{self.name}` (`{self.venv}`)")
        options.setdefault("env", self.variables())
        return processes.run_keeping(self.lease_descriptor, [program, *command[1:]], options)

    def make_current(self) -> bool:
        """Make the link `.roost/.venv/NAME` lead to this venv. Returns whether it led elsewhere before.

        Raises:
            RoostError: a link cannot be written.
        """
        from roost.store import links  # noqa: PLC0415 - most starts change no link

        before = links.target(self.project, self.name)
        try:
            warning = links.point(self.project, self.name, self.venv, self.link)
        except OSError as error:
            from roost.store.store import Store  # noqa: PLC0415 - only for the message

            raise Store(self.project).failure(error) from error
        if warning:
            from roost.console import messages  # noqa: PLC0415 - only for the message

            messages.warning(warning)
        return before != self.venv

    def close(self) -> None:
        """Release the lease. Further calls do nothing."""
        if self.lease_descriptor >= 0:
            os.close(self.lease_descriptor)
            self.lease_descriptor = -1

    def __enter__(self) -> "Self":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Return the name and the venv."""
        return f"<Environment {self.name!r} in {self.venv!r}>"
