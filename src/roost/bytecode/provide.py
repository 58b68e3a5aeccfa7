"""Provides the bytecode of a new venv: from the cache where it fits the sources, else compiled.

Bytecode fits a source if it was compiled from the same content. The hash in `RECORD` says which content that should be.
Whether the source has it is known without reading it if it is the file that was compiled, as another hard link: the
same inode, size and modification time. Else the source is read, and its hash compared.
"""

import base64
import contextlib
import hashlib
import os
from collections.abc import Iterable
from typing import NamedTuple

from roost.bytecode.cache import FAILED, Cache, Module, limit, link_or_copy
from roost.console import messages
from roost.store.inventory import Record
from roost.system import files as system_files
from roost.system import user_cache

COMPILER = os.path.join(os.path.dirname(__file__), "compiler.py")  # a script for the venv's Python, not imported here
Files = dict[str, int | str]
Looks = dict[str, os.stat_result]


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

    paths: list[str]
    """Below the venv."""
    digests: list[str]
    """Their hashes, as in `RECORD`."""
    key: str


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
        self._looks: Looks = {}
        """The sources without bytecode of their own, as they are."""
        self._known: dict[str, Module] = {}
        """The sources whose content was compared with its hash: what they were then."""
        self._folders: set[str] = set()
        """The folders for bytecode that are there."""
        self._changed: list[Sources] = []
        """Distributions of which the cache lacks something."""

    def take(self, files: Files, looks: Looks, records: Iterable[Record]) -> None:
        """Take from the cache what fits the sources `looks`, unless `files` contain bytecode for them already."""
        inside = ((path, look) for path, look in looks.items() if "/site-packages/" in path)
        self._looks = {path: look for path, look in inside if self._bytecode(path) not in files}
        for sources in self._distributions(records) if self._cache else ():
            self._take(sources)
        rest = self._looks.keys() - self._known.keys()
        self.missing = sorted(rest, key=lambda path: self._looks[path].st_size, reverse=True)

    def _bytecode(self, source: str) -> str:
        folder, _, name = source.rpartition("/")
        return f"{folder}/__pycache__/{name[:-3]}{self._suffix}"

    def _distributions(self, records: Iterable[Record]) -> Iterable[Sources]:
        """Yield the sources of each distribution, and at last those that no `RECORD` has a hash of."""
        loose = dict.fromkeys(self._looks)
        for record in records:
            listed = [
                (f"{record.folder}{path}", digest)
                for path, digest, _ in record.rows
                if path.endswith(".py") and digest.startswith("sha256=") and not path.startswith(".")
            ]
            for path, _ in listed:
                loose.pop(path, None)
            if listed:
                yield self._sources(*map(list, zip(*listed, strict=True)))
        pairs = [(path, self._hash(path)) for path in sorted(loose)]
        if pairs:
            yield self._sources(*map(list, zip(*pairs, strict=True)))

    def _sources(self, paths: list[str], digests: list[str]) -> Sources:
        text = "\n".join([self._tag, *paths, *digests])
        return Sources(paths, digests, hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40])

    def _take(self, sources: Sources) -> None:
        """Take the bytecode of one distribution. What can take a while is done once for all of its sources."""
        assert self._cache  # noqa: S101 - for mypy
        modules = self._cache.read(sources.key) or []
        if len(modules) != len(sources.paths):
            self._changed.append(sources)
            return
        complete = True
        folder = self._cache.folder(sources.key)
        for number, (path, module) in enumerate(zip(sources.paths, modules, strict=True)):
            look = self._looks.get(path)
            if look is None or path in self._known:
                continue
            if module and self._fit(f"{folder}/{number}", path, sources.digests[number], module, look):
                self._known[path] = module
                # A source with other links is in an installer's cache, and comes again.
                complete = complete and (look.st_nlink == 1 or module.is_of(look))
            else:
                complete = False
        if not complete:
            self._changed.append(sources)

    def _fit(self, cached: str, source: str, digest: str, module: Module, look: os.stat_result) -> bool:
        """Give a source the bytecode `cached`. Returns False if that does not fit it, or cannot be had."""
        try:
            if not module.is_of(look) and self._hash(source) != digest:
                return False
            if module.bytecode == FAILED:
                return True
            new = self._bytecode(source)
            folder = new.rpartition("/")[0]
            if folder not in self._folders:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(f"{self.venv}/{folder}")
                self._folders.add(folder)
            if (module.mtime // 10**9, module.size) == (look.st_mtime_ns // 10**9, look.st_size):
                link_or_copy(cached, f"{self.venv}/{new}")
            elif content := _with_mtime(_read(cached), look):
                _write(f"{self.venv}/{new}", content)
            else:
                return False
        except OSError:
            return False
        self.files[new] = module.bytecode
        return True

    def _hash(self, path: str) -> str:
        digest = hashlib.sha256(_read(f"{self.venv}/{path}")).digest()
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
        if not (self._cache and complete and self._changed):
            return
        self._cache.prepare()
        for sources in self._changed:
            modules = [self._module(*pair) for pair in zip(sources.paths, sources.digests, strict=True)]
            if any(modules):
                paths = [f"{self.venv}/{self._bytecode(path)}" for path in sources.paths]
                self._cache.add(sources.key, modules, paths)
        self._cache.shrink(limit())

    def _module(self, path: str, digest: str) -> Module | None:
        """Return what the cache records of a source: None unless it has its content, before and after compiling."""
        before = self._looks.get(path)
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


def _read(path: str) -> bytes:
    with open(system_files.open_input(path), "rb") as file:
        return file.read()


def _write(path: str, content: bytes) -> None:
    with open(path, "xb") as file:
        file.write(content)


def _with_mtime(content: bytes, look: os.stat_result) -> bytes | None:
    """Return bytecode with the modification time of another copy of its source; None if it has none (PEP 552)."""
    if content[4:8] != bytes(4):
        return None
    return content[:8] + (look.st_mtime_ns // 10**9 & 0xFFFFFFFF).to_bytes(4, "little") + content[12:]
