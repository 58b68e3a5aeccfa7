"""The bytecode cache of a user: on disk, shared by all projects and processes of the user on one machine.

    bytecode-v1/
      entries/KEY/                 what the sources of one distribution compile to
        modules                    JSON: the boot, and the hash and size of all bytecode; in the second line, for each
                                   source, its size, mtime and inode, and the size of its bytecode
        0, 1, …                    bytecode, numbered like the sources in `KEY`
      trash/                       entries on their way out

`KEY` is a hash of the names and hashes of the sources, and of the Python's cache tag and magic number. A number in an
entry therefore always stands for one content of a source. An entry is written under a random name and renamed. There is
no lock: a build that finds a file missing compiles it itself.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from typing import NamedTuple

from roost.errors import UsageError
from roost.system import files, folders, user_cache

LIMIT = 2000  # MB
FAILED = -1  # in place of the size of the bytecode: the source does not compile
_REST = 3600.0  # seconds between two notes that an entry is in use, and until what a killed process left is removed


class Module(NamedTuple):
    """A source as it was when it was compiled, and its bytecode."""

    size: int
    mtime: int
    """In nanoseconds."""
    inode: int
    bytecode: int
    """The size of the bytecode, or `FAILED`."""

    def is_of(self, info: os.stat_result) -> bool:
        """Return whether `info` is the stat result of the same source, such as another link to it."""
        return (self.inode, self.mtime, self.size) == (info.st_ino, info.st_mtime_ns, info.st_size)


class Usage(NamedTuple):
    """What the cache contains."""

    entries: int
    bytes: int


def limit() -> int:
    """Return the bytes that the cache may take: `ROOST_CACHE_LIMIT`, in MB.

    Raises:
        UsageError: it is not a number.
    """
    text = os.environ.get("ROOST_CACHE_LIMIT") or str(LIMIT)
    if not text.isdecimal():
        raise UsageError(f"`ROOST_CACHE_LIMIT` is `{text}`: it must be a number of MB, such as `{LIMIT}`")
    return int(text) * 1_000_000


class Cache:
    """The bytecode cache. Creating an instance touches no file."""

    def __init__(self) -> None:
        """Use the one in `user_cache.location()`."""
        self.root = os.path.join(user_cache.location(), "bytecode-v1")
        self.entries = f"{self.root}/entries"
        self.trash = f"{self.root}/trash"

    def fault(self) -> str | None:
        """Return why the content of the cache cannot be trusted, or None. A missing cache passes."""
        return user_cache.fault(self.root, self.entries)

    def prepare(self) -> None:
        """Create the folders.

        Raises:
            OSError: they cannot be created, or the folder above belongs to another user.
        """
        user_cache.prepare(self.root, self.entries, self.trash)

    def read(self, key: str) -> list[Module | None] | None:
        """Return the modules of an entry, in the order of its key; None for those that it lacks, or for no entry.

        It lacks those whose bytecode is not as it was written, too.
        """
        folder = self.folder(key)
        path = f"{folder}/modules"
        try:
            with open(files.open_own(path), "rb") as file:
                age = time.time() - os.fstat(file.fileno()).st_mtime
                boot, digest, size = json.loads(file.readline())
                modules = [Module(*map(int, value)) if value else None for value in json.loads(file.readline())]
            if boot != files.boot_id() and digest != self._digest_of(key, modules):
                return None
            with contextlib.suppress(OSError):  # a read-only cache
                if boot != files.boot_id():
                    _write(path, digest, size, modules)
                elif age > _REST:
                    os.utime(path)
            sizes = _intact(folder)
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return [
            module if module and module.bytecode == sizes.get(str(number), FAILED) else None
            for number, module in enumerate(modules)
        ]

    def folder(self, key: str) -> str:
        """Return the folder of an entry, with the bytecode of each module under its number."""
        return f"{self.entries}/{key}"

    def add(self, key: str, modules: list[Module | None], paths: list[str]) -> None:
        """Write an entry, from bytecode at `paths`. It replaces an earlier one.

        Raises:
            OSError: it cannot be written.
        """
        new = files.temporary(f"{self.entries}/{key}")
        os.mkdir(new, 0o700)
        try:
            for number, (module, path) in enumerate(zip(modules, paths, strict=True)):
                if module and module.bytecode != FAILED:
                    link_or_copy(path, f"{new}/{number}")
            digest = self._digest_of(os.path.basename(new), modules)
            size = sum(module.bytecode for module in modules if module)
            _write(f"{new}/modules", digest, size, modules)
            try:
                os.rename(new, f"{self.entries}/{key}")
            except OSError:  # an earlier one is there
                self._discard(key)
                os.rename(new, f"{self.entries}/{key}")
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise

    def _digest_of(self, name: str, modules: list[Module | None]) -> str:
        """Return a hash of the bytecode in an entry: after a power cut, its size may be right and its content lost."""
        digest = hashlib.sha256()
        for number, module in enumerate(modules):
            if module and module.bytecode != FAILED:
                with open(files.open_own(f"{self.entries}/{name}/{number}"), "rb") as file:
                    digest.update(file.read())
        return digest.hexdigest()

    def _discard(self, name: str) -> None:
        """Rename an entry into the trash, and delete it there."""
        gone = f"{self.trash}/{os.urandom(8).hex()}"
        with contextlib.suppress(OSError):
            os.rename(f"{self.entries}/{name}", gone)
        shutil.rmtree(gone, ignore_errors=True)

    def usage(self) -> Usage:
        """Return the number of entries, and their size."""
        found = self._sizes()
        return Usage(len(found), sum(size for _, size, _ in found))

    def _sizes(self) -> list[tuple[float, int, str]]:
        """Return for each entry: its last use, the size of its bytecode and its name, the oldest use first."""
        found = []
        for name in folders.names_in(self.entries):
            used, size = 0.0, 0
            with contextlib.suppress(OSError, ValueError, TypeError):
                used = os.stat(f"{self.entries}/{name}").st_mtime
                with open(files.open_own(f"{self.entries}/{name}/modules"), "rb") as file:
                    used = os.fstat(file.fileno()).st_mtime
                    _, _, size = json.loads(file.readline(1000))
            found.append((used, int(size), name))
        return sorted(found)

    def shrink(self, most: int) -> None:
        """Remove the entries of the oldest use until the others take `most` bytes.

        What a killed process left is removed as well.
        """
        found = self._sizes()
        total = sum(size for _, size, _ in found)
        for used, size, name in found:
            unfinished = name.startswith(".")
            if total > most if not unfinished else used < time.time() - _REST or most == 0:
                self._discard(name)
                total -= size
        for name in folders.names_in(self.trash):
            shutil.rmtree(f"{self.trash}/{name}", ignore_errors=True)


def _write(path: str, digest: str, size: int, modules: list[Module | None]) -> None:
    files.write(path, f"{json.dumps([files.boot_id(), digest, size])}\n{json.dumps(modules)}\n")


def _intact(folder: str) -> dict[str, int]:
    """Return the files in `folder` that only the current user can write to: name to size."""
    others = 0 if os.name == "nt" else 0o022  # mode bits mean nothing on Windows
    with folders.entries(folder) as found:
        stats = [(entry.name, entry.stat(follow_symlinks=False)) for entry in found]
    return {
        name: info.st_size
        for name, info in stats
        if info.st_mode & 0o170000 == 0o100000 and not info.st_mode & others and files.is_own(info)
    }


def link_or_copy(path: str, new: str) -> None:
    """Make the new file `new` a hard link to `path`, else a copy of it.

    No program writes through such a link: Python replaces bytecode by renaming.

    Raises:
        FileExistsError: `new` exists.
        OSError: neither works.
    """
    try:
        os.link(path, new)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:  # another file system, too many links, or a file system without links
        write_new(new, read(path))


def read(path: str) -> bytes:
    """Return the content of the file at `path`.

    Raises:
        OSError: it cannot be read.
    """
    with open(files.open_input(path), "rb") as file:
        return file.read()


def write_new(path: str, content: bytes) -> None:
    """Write the new file `path`, whole or not at all: Python fails at an import where bytecode was cut short.

    Raises:
        FileExistsError: it exists.
        OSError: it cannot be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(path)
    files.write(path, content, mode=0o644)
