"""Waiting: bounded (rule 10), silent for a second, then one line that names the holder."""

import os
import time
from collections.abc import Callable

from roost.console import holders, messages
from roost.errors import UsageError, WaitTimeoutError, check_interrupted

POLL = 0.04  # seconds; a waiter notices a marker after this time at the latest
SILENCE = 1.0  # seconds
DEFAULT_TIMEOUT = 600.0  # seconds


def timeout(given: str | float | None = None) -> float:
    """Return the bound on all waits, in seconds: `given`, else `ROOST_TIMEOUT`, else the default.

    Raises:
        UsageError: it is not a finite number, or is negative.
    """
    value = os.environ.get("ROOST_TIMEOUT", DEFAULT_TIMEOUT) if given is None else given
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):  # nan, too
        source = "ROOST_TIMEOUT" if given is None else "timeout"
        raise UsageError(f"`{source}` is `{value}`: it must be a number of seconds, 0 or more")
    return seconds


class Wait:
    """All waiting of one acquisition."""

    def __init__(self, seconds: float, cancelled: Callable[[], bool] = bool) -> None:
        """Bound the waiting to `seconds`, and end it when `cancelled` returns True.

        The time that an installer takes in between does not count.
        """
        self.seconds = seconds
        self._cancelled = cancelled
        self.waited = 0.0
        """Seconds spent waiting so far."""
        self.holder = ""
        self._named = False
        self._what = ""
        self._reports = 0
        """How often the holder was reported."""

    def pause(self, what: str, path: str, describe: Callable[[str], str] = holders.of_lock) -> None:
        """Sleep for one poll while waiting for `what`, which another process holds by the file `path`.

        `describe` returns the holder of `path` in words.

        Raises:
            WaitTimeoutError: the time is up, or the wait was cancelled.
            Interrupted: this process was interrupted.
        """
        check_interrupted()
        if self.waited >= self.seconds or self._cancelled():
            messages.clear()
            raise WaitTimeoutError(
                f"gave up after {self.waited:.0f} s: {what} is held by {describe(path)}; "
                "end it or let it finish, or set `ROOST_TIMEOUT` to more seconds"
            )
        if not self._named and holders.Holder(path).pid:  # it writes its record just after it took the lock
            self._named = True
            self.holder = describe(path)
        self._what = what
        if self.waited >= SILENCE + self._reports:
            self._reports += 1
            if self._reports == 1 or messages.width():
                self.holder = describe(path)
                self._report()
        before = time.monotonic()
        time.sleep(POLL)
        self.waited += time.monotonic() - before

    def _report(self) -> None:
        """Print the holder once; on a terminal, keep a line with the time up to date."""
        if messages.width():
            messages.live(f"waiting {self.waited:.0f} s for {self._what}, held by {self.holder}")
        else:
            messages.step(f"waiting for {self._what}, held by {self.holder}")

    def end(self) -> None:
        """Replace the live line on a terminal by one that stays, with the length of the wait."""
        if messages.clear():
            messages.step(f"waited {self.waited:.1f} s for {self._what}, held by {self.holder}")
