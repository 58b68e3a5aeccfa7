"""The one place that starts other programs for roost's own purposes."""

import contextlib
import functools
import marshal
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from roost.errors import RoostError, check_interrupted
from roost.system import files, proc, variables

_STYLE = re.compile(r"\x1b\[[0-9;:]*[mK]")  # variables of their own make some compilers colour their output
_INTERVAL = 0.1  # seconds between two calls of `watch`
_INTERRUPTS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_GRACE = 5.0  # seconds that an installer gets to end by itself after SIGTERM


class Completed(NamedTuple):
    """How a program ended."""

    status: int
    """Its exit status; negative for the signal that ended it."""
    output: str
    """All that it printed."""


class Queried(NamedTuple):
    """How a program ended that was queried."""

    status: int
    stdout: str
    """Its answer. What is on standard error, such as a trace that the user switched on, is not part of it."""
    output: str
    """All that it printed, for messages."""


def query(command: Sequence[str], *, cwd: str, env: Mapping[str, str] | None = None) -> Queried:
    """Run a short `command` with no standard input, and return what it prints.

    It gets the variables of an installer, and those in `env`.

    Raises:
        RoostError: the program cannot be started.
        Interrupted: this process was interrupted.
    """
    check_interrupted()
    child = spawn(command, variables.for_installer(os.environ, **(env or {})), cwd, subprocess.PIPE, subprocess.PIPE)
    try:
        stdout, stderr = (raw.decode(errors="replace") for raw in child.communicate())
    except BaseException:
        end_all(child)
        raise
    return Queried(child.returncode, stdout, f"{stderr}{stdout}{_how_ended(command[0], child.returncode)}")


def git(*words: str, cwd: str) -> Queried:
    """Run git in `cwd`, without its file system monitor: a program that the configuration of the repository names.

    Raises:
        RoostError: there is no git.
    """
    return query([shutil.which("git") or "git", "-c", "core.fsmonitor=false", *words], cwd=cwd)


def run(  # noqa: PLR0913 - all but the first by name
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    log: int,
    watch: Callable[[int], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    keep: Sequence[int] = (),
) -> Completed:
    """Run `command` to its end with no standard input; return its status and output (both streams, in order).

    `log` is the descriptor of a file for the output, which is closed at the end. It is a file, since a daemon that the
    command leaves behind would hold a pipe open. `keep` are descriptors that the command inherits. `meanwhile` is
    called once the command runs; then `watch` is called with `log`, some times a second, until the end. An exception,
    such as KeyboardInterrupt, first ends the command and the processes that it started.

    Raises:
        RoostError: the program cannot be started.
        Interrupted: this process was interrupted.
    """
    check_interrupted()
    first = first_in_child()
    try:
        with contextlib.ExitStack() as blocked:
            if first:
                blocked.enter_context(_no_interrupts())
            child = spawn(command, env, cwd, log, subprocess.STDOUT, keep, first)
            try:
                blocked.close()  # inside the `try`: an interrupt that was pending ends the child
                if meanwhile:
                    meanwhile()
                _await(child, watch and functools.partial(watch, log))
            except BaseException:
                end_all(child)
                raise
        raw = files.read_at(log, os.fstat(log).st_size, 0)
    finally:
        os.close(log)
    return Completed(child.returncode, raw.decode(errors="replace") + _how_ended(command[0], child.returncode))


def spawn(  # noqa: PLR0913, PLR0917 - what `subprocess.Popen` takes
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    stdout: int,
    stderr: int,
    keep: Sequence[int] = (),
    first: Callable[[], None] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start `command` with no standard input; it inherits the descriptors `keep`, and calls `first` before it begins.

    Raises:
        RoostError: the program cannot be started.
    """
    _keep_statuses()
    try:
        return _Child(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=dict(env),
            cwd=cwd,
            pass_fds=keep,
            preexec_fn=first,  # never with threads, see `first_in_child`
        )
    except OSError as error:
        raise RoostError(f"`{command[0]}` cannot be started: {error.strerror}") from error


def _keep_statuses() -> None:
    """Let programs have exit statuses: while SIGCHLD is ignored, the kernel keeps none (wait(2), NOTES)."""
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:  # by whatever started roost: exec passes it on
        with contextlib.suppress(ValueError):  # a thread cannot change that
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)


class _Child(subprocess.Popen[bytes]):
    """A program whose exit status is not lost: `Popen` takes a lost one for 0, as if the program had succeeded."""

    def _try_wait(self, flags: int) -> tuple[int, int]:
        try:
            return os.waitpid(self.pid, flags)
        except ChildProcessError as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # it came just after this wait, and took its result
                return self.pid, signal.SIGINT
            raise RoostError(
                "this program ignores SIGCHLD, or waits for all children, so an installer's exit status was lost"
            ) from None


def inheriting(descriptors: Sequence[int]) -> "dict[str, Any]":
    """Return options of `subprocess.Popen` with which a process inherits `descriptors`."""
    return {"pass_fds": descriptors}


def run_keeping(
    descriptor: int, command: Sequence[str], options: "dict[str, Any]"
) -> "subprocess.CompletedProcess[Any]":
    """Run `command` with the `options` of `subprocess.run`; it inherits `descriptor` besides those in the options."""
    keep = (*options.pop("pass_fds", ()), descriptor)
    return subprocess.run(command, **inheriting(keep), **options)  # noqa: PLW1510 - the caller decides


def framed(output: str) -> str:
    r"""Return what a script of roost printed between `\x1eroost ` and `\x1e`, whatever else is in its output.

    Packages print when Python starts and ends, and so does the dynamic linker. None prints a record separator.
    """
    return output.partition("\x1eroost ")[2].partition("\x1e")[0]


def rendered(output: str) -> str:
    """Return `output` as a terminal shows it in the end: no colours, and the last state of an overwritten line."""
    lines = _STYLE.sub("", output.replace("\r\n", "\n")).split("\n")
    return "\n".join(line.rpartition("\r")[2] for line in lines)


def _how_ended(program: str, status: int) -> str:
    """Return a line that names the signal that ended a program, or an empty string."""
    if status >= 0:
        return ""
    return f"\n`{os.path.basename(program)}` was ended by signal {-status} ({signal.strsignal(-status)})"


def _await(child: "subprocess.Popen[bytes]", watch: Callable[[], None] | None) -> None:
    while True:
        check_interrupted()
        try:
            child.wait(_INTERVAL if watch else None)
        except subprocess.TimeoutExpired:
            if watch:
                watch()
        else:
            return


def end_all(child: "subprocess.Popen[bytes]") -> None:
    """End `child` and the processes that it started, where they can be seen: uv leaves its build backends running."""
    others = _descendants(child.pid)
    for signum, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, _GRACE)):
        child.send_signal(signum)
        for pid in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signum)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            others = [pid for pid in others if proc.is_running(pid)]
            if child.poll() is not None and not others:
                return
            time.sleep(0.01)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Block signals while a child is started: nothing could end it yet."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def first_in_child() -> Callable[[], None] | None:
    """Return a function that makes a child on Linux get SIGKILL when its parent ends (prctl(2), PR_SET_PDEATHSIG).

    It also restores the default handlers, since Python's signal handlers do not survive exec. Returns None with other
    threads: the signal follows the thread that forked, and code between fork and exec may deadlock.
    """
    if sys.platform != "linux" or max(threading.active_count(), proc.threads()) > 1:
        return None
    import ctypes  # noqa: PLC0415 - only a build needs it

    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def first() -> None:
        for signum in _INTERRUPTS:
            if callable(signal.getsignal(signum)):
                signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        prctl(1, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)

    return first


@contextlib.contextmanager
def forked(work: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """Do `work` in a second process, by fork, while the caller goes on. Provides a function that returns its result.

    The result has types that `marshal` knows. That function does the work itself on other systems than Linux, with
    other threads, and where the second process failed.
    """
    first = first_in_child()
    if first is None:
        yield work
        return
    reading, writing = os.pipe()
    pid = -1
    with open(reading, "rb") as answer:
        try:
            with _no_interrupts():
                with contextlib.suppress(OSError):  # too many processes
                    pid = os.fork()
                if pid == 0:
                    _answer(work, first, writing)
                os.close(writing)
            yield lambda: _result(answer.read(), work)
        finally:
            if pid > 0:
                with contextlib.suppress(OSError):  # others may wait for all children, or SIGCHLD is ignored
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)


def _answer(work: Callable[[], Any], first: Callable[[], None], writing: int) -> NoReturn:
    """Do `work`, write its result, and end this process, without what its parent does at its end."""
    try:
        first()
        with open(writing, "wb") as answer:
            answer.write(marshal.dumps(work()))
    finally:
        os._exit(0)


def _result(answer: bytes, work: Callable[[], Any]) -> Any:
    try:
        return marshal.loads(answer)  # noqa: S302 - from this program itself
    except (EOFError, ValueError, TypeError):
        return work()


def ancestors(pid: int) -> list[int]:
    """Return the parent of `pid`, its parent, and so on, as far as they can be seen."""
    found: list[int] = []
    while pid > 1 and (pid := _parent(pid)) > 0 and pid not in found:
        found.append(pid)
    return found


def _parent(pid: int) -> int:
    if (above := proc.parent(pid)) or proc.exists():
        return above
    got = query(["ps", "-o", "ppid=", "-p", str(pid)], cwd="/")
    return int(got.stdout) if got.status == 0 and got.stdout.strip().isdigit() else 0


def _descendants(pid: int) -> list[int]:
    return [other for other in proc.pids() if pid in ancestors(other)]


def outermost(pids: Sequence[int]) -> list[int]:
    """Return those of `pids` without an ancestor among them, sorted: a session, without its children."""
    return sorted(pid for pid in pids if not set(ancestors(pid)) & set(pids))


def find_uv() -> str:
    """Return the path of the `uv` that was installed along with roost, else of the one on PATH.

    Raises:
        RoostError: there is none.
    """
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - a distribution may bring uv without its Python package

        return os.fspath(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise RoostError("`uv` is neither installed next to roost nor on PATH: `pip install uv`")
    return found


def uv_to_type() -> str:
    """Return what a user types to call uv: `uv` if it is on PATH, else `roost uv`.

    pre-commit and prek put roost's own scripts on a hook's PATH, and the user's shell does not have them.
    """
    own = os.path.dirname(sys.executable) if "PRE_COMMIT" in os.environ else None
    path = os.pathsep.join(folder for folder in os.get_exec_path() if folder != own)
    if shutil.which("uv", path=path):
        return "uv"
    return "roost uv" if own is None or shutil.which("roost", path=path) else shlex.quote(find_uv())


if sys.platform == "win32":
    from roost.system.windows_processes import (  # noqa: F401 - they replace those above
        end_all,
        inheriting,
        run_keeping,
        spawn,
    )
