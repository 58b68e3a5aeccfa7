"""`roost run`: get the environment, and become the command. Its arguments are parsed here, without click.

A warm start imports this, `roost.environment`, `roost.warm` and parts of `roost.system`, and nothing else.
"""

import os

from roost import cli, environment, warm
from roost.errors import CommandNotFoundError, NotExecutableError, UsageError
from roost.system import locks, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

WITH_VALUE = ("--project", "--directory")
_VARIABLES = {"-q": "ROOST_QUIET", "--quiet": "ROOST_QUIET", "--no-cache": "ROOST_NO_CACHE"}


class Arguments:
    """Parsed arguments of `roost run`."""

    def __init__(self, command: list[str]) -> None:
        """Run `command` in the default environment of the project around the current folder."""
        self.command = command
        self.selected: dict[str, Any] = {}
        """The options of `warm.select`."""
        self.project = "."
        self.directory: str | None = None
        self.external = False
        self.variables: dict[str, str] = {}
        """Environment variables that options set for this start, not for the command."""


def hook_words(words: list[str]) -> list[str]:
    """Return the words after `roost run` for those of a ready-made hook: TOOL [OPTION... --] ARGUMENT...

    The tool is in the manifest, and the rest in `args`, so options of roost come after the tool.
    """
    first = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    end = words.index("--") if "--" in words else 0
    name = words[first].partition("=")[0] if first < end else ""
    if name not in (*WITH_VALUE, *warm.OPTIONS, *warm.SWITCHES):
        return words
    return [*words[first:end], "--", *words[:first], *words[end + 1 :]]


def parse(words: list[str]) -> Arguments | None:
    """Parse the words after `roost run`. Returns None for `--help` and for errors, which click explains."""
    arguments = Arguments([])
    rest = list(words)
    while rest and rest[0].startswith("-"):
        if warm.take_option(arguments.selected, rest):
            continue
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if word == "--external":
            arguments.external = True
        elif word in _VARIABLES:
            arguments.variables[_VARIABLES[word]] = "1"
        elif name in WITH_VALUE and (equals or rest):
            setattr(arguments, name[2:], value if equals else rest.pop(0))
        else:
            return None
    arguments.command = rest
    return arguments if rest else None


def start(arguments: Arguments) -> "NoReturn":
    """Get the environment, lease it, and become the command. Does not return.

    Raises:
        RoostError: nothing was run.
    """
    if arguments.directory is not None:
        try:
            os.chdir(arguments.directory)
        except OSError as error:
            raise UsageError(f"`--directory {arguments.directory}`: {error.strerror}") from error
    selection = warm.select(**arguments.selected)
    environ = dict(os.environ)  # the command's
    os.environ.update(arguments.variables)
    found = environment.acquire(arguments.project, selection=selection, label=f"roost run {arguments.command[0]}")
    variables = environment.variables(found.venv, environ)
    program = _find(arguments, selection, found.venv, variables)
    _become(program, arguments.command, variables, found.lease_descriptor)


def _find(arguments: Arguments, selection: warm.Selection, venv: str, variables: dict[str, str]) -> str:
    """Return the absolute path of the command, in the venv or where the given path leads; never from PATH."""
    name = arguments.command[0]
    if paths.is_path(name):
        if os.path.exists(name):
            return paths.absolute(name)
        raise CommandNotFoundError(f"there is no `{name}` in `{os.getcwd()}`")
    if program := paths.command(venv, name):
        return program
    from roost import missing_command  # noqa: PLC0415 - not on a warm start

    elsewhere = missing_command.find_on_path(name, variables["PATH"])
    if arguments.external and elsewhere:
        return elsewhere
    text = missing_command.explain(arguments.command, selection, arguments.project)
    raise CommandNotFoundError(f"{text}; `--external` would run `{elsewhere}`" if elsewhere else text)


def _become(program: str, command: list[str], variables: dict[str, str], lease: int) -> "NoReturn":
    cli.restore_signals()
    try:
        locks.become(program, command, variables, lease)
    except FileNotFoundError as error:
        message = f"`{program}` cannot be run: the interpreter in its first line does not exist"
        if "\n" in program or "\t" in program:
            message = f"`{program}` cannot be run: its first line cannot hold a newline or tab; rename the folder"
        raise NotExecutableError(message) from error
    except OSError as error:
        raise NotExecutableError(f"`{program}` cannot be run: {error.strerror}") from error
