"""The environment as a session has it: where its venv is, the lease on it, and what a command gets to see."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # a warm start imports none of these
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Self

# Of the caller's: PYTHONHOME points a venv's Python at another library, UV_PROJECT_ENVIRONMENT would let a test suite
# that runs `uv sync` in some other project strip the shared venv, and a prompt names the venv it came from.
_DROPPED = ("PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV_PROMPT", "__PYVENV_LAUNCHER__")


def variables(venv: str, environ: "Mapping[str, str]") -> dict[str, str]:
    """Return the environment variables that a command run in `venv` gets: `environ` with the venv active in it."""
    found = {name: value for name, value in environ.items() if name not in _DROPPED}
    found["VIRTUAL_ENV"] = venv
    inherited = found.get("PATH", os.defpath)
    found["PATH"] = f"{venv}/bin{os.pathsep}{inherited}" if inherited else f"{venv}/bin"
    return found


class Environment:
    """A venv that is whole, and stays as it is for as long as this is open.

    Made by `roost.acquire`. Usable as a context manager; `close` lets go of the lease.
    """

    def __init__(self, name: str, venv: str, lease: int) -> None:
        """Hold `venv` by the descriptor `lease`."""
        self.name = name
        """The environment's name, such as `default`."""
        self.venv = venv
        """The venv's folder, an absolute path, as text."""
        self.lease = lease
        """The descriptor with the shared flock. What inherits it keeps the venv."""

    @property
    def path(self) -> "Path":
        """The venv's folder."""
        from pathlib import Path  # noqa: PLC0415 - not on a warm start

        return Path(self.venv)

    @property
    def bin(self) -> "Path":
        """The folder of its commands."""
        return self.path / "bin"

    @property
    def python(self) -> "Path":
        """Its interpreter."""
        return self.bin / "python"

    def variables(self) -> dict[str, str]:
        """Return this process's environment variables with the venv active in them."""
        return variables(self.venv, os.environ)

    def run(self, command: "Sequence[str]", **options: "Any") -> "subprocess.CompletedProcess[Any]":
        """Run `command` in the environment with `subprocess.run`, whose options it takes.

        The lease is inherited: what the command leaves running keeps the venv. A first word without a slash is looked
        up in the venv.

        Raises:
            UsageError: the environment was closed, or there is no command.
            CommandNotFoundError: the venv has no such command.
            OSError: the command, or its `cwd`, is a path that leads nowhere, or cannot be run.
            subprocess.CalledProcessError: with `check=True`, the command failed.
        """
        import subprocess  # noqa: PLC0415 - not on a warm start

        from roost.errors import CommandNotFoundError, UsageError  # noqa: PLC0415 - not on a warm start

        if self.lease < 0 or not command:
            message = "there is no command to run" if not command else f"the environment `{self.name}` was closed"
            raise UsageError(message)
        program = command[0]
        if "/" not in program:  # a path is for `subprocess` to follow, from `cwd` on
            program = f"{self.venv}/bin/{program}"
            if not os.path.isfile(program):
                message = f"`{command[0]}` is not in the environment `{self.name}` (`{self.venv}`)"
                raise CommandNotFoundError(message)
        options.setdefault("env", self.variables())
        keep = (*options.pop("pass_fds", ()), self.lease)
        return subprocess.run([program, *command[1:]], pass_fds=keep, **options)  # noqa: PLW1510 - the caller says

    def close(self) -> None:
        """Let go of the venv. Twice is once."""
        if self.lease >= 0:
            os.close(self.lease)
            self.lease = -1

    def __enter__(self) -> "Self":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Return the name and the venv."""
        return f"<Environment {self.name!r} in {self.venv!r}>"
