"""Provides the bytecode of a new venv: from the cache where it fits the sources, else compiled.

Bytecode fits a source if it was compiled from the same content. The hash in `RECORD` says which content that should be.
Whether the source has it is known without reading it if it is the file that was compiled, as another hard link: the
same inode, size and modification time. Else the source is read, and its hash compared.
"""

import base64
import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from roost.bytecode.cache import FAILED, Cache, Module, limit, link_or_copy, read, write_new
from roost.console import messages
from roost.store.inventory import Record
from roost.system import user_cache

COMPILER = os.path.join(os.path.dirname(__file__), "compiler.py")  # a script for the venv's Python, not imported here
Files = dict[str, int | str]
Stats = dict[str, os.stat_result]


def cache() -> Cache | None:
    """Return the bytecode cache; None where the user wants none, and, with a warning, if it cannot be trusted.

    Raises:
        UsageError: a variable about it has a wrong value.
    """
    limit()
    if not user_cache.is_wanted():
        return None
    found = Cache()
    if fault := found.fault():
        messages.warning(f"the bytecode cache is not used: {fault}; set `ROOST_CACHE_DIR` to a folder of your own")
        return None
    return found


class Sources(NamedTuple):
    """The sources of a distribution."""

    pairs: list[tuple[str, str]]
    """Their paths below the venv, and their hashes, as in `RECORD`."""
    key: str


class Linked(NamedTuple):
    """What the cache provided for some distributions."""

    files: dict[str, int]
    """The bytecode: path below the venv to size."""
    failing: list[str]
    """Sources that do not compile."""
    incomplete: list[int]
    """The numbers of the distributions of which the cache lacks something."""


class Provider:
    """Provides bytecode for one venv."""

    def __init__(self, venv: str, cache: Cache | None, tag: str) -> None:
        """Provide bytecode in `venv` for a Python with the cache tag and magic number `tag`."""
        self.venv = venv
        self._cache = cache
        self._tag = tag
        self._suffix = f".{tag.partition(' ')[0]}.pyc"
        self.files: Files = {}
        """The provided bytecode: path below the venv to size."""
        self.missing: list[str] = []
        """Sources that have to be compiled, below the venv, the largest first."""
        self._stats: Stats = {}
        """The sources without bytecode of their own, as they are."""
        self._incomplete: list[Sources] = []
        """Distributions of which the cache lacks something."""

    def link(self, records: Iterable[Record]) -> Linked:
        """Take from the cache what fits the sources of each distribution. Changes nothing in this object."""
        return self._link(map(self._of_record, records))

    def take(self, records: Sequence[Record], linked: Linked, files: Files, stats: Stats) -> None:
        """Take what `link` returned; do the same for sources that no `RECORD` has a hash of; find what is missing.

        `files` and `stats` are those of `inventory.take`, which may have seen a part of what was linked meanwhile.
        """
        inside = ((path, info) for path, info in stats.items() if "/site-packages/" in path)
        own = files.keys() - linked.files.keys()  # such as bytecode of the installer
        self._stats = {path: info for path, info in inside if self._bytecode(path) not in own}
        self._incomplete = [self._of_record(records[number]) for number in linked.incomplete]
        self.files.update(linked.files)
        failing = set(linked.failing)
        if self._cache:
            loose = sorted(self._stats.keys() - {path for record in records for path, _ in _listed(record)})
            others = self._sources([(path, self._hash(path)) for path in loose])
            linked = self._link([others])
            self._incomplete += [others] * len(linked.incomplete)
            self.files.update(linked.files)
            failing.update(linked.failing)
        rest = [path for path in self._stats if path not in failing and self._bytecode(path) not in self.files]
        self.missing = sorted(rest, key=lambda path: self._stats[path].st_size, reverse=True)

    def _bytecode(self, source: str) -> str:
        folder, _, name = source.rpartition("/")
        return f"{folder}/__pycache__/{name[:-3]}{self._suffix}"

    def _of_record(self, record: Record) -> Sources:
        return self._sources(list(_listed(record)))

    def _sources(self, pairs: list[tuple[str, str]]) -> Sources:
        text = "\n".join([self._tag, *(path for path, _ in pairs), *(digest for _, digest in pairs)])
        return Sources(pairs, hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40])

    def _link(self, distributions: Iterable[Sources]) -> Linked:
        """Link the bytecode of `distributions`. What can take a while is done once for all sources of one."""
        done, folders = Linked({}, [], []), set[str]()
        for number, sources in enumerate(distributions if self._cache else ()):
            if sources.pairs and not self._link_one(sources, done, folders):
                done.incomplete.append(number)
        return done

    def _link_one(self, sources: Sources, done: Linked, folders: set[str]) -> bool:
        """Link the bytecode of a distribution. Returns whether the cache has all of it, for these files."""
        assert self._cache  # noqa: S101 - for mypy
        modules = self._cache.read(sources.key) or []
        if len(modules) != len(sources.pairs):
            return False
        complete = True
        folder = self._cache.folder(sources.key)
        for number, ((path, digest), module) in enumerate(zip(sources.pairs, modules, strict=True)):
            new, info = self._bytecode(path), self._stat(path)
            if info is None or new in done.files:  # two distributions may have it
                continue
            if module is None or not self._fits(module, path, digest, info):
                complete = False
            elif module.bytecode == FAILED:
                done.failing.append(path)
            else:
                try:
                    provided = self._provide(f"{folder}/{number}", new, module, info, folders)
                except FileExistsError:  # the installer's own
                    continue
                except OSError:
                    provided = False
                if provided:
                    done.files[new] = module.bytecode
                # A source with other links is in an installer's cache, and comes again.
                complete = complete and provided and (info.st_nlink == 1 or module.is_of(info))
        return complete

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            info = os.lstat(f"{self.venv}/{path}")
        except OSError:
            return None
        return info if info.st_mode & 0o170000 == 0o100000 else None

    def _fits(self, module: Module, path: str, digest: str, info: os.stat_result) -> bool:
        """Return whether the source at `path` has the content that `module` was compiled from."""
        try:
            return module.is_of(info) or self._hash(path) == digest
        except OSError:
            return False

    def _provide(self, cached: str, new: str, module: Module, info: os.stat_result, folders: set[str]) -> bool:
        """Give a source, whose stat result is `info`, the bytecode `cached`. Returns False if Python would not load it.

        Raises:
            FileExistsError: it has bytecode.
            OSError: it cannot be provided.
        """
        folder = new.rpartition("/")[0]
        if folder not in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(f"{self.venv}/{folder}")
            folders.add(folder)
        if (module.mtime // 10**9, module.size) == (info.st_mtime_ns // 10**9, info.st_size):
            link_or_copy(cached, f"{self.venv}/{new}")
        elif content := _with_mtime(read(cached), info):
            write_new(f"{self.venv}/{new}", content)
        else:
            return False
        return True

    def _hash(self, path: str) -> str:
        digest = hashlib.sha256(read(f"{self.venv}/{path}")).digest()
        return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    def add(self, *, complete: bool) -> None:
        """Add what was compiled to `files` and to the cache. `complete` is whether the compiler ended well.

        Raises:
            OSError: the cache cannot be written.
        """
        for source in self.missing:
            with contextlib.suppress(OSError):
                path = self._bytecode(source)
                self.files[path] = os.stat(f"{self.venv}/{path}").st_size
        if not (self._cache and complete and self._incomplete):
            return
        self._cache.prepare()
        for sources in self._incomplete:
            modules = [self._module(*pair) for pair in sources.pairs]
            if any(modules):
                paths = [f"{self.venv}/{self._bytecode(path)}" for path, _ in sources.pairs]
                self._cache.add(sources.key, modules, paths)
        self._cache.shrink(limit())

    def _module(self, path: str, digest: str) -> Module | None:
        """Return what the cache records of a source: None unless it has its content, before and after compiling."""
        before = self._stats.get(path)
        if before is None:
            return None
        try:
            if self._hash(path) != digest:
                return None
            now = os.lstat(f"{self.venv}/{path}")
        except OSError:
            return None
        module = Module(now.st_size, now.st_mtime_ns, now.st_ino, self._size(path))
        return module if module.is_of(before) else None

    def _size(self, source: str) -> int:
        """Return the size of the bytecode of a source, which others can only read, or `FAILED`."""
        path = self._bytecode(source)
        size = self.files.get(path)
        if not isinstance(size, int):
            return FAILED
        mode = os.stat(f"{self.venv}/{path}").st_mode
        if mode & 0o022:
            os.chmod(f"{self.venv}/{path}", mode & 0o755)
        return size


def _listed(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the sources that `record` has a hash of, below the venv, and the hashes."""
    for path, digest, _ in record.rows:
        if path.endswith(".py") and digest.startswith("sha256=") and not path.startswith("."):
            yield f"{record.folder}{path}", digest


def _with_mtime(content: bytes, info: os.stat_result) -> bytes | None:
    """Return bytecode with the modification time of another copy of its source; None if it has none (PEP 552)."""
    if content[4:8] != bytes(4):
        return None
    return content[:8] + (info.st_mtime_ns // 10**9 & 0xFFFFFFFF).to_bytes(4, "little") + content[12:]
