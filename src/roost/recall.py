"""A start in a state that was seen before: what a warm start falls back on where the index does not hold any more.

After a branch switch, a stash, or an editor that saved what was there already, the inputs hold what they held at some
earlier start, with other time stamps. So their bytes are compared, by hashes, and nothing is parsed: the same bytes
mean the same state. For each state a file keeps these, `KEY:FINGERPRINT` beside the index called `KEY`. It is that
index, with one more paragraph::

    5891b5b522d5df08... /home/me/project/pyproject.toml
    <tab>

What no hash is kept of must be as it was, as for every warm start: the marker, the venv's folders, the interpreter, the
folders of globs, and whatever was absent. Where anything does not fit, the long way finds out why.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping
from typing import NamedTuple

from roost import index
from roost.index import ABSENT, BREAK, Index


class Content(NamedTuple):
    """What a file is and holds."""

    signature: str
    digest: str
    ctime: int
    """In nanoseconds."""


def write(path: str, text: str, contents: Mapping[str, bytes], youngest: int) -> None:
    """Write to `path` the index `text` with the hashes of what the inputs hold.

    Raises:
        OSError: the folder is gone, full or read-only.
    """
    lines = [f"{hashlib.sha256(content).hexdigest()} {name}" for name, content in contents.items()]
    index.write(path, text + "\n".join([*lines, BREAK, ""]), youngest)


def warm(project: str, nearest: str, name: str) -> tuple[Index, int] | None:
    """Return the index of an earlier state that is the present one, and the descriptor of a lease on its venv, or None.

    `nearest` is the member of `project` that it is asked for, and `name` what the index is called.
    """
    folder = f"{index.folder(project)}/v1/index"
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # removed meanwhile
        return None
    looked: dict[str, Content | None] = {}
    for one in names:
        past = index.load(project, one) if one.startswith(f"{name}:") else None
        if past is None or nearest not in (project, *past.members):
            continue
        youngest = _renew(past, looked)
        if youngest is not None and (lease := index.lease(past)) is not None:
            with contextlib.suppress(OSError):  # a read-only checkout
                index.write(f"{folder}/{name}", past.text(), youngest)
            return past, lease
    return None


def _renew(past: Index, looked: dict[str, Content | None]) -> int | None:
    """Let `past` expect what is there now, where that holds what it held then; return the latest ctime, else None."""
    digests = {path: digest for digest, _, path in (line.partition(" ") for line in past.contents)}
    before = {path: sign for sign, path in (_parted(line) for line in past.expected.split("\n"))}
    now: list[str] = []
    youngest = 0
    for path in past.paths:
        sign = index.signature(path)
        if sign != before.get(path, ABSENT):
            if path not in digests:
                return None
            if path not in looked:
                looked[path] = _look(path)
            content = looked[path]
            if content is None or content.digest != digests[path]:
                return None
            sign, youngest = content.signature, max(youngest, content.ctime)
        if sign != ABSENT:
            now.append(f"{sign} {path}")
    past.expected = "\n".join(now)
    return youngest


def _parted(line: str) -> tuple[str, str]:
    words = line.split(" ", 4)
    return " ".join(words[:4]), words[-1]


def _look(path: str) -> Content | None:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode) or info.st_size > index.INPUT_LIMIT:
                return None
            return Content(index.describe(info), hashlib.sha256(file.read()).hexdigest(), info.st_ctime_ns)
    except OSError:
        return None
