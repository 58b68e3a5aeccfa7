"""What a command asks of the kernel, by `strace`: for tests that count, since counts are the same on a busy machine."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lib.processes import run

_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Call(NamedTuple):
    """One system call."""

    name: str
    texts: list[str]
    """What was given as text: a path, then a command's words."""
    arguments: str
    result: str

    @property
    def path(self) -> str:
        """The path that it is about."""
        return self.texts[0] if self.texts else ""

    def opens(self) -> bool:
        """Return whether it opened something."""
        return self.name in ("open", "openat") and self.result.isdigit()

    def becomes(self) -> bool:
        """Return whether it became another program."""
        return self.name == "execve" and self.result == "0"


def trace(command: Sequence[str | Path], folder: Path, kinds: str = "%file") -> list[list[Call]]:
    """Run `command` in `folder`; return the calls of each process that it was, in the order of their numbers."""
    if shutil.which("strace") is None:
        pytest.skip("`strace` is not installed")
    if run(["strace", "-qq", "-o", "/dev/null", "true"]).returncode != 0:
        pytest.skip("`strace` may not trace here")
    notes = folder.parent / "traced"
    notes.mkdir()
    got = run(["strace", "-ff", "-qq", "-s", "4096", "-o", notes / "of", "-e", f"trace={kinds}", *command], cwd=folder)
    assert got.returncode == 0, got.stderr
    found = [_parse(path) for path in sorted(notes.iterdir(), key=lambda path: int(path.suffix[1:]))]
    shutil.rmtree(notes)
    return found


def _parse(path: Path) -> list[Call]:
    found = (_CALL.match(line) for line in path.read_text(errors="replace").splitlines())
    return [Call(match[1], _TEXT.findall(match[2]), match[2], match[3]) for match in found if match]


def before_command(calls: Sequence[Call]) -> list[Call]:
    """Return what a process did before it became its command."""
    last = max(number for number, call in enumerate(calls) if call.becomes())
    return list(calls[: last + 1])
