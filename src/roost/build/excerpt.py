"""The output of an installer that failed: the lines that are shown, and the file that keeps all of it."""

import contextlib
import re
from itertools import pairwise

from roost.store import venvs
from roost.system import files

LIMIT = 25  # lines; longer output is cut
_CAUSES, _END = 12, 8  # lines that are shown of longer output
_CAUSE = re.compile(
    r"\b(?:\w*error|errors|failed|fatal|cannot|could not|did not|unable|not found|no such|refused|denied)\b",
    re.IGNORECASE,
)
_FRAME = re.compile(r'\bline \d+, in |^\W*(?:File "|raise )|^[\s→>]*\d+[│|]')  # of a traceback; Poetry prints sources


def main_line(text: str) -> str:
    """Return the first line of `text` that names an error, else the first one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = list(filter(_is_cause, lines)) or lines
    return next((line for line in causes if re.search(r"error\b", line, re.IGNORECASE)), causes[0])


def shorten(text: str, venv: venvs.Venv) -> str:
    """Return `text`, or of a long text the lines that mention an error, the last lines, and the file with all of it."""
    lines = text.splitlines()
    if len(lines) <= LIMIT:
        return text
    first: dict[str, int] = {}
    for number, line in enumerate(lines):
        if _is_cause(line):
            first.setdefault(line.strip(), number)
    shown = sorted({*list(first.values())[:_CAUSES], *range(len(lines) - _END, len(lines))})
    parts: list[str] = []
    for before, number in pairwise([-1, *shown]):
        parts += ["…"] if number > before + 1 else []
        parts.append(lines[number])
    with contextlib.suppress(OSError):  # such as a full disk: then all of it is shown
        files.write(venv.log_file, f"{text}\n")
        return "\n".join([*parts, f"all {len(lines)} lines of the output are in `{venv.log_file}`"])
    return text


def _is_cause(line: str) -> bool:
    return bool(_CAUSE.search(line)) and not _FRAME.search(line)
