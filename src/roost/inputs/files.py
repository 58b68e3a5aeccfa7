"""The inputs: the files an environment is made from, each with its signature at the time of reading."""

import fnmatch
import functools
import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator
from itertools import chain
from typing import Any

import tomli

from roost.errors import RoostError
from roost.system import files
from roost.warm.earlier_states import INPUT_LIMIT, digest

COUNT_LIMIT = 20_000  # paths that a glob may match, and folders that it may lead through

ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")  # hashed without reading them into memory
_WILD = frozenset("*?[")
_BRACES = re.compile(r"\{([^{}]*)\}")


def is_glob(pattern: str) -> bool:
    """Return whether `pattern` may match other paths than itself."""
    return not _WILD.isdisjoint(pattern)


def _alternatives(pattern: str) -> Iterator[str]:
    """Yield the patterns without braces that a pattern with `{a,b}` stands for."""
    found = _BRACES.search(pattern)
    if not found:
        yield pattern
        return
    for one in found[1].split(","):
        yield from _alternatives(f"{pattern[: found.start()]}{one}{pattern[found.end() :]}")


def _parts(pattern: str) -> list[str]:
    parts: list[str] = []
    for part in [*pattern.split("/"), *(["*"] if pattern.endswith("**") else [])]:
        if part not in ("", ".") and not (part == "**" and parts[-1:] == ["**"]):
            parts.append(part)
    return parts


def text_of(path: str) -> str:
    """Return the text of a file that is no input, such as a hook; empty where it cannot be read."""
    try:
        return Inputs().text(path)
    except RoostError:
        return ""


@functools.lru_cache(maxsize=4096)  # more than a workspace has members
def _parsed(content: bytes) -> dict[str, Any]:
    """Parse TOML, once for the several questions of a build. Callers must not change the result."""
    return tomli.loads(content.decode("utf-8-sig"))  # editors on Windows begin a file with a byte order mark


class Inputs:
    """Reads each file once, and keeps the signatures of all that were looked for, also of missing ones."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self.signatures: dict[str, str] = {}
        self.folders: dict[str, str] = {}
        """Folders listed for globs. Only the index compares them, since a build may write there."""
        self.settled = 0  # ns, when the last of them settles (`files.settles`)
        self.variables: set[str] = set()  # environment variables: no `stat` notices a change of one
        self._listings = 0  # for one pattern: several `**` reach a folder on many paths
        self._contents: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        """Return the content of the file at `path`, or None when there is none.

        Raises:
            RoostError: it is no regular file, too large, or cannot be read.
        """
        if path not in self._contents:
            self._contents[path] = self._read(path)
        return self._contents[path]

    def text(self, path: str) -> str:
        """Return the text of the file at `path`; empty where there is none.

        Raises:
            RoostError: it is no regular file, too large, or cannot be read.
        """
        return (self.read(path) or b"").decode(errors="replace")

    def digest(self, path: str) -> str | None:
        """Return a hash of the file at `path`, or None when there is none; of an archive of any size.

        Raises:
            RoostError: it is no regular file, too large, or cannot be read.
        """
        if not path.endswith(ARCHIVES):
            content = self.read(path)
            return content if content is None else hashlib.sha256(content).hexdigest()[:32]
        file = self._open(path, None)
        if file is None:
            return None
        with file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]

    def _read(self, path: str) -> bytes | None:
        file = self._open(path, INPUT_LIMIT)
        if file is None:
            return None
        with file:
            return file.read(INPUT_LIMIT)

    def _open(self, path: str, limit: int | None) -> io.BufferedReader | None:
        try:
            descriptor = files.open_input(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a null byte in its name
            self.signatures[path] = files.ABSENT
            return None
        except OSError as error:
            raise RoostError(f"`{path}` cannot be read: {error.strerror}") from error
        info = os.fstat(descriptor)
        fault = ""
        if not stat.S_ISREG(info.st_mode):
            fault = "is not a regular file, so no environment can be made from it"
        elif limit is not None and info.st_size > limit:
            fault = f"is larger than {limit >> 20} MiB, so no environment is made from it"
        if fault:
            os.close(descriptor)
            raise RoostError(f"`{path}` {fault}")
        self.signatures[path] = self._noted(info)
        return open(descriptor, "rb")

    def _noted(self, info: os.stat_result) -> str:
        """Return the signature of an input, and note when it settles."""
        self.settled = max(self.settled, files.settles(files.changed_at(info)))
        return files.describe(info)

    def toml(self, path: str) -> dict[str, Any] | None:
        """Return the tables of the TOML file at `path`, or None when there is none.

        Raises:
            RoostError: it does not parse; the text names file and line.
        """
        content = self.read(path)
        if content is None:
            return None
        try:
            return _parsed(content)
        except (tomli.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RoostError(f"`{path}` is not valid TOML: {error}") from error

    def expand(self, root: str, pattern: str) -> Iterator[str]:
        """Yield the paths below `root` that match the glob `pattern` (`*`, `?`, `[]`, `{a,b}`, `**`), sorted.

        A `**` at the end matches everything below. The index compares each folder that was listed and each missing
        name, so that a file which comes or goes is noticed.

        Raises:
            RoostError: more than `COUNT_LIMIT` paths match, or as many folders had to be listed.
        """
        found = ([self._expand(root, _parts(one), pattern), [""]] for one in _alternatives(pattern))
        tried = (path for paths in found for path in chain(*paths))
        matches = self._listings = 0
        try:
            for count, path in enumerate(tried):
                matches += bool(path)
                if matches > COUNT_LIMIT or count > 2 * COUNT_LIMIT:  # an empty one for each alternative
                    raise RoostError(
                        f"the pattern `{pattern}` matches more than {COUNT_LIMIT} paths in `{root}`: narrow it"
                    )
                if path:
                    yield path
        except RecursionError:
            raise RoostError(f"the pattern `{pattern[:80]}` leads too deep in `{root}`: narrow it") from None

    def _expand(self, here: str, parts: list[str], pattern: str) -> Iterator[str]:
        if not parts:
            yield here
            return
        part, rest = parts[0], parts[1:]
        if not is_glob(part):
            path = f"{here}/{part}"
            if rest or os.path.lexists(path):
                yield from self._expand(path, rest, pattern)
            else:
                self.signatures[path] = files.ABSENT
        else:
            if part == "**":
                yield from self._expand(here, rest, pattern)
            for entry in self._list(here, pattern):
                if entry.name.startswith(".") and not part.startswith("."):
                    continue
                if part == "**":
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._expand(f"{here}/{entry.name}", parts, pattern)
                elif fnmatch.fnmatchcase(entry.name, part):
                    yield from self._expand(f"{here}/{entry.name}", rest, pattern)

    def _list(self, path: str, pattern: str) -> list[os.DirEntry[str]]:
        self._listings += 1
        try:
            self.folder(path)
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except (OSError, ValueError):  # a null byte in the pattern
            self.folders[path] = files.ABSENT
            return []
        if max(len(self.folders), self._listings // 2) > COUNT_LIMIT:  # a warm start compares each
            what = f"more than {COUNT_LIMIT} folders, such as `{path}`"
            raise RoostError(f"the pattern `{pattern}` leads through {what}: narrow it")
        return entries

    def folder(self, path: str) -> bool:
        """Return whether `path` is a folder; the index notices when it comes or goes."""
        try:
            info = os.stat(path)
        except (OSError, ValueError):
            self.folders[path] = files.ABSENT
            return False
        self.folders[path] = self._noted(info)
        return stat.S_ISDIR(info.st_mode)

    def digests(self) -> list[str]:
        """Return a line with the hash and the path of each input that was read whole, for the index."""
        return [f"{digest(content)} {path}" for path, content in self._contents.items() if content is not None]

    def changed(self) -> list[str]:
        """Return the inputs whose signature changed since they were read."""
        return [path for path, was in self.signatures.items() if files.signature(path) != was]

    def is_same(self, path: str) -> bool:
        """Return whether the file at `path` has the content that was read, whatever its signature."""
        try:
            return self._contents.get(path) is not None and Inputs().read(path) == self._contents[path]
        except RoostError:
            return False
