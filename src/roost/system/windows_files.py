"""Files, folders and leases on Windows: what `files`, `folders` and `locks` take from here there.

A lease is an open handle. A session opens the lease file for reading, and shares reading and writing. A removal opens
it and shares neither, which Windows refuses while any session, or a process that inherited its handle, has it open.
LockFileEx would not do: its locks belong to a process, and are not inherited.
"""

import contextlib
import errno
import os
import shutil
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

PATIENCE = 10.0  # seconds for programs that have a file open for a moment: readers of a marker, virus scanners
_POLL = 0.01
_LEASE_TRIES = 20
_BUSY = (5, 32, 33)  # access denied, as while it is open and being deleted; sharing violation; lock violation
_SHARING = 32
_SAFE = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)  # the tests of its faults import this on POSIX
_REPARSE = 0x400  # FILE_ATTRIBUTE_REPARSE_POINT: a link, a junction, or a file that is not on this disk
# The arguments of CreateFileW.
READ, _WRITE, _APPEND, _DELETE = 0x80000000, 0x40000000, 0x4, 0x10000
_SHARE_READ_WRITE, _SHARE_DELETE = 3, 4
_CREATE_NEW, _OPEN_EXISTING = 1, 3
_DELETE_ON_CLOSE = 0x04000000
_VERBATIM = "\\\\?\\"
_FIRST = 1  # the offset of a record: other processes cannot read the first byte of the build lock, which is locked


def is_busy(error: OSError) -> bool:
    """Return whether `error` is one that ends by itself, when another program closes the file."""
    return getattr(error, "winerror", None) in _BUSY


def retried(function: "Callable[[], object]") -> None:
    """Call `function` until no other program has its file open, for some seconds.

    Raises:
        OSError: it fails for another reason, or the time is up.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            function()
        except OSError as error:
            if not is_busy(error) or time.monotonic() > end:
                raise
            time.sleep(_POLL)
        else:
            return


def changed_at(info: os.stat_result) -> int:
    """Return when a file was last changed, in nanoseconds, as far as `stat` knows: its ctime is its creation."""
    return max(info.st_mtime_ns, info.st_ctime_ns)


def boot_id() -> str:
    """Return an empty string: Windows has no identifier of a boot that is cheap to read."""
    return ""


def is_own(info: os.stat_result) -> bool:
    """Return True: the folders of a profile are its user's own, and `stat` names no owner."""
    del info
    return True


def is_private_folder(path: str) -> bool:
    """Return whether `path` is a folder, and no link; mode bits mean nothing here."""
    info = os.lstat(path)
    return stat.S_ISDIR(info.st_mode) and not _is_reparse(info)


def exposed(path: str) -> None:
    """Return None: the permissions of the folders above `path` are not examined here."""
    del path


def _is_reparse(info: os.stat_result) -> bool:
    return bool(info.st_file_attributes & _REPARSE)


def open_own(path: str) -> int:
    """Return a descriptor for reading `path`, a regular file.

    Raises:
        OSError: it is not such a file, is a link, or does not exist.
    """
    if is_link(path):
        raise OSError(errno.ELOOP, "it is a link", path)
    descriptor = os.open(path, os.O_RDONLY | _SAFE)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(path)


def open_input(path: str) -> int:
    """Return a descriptor for reading `path`.

    Raises:
        OSError: `path` cannot be opened.
    """
    return os.open(path, os.O_RDONLY | _SAFE)


def create(path: str, mode: int = 0o600) -> int:
    """Return a descriptor for writing the new file `path`.

    Raises:
        FileExistsError: `path` exists.
    """
    del mode
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFE, 0o600)


def open_for_appending(path: str) -> int:
    """Return a descriptor for appending to the file `path`, which is created where it is missing.

    Raises:
        OSError: it is a link, or cannot be opened.
    """
    if is_link(path):
        raise OSError(errno.ELOOP, "it is a link", path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _SAFE, 0o600)


def scratch(path: str) -> int:
    """Return a descriptor of a new file, which is removed when its last descriptor is closed.

    Programs that inherit it append to it, wherever this process reads.
    """
    from roost.system import windows_api as api  # noqa: PLC0415 - only a build needs it

    name, access = f"{path}.{os.urandom(4).hex()}", READ | _APPEND | _DELETE
    return api.open_file(name, access, _SHARE_READ_WRITE | _SHARE_DELETE, _CREATE_NEW, _DELETE_ON_CLOSE)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Return up to `size` bytes of an open file from `offset`."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)


def replace(old: str, new: str) -> None:
    """Rename the file `old` to `new`, atomically, once no program has `new` open.

    Raises:
        OSError: a program keeps it open, `new` is a folder, or the disk is read-only.
    """
    retried(lambda: os.replace(old, new))


def link(path: str, target: str) -> bool:
    """Make `path` lead to the folder `target`: by a symbolic link, or by a junction, which needs no privilege.

    Returns False where this user can make neither. There is no link for a moment: Windows does not replace one.

    Raises:
        OSError: `path` is a folder.
    """
    new = f"{os.path.dirname(path)}/.{os.path.basename(path)}.{os.urandom(4).hex()}"
    if not _symlink(target, new) and not _junction(target, new):
        return False
    try:
        if is_link(path):
            os.unlink(path)
        os.rename(new, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    return True


def _symlink(target: str, path: str) -> bool:
    try:
        os.symlink(target.replace("/", "\\"), path, target_is_directory=True)
    except (OSError, NotImplementedError):  # without the privilege, or on a file system without links
        return False
    return is_link(path)  # Wine 8 makes none, and says it did


def _junction(target: str, path: str) -> bool:
    try:
        import _winapi  # noqa: PLC0415 - where symbolic links need a privilege

        _winapi.CreateJunction(os.path.abspath(target), os.path.abspath(path))
    except (ImportError, AttributeError, OSError):
        return False
    return True


def is_link(path: str) -> bool:
    """Return whether `path` is a symbolic link or a junction."""
    try:
        return _is_reparse(os.lstat(path))
    except (OSError, ValueError):
        return False


def read_link(path: str) -> str:
    """Return what the link or junction `path` leads to, with forward slashes.

    Raises:
        OSError: it is none.
    """
    return os.readlink(path).removeprefix(_VERBATIM).replace("\\", "/")


class Folder:
    """A folder. Unlike on POSIX, its operations use its path: no other user can change a folder in this profile."""

    def __init__(self, path: str, within: "Folder | None" = None) -> None:
        """Use the folder `path`, or the folder of that name `within` another.

        Raises:
            OSError: there is no such folder, or it is a link.
        """
        self.path: str = f"{within.path}/{path}" if within else path
        if not is_private_folder(self.path):
            raise OSError(errno.ENOTDIR, "it is not a folder", self.path)

    def names(self) -> list[str]:
        """Return the names in it."""
        return os.listdir(self.path)

    def stat(self, name: str) -> os.stat_result:
        """Return the stat result of the entry `name` itself."""
        return os.lstat(f"{self.path}/{name}")

    def unlink(self, name: str) -> None:
        """Remove the file `name`."""
        retried(lambda: os.unlink(f"{self.path}/{name}"))

    def move(self, name: str, to: "Folder") -> bool:
        """Move `name` into another folder, under a new random name; one that is gone is left.

        Returns False where a program has a file in it open.
        """
        try:
            os.rename(f"{self.path}/{name}", f"{to.path}/{name}-{os.urandom(4).hex()}")
        except FileNotFoundError:
            return True
        except OSError as error:
            if is_busy(error):
                return False
            raise
        return True

    def delete(self, name: str) -> None:
        """Delete `name` with all that is in it, as far as possible. `rmtree` follows neither links nor junctions."""
        path = f"{self.path}/{name}"
        with contextlib.suppress(OSError):
            if is_private_folder(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)

    def __enter__(self) -> "Self":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: no descriptor is open."""


def flush(path: str) -> None:
    """Do nothing: NTFS keeps a journal of names, and has no way to flush a folder."""


def size_on_disk(info: os.stat_result) -> int:
    """Return the bytes of a file; Windows does not tell how many blocks it takes."""
    return info.st_size


def _open_lease(path: str, access: int, share: int, how: int) -> int:
    """Open a lease file.

    Raises:
        BlockingIOError: another opener excludes this one.
    """
    from roost.system import windows_api as api  # noqa: PLC0415 - a warm start takes a shared lease

    try:
        return api.open_file(path, access, share, how)
    except OSError as error:
        if getattr(error, "winerror", None) == _SHARING:
            raise BlockingIOError(errno.EWOULDBLOCK, "in use", path) from error
        raise


def take_lease(path: str, inode: int, *, exclusive: bool = False) -> int | None:
    """Take a lease on the existing file `path`, whose inode must be `inode`. Returns its descriptor, or None.

    A shared one is an ordinary open file: the C library shares reading and writing.

    Raises:
        OSError: it cannot be opened.
    """
    for _ in range(_LEASE_TRIES):  # a process that asks for its holder opens it for a moment
        try:
            descriptor = _open_lease(path, READ, 0, _OPEN_EXISTING) if exclusive else os.open(path, os.O_RDONLY | _SAFE)
            break
        except FileNotFoundError:
            return None
        except (BlockingIOError, PermissionError):  # `os.open` says EACCES, not 32
            time.sleep(_POLL)
    else:
        return None
    info = os.fstat(descriptor)
    if info.st_ino == inode and stat.S_ISREG(info.st_mode) and os.path.lexists(path) and os.lstat(path).st_ino == inode:
        with contextlib.suppress(OSError):  # the mtime says when the venv was last used
            os.utime(path)
        return descriptor
    os.close(descriptor)
    return None


def create_lease(path: str, record: str, *, exclusive: bool = False) -> int | None:
    """Create the lease file `path`, which holds `record`, and take a lease on it. Returns its descriptor.

    Returns None where `path` exists.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        descriptor = _open_lease(path, READ | _WRITE, 0 if exclusive else _SHARE_READ_WRITE, _CREATE_NEW)
    except (FileExistsError, BlockingIOError):
        return None
    try:
        write_record(descriptor, record)
    except OSError:
        os.close(descriptor)
        os.unlink(path)
        raise
    return descriptor


def claim(folder: Folder, name: str) -> int | None:
    """Take the lease file `name` in `folder` for a removal. Returns its descriptor; None where there is no such file.

    It shares deletion alone, so that the file can be moved while it is held.

    Raises:
        BlockingIOError: a process has a lease.
    """
    path = f"{folder.path}/{name}"
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        return _open_lease(path, READ, _SHARE_DELETE, _OPEN_EXISTING)
    except FileNotFoundError:
        return None


def write_record(descriptor: int, text: str) -> None:
    """Replace the text in a lock or lease file, from its second byte on.

    Raises:
        OSError: the disk is full, or fails.
    """
    os.ftruncate(descriptor, 0)
    if text:
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"\n{text}".encode(errors="replace"))


def rewrite_record(path: str, text: str) -> None:
    """Do nothing: an exclusive lease shares nothing, so no other process can read the record."""
    del path, text


def read_record(path: str) -> str:
    """Return the text in a lock or lease file; empty where there is none, or where it is held exclusively."""
    try:
        descriptor = open_own(path)
    except OSError:
        return ""
    try:
        os.lseek(descriptor, _FIRST, os.SEEK_SET)
        return os.read(descriptor, 4096).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
