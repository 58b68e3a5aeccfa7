"""Information about processes: the only reader of `/proc`. Without `/proc`, as on macOS, there is little."""

import contextlib
import os
import sys
import time
from collections.abc import Collection
from typing import NamedTuple


class Process(NamedTuple):
    """A running process."""

    pid: int
    command: str
    """Its words, joined by spaces; empty where it cannot be read."""
    since: str
    """When it started, in ISO 8601, or empty."""


def iso(at: float) -> str:
    """Return a time, in seconds since 1970, in ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(at))


def _read(path: str, limit: int = 4096) -> bytes:
    try:
        with open(f"/proc/{path}", "rb") as file:
            return file.read(limit)
    except OSError:
        return b""


def _fields(pid: int) -> list[bytes]:
    """Return the fields of proc(5) `stat` after the program's name: state, parent, ...; empty where there are none."""
    return _read(f"{pid}/stat").rpartition(b")")[2].split()


def exists() -> bool:
    """Return whether there is a `/proc` to read."""
    return bool(_fields(os.getpid()))


def host() -> str:
    """Return the name of this machine."""
    return os.uname().nodename


def system() -> str:
    """Return the name and the release of the operating system."""
    return f"{os.uname().sysname} {os.uname().release}"


def state(pid: int) -> str:
    """Return the letter of proc(5) for the state of `pid`, or an empty string where there is no such process."""
    fields = _fields(pid)
    return fields[0].decode() if fields else ""


def place() -> str:
    """Return what distinguishes this view of the file system from others: the host's name, and the mount namespace."""
    try:
        namespace = os.readlink("/proc/self/ns/mnt")
    except OSError:
        namespace = ""
    return f"{host()} {namespace}"


def is_stopped(pid: int) -> bool:
    """Return whether `pid` is stopped (SIGSTOP, Ctrl-Z)."""
    return state(pid) in ("T", "t")


def is_running(pid: int) -> bool:
    """Return whether `pid` exists and has not ended."""
    return state(pid) not in ("", "Z", "X")


def parent(pid: int) -> int:
    """Return the parent of `pid`, or 0 where it is gone or hidden."""
    fields = _fields(pid)
    return int(fields[1]) if len(fields) > 1 else 0


def threads() -> int:
    """Return how many threads this process has, also those that Python does not know; 0 where that is hidden."""
    fields = _fields(os.getpid())
    return int(fields[17]) if len(fields) > 17 else 0


def pids() -> list[int]:
    """Return all processes that can be seen."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def pid_namespace() -> str:
    """Return the identity of the process-number namespace: pids of another one mean other processes."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return "-"


def mounts() -> list[list[str]]:
    """Return mount point, file system type and options of each mount."""
    text = _read("self/mounts", 1 << 20).decode(errors="replace")
    return [line.split()[1:4] for line in text.splitlines() if len(line.split()) > 3]


def describe(pid: int) -> Process:
    """Return the command and start time of `pid`, as far as they can be read."""
    command = " ".join(os.fsdecode(_read(f"{pid}/cmdline").replace(b"\0", b" ")).split())  # `-c` may hold many lines
    since = ""
    with contextlib.suppress(ValueError, IndexError):
        age = float(_read("uptime").split()[0]) - int(_fields(pid)[19]) / os.sysconf("SC_CLK_TCK")
        since = iso(time.time() - age)
    return Process(pid, command, since)


def holders(paths: Collection[str]) -> dict[str, list[int]]:
    """Return which other processes have each of `paths` open.

    Processes of other users cannot be read; root sees all.
    """
    found: dict[str, list[int]] = {path: [] for path in paths}
    own = os.getpid()
    for pid in pids():
        if pid == own:
            continue
        with contextlib.suppress(OSError):
            opened = {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
            for path in opened & found.keys():
                found[path].append(pid)
    return found


if sys.platform == "win32":
    from roost.system.windows_processes import (  # noqa: F401 - they replace those above
        describe,
        exists,
        holders,
        host,
        mounts,
        parent,
        pid_namespace,
        pids,
        state,
        system,
    )
