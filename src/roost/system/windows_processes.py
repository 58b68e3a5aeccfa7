"""Processes on Windows: what `processes`, `proc` and `locks` take from here there.

There is no exec. roost stays until its command ends, passes Ctrl-C and the exit status on, and keeps it in a job
object, which ends it when roost is killed. An installer is in such a job with all that it starts.
"""

import contextlib
import functools
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any, NoReturn

    from roost.system.proc import Process
    from roost.system.windows_api import Job, OwnJob

_SUSPENDED = 0x4
_jobs: "dict[int, Job]" = {}
"""The jobs of installers, by the pid of their first process."""


def inheriting(descriptors: "Sequence[int]") -> "dict[str, Any]":
    """Return options of `subprocess.Popen` with which a process inherits `descriptors`, besides standard streams."""
    import msvcrt  # noqa: PLC0415 - not on the way of a warm `roost sync`
    import subprocess  # noqa: PLC0415

    if not descriptors:
        return {}
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - it has no name
    handles = [msvcrt.get_osfhandle(descriptor) for descriptor in descriptors]
    return {"startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles})}


def _stream(descriptor: int) -> int:
    """Return `descriptor`, or the one that stands for nothing where it is closed."""
    import subprocess  # noqa: PLC0415

    try:
        os.fstat(descriptor)
    except OSError:
        return subprocess.DEVNULL
    return descriptor


def become(program: str, command: "Sequence[str]", environ: dict[str, str], lease: int = -1) -> "NoReturn":
    """Run `program` with the words `command`, which inherits the lease, and end with its exit status.

    Raises:
        OSError: it cannot be run.
    """
    import signal  # noqa: PLC0415 - only here

    from roost.errors import check_interrupted  # noqa: PLC0415 - a warm start imports it anyway

    check_interrupted()
    # Ctrl-C reaches all processes of the console. The command decides what it does, and roost waits for that.
    for signum in (signal.SIGINT, signal.SIGBREAK):
        signal.signal(signum, _ignore)
    streams: dict[str, Any] = {"stdin": _stream(0), "stdout": _stream(1), "stderr": _stream(2)}
    keep = [lease] if lease >= 0 else []
    child, job = _start([program, *command[1:]], keep, executable=program, env=environ, **streams)
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            status = child.wait()
            break
    job.release()  # what the command left running stays, and keeps the lease
    os._exit(status - (1 << 32) if status >= 1 << 31 else status)


def _ignore(signum: int, frame: object) -> None:
    del signum, frame


def spawn(  # noqa: PLR0913, PLR0917 - as in `processes`
    command: "Sequence[str]",
    env: "Mapping[str, str]",
    cwd: str,
    stdout: int,
    stderr: int,
    keep: "Sequence[int]" = (),
    first: "Callable[[], None] | None" = None,
) -> "subprocess.Popen[bytes]":
    """Start `command`. One that keeps descriptors is an installer: a job ends it with this process."""
    import subprocess  # noqa: PLC0415

    from roost.errors import RoostError  # noqa: PLC0415

    del first
    options: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": stdout,
        "stderr": stderr,
        "env": dict(env),
        "cwd": cwd,
    }
    try:
        if not keep:
            return subprocess.Popen(list(command), **options)
        child, job = _start(list(command), keep, **options)
        _jobs[child.pid] = job
    except OSError as error:
        raise RoostError(f"`{command[0]}` cannot be started: {error.strerror}") from error
    return child


def _start(command: "Sequence[str]", keep: "Sequence[int]", **options: "Any") -> "tuple[subprocess.Popen[bytes], Job]":
    """Start `command`, which inherits the descriptors `keep`, in a job that ends it with this process.

    It begins suspended, so that all it starts is in the job. Killed before that, this process would leave it suspended
    for ever, with the lease: a second job, around both, ends it then.
    """
    import subprocess  # noqa: PLC0415

    from roost.system.windows_api import Job  # noqa: PLC0415

    own = _own_job()
    own.hold()
    try:
        child = subprocess.Popen(command, creationflags=_SUSPENDED, **inheriting(keep), **options)
        job = Job()
        job.add(int(child._handle))  # noqa: SLF001 - there is no other way to it
    finally:
        own.release()
    return child, job


@functools.cache
def _own_job() -> "OwnJob":
    from roost.system.windows_api import OwnJob  # noqa: PLC0415

    return OwnJob()


def end_all(child: "subprocess.Popen[bytes]") -> None:
    """End `child`, and an installer with all that it started."""
    job = _jobs.pop(child.pid, None)
    if job:
        job.end()
    child.kill()
    child.wait()


def run_keeping(
    descriptor: int, command: "Sequence[str]", options: "dict[str, Any]"
) -> "subprocess.CompletedProcess[Any]":
    """Run `command` with the `options` of `subprocess.run`; it inherits `descriptor`."""
    import subprocess  # noqa: PLC0415

    options.pop("pass_fds", None)
    for number, name in enumerate(("stdin", "stdout", "stderr")):  # else only a console is passed on
        taken = "input" in options if name == "stdin" else options.get("capture_output")
        if not taken:
            options.setdefault(name, _stream(number))
    return subprocess.run(command, **inheriting([descriptor]), **options)  # noqa: PLW1510


def exists() -> bool:
    """Return True: the processes can be listed."""
    return True


def host() -> str:
    """Return the name of this machine."""
    return os.environ.get("COMPUTERNAME", "")


def system() -> str:
    """Return the name and the release of the operating system."""
    import sys  # noqa: PLC0415

    return "Windows {}.{}.{}".format(*sys.getwindowsversion()[:3])


def state(pid: int) -> str:
    """Return `R` for a running process, or an empty string."""
    from roost.system import windows_api as api  # noqa: PLC0415

    return "R" if api.is_running(pid) else ""


def parent(pid: int) -> int:
    """Return the parent of `pid`, or 0 where it is gone. A pid is used again, so the parent must be older."""
    from roost.system import windows_api as api  # noqa: PLC0415

    above = api.processes().get(pid, (0, ""))[0]
    born, before = api.started(pid), api.started(above)
    return above if born is None or before is None or before <= born else 0


def pids() -> list[int]:
    """Return all processes."""
    from roost.system import windows_api as api  # noqa: PLC0415

    return list(api.processes())


def pid_namespace() -> str:
    """Return the same everywhere: there are none."""
    return "-"


def mounts() -> list[list[str]]:
    """Return nothing: the kinds of drives are not looked up."""
    return []


def describe(pid: int) -> "Process":
    """Return the program and the start time of `pid`."""
    from roost.system import windows_api as api  # noqa: PLC0415
    from roost.system.proc import Process, iso  # noqa: PLC0415 - as above

    if not pid:
        return Process(0, "a process that Windows does not name", "")
    since = api.started(pid)
    return Process(pid, api.processes().get(pid, (0, ""))[1], iso(since) if since else "")


def holders(paths: "Collection[str]") -> dict[str, list[int]]:
    """Return the pid 0 for each lease file of `paths` that any process has open: Windows does not tell which.

    Each is opened as for a removal, for a moment.
    """
    from roost.system import windows_files as files  # noqa: PLC0415

    found: dict[str, list[int]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        found[path] = []
        try:
            descriptor = files.claim(files.Folder(folder), name)
        except BlockingIOError:
            found[path].append(0)
        except OSError:
            continue
        else:
            if descriptor is not None:
                os.close(descriptor)
    return found
