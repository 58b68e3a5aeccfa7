"""The inputs: the files an environment is made from, each with the signature it had when it was read."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from typing import Any

import tomli

from roost.errors import RoostError
from roost.index import ABSENT, describe, signature

SIZE_LIMIT = 64 << 20  # bytes; the largest lock files in the field are a few MB
COUNT_LIMIT = 20_000  # files that globs may match

_WILD = frozenset("*?[")


def is_glob(pattern: str) -> bool:
    """Return whether `pattern` may match other paths than itself."""
    return not _WILD.isdisjoint(pattern)


class Inputs:
    """Reads files once each, and remembers what `stat` said of them, also of those that are absent."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self.signatures: dict[str, str] = {}
        self.folders: dict[str, str] = {}  # listed for globs: the index compares them, a build may write in them
        self.youngest = 0  # ns, the latest ctime of all that is there
        self.variables: set[str] = set()  # of the environment: no `stat` notices a change of one
        self._contents: dict[str, bytes | None] = {}
        self._tables: dict[str, dict[str, Any]] = {}

    def read(self, path: str) -> bytes | None:
        """Return the content of the file at `path`, or None when there is none.

        Raises:
            RoostError: it is no regular file, too large, or cannot be read.
        """
        if path not in self._contents:
            self._contents[path] = self._read(path)
        return self._contents[path]

    def _read(self, path: str) -> bytes | None:
        try:
            # Without O_NONBLOCK the open of a FIFO waits for its writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            self.signatures[path] = ABSENT
            return None
        except OSError as error:
            message = f"`{path}` cannot be read: {error.strerror}"
            raise RoostError(message) from error
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            os.close(descriptor)
            message = f"`{path}` is not a regular file, so no environment can be made from it"
            raise RoostError(message)
        with open(descriptor, "rb") as file:
            if info.st_size > SIZE_LIMIT:
                message = f"`{path}` is larger than {SIZE_LIMIT >> 20} MiB, so no environment is made from it"
                raise RoostError(message)
            self.signatures[path] = describe(info)
            self.youngest = max(self.youngest, info.st_ctime_ns)
            return file.read(SIZE_LIMIT)

    def toml(self, path: str) -> dict[str, Any] | None:
        """Return the tables of the TOML file at `path`, or None when there is none.

        Raises:
            RoostError: it does not parse; the text names file and line.
        """
        content = self.read(path)
        if content is None:
            return None
        if path not in self._tables:
            try:
                self._tables[path] = tomli.loads(content.decode())
            except (tomli.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
                message = f"`{path}` is not valid TOML: {error}"
                raise RoostError(message) from error
        return self._tables[path]

    def expand(self, root: str, pattern: str) -> Iterator[str]:
        """Yield the paths below `root` that match the glob `pattern` (`*`, `?`, `[]`, `**`), sorted.

        A `**` at the end stands for everything below. Each folder that had to be listed counts for the index, and so
        does each name that was not there, so that a file which comes or goes is noticed.

        Raises:
            RoostError: more than `COUNT_LIMIT` paths match.
        """
        parts: list[str] = []
        for part in [*pattern.split("/"), *(["*"] if pattern.endswith("**") else [])]:
            if part not in ("", ".") and not (part == "**" and parts[-1:] == ["**"]):
                parts.append(part)
        for count, path in enumerate(self._expand(root, parts)):
            if count >= COUNT_LIMIT:
                message = f"the pattern `{pattern}` matches more than {COUNT_LIMIT} paths in `{root}`: narrow it"
                raise RoostError(message)
            yield path

    def _expand(self, here: str, parts: list[str]) -> Iterator[str]:
        if not parts:
            yield here
            return
        part, rest = parts[0], parts[1:]
        if not is_glob(part):
            path = f"{here}/{part}"
            if rest or os.path.lexists(path):
                yield from self._expand(path, rest)
            else:
                self.signatures[path] = ABSENT
        else:
            if part == "**":
                yield from self._expand(here, rest)
            for entry in self._list(here):
                if entry.name.startswith(".") and not part.startswith("."):
                    continue
                if part == "**":
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._expand(entry.path, parts)
                elif fnmatch.fnmatchcase(entry.name, part):
                    yield from self._expand(entry.path, rest)

    def _list(self, path: str) -> list[os.DirEntry[str]]:
        try:
            info = os.stat(path)
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError:
            self.folders[path] = ABSENT
            return []
        self.folders[path] = describe(info)
        self.youngest = max(self.youngest, info.st_ctime_ns)
        return entries

    def moved(self) -> str | None:
        """Return the first input that is not what it was when it was read, or None."""
        return next((path for path, was in self.signatures.items() if signature(path) != was), None)
