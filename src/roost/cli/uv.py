"""`roost uv`: the uv that was installed along with roost, for users who have none on PATH."""

import os
import sys

import click

from roost import cli
from roost.errors import RoostError
from roost.system import locks, processes


@click.command(
    short_help="Run the uv that was installed with roost.",
    epilog="""\b
Examples:
  roost uv lock
  roost uv add --dev mypy""",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def uv(words: tuple[str, ...]) -> None:
    """Run uv with WORDS, if uv is not on PATH, as after `pipx install roost`."""
    program = processes.find_uv()
    sys.stdout.flush()
    cli.restore_signals()
    try:
        locks.become(program, ["uv", *words], dict(os.environ))
    except OSError as error:
        raise RoostError(f"`{program}` cannot be run: {error.strerror}") from error
