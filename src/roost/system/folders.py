"""Folders: creation, checks, and operations that follow no link."""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from typing import NamedTuple, Self

from roost.errors import RoostError

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")  # `files.temporary`; no file that stays has a name that begins with a dot


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
        raise RoostError(f"`{path}` is not a folder: remove it")


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


def names(folder: str, pattern: re.Pattern[str]) -> list[str]:
    """Return the names in `folder` that match `pattern`, sorted; none where there is no such folder."""
    try:
        return sorted(filter(pattern.fullmatch, os.listdir(folder)))
    except FileNotFoundError:
        return []


def names_in(folder: str) -> list[str]:
    """Return the names in `folder`; none where it cannot be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def remove_older(path: str, before: float, pattern: re.Pattern[str] = _TEMPORARY) -> None:
    """Remove files in the folder `path` that were last changed before `before` (seconds since 1970).

    Without a `pattern` of their names, these are the temporary ones.

    Raises:
        OSError: the folder cannot be read.
    """
    with Folder(path) as folder:
        for name in filter(pattern.fullmatch, folder.names()):
            if folder.stat(name).st_mtime < before:
                folder.unlink(name)


@contextlib.contextmanager
def entries(folder: str) -> Iterator[Iterator["os.DirEntry[str]"]]:
    """Provide the entries of `folder`. Use their names and types alone: their `path` may be relative.

    Raises:
        OSError: the folder cannot be read.
    """
    if os.scandir not in os.supports_fd:
        with os.scandir(folder) as found:
            yield found
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(descriptor) as found:  # the kernel need not follow the whole path for each `stat`
            yield found
    finally:
        os.close(descriptor)


class DiskUsage(NamedTuple):
    """The bytes that files take on disk."""

    total: int
    shared: int
    """How many of these have another name elsewhere."""
    bytecode: int
    """How many of the shared bytes are bytecode."""


def disk_usage(folder: str) -> DiskUsage:
    """Return the bytes that the files in `folder` take on disk. A file with several names counts once."""
    total = shared = bytecode = 0
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
            info = os.lstat(entry.path)  # on Windows, `entry.stat` knows no inode
            if info.st_ino not in seen:
                seen.add(info.st_ino)
                size = size_on_disk(info)
                total += size
                shared += size if info.st_nlink > 1 else 0
                bytecode += size if info.st_nlink > 1 and entry.name.endswith(".pyc") else 0
    return DiskUsage(total, shared, bytecode)


class Folder:
    """An open folder. Its operations follow no link, whatever replaces the path meanwhile.

    Their errors name whole paths.
    """

    def __init__(self, path: str, within: "Folder | None" = None) -> None:
        """Open the folder `path`, or the folder of that name `within` another.

        Raises:
            OSError: there is no such folder, or it is a link.
        """
        self.path: str = f"{within.path}/{path}" if within else path
        with self._named():
            self.descriptor: int = _open_folder(path, within.descriptor if within else None)

    @contextlib.contextmanager
    def _named(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename, error.filename2 = f"{self.path}/{name}".rstrip("/"), None
            raise

    def names(self) -> list[str]:
        """Return the names in it."""
        return os.listdir(self.descriptor)

    def stat(self, name: str) -> os.stat_result:
        """Return the stat result of the entry `name` itself."""
        with self._named(name):
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def open(self, name: str) -> int | None:
        """Return a descriptor of the regular file `name`; None for anything else, and where it is gone."""
        try:
            if self.stat(name).st_mode & 0o170000 != 0o100000:
                return None
            flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with self._named(name):
                return os.open(name, flags, dir_fd=self.descriptor)
        except FileNotFoundError:
            return None

    def unlink(self, name: str) -> None:
        """Remove the file `name`."""
        with self._named(name):
            os.unlink(name, dir_fd=self.descriptor)

    def move(self, name: str, to: "Folder") -> bool:
        """Move `name` into another folder, under a new random name; one that is gone is left.

        Returns False where the operating system does not move what a program has open.
        """
        with contextlib.suppress(FileNotFoundError), self._named(name):
            os.rename(name, f"{name}-{os.urandom(4).hex()}", src_dir_fd=self.descriptor, dst_dir_fd=to.descriptor)
        return True

    def delete(self, name: str) -> None:
        """Delete `name` with all that is in it, as far as possible; others may be deleting it too."""
        try:
            if self.stat(name).st_mode & 0o170000 == 0o040000:
                shutil.rmtree(name, ignore_errors=True, dir_fd=self.descriptor)
            else:  # `rmtree` would open it, and wait for the writer of a FIFO
                self.unlink(name)
        except FileNotFoundError:
            return

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        os.close(self.descriptor)


def size_on_disk(info: os.stat_result) -> int:
    """Return the bytes that a file takes on disk."""
    return info.st_blocks * 512


def flush(path: str) -> None:
    """Write the names in the folder `path` to the disk, so that a rename there survives a power cut.

    Raises:
        OSError: the disk fails.
    """
    descriptor = _open_folder(path)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def supports_hard_links(path: str, name: str) -> bool:
    """Return whether the file `path` can get the second name `name`, which is removed again."""
    try:
        os.link(path, name)
        os.unlink(name)
    except OSError:
        return False
    return True


if sys.platform == "win32":
    from roost.system.windows_files import (  # noqa: F401 - they replace those above
        Folder,
        flush,
        size_on_disk,
    )
