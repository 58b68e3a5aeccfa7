"""Everything that roost refuses or fails at, each with the exit status that a shell sees."""


class RoostError(Exception):
    """A failure of roost's own; the text is one sentence that ends with what to do."""

    status = 125


class UsageError(RoostError):
    """The command line, or an argument of a public function, is wrong."""

    status = 2


class WaitTimeoutError(RoostError):
    """A wait ran out of `ROOST_TIMEOUT`."""

    status = 124


class NotExecutableError(RoostError):
    """The command was found, but the kernel would not run it."""

    status = 126


class CommandNotFoundError(RoostError):
    """The environment has no such command."""

    status = 127


class NoInterpreterError(RoostError):
    """There is no such Python on this machine."""


class VanishedError(RoostError):
    """roost's own files were removed while they were in use (`git clean -fdx`, `rm -rf .roost`): start over."""


class Interrupted(KeyboardInterrupt):
    """SIGTERM or SIGHUP; handled as Ctrl-C is: what was begun is ended, and nothing is left."""

    def __init__(self, signum: int) -> None:
        """Remember the signal, for the exit status."""
        super().__init__()
        self.signum = signum
