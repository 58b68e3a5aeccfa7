"""What `roost doctor` tries in the project's own folder: locks between real processes, names, time stamps, links."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from roost.cli import output
from roost.errors import RoostError
from roost.store import venvs
from roost.store.store import Store
from roost.system import files, folders, locks, proc, processes
from roost.system.folders import Folder

_NETWORK = tuple("nfs cifs smb 9p fuse afs drvfs vboxsf virtiofs fakeowner lustre gpfs ceph".split())
_SLEEP = "import time; print('started', flush=True); time.sleep(60)"
_OPTIONS = ("local_lock=", "lock", "nolock", "vers=")  # of a mount; others hold names, addresses and long paths
_TRIAL = 1.5  # seconds; on Docker Desktop's bind mounts a flock excludes for as long as a second (docker/for-mac#7004)
_READY = 10.0  # seconds that a process of ours gets to take a lock


class Finding(NamedTuple):
    """One line of the report."""

    level: Literal["ok", "warning", "error"]
    text: str
    cure: str = ""


def _mount(store: Store) -> list[str] | None:
    """Return the mount with the store: its folder, the kind of file system, and its options."""
    fits = [mount for mount in proc.mounts() if f"{store.root}/".startswith(f"{mount[0].rstrip('/')}/")]
    return max(fits, key=lambda mount: len(mount[0]), default=None)


def file_system(store: Store) -> Iterator[Finding]:
    """Name the file system with the store; a network file system is a warning."""
    if found := _mount(store):
        where, kind, options = found
        network = kind.startswith(_NETWORK)
        cure = "locks there depend on a server; if anything below fails, set `ROOST_DIR` to a local folder"
        words = [word for word in options.split(",") if "=" not in word or word.startswith(_OPTIONS)]
        text = f"`{store.root}` lies on {kind} (mounted at `{where}`, {','.join(words)})"
        yield Finding("warning" if network else "ok", text, cure if network else "")


@contextlib.contextmanager
def scratch(folder: str) -> Iterator[str]:
    """Provide the path of a new, empty file in `folder`."""
    path = f"{folder}/doctor.{os.getpid()}"
    os.close(files.create(path))
    try:
        yield path
    finally:
        files.remove(path)


@contextlib.contextmanager
def _holder(path: str, *, exclusive: bool) -> Iterator["subprocess.Popen[bytes]"]:
    """Provide a process that holds a lock on `path` by a descriptor that it inherited, as a session holds its lease."""
    descriptor = locks.take_lease(path, os.stat(path).st_ino, exclusive=exclusive)
    if descriptor is None:
        raise RoostError("a lock cannot be taken")
    command = [sys.executable, "-I", "-S", "-c", _SLEEP]
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **processes.inheriting([descriptor])
        )
    finally:
        os.close(descriptor)
    with child:
        try:
            if child.stdout:
                child.stdout.readline()
            yield child
        finally:
            child.kill()


def _can_lease(path: str) -> bool:
    descriptor = locks.take_lease(path, os.stat(path).st_ino)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def _can_remove(path: str) -> bool:
    with Folder(os.path.dirname(path)) as folder:
        try:
            descriptor = locks.claim(folder, os.path.basename(path))
        except BlockingIOError:
            return False
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is not None


def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    """Return whether `happens()` becomes True within `seconds`."""
    end = time.monotonic() + seconds
    while not (happened := happens()) and time.monotonic() < end:
        time.sleep(0.01)
    return happened


def flock(store: Store) -> Iterator[Finding]:
    """Try exclusive and shared locks between processes, and whether they end with their holder."""
    cure = "set `ROOST_DIR` to a folder on a local disk"
    try:
        yield from _try_locks(store, cure)
    except OSError as error:
        yield Finding("error", f"flock does not work ({error.strerror})", cure)


def _try_locks(store: Store, cure: str) -> Iterator[Finding]:
    with scratch(store.data) as path:
        with _holder(path, exclusive=True) as child:
            mount = _mount(store)
            trial = _TRIAL if mount and mount[1].startswith(_NETWORK) else 0
            if _within(trial, lambda: _can_remove(path) or _can_lease(path)):
                yield Finding("error", "flock does not keep two processes apart", cure)
                return
            child.kill()
            child.wait()
            if not _within(_READY, lambda: _can_remove(path)):
                yield Finding("error", "a flock outlives its killed holder", cure)
                return
        with _holder(path, exclusive=False):
            if not _can_lease(path) or _can_remove(path):
                yield Finding("error", "shared flocks do not work", cure)
                return
    yield Finding("ok", "flock works between processes: exclusive, shared, inherited over exec, released by SIGKILL")


def names(store: Store) -> Iterator[Finding]:
    """Try renames, links and long names."""
    with scratch(store.data) as path:
        folder = os.path.dirname(path)
        linkable = files.link(f"{path}.link", folder)
        fits = not linkable or files.read_link(f"{path}.link") == folder
        files.remove(f"{path}.link")
        linked = folders.supports_hard_links(path, f"{path}.hard")
        before = files.signature(path)
        os.utime(path)
        blurred = files.signature(path).split()[2].endswith("000000000")
    if not fits or before == files.ABSENT:
        yield Finding("error", "renames and links do not work as on a POSIX file system", "set `ROOST_DIR` elsewhere")
    elif blurred:
        yield Finding("warning", "time stamps are whole seconds here: a start within 2 s of an edit hashes again")
    else:
        yield Finding("ok", f"renames{', links' if linkable else ''} and time stamps work")
    if not linkable:
        yield Finding(
            "warning", f"this user cannot make links in `{store.root}`: editors need the path of `roost sync`"
        )
    if not linked:
        yield Finding("warning", f"hard links do not work in `{store.root}`: each venv is a full copy")


def clock(store: Store) -> Iterator[Finding]:
    """Compare the clock of the file system with that of the machine."""
    with scratch(store.data) as path:
        ahead = os.stat(path).st_mtime - time.time()
    if abs(ahead) > 2:
        text = f"the file system's clock is {ahead:+.0f} s from this machine's"
        yield Finding("warning", text, "set both by NTP; roost compares stamps for equality only, other tools do not")
    else:
        yield Finding("ok", "the file system's clock is this machine's")


def hard_links(store: Store) -> Iterator[Finding]:
    """Find out whether uv links from its cache."""
    got = processes.query([processes.find_uv(), "cache", "dir"], cwd=store.project)
    cache = got.stdout.strip()
    if got.status or not os.path.isdir(cache):
        return
    names = [f"{cache}/{name}" for name in ("CACHEDIR.TAG", ".gitignore", ".lock")]
    cached = next((name for name in names if os.path.isfile(name)), None)
    mode = os.environ.get("UV_LINK_MODE", "hardlink")
    if cached is None:  # nothing was cached yet, so nothing can be tried
        works = os.stat(cache).st_dev == os.stat(store.root).st_dev
    else:
        works = folders.supports_hard_links(cached, f"{store.data}/doctor.{os.getpid()}")
    if works and mode == "hardlink":
        yield Finding("ok", f"uv links packages from its cache `{cache}`: a further venv costs little disk")
        return
    sizes = [folders.disk_usage(venv.path)[0] for venv in venvs.all_in(store)]
    each = f" ({output.mib(max(sizes))})" if sizes else ""
    if works:
        cure = f"unset `UV_LINK_MODE` (it is `{mode}`), unless your file system shares copies"
        yield Finding("warning", f"uv does not link packages from its cache, so each venv is a full copy{each}", cure)
    else:
        cure = "set `UV_CACHE_DIR` to a folder on the disk of the project"
        yield Finding("warning", f"no links from uv's cache `{cache}` work, so each venv is a full copy{each}", cure)
