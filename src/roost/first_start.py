"""The first start of a new venv's Python: it says what it is, as a session would find it, and sees to the bytecode.

Run by its path, by whatever Python a venv has, so it needs nothing of roost's and nothing newer than Python 3.6. It
prints one line of JSON: the prefix, the version, and the folders that are installed into. With an argument it then
compiles what is in them. The argument is the venv that gives what it has compiled already, or is empty.

Compiling takes ten times as long as all that an installer links from its cache. Most of a new venv is what was in the
one before it: the same sources, so the same bytecode, which Python checks against its source whenever it loads it.
"""

import contextlib
import json
import os
import sys
import sysconfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

INVENTORY = ".roost-files"  # as in `inventory.py`, which says what it is
FEW = 32  # files that are not worth a process


def describe() -> "list[str]":
    """Print what this Python is, and return the folders with modules."""
    paths = sysconfig.get_paths()
    folders = list(dict.fromkeys(paths[key] for key in ("purelib", "platlib", "scripts")))
    print(json.dumps([sys.prefix, "%d.%d.%d" % sys.version_info[:3], folders]), flush=True)  # noqa: T201, UP031
    return [folder for folder in folders if folder != paths["scripts"]]


def sources(tops: "list[str]", suffix: str, sizes: "dict[str, int]") -> "list[tuple[int, str, str]]":
    """Return each source in `tops` that has no bytecode, as a size, a folder and a name, the largest first.

    The size of one that there is bytecode for, by the inventory `sizes`, is of no interest, and 0.
    """
    found = []
    folders = list(tops)
    while folders:
        folder = folders.pop()
        cache = folder[len(sys.prefix) + 1 :] + "/__pycache__/"
        there = set(os.listdir(folder + "/__pycache__")) if os.path.isdir(folder + "/__pycache__") else ()
        for entry in os.scandir(folder):
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                if name != "__pycache__":
                    folders.append(entry.path)
            elif name.endswith(".py") and name[:-3] + suffix not in there:
                known = cache + name[:-3] + suffix in sizes
                found.append((0 if known else entry.stat(follow_symlinks=False).st_size, folder, name))
    return sorted(found, reverse=True)


def take_over(folder: str, name: str, compiled: str, donor: str, sizes: "dict[str, int]") -> bool:
    """Give a source the bytecode of the same source in the venv `donor`; return whether there was any to give.

    Where both have one source, by a hard link from the installer's cache, they get to have one bytecode: nobody writes
    through the link, since Python replaces bytecode by renaming. Where the source is a copy, so is the bytecode.
    """
    below = folder[len(sys.prefix) :]
    path = below + "/__pycache__/" + compiled
    size = sizes.get(path[1:])
    if size is None:
        return False
    source, origin, old, new = folder + "/" + name, donor + below + "/" + name, donor + path, sys.prefix + path
    built, before, after = os.stat(old), os.stat(origin), os.stat(source)
    if built.st_size != size or built.st_mtime < before.st_mtime:  # the source was edited in place since
        return False
    if os.path.samestat(before, after):
        _beside(new, lambda: os.link(old, new))  # raises on another file system, or where there are too many links
        return True
    # Python itself would settle for the same second and the same size, which two versions can have.
    if before.st_size != after.st_size or _content(origin) != _content(source):
        return False
    content = _content(old)
    if content[4:8] != bytes(4):  # it does not go by its source's time, as of PEP 552
        return False
    header = content[:8] + (int(after.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little")
    _beside(new, lambda: _write(new, header + content[12:]))
    return True


def _beside(path: str, make: "Callable[[], object]") -> None:
    """Make the file at `path`; its folder, too, where it is the first in it."""
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


def provide(found: "list[tuple[int, str, str]]", suffix: str, donor: str, sizes: "dict[str, int]") -> None:
    """Take over or compile bytecode for what was `found`; a faulty source is no loss."""
    for _, folder, name in found:
        try:
            if take_over(folder, name, name[:-3] + suffix, donor, sizes):
                continue
        except OSError:  # what is not taken over is compiled
            pass
        import py_compile  # noqa: PLC0415 - not where all is taken over

        try:
            mode = py_compile.PycInvalidationMode.TIMESTAMP
            py_compile.compile(folder + "/" + name, doraise=True, invalidation_mode=mode)
        except Exception:  # noqa: BLE001, S110 - distributions hold templates, and modules of other Pythons
            pass


def see_to_bytecode(tops: "list[str]", donor: str) -> None:
    """Let one process for each core see to its share of the large sources and of the small."""
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
    if len(sys._current_frames()) > 1:  # noqa: SLF001 - a package started threads, which do not outlive a fork
        provide(found, suffix, donor, sizes)
        return
    workers = []
    for number in range(count):
        pid = os.fork()  # also for one: who compiles odd sources may crash
        if pid == 0:
            try:
                provide(found[number::count], suffix, donor, sizes)
            finally:
                os._exit(0)
        workers.append(pid)
    for pid in workers:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    modules = describe()
    if len(sys.argv) > 1 and sys.implementation.cache_tag:
        with contextlib.suppress(OSError):  # such as no process more: what has no bytecode starts, too
            see_to_bytecode(modules, sys.argv[1])
