"""Who has a lock or lease file open, as the kernel tells (Linux; elsewhere nobody can be named)."""

import contextlib
import os
import time
from collections.abc import Collection
from typing import NamedTuple

from roost import process, redact, report


class User(NamedTuple):
    """A process that holds a venv's lease."""

    pid: int
    command: str
    since: str
    """When it started, in ISO 8601, or empty."""


def find(paths: Collection[str]) -> dict[str, list[User]]:
    """Return who has each of `paths` open, without those whose parent has it too: a session, not all its children.

    Processes of other users cannot be looked into; root sees all.
    """
    found: dict[str, list[int]] = {path: [] for path in paths}
    for pid in _pids():
        with contextlib.suppress(OSError):
            for path in {
                os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")
            } & found.keys():
                found[path].append(pid)
    return {path: [_user(pid) for pid in sorted(_outermost(pids))] for path, pids in found.items()}


def _pids() -> list[int]:
    try:
        own = os.getpid()
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]
    except OSError:
        return []


def _outermost(pids: list[int]) -> list[int]:
    return [pid for pid in pids if not set(process.ancestors(pid)) & set(pids)]


def _user(pid: int) -> User:
    command = since = ""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = " ".join(os.fsdecode(file.read(4096).replace(b"\0", b" ")).split())  # a `-c` may be many lines
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/uptime") as file:
            age = float(file.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
        since = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(time.time() - age))
    return User(pid, report.printable(redact.without_secrets(command)), since)
