"""The command line: the entry point, and the one place that turns an error into an exit status."""

import _signal  # type: ignore[import-not-found] # `signal` imports `enum`
import os
import sys

# Until `main` handles it, Ctrl-C ends the process without a traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from roost.errors import Interrupted, RoostError, check_interrupted, describe

# SIGBREAK is Ctrl-Break, on Windows, which has no SIGHUP.
_ENDING = [getattr(_signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(_signal, name)]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import NoReturn


def _dispatch() -> int:
    words = sys.argv[1:]
    if words[:1] == ["run"]:
        from roost.cli import run  # noqa: PLC0415 - each command imports what it needs

        if words[1:2] == ["--hook"]:
            words = ["run", *run.hook_words(words[2:])]
        parsed = run.parse(words[1:])
        if parsed:
            run.start(parsed)
    if words == ["sync"] and sys.stdout and not sys.stdout.isatty() and (venv := _current()):
        sys.stdout.buffer.write(os.fsencode(f"{venv}\n"))
        sys.stdout.flush()
        return 0
    from roost.cli import commands  # noqa: PLC0415 - a warm `roost run` needs none of it

    return commands.main(words)


def _current() -> "str | None":
    """Return what `roost sync` prints, where nothing changed since an earlier start, without importing click."""
    from roost import environment, warm  # noqa: PLC0415 - only here
    from roost.system import paths  # noqa: PLC0415

    found = environment.find(os.getcwd(), warm.select())
    if found is None:
        return None
    with found:
        found.make_current()
        return paths.native(found.venv)


def _guarded(command: "Callable[[], int]") -> int:
    try:
        return _interruptible(command)
    except RoostError as error:
        return _fail(str(error), error.status)
    except KeyboardInterrupt as error:
        restore_signals()
        signum = error.signum if isinstance(error, Interrupted) else 2
        return _fail("interrupted; nothing was run", 128 + signum)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not error.filename:  # from `os.getcwd`
            return _fail("the current folder does not exist any more: `cd` to one that does", RoostError.status)
        return _check_stdout() or _fail(describe(error), RoostError.status)


def _interruptible(command: "Callable[[], int]") -> int:
    """Return the exit status of `command`, which signals end by an exception."""
    try:
        _handle_signals()
        return command()
    except (RoostError, OSError):
        check_interrupted()  # a cleanup failed after it
        raise
    finally:
        restore_signals()


def _check_stdout() -> int:
    """Return 125 and print why, where standard output cannot be written. Its buffer is given up then."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:  # Python would try again at its end, fail, and end with 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _fail(f"standard output cannot be written: {error.strerror}", RoostError.status)
    return 0


def _handle_signals() -> None:
    """Make SIGTERM and SIGHUP end a build like Ctrl-C."""

    def interrupt(signum: int, frame: object) -> "NoReturn":
        del frame
        Interrupted.pending = signum
        raise Interrupted(signum)

    sys.unraisablehook = _report_ignored
    for signum in _ENDING:
        if _signal.getsignal(signum) == _signal.SIG_DFL:  # `nohup` ignores SIGHUP
            _signal.signal(signum, interrupt)


def _report_ignored(ignored: "sys.UnraisableHookArgs") -> None:
    """Print an exception that Python ignored, except an interrupt: the next step raises that again."""
    if not isinstance(ignored.exc_value, Interrupted):
        sys.__unraisablehook__(ignored)


def restore_signals() -> None:
    """Make a signal end the process without a traceback: nothing is left to clean up, or another program follows.

    Signals are blocked meanwhile. Python would lose one that comes between its last look for signals and exec.

    Raises:
        Interrupted: a signal came before.
    """
    before = _mask("SIG_BLOCK", ())
    try:
        _mask("SIG_BLOCK", _ENDING)
    finally:
        for signum in _ENDING:
            if callable(_signal.getsignal(signum)):
                _signal.signal(signum, _signal.SIG_DFL)
        _mask("SIG_SETMASK", before)


def _mask(how: str, signals: "Collection[int]") -> "Collection[int]":
    """Change which signals are blocked, none on Windows. Returns those that were. Raises an interrupt that came."""
    change = getattr(_signal, "pthread_sigmask", None)
    return change(getattr(_signal, how), signals) if change else ()


def _fail(text: str, status: int) -> int:
    from roost.console import messages  # noqa: PLC0415 - a warm start prints nothing

    messages.error(text)
    return status


def main() -> int:
    """Command-line entry point. Returns the exit status."""
    if sys.getfilesystemencoding() != "utf-8":
        # With a locale of another encoding, a path is another text, so another project. The variable `PYTHONUTF8` would
        # reach the command, an option does not.
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - it becomes that
    return _guarded(_dispatch)
