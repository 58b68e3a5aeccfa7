"""Messages, in kinds, on standard error; only results go to standard output.

On a terminal the last line can be a live line, which the next message replaces. A pipe, and a terminal that only
collects output (pre-commit gives its hooks one without a width), gets whole lines alone.

Names, paths and the output of other programs may contain control sequences. Every message passes through `printable`.
"""

import contextlib
import os
import sys
import unicodedata
from typing import TextIO

from roost.console import redact

_RED, _YELLOW, _BOLD, _DIM, _PLAIN = "\x1b[31;1m", "\x1b[33;1m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_REST = "\x1b[K"  # clears the rest of the line: another process may have a live line on the same terminal
_CLEAR = f"\r{_REST}"
_SPACES = "\t\xa0\u202f\u3000"  # `str.isprintable()` is False, and they are harmless


class _Terminal:
    """The live line that is shown."""

    live = ""


def _is_quiet() -> bool:
    """Return whether only warnings and errors are printed."""
    return os.environ.get("ROOST_QUIET", "0") not in ("", "0")


def coloured(stream: TextIO | None) -> bool:
    """Return whether `stream` takes colours: `NO_COLOR` first, then `FORCE_COLOR`, then whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (is_terminal(stream) and os.environ.get("TERM") != "dumb")


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether `stream` is an open terminal."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return stream is not None and stream.isatty()
    return False


def width() -> int:
    """Return the columns of the terminal that a live line can be shown on; 0 where none can."""
    if _is_quiet() or os.environ.get("TERM") == "dumb" or "PRE_COMMIT" in os.environ or not is_terminal(sys.stderr):
        return 0
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.get_terminal_size(sys.stderr.fileno()).columns
    return 0


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return `text` with control and bidirectional characters escaped, such as `\x1b`. With `lines`, newlines stay."""
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
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def live(text: str) -> None:
    """Show `text` as the terminal's last line until the next message; does nothing where there is no terminal."""
    columns = width()
    line = f"roost: {printable(redact.without_secrets(text))}" if columns else ""
    if columns and _cells(line) >= columns:  # one that wraps could not be cleared
        while line and _cells(line) > columns - 2:
            line = line[:-1]
        line = f"{line}…"
    if line and line != _Terminal.live:
        # The cursor returns to the margin, so that the output of other programs begins there.
        _write(f"{_CLEAR}{_DIM}{line}{_PLAIN}\r" if coloured(sys.stderr) else f"{_CLEAR}{line}\r")
        _Terminal.live = line


def clear() -> bool:
    """Remove the live line. Returns whether there was one."""
    if not _Terminal.live:
        return False
    _write(_CLEAR)
    _Terminal.live = ""
    return True


def _print(text: str, prefix: str, style: str, *, lines: bool = False) -> None:
    clear()
    mark = f"{style}{prefix}{_PLAIN}" if coloured(sys.stderr) else prefix
    shown = printable(redact.without_secrets(text), lines=lines)
    _write(f"{mark} {shown}{_REST if width() else ''}\n")


def step(text: str) -> None:
    """Print what is being done, such as a build or a wait."""
    if not _is_quiet():
        _print(text, "roost:", _BOLD)


def warning(text: str) -> None:
    """Print a warning."""
    _print(text, "roost: warning:", _YELLOW)


def error(text: str) -> None:
    """Print why nothing was run. Further lines, such as an installer's output, are indented."""
    first, *more = text.split("\n")
    _print("\n".join([first, *(f"  {line}" if line else "" for line in more)]), "roost:", _RED, lines=True)
