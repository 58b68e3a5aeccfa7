"""Waiting: bounded (rule 10), silent for a second, then one line that names the holder."""

import os
import time
from collections.abc import Callable

from roost import index, process, report, users
from roost.errors import UsageError, WaitTimeoutError

POLL = 0.04  # seconds; a waiter notices a marker at most this late
SILENCE = 1.0  # seconds
DEFAULT_TIMEOUT = 600.0  # seconds
COMMAND = 160  # characters of a command that a message quotes; uv starts its build backends with a whole script


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
        f"pid {os.getpid()}\nhost {os.uname().nodename}\nnamespace {_namespace()}\n"
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
            with open(index.open_own(path), "rb") as file:
                text = file.read(4096).decode(errors="replace")
        except OSError:
            text = ""
        lines = report.printable(text, lines=True).split("\n")
        fields = dict(line.split(" ", 1) for line in lines if " " in line)
        self.pid = int(fields["pid"]) if fields.get("pid", "").isdecimal() else 0
        self.command = fields.get("command", "")
        self.since = fields.get("since", "")
        self.host = fields.get("host", "")
        self.here = self.host == os.uname().nodename and fields.get("namespace") == _namespace()

    def __str__(self) -> str:
        """Return who it is, in words."""
        if not self.pid:
            return "a process that has not given its name"
        if self.here:
            return _words(self.pid, self.command, self.since)
        place = f"on `{self.host}`" if self.host != os.uname().nodename else "in a container"
        return f"pid {self.pid} {place} (`{self.command}`) since {self.since[11:19]}"


def holder(path: str) -> str:
    """Return who a lock file says holds it, in words."""
    return str(Holder(path))


def left_running(path: str) -> str:
    """Return who holds the lease at `path` of a build that ended, in words: its record names only the builder."""
    found = users.find([path])[path]
    if not found:  # another user's, or in another container, or the system does not tell
        return f"what {Holder(path)} started"
    pid, command, since = found[0]
    program, space, rest = command.partition(" ")
    others = f" and {len(found) - 1} more" if found[1:] else ""
    return f"{_words(pid, f'{os.path.basename(program)}{space}{rest}', since)}{others}"


def gist(command: str) -> str:
    """Return as much of `command` as a message quotes."""
    return command if len(command) <= COMMAND else f"{command[:COMMAND]}…"


def _words(pid: int, command: str, since: str) -> str:
    stopped = f", which is stopped (`kill -CONT {pid}`)" if process.is_stopped(pid) else ""
    return f"pid {pid} (`{gist(command)}`) since {since[11:19]}{stopped}"


class Wait:
    """All the waiting of one acquisition."""

    def __init__(self, seconds: float) -> None:
        """Bound it to `seconds`; what an installer takes in between does not count."""
        self.seconds = seconds
        self.waited = 0.0
        """Seconds spent waiting so far."""
        self.holder = ""
        self._what = ""
        self._said = 0
        """How often the holder was named."""

    def pause(self, what: str, path: str, who: Callable[[str], str] = holder) -> None:
        """Sleep for one poll while waiting for `what`, which somebody holds by the file `path`; `who` says who.

        Raises:
            WaitTimeoutError: the time is up.
        """
        if self.waited >= self.seconds:
            message = (
                f"gave up after {self.waited:.0f} s: {what} is held by {who(path)}; "
                "end it or let it finish, or set `ROOST_TIMEOUT` to more seconds"
            )
            report.clear()
            raise WaitTimeoutError(message)
        if not self.holder and Holder(path).pid:
            self.holder = who(path)
        self._what = what
        if self.waited >= SILENCE + self._said:
            self._said += 1
            if self._said == 1 or report.width():
                self.holder = who(path)
                self._tell()
        before = time.monotonic()
        time.sleep(POLL)
        self.waited += time.monotonic() - before

    def _tell(self) -> None:
        """Say once whom we wait for; on a terminal, go on saying for how long."""
        if report.width():
            report.live(f"waiting {self.waited:.0f} s for {self._what}, held by {self.holder}")
        else:
            report.wait(f"waiting for {self._what}, held by {self.holder}")

    def end(self) -> None:
        """Leave on a terminal, where the line that told of the wait goes, one that tells how long it was."""
        if report.clear():
            report.wait(f"waited {self.waited:.1f} s for {self._what}, held by {self.holder}")
