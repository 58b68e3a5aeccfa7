"""The one place that starts other programs for roost's own purposes, and the environments that programs get."""

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from roost.errors import RoostError

BUILDING = "ROOST_BUILDING"  # in an installer's environment: the store it builds for

# Git tells its hooks about the commit under way. An installer that clones a git dependency with these set would write
# into that commit's index. What follows here is about reaching a server, and stays.
_GIT_ABOUT_SERVERS = (
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_VALUE_",
    "GIT_CURL_VERBOSE",
    "GIT_EXEC_PATH",
    "GIT_HTTP_",
    "GIT_PROTOCOL",
    "GIT_PROXY_",
    "GIT_SSH",
    "GIT_SSL_",
    "GIT_TERMINAL_PROMPT",
    "GIT_TRACE",
)
# What would make an installer look at another environment, Python or project than the one it is called for; or colour
# what it prints, which roost reads.
_CALLERS_OWN = frozenset(
    {
        "CLICOLOR_FORCE",
        "CONDA_PREFIX",
        "FORCE_COLOR",
        "PY_COLORS",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "UV_ACTIVE",
        "UV_DEV",
        "UV_FROZEN",
        "UV_ISOLATED",
        "UV_LOCKED",
        "UV_NO_DEFAULT_GROUPS",
        "UV_NO_DEV",
        "UV_NO_EDITABLE",
        "UV_NO_GROUP",
        "UV_NO_PROJECT",
        "UV_NO_SYNC",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_VENV_CLEAR",
        "UV_WORKING_DIR",
        "UV_WORKING_DIRECTORY",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "__PYVENV_LAUNCHER__",
    }
)
_STYLE = re.compile(r"\x1b\[[0-9;:]*[mK]")  # some compilers are told by variables of their own to colour always
_GLANCE = 0.1  # seconds between two looks at how far a program is
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 5.0  # seconds that an installer gets to end by itself after SIGTERM


def for_installer(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return the environment variables that an installer gets: `environ` without what belongs to its caller."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in _CALLERS_OWN and (not name.startswith("GIT_") or name.startswith(_GIT_ABOUT_SERVERS))
    }
    return kept | more


class Completed(NamedTuple):
    """How a program ended: its exit status (negative: the signal), and all that it printed."""

    status: int
    output: str


def run(  # noqa: PLR0913 - all but the first by name
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    log: Callable[[], int] | None = None,
    watch: Callable[[int], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    keep: Sequence[int] = (),
) -> Completed:
    """Run `command` to its end with no standard input and return its status and output (both streams, as they came).

    `keep` are descriptors that it inherits. `log` opens the file that takes the output: a file, since a daemon that
    the command leaves behind would hold a pipe open for ever. Without it the output goes through a pipe. `meanwhile` is
    called once the command runs; after that `watch` is, with that file's descriptor, some times a second until the end.
    An interrupt (any exception, such as KeyboardInterrupt) first ends the command and what it started.

    Raises:
        RoostError: the program cannot be started.
    """
    descriptor = log() if log else None
    try:
        child, interrupts = _start(command, env, cwd, descriptor, keep)
        try:
            interrupts.close()  # here, so that one that waited ends the child
            if meanwhile:
                meanwhile()
            if descriptor is None:
                raw = child.communicate()[0]
            else:
                _await(child, watch and functools.partial(watch, descriptor))
                raw = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        except BaseException:
            _end(child)
            raise
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return Completed(child.returncode, raw.decode(errors="replace") + _how_ended(command[0], child.returncode))


def _start(
    command: Sequence[str], env: Mapping[str, str], cwd: str, output: int | None, keep: Sequence[int]
) -> tuple["subprocess.Popen[bytes]", contextlib.ExitStack]:
    """Start `command`; interrupts wait until what is returned beside it is closed."""
    first = _first_in_child() if output is not None else None
    with contextlib.ExitStack() as held:
        if first:
            held.enter_context(_no_interrupts())
        try:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if output is None else output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                pass_fds=keep,
                preexec_fn=first,  # noqa: PLW1509 - never with threads, see there
            )
        except OSError as error:
            message = f"`{command[0]}` cannot be started: {error.strerror}"
            raise RoostError(message) from error
        return child, held.pop_all()


def legible(output: str) -> str:
    """Return what a terminal would show in the end: no colours, and the last state of a line that was overwritten."""
    lines = _STYLE.sub("", output.replace("\r\n", "\n")).split("\n")
    return "\n".join(line.rpartition("\r")[2] for line in lines)


def _how_ended(program: str, status: int) -> str:
    """Return what a program that a signal ended could not say itself."""
    if status >= 0:
        return ""
    return f"\n`{os.path.basename(program)}` was ended by signal {-status} ({signal.strsignal(-status)})"


def _await(child: "subprocess.Popen[bytes]", watch: Callable[[], None] | None) -> None:
    while True:
        try:
            child.wait(_GLANCE if watch else None)
        except subprocess.TimeoutExpired:
            if watch:
                watch()
        else:
            return


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End `child` and, where they can be seen, the build backends that it started: uv leaves them running."""
    others = _descendants(child.pid)
    for signum, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, _GRACE)):
        child.send_signal(signum)
        for pid in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signum)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            others = [pid for pid in others if _state(pid) not in ("", "Z", "X")]
            if child.poll() is not None and not others:
                return
            time.sleep(0.01)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let signals wait while a child is made: there would be nobody yet to end it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _first_in_child() -> Callable[[], None] | None:
    """Return what makes a child on Linux get SIGKILL when its parent ends (prctl(2), PR_SET_PDEATHSIG).

    A signal that came to both meanwhile ends it, and not in Python's own handler, of which exec would know nothing.
    Not with other threads about: the signal goes by the thread that forked, and code between fork and exec may hang.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
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


def ancestors(pid: int) -> list[int]:
    """Return the process numbers of the parent of `pid`, its parent, and so on, as far as they can be seen."""
    found: list[int] = []
    while pid > 1 and (pid := _parent(pid)) > 0 and pid not in found:
        found.append(pid)
    return found


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        pass
    if os.path.exists("/proc/self/stat"):  # it has gone, or is hidden from us
        return 0
    status, output = run(["ps", "-o", "ppid=", "-p", str(pid)], env=os.environ, cwd="/")
    return int(output) if status == 0 and output.strip().isdigit() else 0


def _descendants(pid: int) -> list[int]:
    """Return the processes that `pid` started, and theirs (Linux; elsewhere none)."""
    try:
        running = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [other for other in running if pid in ancestors(other)]


def _state(pid: int) -> str:
    """Return the letter of proc(5) for what `pid` does, or an empty string where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except (OSError, IndexError):
        return ""


def is_stopped(pid: int) -> bool:
    """Return whether `pid` is stopped (SIGSTOP, Ctrl-Z), as far as can be seen (Linux)."""
    return _state(pid) in ("T", "t")


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
        message = "`uv` is neither installed beside roost nor on PATH: `pip install uv`"
        raise RoostError(message)
    return found
