"""Files: signatures, safe opening, the one atomic writer, and links. Imported by every warm start."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ABSENT = "absent"  # the signature of a file that does not exist
BLUR = 20_000_000  # nanoseconds by which a time stamp may lag: two ticks of a kernel with HZ=100
COARSE_BLUR = 2_000_000_000  # the same where stamps are whole seconds (HFS+, ext3) or even ones (FAT)


def describe(info: os.stat_result) -> str:
    """Return the signature in a stat result: inode, size, mtime and ctime, in the format of ``stat``.

    The device is left out: it changes when a container mounts the same folder again.
    """
    mtime, ctime = info.st_mtime_ns, info.st_ctime_ns
    return f"{info.st_ino} {info.st_size} {mtime // 10**9}.{mtime % 10**9:09d} {ctime // 10**9}.{ctime % 10**9:09d}"


def signature(path: str) -> str:
    """Return the signature of the file that `path` leads to, or `ABSENT`."""
    try:
        return describe(os.stat(path))
    except (OSError, ValueError):  # ValueError: a null byte, in a path that was read from a file
        return ABSENT


def changed_at(info: os.stat_result) -> int:
    """Return when a file was last changed, in nanoseconds: its ctime, which no program can set."""
    return info.st_ctime_ns


def settles(changed: int) -> int:
    """Return the time after which an edit moves the time stamp `changed`, both in nanoseconds.

    An edit within the same tick leaves the stamp as it was; git calls such an entry racy. Each file is judged by its
    own stamp: with `ROOST_DIR`, or with path dependencies, the inputs and the index are on several file systems.
    """
    return changed + (BLUR if changed % 10**9 else COARSE_BLUR)


def boot_id() -> str:
    """Return the kernel's identifier of the current boot; empty where there is none, as on macOS and Windows."""
    try:
        descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 64).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)


def is_own(info: os.stat_result) -> bool:
    """Return whether a file belongs to the current user."""
    return info.st_uid == os.geteuid()


def is_private_folder(path: str) -> bool:
    """Return whether `path` is a folder, and no link, that only its owner, the current user, can write to."""
    info = os.lstat(path)
    return info.st_mode & 0o170022 == 0o040000 and is_own(info)


def exposed(path: str) -> "tuple[str, str] | None":
    """Return a folder or link above `path` by which another user can replace it, and the fault, or None.

    The rule is that of ssh for its files (sshd_config(5), StrictModes): each belongs to this user or to root, and
    others can write to none. A folder like `/tmp` passes: its sticky bit keeps others from renaming what is there.
    """
    above = os.path.dirname(path)
    pending, seen = [above, os.path.realpath(above)], set()
    while pending:
        here = pending.pop()
        seen.add(here)
        try:
            info = os.lstat(here)
        except FileNotFoundError:  # it will be made
            info = None
        found = [os.path.dirname(here)]
        if info:
            if info.st_uid not in (0, os.geteuid()):
                return here, f"belongs to another user (uid {info.st_uid}, you are {os.geteuid()})"
            if info.st_mode & 0o170000 == 0o120000:
                found.append(os.path.normpath(os.path.join(found[0], os.readlink(here))))
            elif info.st_mode & 0o022 and not info.st_mode & 0o1000:
                return here, "can be written by others"
        pending += [one for one in found if one not in seen]
    return None


def open_own(path: str) -> int:
    """Return a descriptor for reading `path`, a regular file of the current user.

    A FIFO or a device might never end, and a link might lead to a file of another user.

    Raises:
        OSError: `path` is not such a file, is a link, or does not exist.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    info = os.fstat(descriptor)
    if info.st_mode & 0o170000 == 0o100000 and is_own(info):
        return descriptor
    os.close(descriptor)
    raise OSError(path)


def read_own(path: str, limit: int) -> bytes:
    """Return the content of `path`, a regular file of the current user, up to `limit` bytes.

    Raises:
        OSError: `path` is not such a file, is a link, does not exist, or cannot be read.
    """
    descriptor = open_own(path)
    try:
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def open_input(path: str) -> int:
    """Return a descriptor for reading `path`; does not wait for the writer of a FIFO.

    Raises:
        OSError: `path` cannot be opened.
        ValueError: `path` contains a null byte.
    """
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def create(path: str, mode: int = 0o600) -> int:
    """Return a descriptor for writing the new file `path`.

    Raises:
        FileExistsError: `path` exists, also as a link that leads nowhere.
        OSError: it cannot be made.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def open_for_appending(path: str) -> int:
    """Return a descriptor for appending to the file `path`, which is created where it is missing.

    Raises:
        OSError: it is a link, or cannot be opened.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def scratch(path: str) -> int:
    """Return a descriptor of a new file without a name, for the output of programs. It is in the folder of `path`.

    Raises:
        OSError: it cannot be made.
    """
    named = temporary(path)
    descriptor = create(named)
    os.unlink(named)
    return descriptor


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Return up to `size` bytes of an open file from `offset`; programs that write to it are not disturbed."""
    return os.pread(descriptor, size, offset)


def temporary(path: str) -> str:
    """Return a new name in the folder of `path`, for a file that will be renamed to `path`.

    The name is random. Process numbers are not unique here: containers may share the folder, and threads a process.
    `folders.remove_older` removes what a crash leaves.
    """
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{os.urandom(4).hex()}"


def write(
    path: str,
    content: "str | bytes",
    *,
    mode: int = 0o600,
    flush: bool = False,
    accept: "Callable[[os.stat_result], bool] | None" = None,
) -> None:
    """Write `content` to `path` atomically: readers see the old file or all of the new one.

    With `flush` the content reaches the disk before the rename, so that a power cut leaves one or the other as well.
    `accept` receives the stat result of the new file; where it returns False, `path` stays as it is.

    Raises:
        OSError: the disk is full or read-only, the folder is gone, or `path` is a folder. `path` stays as it is.
    """
    new = temporary(path)
    descriptor = create(new, mode)
    try:
        try:
            data = memoryview(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
            while data:
                data = data[os.write(descriptor, data) :]
            if flush:
                os.fsync(descriptor)
            accepted = accept is None or accept(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        if accepted:
            replace(new, path)
            return
    except BaseException:
        remove(new)
        raise
    remove(new)


def replace(old: str, new: str) -> None:
    """Rename the file `old` to `new`, atomically, whatever `new` was before.

    Raises:
        OSError: `new` is a folder, or the disk is read-only.
    """
    os.replace(old, new)


def remove(path: str) -> None:
    """Remove the file `path`; one that is gone already, or cannot be removed, is left."""
    try:
        os.unlink(path)
    except OSError:
        return


def link(path: str, target: str) -> bool:
    """Make the link `path` lead to the folder `target`, atomically, whatever it led to before.

    Returns False where this user cannot make links.

    Raises:
        OSError: it cannot be made, or `path` is a folder.
    """
    new = temporary(path)
    os.symlink(target, new)
    try:
        os.replace(new, path)
    except OSError:
        remove(new)
        raise
    return True


def is_link(path: str) -> bool:
    """Return whether `path` is a link."""
    return os.path.islink(path)


def read_link(path: str) -> str:
    """Return what the link `path` leads to.

    Raises:
        OSError: it is no link.
    """
    return os.readlink(path)


if sys.platform == "win32":
    from roost.system.windows_files import (  # noqa: F401 - they replace those above
        boot_id,
        changed_at,
        create,
        exposed,
        is_link,
        is_own,
        is_private_folder,
        link,
        open_for_appending,
        open_input,
        open_own,
        read_at,
        read_link,
        replace,
        scratch,
    )
