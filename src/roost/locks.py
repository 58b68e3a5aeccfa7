"""The two locks: the build lock, exclusive for a project, and leases, shared on a venv.

Both are flocks: the kernel lets go of them when the last descriptor of an open file goes, also by SIGKILL, so
nothing ever needs a clean-up. They lie in the project's own folder: processes with another TMPDIR or in another
container over the same checkout meet there. A lock is only ever taken, never converted (flock(2): a conversion is
not atomic). Imported by every warm start.
"""

import errno
import fcntl
import os

LEASE_DESCRIPTOR = 50  # scripts use descriptors below 10 for their own redirections, which would drop a lease there
_CONTENDED = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)  # somebody else holds it


def try_flock(descriptor: int, operation: int) -> bool:
    """Take a flock without waiting; return whether it was taken.

    Raises:
        OSError: this file system has no flock (ENOSYS, ENOLCK, EOPNOTSUPP), or it failed.
    """
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _CONTENDED:
            return False
        raise
    return True


def is_at(descriptor: int, path: str) -> bool:
    """Return whether `path` still is the file behind `descriptor`: somebody may have removed or replaced it."""
    try:
        there = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def is_alone(descriptor: int) -> bool:
    """Return whether this is a regular file with one name: what is written into it is written nowhere else."""
    info = os.fstat(descriptor)
    return info.st_mode & 0o170000 == 0o100000 and info.st_nlink <= 1  # none: removed meanwhile


def try_lease(path: str, inode: int) -> int | None:
    """Take a shared lease on the existing file `path`, whose inode must be `inode`; return its descriptor.

    None means that it is gone, another file, or held by a removal. Whoever gets a lease must look again whether the
    marker still names the venv (rule 5). The lease file is never made here: one that is missing stays missing.

    Raises:
        OSError: flock does not work here.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        info = os.fstat(descriptor)
        fits = info.st_ino == inode and info.st_mode & 0o170000 == 0o100000  # what replaces a file may get its inode
        if fits and try_flock(descriptor, fcntl.LOCK_SH) and is_at(descriptor, path):
            _touch(descriptor)
            return out_of_the_way(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def out_of_the_way(descriptor: int) -> int:
    """Move `descriptor` to a number that scripts do not redirect; the flock goes with the open file."""
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, LEASE_DESCRIPTOR)
    except OSError:  # the limit on open files is below that
        return descriptor
    os.close(descriptor)
    return moved


def _touch(descriptor: int) -> None:
    # The mtime of a lease says when its venv was last used. A read-only checkout keeps none, and removes nothing.
    try:
        os.utime(descriptor)
    except OSError:
        return


class BuildLock:
    """The project's mutex: whoever builds or removes holds it (rule 9)."""

    def __init__(self, path: str) -> None:
        """Name the lock file; nothing is opened yet."""
        self.path = path
        self._descriptor = -1

    def try_take(self, record: str) -> bool:
        """Take the lock without waiting and write `record` into it; return whether it was taken.

        Raises:
            OSError: the file cannot be opened, has another name, or flock does not work here.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            if not is_alone(descriptor):
                raise OSError(errno.EMLINK, "it is no regular file, or has another name", self.path)  # noqa: TRY301
            taken = try_flock(descriptor, fcntl.LOCK_EX) and is_at(descriptor, self.path)
        except BaseException:
            os.close(descriptor)
            raise
        if not taken:  # held by another, or a file that was removed between our open and our flock
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        _try_write_record(descriptor, record)
        return True

    def intact(self) -> bool:
        """Return whether the lock that is held still is the one that others would take."""
        return is_at(self._descriptor, self.path)

    def release(self) -> None:
        """Let go. The file stays: removing it would split those who wait from those who come."""
        _try_write_record(self._descriptor, "")
        os.close(self._descriptor)
        self._descriptor = -1


def write_record(descriptor: int, text: str) -> None:
    """Replace what a lock file or lease says about its holder; people read it, and only whether it is empty counts.

    Raises:
        OSError: the disk is full, or fails.
    """
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(errors="replace"), 0)


def _try_write_record(descriptor: int, text: str) -> None:
    try:
        write_record(descriptor, text)
    except OSError:  # a full disk must not cost the lock
        return
