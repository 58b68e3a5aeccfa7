"""The one entry of the commands, and the one place where an error becomes an exit status."""

import os
import sys

from roost.errors import Interrupted, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def _roost() -> int:
    words = sys.argv[1:]
    if words[:1] == ["run"]:
        from roost import launch  # noqa: PLC0415 - each command imports what it needs

        told = launch.parse(words[1:])
        if told:
            launch.run(told)
    if words == ["sync"] and sys.stdout and not sys.stdout.isatty() and (venv := _synced()):
        sys.stdout.buffer.write(os.fsencode(f"{venv}\n"))
        sys.stdout.flush()
        return 0
    from roost import cli  # noqa: PLC0415 - a warm `roost run` needs none of it

    return cli.main(words)


def _synced() -> "str | None":
    """Return what `roost sync` prints, where the state was seen before, without the library that reads other words."""
    from roost import index, pointing  # noqa: PLC0415 - only here

    again = pointing.again(os.getcwd(), index.default_env())
    return again and again.venv


def _guarded(command: "Callable[[], int]") -> int:
    if sys.platform == "win32":
        return _said('Windows is not supported yet; in nox, `venv_backend="roost"` falls back to uv there', 125)
    try:
        _end_as_interrupted()
        return command()
    except RoostError as error:
        return _said(str(error), error.status)
    except KeyboardInterrupt as error:
        _end_at_once()
        signum = error.signum if isinstance(error, Interrupted) else 2
        return _said("interrupted; nothing was run", 128 + signum)
    except OSError as error:
        where = f"`{error.filename}`: " if error.filename else ""
        if isinstance(error, FileNotFoundError) and not where:  # as `os.getcwd` says it
            return _said("the current folder does not exist any more: `cd` to one that does", RoostError.status)
        return _unwritten() or _said(f"{where}{error.strerror or error}", RoostError.status)
    finally:
        _end_at_once()


def _unwritten() -> int:
    """Return 125, having said so, where standard output cannot be written. What is in it is given up then."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:  # Python would try again at its end, fail, and end with 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _said(f"standard output cannot be written: {error.strerror}", RoostError.status)
    return 0


def _end_as_interrupted() -> None:
    """Let SIGTERM and SIGHUP end a build in good order; exec takes the handlers away again."""
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415 - `signal` imports `enum`, and this module must import on Windows

    def interrupt(signum: int, frame: object) -> "NoReturn":
        del frame
        raise Interrupted(signum)

    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:  # as `hooks/roost` left it
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    for signum in (_signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(signum) == _signal.SIG_DFL:  # `nohup` ignores SIGHUP
            _signal.signal(signum, interrupt)


def _end_at_once() -> None:
    """Let a signal end the process without a word: all is in order by now, and Python would show a traceback."""
    import _signal  # noqa: PLC0415 - as above

    for signum in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        if callable(_signal.getsignal(signum)):
            _signal.signal(signum, _signal.SIG_DFL)


def _said(text: str, status: int) -> int:
    from roost import report  # noqa: PLC0415 - nothing is said on a warm start

    report.error(text)
    return status


def main() -> int:
    """Be `roost`; return the exit status."""
    return _guarded(_roost)


if __name__ == "__main__":
    sys.exit(main())
