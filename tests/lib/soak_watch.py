"""The soak's look from outside: what `/proc` says of the sessions, and whether their venvs stay as they are."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.lib import integrity

OWN = "session-"
"""How the folders for the own venvs of nox sessions begin, whose leases are exclusive."""
FULL = 5  # every so many looks at a session each file of its venv is hashed


class Seen(NamedTuple):
    """Something that must not be, unless somebody broke it by hand."""

    at: float
    venv: str
    probe: str
    """Which session it was, by the name of the file that it writes; empty where it was none."""
    what: str


class Watcher:
    """Looks at every session's lease, and at its venv, again and again."""

    def __init__(self, store: Path, probe: Path) -> None:
        """Watch the sessions that run `probe` in venvs of `store`."""
        self.store = store
        self.probe = str(probe)
        self.looks = 0
        self.found: list[Seen] = []
        self._before: dict[tuple[int, str], dict[str, object]] = {}
        self._reported: set[tuple[int, str]] = set()
        self._counts: dict[tuple[int, str], int] = {}

    def report(self, what: str, venv: str = "", probe: str = "") -> None:
        """Note what must not be."""
        self.found.append(Seen(time.monotonic(), venv, probe, what))

    def look(self) -> None:
        """Look at all sessions once."""
        for pid, words in _processes():
            if words[1:2] == [self.probe] and len(words) > 2:
                self._look_at(pid, Path(words[2]).name)

    def _look_at(self, pid: int, probe: str) -> None:
        venv = _variable(pid, "VIRTUAL_ENV")
        key = (pid, probe)
        if not venv.startswith(f"{self.store}/") or key in self._reported:
            return
        self.looks += 1
        faults = self._faults(pid, key, venv)
        if faults and [Path(word).name for word in _words(pid)[2:3]] == [probe]:  # it still runs
            self._reported.add(key)
            self.report("; ".join(faults), venv, probe)

    def _faults(self, pid: int, key: tuple[int, str], venv: str) -> list[str]:
        inodes = {info.st_ino for info in _opened(pid, f"{venv}.lease")}
        inodes |= {info.st_ino for info in _opened(_parent(pid), f"{venv}.lease")}  # nox holds it for its children
        if not inodes:
            return ["runs without a lease"]
        kind = "WRITE" if Path(venv).parent.name.startswith(OWN) else "READ"
        if not any(inodes & _locked(kind) for _ in range(3)):  # a list that changes may be read with a gap
            return ["its lease is not locked"]
        try:
            now = _snapshot(Path(venv))
        except OSError as error:
            return [f"its venv is gone: {error}"]
        before = self._before.setdefault(key, now)
        changed = sorted(what for what in before.keys() | now.keys() if before.get(what) != now.get(what))
        found = [f"{what} was {before.get(what)} and is {now.get(what)}" for what in changed]
        self._counts[key] = count = self._counts.get(key, -1) + 1
        return found + (integrity.faults(Path(venv)) if count % FULL == 0 else [])

    def leases(self) -> list[int]:
        """Return the processes that have anything of the store open."""
        return [pid for pid, _ in _processes() if _links(pid, f"{self.store}/")]


def _processes() -> Iterator[tuple[int, list[str]]]:
    for name in os.listdir("/proc"):
        if name.isdigit() and (words := _words(int(name))):
            yield int(name), words


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def _variable(pid: int, name: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0"):
            if line.startswith(f"{name}="):
                return line.removeprefix(f"{name}=")
    return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _links(pid: int, start: str) -> dict[str, str]:
    """Return the descriptors of `pid` that lead to a path that starts with `start`, and where."""
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                link = os.readlink(f"/proc/{pid}/fd/{name}")
                if link.startswith(start):
                    found[f"/proc/{pid}/fd/{name}"] = link
    return found


def _opened(pid: int, path: str) -> list[os.stat_result]:
    """Return what `pid` has open at exactly `path`, which was not removed."""
    found = []
    for descriptor, link in _links(pid, path).items():
        with contextlib.suppress(OSError):
            if link == path:
                found.append(os.stat(descriptor))
    return found


def _locked(kind: str) -> set[int]:
    """Return the inodes with a flock of this kind: `READ` is shared, `WRITE` exclusive."""
    found = set()
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1:2] == ["FLOCK"] and fields[3] == kind:
            found.add(int(fields[5].rpartition(":")[2]))
    return found


def _snapshot(venv: Path) -> dict[str, object]:
    """Return what must not change while a session runs in `venv`; bytecode may come."""
    info = (venv / "pyvenv.cfg").stat()
    seen: dict[str, object] = {"inode": venv.stat().st_ino, "pyvenv.cfg": (info.st_ino, info.st_ctime_ns)}
    for folder in (venv / "bin", *venv.glob("lib/python*/site-packages")):
        seen[folder.name] = sorted({path.name for path in folder.iterdir()} - {"__pycache__"})
        for record in folder.glob("*.dist-info/RECORD"):
            info = record.stat()
            seen[record.parent.name] = (info.st_ino, info.st_mtime_ns)
    return seen
