"""Files: signatures, safe opening, the one atomic writer, links and folders. Imported by every warm start."""

import os

from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

ABSENT = "absent"  # the signature of a file that does not exist


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


def boot_id() -> str:
    """Return the kernel's identifier of the current boot; empty where there is none, as on macOS."""
    try:
        descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 64).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)


def is_private_folder(path: str) -> bool:
    """Return whether `path` is a folder, and no link, that only its owner, the current user, can write to."""
    info = os.lstat(path)
    return info.st_mode & 0o170022 == 0o040000 and info.st_uid == os.geteuid()


def open_own(path: str) -> int:
    """Return a descriptor for reading `path`, a regular file of the current user.

    A FIFO or a device might never end, and a link might lead to a file of another user.

    Raises:
        OSError: `path` is not such a file, is a link, or does not exist.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    info = os.fstat(descriptor)
    if info.st_mode & 0o170000 == 0o100000 and info.st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    raise OSError(path)


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


def temporary(path: str) -> str:
    """Return a new name in the folder of `path`, for a file that will be renamed to `path`.

    The name is random. Process numbers are not unique here: containers may share the folder, and threads a process.
    """
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{os.urandom(4).hex()}"


def _is_temporary(name: str) -> bool:
    """Return whether `temporary` made `name`; no file that stays has a name that begins with a dot."""
    stem, dot, digits = name.rpartition(".")
    return bool(dot and len(stem) > 1 and stem[0] == ".") and len(digits) == 8 and not digits.strip("0123456789abcdef")


def write(
    path: str,
    content: str | bytes,
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
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
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
            os.replace(new, path)
            return
    except BaseException:
        remove(new)
        raise
    remove(new)


def remove(path: str) -> None:
    """Remove the file `path`; one that is gone already, or cannot be removed, is left."""
    try:
        os.unlink(path)
    except OSError:
        return


def flush_folder(path: str) -> None:
    """Write the names in the folder `path` to the disk, so that a rename there survives a power cut.

    Raises:
        OSError: the disk fails.
    """
    descriptor = _open_folder(path)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link(path: str, target: str) -> None:
    """Make the symbolic link `path` lead to `target`, atomically, whatever it led to before.

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


def supports_hard_links(path: str, name: str) -> bool:
    """Return whether the file `path` can get the second name `name`, which is removed again."""
    try:
        os.link(path, name)
        os.unlink(name)
    except OSError:
        return False
    return True


def _open_folder(path: str, within: int | None = None) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)


def check_folder(path: str) -> None:
    """Refuse anything but a folder, such as a link to one; a missing folder passes.

    Raises:
        RoostError: with the path.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if mode & 0o170000 != 0o040000:
        message = f"`{path}` is not a folder: remove it"
        raise RoostError(message)


def make_folder(path: str) -> None:
    """Make the folder `path`, for its owner alone, unless it exists.

    Raises:
        RoostError: something else is there.
        OSError: it cannot be made.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        check_folder(path)
    else:
        os.chmod(path, 0o700)  # a strict umask may have removed the owner's own bits


def names(folder: str, pattern: "re.Pattern[str]") -> list[str]:
    """Return the names in `folder` that match `pattern`, sorted; none where there is no such folder."""
    try:
        return sorted(filter(pattern.fullmatch, os.listdir(folder)))
    except FileNotFoundError:
        return []


def remove_temporary(path: str, before: float) -> None:
    """Remove the temporary files in the folder `path` that were last changed before `before` (seconds since 1970).

    Raises:
        OSError: the folder cannot be read.
    """
    with Folder(path) as folder:
        for name in filter(_is_temporary, folder.names()):
            if folder.stat(name).st_mtime < before:
                folder.unlink(name)


def disk_usage(folder: str) -> tuple[int, int]:
    """Return the bytes that the files in `folder` take on disk, and how many of these have another name elsewhere.

    A file with several names counts once.
    """
    total = shared = 0
    seen = set()
    folders = [folder]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
                continue
            info = entry.stat(follow_symlinks=False)
            if info.st_ino not in seen:
                seen.add(info.st_ino)
                total += info.st_blocks * 512
                shared += info.st_blocks * 512 if info.st_nlink > 1 else 0
    return total, shared


class Folder:
    """An open folder. Its operations follow no link, whatever replaces the path meanwhile."""

    def __init__(self, path: str, within: "Folder | None" = None) -> None:
        """Open the folder `path`, or the folder of that name `within` another.

        Raises:
            OSError: there is no such folder, or it is a link.
        """
        self.descriptor: int = _open_folder(path, within.descriptor if within else None)

    def names(self) -> list[str]:
        """Return the names in it."""
        return os.listdir(self.descriptor)

    def stat(self, name: str) -> os.stat_result:
        """Return the stat result of the entry `name` itself."""
        return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def open(self, name: str) -> int | None:
        """Return a descriptor of the regular file `name`; None for anything else, and where it is gone."""
        try:
            if self.stat(name).st_mode & 0o170000 != 0o100000:
                return None
            flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            return os.open(name, flags, dir_fd=self.descriptor)
        except FileNotFoundError:
            return None

    def unlink(self, name: str) -> None:
        """Remove the file `name`."""
        os.unlink(name, dir_fd=self.descriptor)

    def move(self, name: str, to: "Folder") -> None:
        """Move `name` into another folder, under a new random name; one that is gone is left."""
        try:
            os.rename(name, f"{name}-{os.urandom(4).hex()}", src_dir_fd=self.descriptor, dst_dir_fd=to.descriptor)
        except FileNotFoundError:
            return

    def delete(self, name: str) -> None:
        """Delete `name` with all that is in it, as far as possible; others may be deleting it too."""
        import shutil  # noqa: PLC0415 - not on a warm start

        try:
            if self.stat(name).st_mode & 0o170000 == 0o040000:
                shutil.rmtree(name, ignore_errors=True, dir_fd=self.descriptor)
            else:  # `rmtree` would open it, and wait for the writer of a FIFO
                self.unlink(name)
        except FileNotFoundError:
            return

    def __enter__(self) -> "Self":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        """Close it."""
        os.close(self.descriptor)
