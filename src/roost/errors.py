"""The errors of roost, each with its exit status."""


class RoostError(Exception):
    """A failure of roost itself. The text is one sentence that ends with what to do."""

    status = 125


class UsageError(RoostError):
    """The command line, or an argument of a public function, is wrong."""

    status = 2


class WaitTimeoutError(RoostError):
    """A wait took longer than `ROOST_TIMEOUT`."""

    status = 124


class NotExecutableError(RoostError):
    """The command was found, but the kernel cannot run it."""

    status = 126


class CommandNotFoundError(RoostError):
    """The environment has no such command."""

    status = 127


class NoInterpreterError(RoostError):
    """There is no such Python on this machine."""


class NotSharedError(RoostError):
    """An environment of tox or hatch cannot run in the shared venv, and gets one of its own."""


class VanishedError(RoostError):
    """Files of roost were removed while they were used (`git clean -fdx`); the acquisition starts over."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP: what was begun ends, and nothing is left."""

    pending = 0
    """The signal of the latest one, which Python may have ignored."""

    def __init__(self, signum: int) -> None:
        """Keep the signal, for the exit status."""
        super().__init__()
        self.signum = signum


def check_interrupted() -> None:
    """Raise the interrupt again that this process got. Call it before a step that cannot be undone.

    Python ignores an exception in `__del__` and in callbacks of weak references, such as those of its import system. A
    cleanup may raise another one.

    Raises:
        Interrupted: there was one.
    """
    if Interrupted.pending:
        raise Interrupted(Interrupted.pending)


def describe(error: OSError) -> str:
    """Return the path and the cause of an error of the operating system."""
    where = f"`{error.filename}`: " if error.filename else ""
    return f"{where}{error.strerror or error}"
