"""The commands as click knows them, each imported when it is used."""

import importlib
import io
import sys
from typing import Any

import click

import roost
from roost.cli import completion, options
from roost.cli import run as run_command
from roost.console import messages
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
  ROOST_GROUPS             more groups, as with `--group`
  ROOST_EXTRAS             more extras, as with `--extra`
  ROOST_TIMEOUT            bound on waits, in seconds  [default: 600]
  ROOST_DIR                a folder to use instead of `.roost`
  ROOST_QUIET=1            same as `--quiet`
  NO_COLOR, FORCE_COLOR    no colours; colours also in a pipe"""

# Each is the function of this name in the module of this name.
COMMANDS = ("sync", "clean", "key", "status", "why", "log", "doctor", "completion", "hook", "init", "nox", "uv")
SELECTING = ("run", "sync", "status", "why", "key")
# Options that people know from `python`, `uv run` and `uv sync`, and what to type instead.
INSTEAD = {
    "-m": "`roost run python -m MODULE`",
    "-p": "`--python X`",
    "--with": "`{uv} add --dev PACKAGE` adds a package to the environment",
    "--dev": "`--group dev`",
    "--no-dev": "`--no-group dev`",
    "--only-dev": "`--only-group dev`",
    "--all-groups": "name each group with `--group`",
    "--no-default-groups": "name each group with `--no-group`",
    "--no-extra": "name each extra that you need with `--extra`",
    "--all-packages": "all members are installed unless `--package` names one",
    "--locked": "a lock file is never changed, and out of date it is an error unless `--frozen` is given",
}


class Commands(click.Group):
    """The commands, each imported when it is used. An unknown word may be a command to run in the environment."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all."""
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        if cmd_name in COMMANDS:
            command: click.Command = getattr(importlib.import_module(f"roost.cli.{cmd_name}"), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that `args` name.

        Raises:
            click.UsageError: there is no such command.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message} To run it in the environment: roost run {args[0]}", ctx) from None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=ROOST,
)
@click.version_option(roost.__version__, prog_name="roost")
@click.pass_context
def cli(context: click.Context) -> None:
    """One virtualenv for a project, shared safely by every hook, session and shell."""
    context.color = messages.coloured(sys.stdout)


@cli.command(
    short_help="Run COMMAND in the environment.",
    epilog="""\b
Examples:
  roost run pytest -q
  roost run --env docs -- sphinx-build docs _site
  roost run --group docs -- sphinx-build docs _site
  roost run --external make test""",
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@options.selection
@options.python
@options.project
@click.option("--directory", metavar="DIR", help="Change to this folder first.  [default: .]")
@click.option("--external", is_flag=True, help="Take the command from PATH if the environment lacks it.")
@options.no_cache
@options.quiet
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=completion.commands)
def run(selected: dict[str, Any], command: tuple[str, ...], **others: Any) -> None:
    """Run COMMAND in the environment, which is built first where needed.

    A command is looked up in the environment only. A command with a slash is a path.
    """
    arguments = run_command.Arguments(list(command))
    arguments.selected = selected
    for name, value in others.items():
        setattr(arguments, name, value)
    run_command.start(arguments)


def main(words: list[str]) -> int:
    """Run the command that `words` name. Returns the exit status.

    Raises:
        RoostError: the command failed.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path need not be valid text
    try:
        status = cli.main(words, prog_name="roost", standalone_mode=False)
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption) and words[0] in SELECTING and error.option_name in INSTEAD:
            from roost.system import processes  # noqa: PLC0415 - a warm `roost sync` imports this module

            cure = INSTEAD[error.option_name].format(uv=processes.uv_to_type())
            raise UsageError(f"`roost {words[0]}` has no `{error.option_name}`: {cure}") from error
        text = io.StringIO()
        error.show(text)
        sys.stderr.write(messages.printable(text.getvalue(), lines=True))
        return UsageError.status
    except click.Abort as error:  # its cause is the KeyboardInterrupt or EOFError
        raise (error.__cause__ or KeyboardInterrupt()) from None
    return status if isinstance(status, int) else 0
