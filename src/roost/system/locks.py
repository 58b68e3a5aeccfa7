"""The two locks: the build lock, exclusive for a project, and leases, shared on a venv.

Both are flocks. The kernel releases a flock when the last descriptor of its open file closes, also after SIGKILL, so no
lock needs a clean-up. The files lie in the project's own folder: processes with another TMPDIR, or in another container
over the same checkout, use the same files. A lock is taken and never converted (flock(2): a conversion is not atomic).
Imported by every warm start.
"""

import errno
import os
import sys

from roost.errors import check_interrupted
from roost.system import files

if sys.platform != "win32":
    import fcntl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from filelock import BaseFileLock

    from roost.system.folders import Folder

UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)  # a file system without flock
_CONTENDED = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)
RECORD_LIMIT = 4096  # bytes of a record that are read
_LEASE_DESCRIPTOR = 50  # scripts use descriptors below 10 for their own redirections, which would close a lease there


def try_lock(descriptor: int, *, exclusive: bool) -> bool:
    """Take a flock without waiting. Returns False where another process holds it.

    Raises:
        OSError: the file system has no flock (`UNSUPPORTED`), or the call failed.
    """
    operation = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _CONTENDED:
            return False
        raise
    return True


def claim(folder: "Folder", name: str) -> int | None:
    """Take the lease file `name` in `folder` for a removal. Returns its descriptor; None where there is no such file.

    Raises:
        BlockingIOError: a process has a lease.
        OSError: flock does not work here.
    """
    descriptor = folder.open(name)
    if descriptor is None:
        return None
    try:
        if try_lock(descriptor, exclusive=True):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    raise BlockingIOError(errno.EWOULDBLOCK, "in use", name)


def is_at(descriptor: int, path: str) -> bool:
    """Return whether `path` still is the file behind `descriptor`: a user may have removed or replaced it."""
    try:
        there = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def has_one_name(descriptor: int) -> bool:
    """Return whether this is a regular file with one name, so that writing to it changes no other file."""
    info = os.fstat(descriptor)
    return info.st_mode & 0o170000 == 0o100000 and info.st_nlink <= 1  # 0: it was removed meanwhile


def take_lease(path: str, inode: int, *, exclusive: bool = False) -> int | None:
    """Take a lease on the existing file `path`, whose inode must be `inode`. Returns its descriptor.

    Returns None where the file is gone or another one, or where a removal holds it. The caller must then look again
    whether the marker still names the venv (rule 5). A missing lease file is not created here.

    Raises:
        OSError: flock does not work here.
    """
    mode = os.O_RDWR if exclusive else os.O_RDONLY  # on NFS an exclusive flock needs a descriptor for writing
    try:
        descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        info = os.fstat(descriptor)
        expected = info.st_ino == inode and info.st_mode & 0o170000 == 0o100000  # inode numbers are used again
        if expected and try_lock(descriptor, exclusive=exclusive) and is_at(descriptor, path):
            _touch(descriptor)
            return _move_up(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def create_lease(path: str, record: str, *, exclusive: bool = False) -> int | None:
    """Create the lease file `path`, which holds `record`, and take a lease on it. Returns its descriptor.

    Returns None where `path` exists, or where a clean-up that found the new file took it first.

    Raises:
        OSError: the file cannot be written, or flock does not work here.
    """
    try:
        descriptor = files.create(path)
    except FileExistsError:
        return None
    try:
        taken = try_lock(descriptor, exclusive=exclusive)
        if taken:
            write_record(descriptor, record)  # before the venv exists: an orphaned installer is found by the record
    except OSError:
        os.unlink(path)
        os.close(descriptor)
        raise
    if taken:
        return _move_up(descriptor)
    os.close(descriptor)
    return None


def _move_up(descriptor: int) -> int:
    """Move `descriptor` to a number that scripts do not redirect; the flock belongs to the open file and stays."""
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LEASE_DESCRIPTOR)
    except OSError:  # the limit on open files is below that number
        return descriptor
    os.close(descriptor)
    return moved


def _touch(descriptor: int) -> None:
    # The mtime of a lease file is when its venv was last used. A read-only checkout keeps none, and removes nothing.
    try:
        os.utime(descriptor)
    except OSError:
        return


def write_record(descriptor: int, text: str) -> None:
    """Replace the text in a lock or lease file. People read it; the code decides only by whether it is empty.

    Raises:
        OSError: the disk is full, or fails.
    """
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(errors="replace"), 0)


def rewrite_record(path: str, text: str) -> None:
    """Replace the text in the lease file `path`, on which this process has a lease that only reads.

    Raises:
        OSError: the file is gone, or the disk is full.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        write_record(descriptor, text)
    finally:
        os.close(descriptor)


def read_record(path: str) -> str:
    """Return the text in a lock or lease file; empty where there is none."""
    try:
        return files.read_own(path, RECORD_LIMIT).decode(errors="replace")
    except OSError:
        return ""


def become(program: str, command: list[str], environ: dict[str, str], lease: int = -1) -> "NoReturn":
    """Become `program`, with the words `command`, which keeps a lease for as long as it runs (rule 6).

    Raises:
        OSError: it cannot be run.
        Interrupted: this process was interrupted.
    """
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415 - `signal` imports `enum`

    # Python ignores these two, and ignored signals survive exec: `roost run yes | head` would not end quietly.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    check_interrupted()
    if lease >= 0:
        os.set_inheritable(lease, True)  # noqa: FBT003 - it has no name
    os.execve(program, command, environ)  # noqa: S606 - to become it is the point
    raise AssertionError(program)


def _is_free(path: str) -> bool:
    """Return whether no process holds the lock file `path`, which is created where it is missing.

    The library is imported meanwhile, under a flock: of many processes that start at once, one imports it. It takes
    longer than all else that a waiter does.

    Raises:
        OSError: as `BuildLock.try_take`.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if not try_lock(descriptor, exclusive=True):
            return False
        import filelock  # noqa: F401, PLC0415 - not on a warm start
    finally:
        os.close(descriptor)
    return True


class BuildLock:
    """The project's mutex: every process that builds or removes holds it (rule 9)."""

    def __init__(self, path: str) -> None:
        """Use the lock file `path`; nothing is opened yet."""
        self.path = path
        self._descriptor = -1
        self._lock: BaseFileLock | None = None

    def try_take(self, record: str) -> bool:
        """Take the lock without waiting, and write `record` into its file. Returns False where another process has it.

        Raises:
            OSError: the file cannot be opened, is not a regular file with one name, or flock does not work here.
        """
        if not os.path.isdir(os.path.dirname(self.path)):  # the library would create it, with the mode of the umask
            raise FileNotFoundError(errno.ENOENT, "the folder was removed", self.path)
        if sys.platform != "win32" and not _is_free(self.path):  # on Windows only the library can find out
            return False
        from filelock import FileLock, Timeout  # noqa: PLC0415 - not on a warm start

        lock = FileLock(
            self.path,
            mode=0o600,
            thread_local=False,
            blocking=False,
            fallback_to_soft=False,
            preserve_lock_file=True,
            on_acquired=self._check,
        )
        try:
            lock.acquire()
        except Timeout:
            return False
        if not self.is_current():  # removed between the library's open and its flock
            lock.release()
            return False
        self._lock = lock
        _try_write_record(self._descriptor, record)
        return True

    def _check(self, descriptor: int) -> None:
        if not has_one_name(descriptor):  # the record would be written into another file
            raise OSError(errno.EMLINK, "it is no regular file, or has another name", self.path)
        self._descriptor = descriptor

    def is_current(self) -> bool:
        """Return whether the lock that is held still is the file that others would lock."""
        return is_at(self._descriptor, self.path)

    def release(self) -> None:
        """Release the lock. The file stays: removing it would split those who wait from those who come."""
        if self._lock is not None:
            _try_write_record(self._descriptor, "")
            self._lock.release()
            self._lock = None


def _try_write_record(descriptor: int, text: str) -> None:
    try:
        write_record(descriptor, text)
    except OSError:  # a full disk must not cost the lock
        return


if sys.platform == "win32":
    from roost.system.windows_files import (  # noqa: F401 - they replace those above
        claim,
        create_lease,
        read_record,
        rewrite_record,
        take_lease,
        write_record,
    )
    from roost.system.windows_processes import become  # noqa: F401 - it replaces the one above
