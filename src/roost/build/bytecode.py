"""Bytecode for a new venv: taken from the venv before it where the sources are the same, else compiled.

Imported by `probe.py` in the venv's own Python, so it imports nothing of roost, and runs on Python 3.6.

Compiling takes ten times as long as all that an installer links from its cache. Most sources in a new venv are the same
as in the one before it, and so is their bytecode, which Python checks against the source whenever it loads it.
"""

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

INVENTORY = ".roost-files"  # as in `roost.store.inventory`
FEW = 32  # files that are not worth a process


def sources(tops: "list[str]", suffix: str, sizes: "dict[str, int]") -> "list[tuple[int, str, str]]":
    """Return each source in `tops` without bytecode: size, folder and name, the largest first.

    The size is 0 where the inventory `sizes` lists bytecode for it, since it will not be compiled.
    """
    found = []
    folders = list(tops)
    while folders:
        folder = folders.pop()
        cache = _slashed(folder[len(sys.prefix) + 1 :]) + "/__pycache__/"
        existing = set(os.listdir(folder + "/__pycache__")) if os.path.isdir(folder + "/__pycache__") else ()
        for entry in os.scandir(folder):
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                if name != "__pycache__":
                    folders.append(entry.path)
            elif name.endswith(".py") and name[:-3] + suffix not in existing:
                known = cache + name[:-3] + suffix in sizes
                found.append((0 if known else entry.stat(follow_symlinks=False).st_size, folder, name))
    return sorted(found, reverse=True)


def take_over(folder: str, name: str, compiled: str, donor: str, sizes: "dict[str, int]") -> bool:
    """Take the bytecode for a source from the same source in the venv `donor`. Returns whether that has any.

    Where both link one source from the installer's cache, the bytecode is linked as well: no program writes through the
    link, since Python replaces bytecode by renaming. Where the source is a copy, the bytecode is copied.
    """
    below = folder[len(sys.prefix) :]
    path = below + "/__pycache__/" + compiled
    size = sizes.get(_slashed(path[1:]))
    if size is None:
        return False
    source, origin, old, new = folder + "/" + name, donor + below + "/" + name, donor + path, sys.prefix + path
    built, before, after = os.stat(old), os.stat(origin), os.stat(source)
    if built.st_size != size or built.st_mtime < before.st_mtime:  # the source was edited in place since
        return False
    if os.path.samestat(before, after):
        _create(new, lambda: os.link(old, new))  # raises on another file system, or where there are too many links
        return True
    # Python itself compares only second and size, which two versions may share.
    if before.st_size != after.st_size or _content(origin) != _content(source):
        return False
    content = _content(old)
    if content[4:8] != bytes(4):  # PEP 552: it is checked by the source's hash
        return False
    header = content[:8] + (int(after.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little")
    _create(new, lambda: _write(new, header + content[12:]))
    return True


def _slashed(path: str) -> str:
    return path.replace(os.sep, "/")  # as in the inventory


def _create(path: str, make: "Callable[[], object]") -> None:
    """Call `make`, which creates the file `path`; create its folder first where it is missing."""
    try:
        make()
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        make()


def _write(path: str, content: bytes) -> None:
    with open(path, "xb") as file:
        file.write(content)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _provide(found: "list[tuple[int, str, str]]", suffix: str, donor: str, sizes: "dict[str, int]") -> None:
    """Take or compile the bytecode for the sources `found`; one that does not compile has none."""
    for _, folder, name in found:
        try:
            if take_over(folder, name, name[:-3] + suffix, donor, sizes):
                continue
        except OSError:  # it is compiled
            pass
        import py_compile  # noqa: PLC0415 - not where everything is taken

        try:
            mode = py_compile.PycInvalidationMode.TIMESTAMP
            py_compile.compile(folder + "/" + name, doraise=True, invalidation_mode=mode)
        except Exception:  # noqa: BLE001, S110 - distributions hold templates, and modules of other Pythons
            pass


def provide(tops: "list[str]", donor: str) -> None:
    """Provide bytecode for all sources in the folders `tops`, with a process for each core."""
    suffix = f".{sys.implementation.cache_tag}.pyc"
    sizes: dict[str, int] = {}
    if donor:
        try:
            with open(os.path.join(donor, INVENTORY), encoding="ascii") as file:
                sizes = dict(json.load(file))
        except (OSError, ValueError, TypeError, RecursionError):
            pass
    found = sources(tops, suffix, sizes)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = min(cores, 1 + len(found) // FEW)
    # A package may have started threads, which do not outlive a fork, and Windows has none.
    if len(sys._current_frames()) > 1 or not hasattr(os, "fork"):  # noqa: SLF001
        _provide(found, suffix, donor, sizes)
        return
    workers = []
    for number in range(count):
        pid = os.fork()  # also for one: compiling unusual sources may crash
        if pid == 0:
            try:
                _provide(found[number::count], suffix, donor, sizes)
            finally:
                os._exit(0)
        workers.append(pid)
    for pid in workers:
        os.waitpid(pid, 0)
