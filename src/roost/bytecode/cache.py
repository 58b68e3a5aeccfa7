"""The bytecode cache of a user: on disk, shared by all projects and processes of the user on one machine.

    bytecode-v1/
      pythons/HASH                 cache tag and magic number of a base interpreter
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
import sys
import time
from typing import NamedTuple

from roost.errors import UsageError
from roost.system import files, folders

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

    def is_of(self, look: os.stat_result) -> bool:
        """Return whether `look` is the stat result of the same source, such as another link to it."""
        return (self.inode, self.mtime, self.size) == (look.st_ino, look.st_mtime_ns, look.st_size)


class Usage(NamedTuple):
    """What the cache contains."""

    entries: int
    bytes: int


def location() -> str:
    """Return the folder of roost's caches, which need not exist.

    Raises:
        UsageError: `ROOST_CACHE_DIR` is relative: it would be another folder in another current folder.
    """
    if chosen := os.environ.get("ROOST_CACHE_DIR"):
        if not os.path.isabs(chosen):
            message = f"`ROOST_CACHE_DIR` is `{chosen}`: it must be an absolute path"
            raise UsageError(message)
        return chosen
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = f"{home}/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else f"{home}/.cache"
    return os.path.join(base, "roost")


def limit() -> int:
    """Return the bytes that the cache may take: `ROOST_CACHE_LIMIT`, in MB.

    Raises:
        UsageError: it is not a number.
    """
    text = os.environ.get("ROOST_CACHE_LIMIT") or str(LIMIT)
    if not text.isdecimal():
        message = f"`ROOST_CACHE_LIMIT` is `{text}`: it must be a number of MB, such as `{LIMIT}`"
        raise UsageError(message)
    return int(text) * 1_000_000


class Cache:
    """The bytecode cache. Creating an instance touches no file."""

    def __init__(self) -> None:
        """Use the cache in `location()`."""
        self.root = os.path.join(location(), "bytecode-v1")
        self.entries = f"{self.root}/entries"
        self.pythons = f"{self.root}/pythons"
        self.trash = f"{self.root}/trash"

    def fault(self) -> str | None:
        """Return why the content of the cache cannot be trusted, or None. A missing cache passes."""
        for path in (os.path.dirname(self.root), self.root, self.entries):
            try:
                if not files.is_private_folder(path):
                    return f"`{path}` belongs to another user, can be written by others, or is not a folder"
            except FileNotFoundError:
                return None
            except OSError as error:
                return f"`{path}` cannot be read ({error.strerror})"
        return None

    def prepare(self) -> None:
        """Create the folders.

        Raises:
            OSError: they cannot be created, or the folder above belongs to another user.
        """
        above = os.path.dirname(self.root)
        if not os.path.isdir(above):
            while not os.path.isdir(above := os.path.dirname(above)):
                pass
            if not files.is_own(os.stat(above)):  # such as root in a user's home
                raise PermissionError(above)
            os.makedirs(os.path.dirname(self.root), mode=0o700, exist_ok=True)
        for path in (self.root, self.entries, self.pythons, self.trash):
            folders.make_folder(path)

    def tag(self, interpreter: str) -> str | None:
        """Return the cache tag and magic number of the base interpreter `interpreter`, if they are known."""
        try:
            with open(files.open_own(f"{self.pythons}/{_digest(interpreter)}"), encoding="ascii") as file:
                return file.read(200)
        except (OSError, ValueError):
            return None

    def record_tag(self, interpreter: str, tag: str) -> None:
        """Record the cache tag and magic number of a base interpreter.

        Raises:
            OSError: they cannot be recorded.
        """
        files.write(f"{self.pythons}/{_digest(interpreter)}", tag)

    def read(self, key: str) -> list[Module | None] | None:
        """Return the modules of an entry, in the order of its key; None for those that it lacks, or for no entry."""
        path = f"{self.entries}/{key}/modules"
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
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return modules

    def bytecode(self, key: str, number: int, module: Module) -> str | None:
        """Return the path of the bytecode of a module in an entry, or None where it is not as it was written."""
        path = f"{self.entries}/{key}/{number}"
        try:
            info = os.lstat(path)
        except OSError:
            return None
        others = info.st_mode & 0o022 and os.name != "nt"  # mode bits mean nothing on Windows
        intact = info.st_size == module.bytecode and info.st_mode & 0o170000 == 0o100000
        return path if intact and not others and files.is_own(info) else None

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

    def shrink(self, most: int) -> int:
        """Remove the entries of the oldest use until the others take `most` bytes. Returns how many were removed.

        What a killed process left is removed as well.
        """
        found = self._sizes()
        total = sum(size for _, size, _ in found)
        removed = 0
        for used, size, name in found:
            unfinished = name.startswith(".")
            if total > most if not unfinished else used < time.time() - _REST or most == 0:
                self._discard(name)
                total -= size
                removed += not unfinished
        for name in folders.names_in(self.trash):
            shutil.rmtree(f"{self.trash}/{name}", ignore_errors=True)
        return removed


def _write(path: str, digest: str, size: int, modules: list[Module | None]) -> None:
    files.write(path, f"{json.dumps([files.boot_id(), digest, size])}\n{json.dumps(modules)}\n")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def link_or_copy(path: str, new: str) -> None:
    """Make the file `new` a hard link to `path`, else a copy that shares its blocks where the file system can.

    No program writes through such a link: Python replaces bytecode by renaming.

    Raises:
        OSError: neither works.
    """
    try:
        os.link(path, new)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, too many links, or a file system without links
        shutil.copyfile(path, new)
