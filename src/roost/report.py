"""What roost says, in kinds, on standard error; results alone go to standard output."""

import contextlib
import sys


def _say(text: str) -> None:
    # A closed or full standard error must not turn a good start into a failure.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"roost: {text}\n")
        sys.stderr.flush()


def step(text: str) -> None:
    """Say what is being done, such as a build."""
    _say(text)


def wait(text: str) -> None:
    """Say what is waited for, and who holds it."""
    _say(text)


def warning(text: str) -> None:
    """Say what is odd, but does not stop anything."""
    _say(f"warning: {text}")


def error(text: str) -> None:
    """Say why nothing was run."""
    _say(text)
