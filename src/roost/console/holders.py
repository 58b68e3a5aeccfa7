"""Who holds a lock or a lease, in words. It decides one thing only: a build inside a build is refused at once."""

import os
import time
from collections.abc import Collection

from roost.console import messages, redact
from roost.system import locks, proc, processes
from roost.system.proc import Process

COMMAND_LIMIT = 160  # characters of a quoted command; uv starts its build backends with a whole script


def record(label: str) -> str:
    """Return the record of this process for a lock file or an attempt's lease file, as lines of text."""
    return (
        f"pid {os.getpid()}\nhost {proc.host()}\nnamespace {proc.pid_namespace()}\n"
        f"command {' '.join(label.split())}\nsince {proc.iso(time.time())}\n"
    )


class Holder:
    """The process that a lock file names as its holder."""

    def __init__(self, path: str) -> None:
        """Read the record in `path`; one that is missing or incomplete leaves the fields empty."""
        lines = messages.printable(locks.read_record(path), lines=True).split("\n")
        fields = dict(line.split(" ", 1) for line in lines if " " in line)
        self.pid = int(fields["pid"]) if fields.get("pid", "").isdecimal() else 0
        self.command = fields.get("command", "")
        self.since = fields.get("since", "")
        self.host = fields.get("host", "")
        self.is_local = self.host == proc.host() and fields.get("namespace") == proc.pid_namespace()
        """Whether its pid means a process that can be seen here."""

    def __str__(self) -> str:
        """Return it in words."""
        if not self.pid:
            return "an unidentified process"
        if self.is_local:
            return _words(self.pid, self.command, self.since)
        place = f"on `{self.host}`" if self.host != proc.host() else "in a container"
        return f"pid {self.pid} {place} (`{self.command}`) since {self.since[11:19]}"


def of_lock(path: str) -> str:
    """Return the holder of the lock file `path`, in words."""
    return str(Holder(path))


def of_lease(path: str) -> str:
    """Return the holder of the lease of a build that ended, in words: its record names only the builder."""
    found = users([path])[path]
    if not found:  # of another user, in another container, or on a system that does not show it
        return f"a process that {Holder(path)} started"
    first = found[0]
    program, space, rest = first.command.partition(" ")
    others = f" and {len(found) - 1} more" if found[1:] else ""
    return f"{_words(first.pid, f'{os.path.basename(program)}{space}{rest}', first.since)}{others}"


def users(paths: Collection[str]) -> dict[str, list[Process]]:
    """Return which processes have each of `paths` open: a session, without the children that inherited it."""
    return {path: [_describe(pid) for pid in processes.outermost(pids)] for path, pids in proc.holders(paths).items()}


def _describe(pid: int) -> Process:
    found = proc.describe(pid)
    return found._replace(command=messages.printable(redact.without_secrets(found.command)))


def shorten(command: str) -> str:
    """Return as much of `command` as a message quotes."""
    return command if len(command) <= COMMAND_LIMIT else f"{command[:COMMAND_LIMIT]}…"


def _words(pid: int, command: str, since: str) -> str:
    stopped = f", which is stopped (`kill -CONT {pid}`)" if proc.is_stopped(pid) else ""
    return f"pid {pid} (`{shorten(command)}`) since {since[11:19]}{stopped}"
