"""What roost says, in kinds, on standard error; results alone go to standard output.

On a terminal the last line can be a live one, which the next thing said replaces. A pipe, and a terminal that only
collects output (pre-commit gives its hooks one without a width), gets whole lines alone.

Names, paths and other programs' words may hold what steers a terminal. All that is said passes `printable` here.
"""

import contextlib
import os
import sys

from roost import redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_RED, _YELLOW, _BOLD, _DIM, _PLAIN = "\x1b[31;1m", "\x1b[33;1m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_REST = "\x1b[K"  # clears the rest of the line: another roost's live line may stand on the same terminal
_CLEAR = f"\r{_REST}"


_SPACES = "\t\xa0\u202f\u3000"  # not printable by Python's book, and harmless


class _Voice:
    """What is on the terminal, and whether anything may be."""

    quiet = os.environ.get("ROOST_QUIET", "0") not in ("", "0")
    live = ""


def be_quiet() -> None:
    """Say nothing from here on but warnings and errors."""
    _Voice.quiet = True


def coloured(stream: "TextIO | None") -> bool:
    """Return whether `stream` takes colours: `NO_COLOR` first, then `FORCE_COLOR`, then whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (_is_terminal(stream) and os.environ.get("TERM") != "dumb")


def _is_terminal(stream: "TextIO | None") -> bool:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return stream is not None and stream.isatty()
    return False


def width() -> int:
    """Return the columns of the terminal that a live line can be shown on; 0 where none can."""
    if _Voice.quiet or os.environ.get("TERM") == "dumb" or "PRE_COMMIT" in os.environ or not _is_terminal(sys.stderr):
        return 0
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.get_terminal_size(sys.stderr.fileno()).columns
    return 0


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return `text` with what a terminal would obey, or a reader could not see, as `\x1b` and the like.

    That is every control character and all that changes the direction of writing. With `lines`, newlines stay.
    """
    if text.isprintable():
        return text
    kept = f"{_SPACES}\n" if lines else _SPACES
    return "".join(
        char if char.isprintable() or char in kept else char.encode("unicode_escape").decode() for char in text
    )


def _write(text: str) -> None:
    # A closed or full standard error must not turn a good start into a failure.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _cells(text: str) -> int:
    """Return how many columns `text` takes: Chinese, Japanese, Korean characters and emoji take two each."""
    if text.isascii():
        return len(text)
    import unicodedata  # noqa: PLC0415 - most lines need none of it

    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def live(text: str) -> None:
    """Show `text` as the terminal's last line until something else is said; nothing where there is no terminal."""
    columns = width()
    line = f"roost: {printable(redact.without_secrets(text))}" if columns else ""
    if columns and _cells(line) >= columns:  # one that wraps could not be cleared
        while line and _cells(line) > columns - 2:
            line = line[:-1]
        line = f"{line}…"
    if line and line != _Voice.live:
        # Back to the margin, so that whatever others write begins there and not at our end.
        _write(f"{_CLEAR}{_DIM}{line}{_PLAIN}\r" if coloured(sys.stderr) else f"{_CLEAR}{line}\r")
        _Voice.live = line


def clear() -> bool:
    """Take the live line away; return whether there was one."""
    if not _Voice.live:
        return False
    _write(_CLEAR)
    _Voice.live = ""
    return True


def _say(text: str, prefix: str, style: str, *, lines: bool = False) -> None:
    clear()
    mark = f"{style}{prefix}{_PLAIN}" if coloured(sys.stderr) else prefix
    said = printable(redact.without_secrets(text), lines=lines)
    _write(f"{mark} {said}{_REST if width() else ''}\n")


def step(text: str) -> None:
    """Say what is being done, such as a build."""
    if not _Voice.quiet:
        _say(text, "roost:", _BOLD)


def wait(text: str) -> None:
    """Say what is waited for, and who holds it."""
    step(text)


def warning(text: str) -> None:
    """Say what is odd, but does not stop anything."""
    _say(text, "roost: warning:", _YELLOW)


def error(text: str) -> None:
    """Say why nothing was run. What an installer printed may follow, indented: none of its lines can pass for ours."""
    first, *more = text.split("\n")
    _say("\n".join([first, *(f"  {line}" if line else "" for line in more)]), "roost:", _RED, lines=True)


def result(text: str, indent: int = 0, *, word: str = "", colour: str | None = None, before: str = "") -> None:
    """Print `before`, `word` in its colour, and `text`: a line in a pipe, on a terminal wrapped with an indent."""
    import shutil  # noqa: PLC0415 - a warm start prints no results
    import textwrap  # noqa: PLC0415

    import click  # noqa: PLC0415

    before, text = printable(before), printable(text)
    if _is_terminal(sys.stdout):
        columns = max(shutil.get_terminal_size().columns, 40)
        begin = "." * len(before + word)  # spaces at the beginning would be dropped
        wrapped = textwrap.wrap(
            begin + text, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
        )
        text = "\n".join(wrapped)[len(begin) :]
    click.echo(f"{before}{click.style(word, fg=colour) if word else ''}{text}")


def value(text: str) -> None:
    """Print `text` for programs: exactly as it is, but on a terminal."""
    import click  # noqa: PLC0415 - see `result`

    click.echo(printable(text) if _is_terminal(sys.stdout) else os.fsencode(text))
