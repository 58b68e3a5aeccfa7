"""A terminal for tests: a real pty of 80 columns, what came out of it, and what a person would see in the end."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.lib.processes import PATIENCE

COLUMNS = 80
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_PIECE = re.compile(r"\r|\n|\x1b\[K|[^\r\n\x1b]+|\x1b")


def in_terminal(
    command: Sequence[str | Path],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    *,
    columns: int = COLUMNS,
    react: Callable[[str], str | None] | None = None,
) -> tuple[int, str]:
    """Run `command` on a terminal; return its status and all that it wrote, with every control sequence.

    `react` is called with what came so far, each time that something came; what it returns is typed.
    """
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env=dict(os.environ | {"TERM": "xterm-256color"} if env is None else env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    raw = bytearray()
    end = time.monotonic() + PATIENCE
    try:
        while True:
            assert time.monotonic() < end, f"waited in vain for the end of {command}, which wrote {raw!r}"
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                came = os.read(ours, 65536)
            except OSError:  # EIO: the last one closed its end
                break
            if not came:
                break
            raw += came
            typed = react(raw.decode(errors="replace")) if react else None
            if typed:
                os.write(ours, typed.encode())
        return child.wait(PATIENCE), raw.decode()
    finally:
        os.close(ours)
        child.kill()
        child.wait()


def controlling(command: Sequence[str | Path]) -> list[str | Path]:
    """Return a command for `in_terminal` that first makes the terminal its controlling one, `/dev/tty`."""
    return ["sh", "-c", ': <>/proc/self/fd/0; exec "$@"', "sh", *command]


def plain(raw: str) -> str:
    """Return `raw` without colours."""
    return _STYLE.sub("", raw)


def screen(raw: str) -> list[str]:
    """Return the lines that stand there in the end, without colours; none is ever wider than the terminal here."""
    lines, column = [""], 0
    for piece in _PIECE.findall(plain(raw)):
        if piece == "\n":
            lines.append("")
        elif piece == "\r":
            column = 0
        elif piece == "\x1b[K":
            lines[-1] = lines[-1][:column]
        else:
            lines[-1] = f"{lines[-1][:column]:{column}}{piece}{lines[-1][column + len(piece) :]}"
            column += len(piece)
    return lines[:-1] if lines[-1] == "" else lines
