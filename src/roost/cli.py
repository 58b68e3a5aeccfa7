"""The command line, but for the warm path of `roost run` (see `roost.launch`)."""

import importlib
import io
import sys
from typing import Any

import click

import roost
from roost import completion, launch, options, report
from roost.errors import UsageError

ROOST = """\b
To begin with, in a project:
  roost run pytest         in scripts and hooks also: roost-run pytest
  roost status

\b
Exit status: the command's own, or of roost's
  2 usage, 124 a wait ran out, 125 any other failure,
  126 found but not executable, 127 not in the environment

\b
Environment variables:
  ROOST_ENV                the environment  [default: default]
  ROOST_TIMEOUT            seconds that a wait may last  [default: 600]
  ROOST_DIR                a folder for what would lie in `.roost`
  ROOST_QUIET=1            as `--quiet`
  NO_COLOR, FORCE_COLOR    no colours; colours in a pipe, too"""
RUN = """\b
Examples:
  roost run pytest -q
  roost run --env docs -- sphinx-build docs _site
  roost run --external make test"""


class Commands(click.Group):
    """The commands, each imported when it is asked for; another word may be what somebody wants to run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all."""
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        if cmd_name in COMMANDS:
            module, name = COMMANDS[cmd_name]
            found = getattr(importlib.import_module(f"roost.{module}"), name)
            assert isinstance(found, click.Command)  # noqa: S101 - for mypy
            return found
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the words name.

        Raises:
            click.UsageError: there is no such command.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            message = f"{error.message} To run it in the environment: roost run {args[0]}"
            raise click.UsageError(message, ctx) from None


COMMANDS = {
    "sync": ("sync_command", "sync"),
    "clean": ("commands", "clean"),
    "key": ("commands", "key"),
    "status": ("reports", "status"),
    "why": ("reports", "why"),
    "log": ("reports", "log"),
    "doctor": ("reports", "doctor_"),
    "completion": ("completion", "completion"),
    "hook": ("hooks", "hook"),
    "nox": ("nox_cli", "nox"),
}


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=ROOST,
)
@click.version_option(roost.__version__, prog_name="roost")
@click.pass_context
def cli(context: click.Context) -> None:
    """One virtualenv for a project, shared safely by everything that fires at once."""
    context.color = report.coloured(sys.stdout)


@cli.command(
    short_help="Make sure of the environment, and run COMMAND in it.",
    epilog=RUN,
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@options.env
@click.option("--python", metavar="X", help="A Python, such as `3.13`.  [default: the project's]")
@options.project
@click.option("--directory", metavar="DIR", help="Go there first, as `cd` does.  [default: .]")
@click.option("--external", is_flag=True, help="Take the command from PATH where the environment lacks it.")
@options.quiet
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=completion.commands)
def run(env: str | None, command: tuple[str, ...], **options: Any) -> None:
    """Make sure of the environment, and run COMMAND in it.

    A command is looked up in the environment alone. One with a slash in it is a path.
    """
    told = launch.Launch(list(command))
    told.env = env or told.env
    for name, value in options.items():
        setattr(told, name, value)
    launch.run(told)


def main(words: list[str]) -> int:
    """Run the command that `words` name; return the exit status.

    Raises:
        RoostError: the command failed.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path, or what a file says, need not be text
    try:
        status = cli.main(words, prog_name="roost", standalone_mode=False)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        sys.stderr.write(report.printable(said.getvalue(), lines=True))
        return UsageError.status
    except click.Abort as error:  # click's word for what `error.__cause__` says exactly
        raise (error.__cause__ or KeyboardInterrupt()) from None
    return status if isinstance(status, int) else 0
