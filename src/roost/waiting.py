"""Waiting: bounded (rule 10), silent for a second, then one line that names the holder."""

import os
import socket
import time

from roost import process, report
from roost.errors import UsageError, WaitTimeoutError

POLL = 0.02  # seconds; a waiter notices a marker at most this late
SILENCE = 1.0  # seconds
DEFAULT_TIMEOUT = 600.0  # seconds


def timeout(environ: "os._Environ[str]") -> float:
    """Return the bound on all waits in seconds, from `ROOST_TIMEOUT`.

    Raises:
        UsageError: it is no finite number, or negative.
    """
    text = environ.get("ROOST_TIMEOUT")
    if text is None:
        return DEFAULT_TIMEOUT
    return checked(text, "ROOST_TIMEOUT")


def checked(value: str | float, source: str) -> float:
    """Return `value`, which `source` says, as a bound on a wait, in seconds.

    Raises:
        UsageError: it is no finite number, or negative.
    """
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):  # nan, too
        message = f"`{source}` is `{value}`: it must be a number of seconds, 0 or more"
        raise UsageError(message)
    return seconds


def record(label: str) -> str:
    """Return what a lock or an attempt's lease says about this process, as lines of text."""
    return (
        f"pid {os.getpid()}\nhost {socket.gethostname()}\nnamespace {_namespace()}\n"
        f"command {' '.join(label.split())}\nsince {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n"
    )


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return "-"


class Holder:
    """Who a lock file says holds it. For messages only: nothing is decided by it but to refuse at once."""

    def __init__(self, path: str) -> None:
        """Read the record in `path`; one that is missing or torn leaves the fields empty."""
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                text = file.read(4096).decode(errors="replace")
        except OSError:
            text = ""
        fields = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
        self.pid = int(fields["pid"]) if fields.get("pid", "").isdigit() else 0
        self.command = "".join(char if char.isprintable() else "?" for char in fields.get("command", ""))
        self.since = fields.get("since", "")
        self.host = fields.get("host", "")
        self.here = self.host == socket.gethostname() and fields.get("namespace") == _namespace()

    def __str__(self) -> str:
        """Return who it is, in words."""
        if not self.pid:
            return "a process that has not given its name"
        place = "" if self.here else f" on `{self.host}`" if self.host != socket.gethostname() else " in a container"
        stopped = f", which is stopped (`kill -CONT {self.pid}`)" if self.here and process.is_stopped(self.pid) else ""
        return f"pid {self.pid}{place} (`{self.command}`) since {self.since[11:19]}{stopped}"


class Wait:
    """All the waiting of one acquisition."""

    def __init__(self, seconds: float) -> None:
        """Bound it to `seconds`; what an installer takes in between does not count."""
        self.seconds = seconds
        self.waited = 0.0
        """Seconds spent waiting so far."""
        self.holder = ""
        self._said = False

    def pause(self, what: str, path: str) -> None:
        """Sleep for one poll while waiting for `what`, which whoever stands in the file `path` holds.

        Raises:
            WaitTimeoutError: the time is up.
        """
        if self.waited >= self.seconds:
            message = (
                f"gave up after {self.waited:.0f} s: {what} is held by {Holder(path)}; "
                "end it or let it finish, or set `ROOST_TIMEOUT` to more seconds"
            )
            raise WaitTimeoutError(message)
        if not self.holder and (holder := Holder(path)).pid:
            self.holder = str(holder)
        if not self._said and self.waited >= SILENCE:
            self._said = True
            self.holder = str(Holder(path))
            report.wait(f"waiting for {what}, held by {self.holder}")
        before = time.monotonic()
        time.sleep(POLL)
        self.waited += time.monotonic() - before
