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


class NotLockedError(RoostError):
    """The lock file of an environment does not list what a tool runner installs."""


class VanishedError(RoostError):
    """Files of roost were removed while they were used (`git clean -fdx`); the acquisition starts over."""


class Interrupted(KeyboardInterrupt):
    """SIGTERM or SIGHUP; handled like Ctrl-C: what was begun ends, and nothing is left."""

    def __init__(self, signum: int) -> None:
        """Keep the signal, for the exit status."""
        super().__init__()
        self.signum = signum


def describe(error: OSError) -> str:
    """Return the path and the cause of an error of the operating system."""
    where = f"`{error.filename}`: " if error.filename else ""
    return f"{where}{error.strerror or error}"
