"""Provides the bytecode of a new venv: from the cache where it fits the sources, else compiled.

Bytecode fits a source if it was compiled from the same content. The hash in `RECORD` says which content that should be.
Whether the source has it is known without reading it if it is the file that was compiled, as another hard link: the
same inode, size and modification time. Else the source is read, and its hash compared.
"""

import base64
import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from roost.bytecode.cache import FAILED, Cache, Module, limit, link_or_copy
from roost.console import messages
from roost.store.inventory import Record
from roost.system import files as system_files

Files = dict[str, int | str]
Looks = dict[str, os.stat_result]


def cache() -> Cache | None:
    """Return the bytecode cache; None where the user wants none, and, with a warning, if it cannot be trusted.

    Raises:
        UsageError: a variable about it has a wrong value.
    """
    limit()
    if os.environ.get("ROOST_NO_CACHE"):
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
        self._known: dict[str, Module] = {}
        """The sources whose content was compared with its hash: what they were then."""
        self._changed: list[Sources] = []
        """Distributions of which the cache lacks something."""

    def take(self, files: Files, looks: Looks, records: Iterable[Record]) -> None:
        """Take from the cache what fits the sources `looks`, unless `files` contain bytecode for them already."""
        inside = ((path, look) for path, look in looks.items() if "/site-packages/" in path)
        self._looks = {path: look for path, look in inside if self._bytecode(path) not in files}
        for sources in self._distributions(records) if self._cache else ():
            self._take(sources)
        rest = [path for path in self._looks if self._bytecode(path) not in self.files and not self._fails(path)]
        self.missing = sorted(rest, key=lambda path: self._looks[path].st_size, reverse=True)

    def _bytecode(self, source: str) -> str:
        folder, _, name = source.rpartition("/")
        return f"{folder}/__pycache__/{name[:-3]}{self._suffix}"

    def _fails(self, source: str) -> bool:
        known = self._known.get(source)
        return known is not None and known.bytecode == FAILED

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
        assert self._cache  # noqa: S101 - for mypy
        modules = self._cache.read(sources.key) or []
        if len(modules) != len(sources.paths):
            self._changed.append(sources)
            return
        complete = True
        for number, (path, module) in enumerate(zip(sources.paths, modules, strict=True)):
            look = self._looks.get(path)
            if look is None or self._bytecode(path) in self.files:
                continue
            with contextlib.suppress(OSError):
                if module and self._take_module(sources, number, module, look):
                    self._known[path] = module
                    # A source with other links is in an installer's cache, and comes again.
                    complete = complete and (module.is_of(look) or look.st_nlink == 1)
                    continue
            complete = False
        if not complete:
            self._changed.append(sources)

    def _take_module(self, sources: Sources, number: int, module: Module, look: os.stat_result) -> bool:
        """Take the bytecode of one source. Returns False if the cache has none that fits."""
        assert self._cache  # noqa: S101 - for mypy
        path = sources.paths[number]
        same = module.is_of(look)
        if not same and self._hash(path) != sources.digests[number]:
            return False
        if module.bytecode == FAILED:
            return True
        cached = self._cache.bytecode(sources.key, number, module)
        if cached is None:
            return False
        new = self._bytecode(path)
        if same or (module.mtime // 10**9, module.size) == (look.st_mtime_ns // 10**9, look.st_size):
            self._create(new, lambda: link_or_copy(cached, f"{self.venv}/{new}"))
        else:
            content = _with_mtime(_read(cached), look)
            if content is None:
                return False
            self._create(new, lambda: _write(f"{self.venv}/{new}", content))
        self.files[new] = module.bytecode
        return True

    def _create(self, path: str, make: Callable[[], object]) -> None:
        """Call `make`, which creates the file `path`; create its folder first where it is missing."""
        try:
            make()
        except FileNotFoundError:
            os.makedirs(os.path.dirname(f"{self.venv}/{path}"), exist_ok=True)
            make()

    def _hash(self, path: str) -> str:
        digest = hashlib.sha256(_read(f"{self.venv}/{path}")).digest()
        return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    def add(self, interpreter: str, *, complete: bool) -> None:
        """Add what was compiled to `files` and to the cache. `complete` tells whether the compiler could do its work.

        `interpreter` identifies the base interpreter.

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
        self._cache.record_tag(interpreter, self._tag)
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
