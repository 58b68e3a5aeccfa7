"""Results on standard output: for people, and for programs."""

import json
import os
import shutil
import sys
import textwrap
from typing import Any

import click

from roost.console.messages import is_terminal, printable

VERSION = 1  # of the objects with `--json`; a field that is removed or changes its meaning raises it


def result(text: str, indent: int = 0, *, word: str = "", colour: str | None = None, before: str = "") -> None:
    """Print `before`, `word` in its colour, and `text`: a line in a pipe, on a terminal wrapped with an indent."""
    before, text = printable(before), printable(text)
    if is_terminal(sys.stdout):
        columns = max(shutil.get_terminal_size().columns, 40)
        begin = "." * len(before + word)  # spaces at the beginning would be dropped
        wrapped = textwrap.wrap(
            begin + text, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
        )
        text = "\n".join(wrapped)[len(begin) :]
    click.echo(f"{before}{click.style(word, fg=colour) if word else ''}{text}")


def value(text: str) -> None:
    """Print `text` for programs: unchanged, except on a terminal."""
    click.echo(printable(text) if is_terminal(sys.stdout) else os.fsencode(text))


def as_json(**fields: Any) -> None:
    """Print the object of `--json`: its version, and `fields`."""
    click.echo(json.dumps({"version": VERSION, **fields}, indent=2))


def mib(count: int) -> str:
    """Return a number of bytes in MiB, for people."""
    return f"{count / 2**20:.1f} MiB"


def time(at: str) -> str:
    """Return a time in ISO 8601 to the second, for people."""
    return at[:19].replace("T", " ")
