"""Becoming a command: the warm path of `roost run` and `roost-run`, and the way into the core when it is not warm.

A warm start imports this, `roost.index`, `roost.locks` and `roost.environment`, and nothing else of weight.
"""

import os

from roost import environment, index
from roost.errors import CommandNotFoundError, NotExecutableError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

WITH_VALUE = ("--env", "--python", "--project", "--directory")


class Launch:
    """What `roost run` was told."""

    def __init__(self, command: list[str]) -> None:
        """Run `command` in the default environment of the project around the current folder."""
        self.command = command
        self.env = index.default_env()
        self.python: str | None = None
        self.project = "."
        self.directory: str | None = None
        self.external = False
        self.quiet = False


def parse(words: list[str]) -> Launch | None:
    """Return what the words after `roost run` say, or None where that needs explaining: `--help`, or an error."""
    launch = Launch([])
    rest = list(words)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if word == "--external":
            launch.external = True
        elif word in ("-q", "--quiet"):
            launch.quiet = True
        elif name in WITH_VALUE and (equals or rest):
            setattr(launch, name[2:], value if equals else rest.pop(0))
        else:
            return None
    launch.command = rest
    return launch if rest else None


def run(launch: Launch) -> "NoReturn":
    """Make sure of the environment, lease it, and become the command. Does not return.

    Raises:
        RoostError: nothing was run.
    """
    if launch.directory is not None:
        try:
            os.chdir(launch.directory)
        except OSError as error:
            message = f"`--directory {launch.directory}`: {error.strerror}"
            raise UsageError(message) from error
    if launch.project != "." and not os.path.isdir(launch.project):  # the index would answer for a folder above
        message = f"`{os.path.realpath(launch.project)}` is not a folder: name one inside a project"
        raise UsageError(message)
    start = os.path.realpath(launch.project)
    found = index.warm(start, index.key(launch.env, launch.python))
    if found:
        venv, lease = found[0].venv, found[1]
    else:
        venv, lease = _acquire(launch, start)
    variables = environment.variables(venv, os.environ)
    program = _find(launch, venv, variables)
    os.set_inheritable(lease, True)  # noqa: FBT003 - it has no name
    _become(program, launch.command, variables)


def _acquire(launch: Launch, start: str) -> tuple[str, int]:
    from roost import protocol, report, waiting  # noqa: PLC0415 - not on a warm start

    if launch.quiet:
        report.be_quiet()
    label = f"roost run {launch.command[0]}"
    timeout = waiting.timeout(os.environ)
    held = protocol.acquire(protocol.Request(start, launch.env, launch.python, timeout, label))
    return held.venv, held.lease


def _find(launch: Launch, venv: str, variables: dict[str, str]) -> str:
    """Return the absolute path of the command: in the venv, or as the path that was given; never from PATH."""
    name = launch.command[0]
    if "/" in name:
        if os.path.exists(name):
            return os.path.abspath(name)
        message = f"there is no `{name}` in `{os.getcwd()}`"
        raise CommandNotFoundError(message)
    program = f"{venv}/bin/{name}"
    if name and os.path.isfile(program):
        return program
    from roost import absent  # noqa: PLC0415 - not on a warm start

    elsewhere = absent.on_path(name, variables["PATH"])
    if launch.external and elsewhere:
        return elsewhere
    raise CommandNotFoundError(absent.explain(name, launch.env, launch.project, venv, elsewhere))


def _become(program: str, command: list[str], variables: dict[str, str]) -> "NoReturn":
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415 - `signal` imports `enum`

    # Python ignores these two, and exec would pass that on: `roost run yes | head` would not end quietly.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    try:
        os.execve(program, command, variables)  # noqa: S606 - to become it is the point
    except FileNotFoundError as error:
        message = f"`{program}` cannot be run: the interpreter in its first line is not there"
        if "\n" in program or "\t" in program:
            message = f"`{program}` cannot be run: a first line holds no path with a newline or tab, rename the folder"
        raise NotExecutableError(message) from error
    except OSError as error:
        message = f"`{program}` cannot be run: {error.strerror}"
        raise NotExecutableError(message) from error
    raise AssertionError(program)
