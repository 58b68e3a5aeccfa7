"""Bytecode: compiled once, in the build, and only what no venv before this one has compiled already.

Compiling takes ten times as long as all that an installer links from its cache. Most of a new venv is what was in the
one before it: the same sources, so the same bytecode, which Python checks against its source whenever it loads it.
"""

import contextlib
import filecmp
import os
from collections.abc import Iterable, Sequence

from roost import inventory

FEW = 200  # files that a command line has room for; the compiler looks for more of them itself
# Run by the venv's own Python, whatever its version. One process per core, each with its share of the large files.
COMPILE = """
import os, py_compile, sys
suffix = sys.implementation.cache_tag + ".pyc"
found = []
for top in sys.argv[1:]:
    if os.path.isfile(top):
        found.append((os.path.getsize(top), top))
    for folder, folders, names in os.walk(top):
        there = ()
        if "__pycache__" in folders:
            folders.remove("__pycache__")
            there = set(os.listdir(os.path.join(folder, "__pycache__")))
        for name in names:
            if name.endswith(".py") and name[:-2] + suffix not in there:
                path = os.path.join(folder, name)
                found.append((os.path.getsize(path), path))
found.sort(reverse=True)
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
count = min(cores, 1 + len(found) // 32)
workers = []
for number in range(count):
    pid = os.fork()
    if pid:
        workers.append(pid)
        continue
    for size, path in found[number::count]:
        try:
            py_compile.compile(path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
        except Exception:
            pass
    os._exit(0)
for pid in workers:
    os.waitpid(pid, 0)
"""


def hand_over(donor: str, venv: str) -> None:
    """Give `venv` the bytecode that was built in the venv `donor` from sources that are also in `venv`.

    Where both have one source, by a hard link from the installer's cache, they get to have one bytecode: nobody writes
    through the link, since Python replaces bytecode by renaming. Where the source is a copy, so is the bytecode.
    """
    folders: set[str] = set()
    for path, size in inventory.read(donor).items():
        folder, _, name = path.rpartition("/")
        if path.endswith(".pyc") and folder.endswith("__pycache__"):
            source = f"{folder.removesuffix('__pycache__')}{name.rsplit('.', 2)[0]}.py"
            try:  # what is not handed over is compiled
                built, before = os.stat(f"{donor}/{path}"), os.stat(f"{donor}/{source}")
                if built.st_size != size or built.st_mtime < before.st_mtime:  # the source was edited in place since
                    continue
                after = os.stat(f"{venv}/{source}")
                linked = os.path.samestat(before, after)
                # Python itself would settle for the same second and the same size, which two versions can have.
                if linked or filecmp.cmp(f"{donor}/{source}", f"{venv}/{source}", shallow=False):
                    if folder not in folders:
                        os.makedirs(f"{venv}/{folder}", exist_ok=True)
                        folders.add(folder)
                    _give(f"{donor}/{path}", f"{venv}/{path}", after, linked=linked)
            except OSError:
                continue


def _give(old: str, new: str, source: os.stat_result, *, linked: bool) -> None:
    if linked:
        with contextlib.suppress(OSError):  # another file system, one without links, or too many links
            os.link(old, new)
            return
    with open(old, "rb") as file:
        content = file.read()
    if content[4:8] == bytes(4):  # it goes by its source's time, as of PEP 552
        with open(new, "xb") as file:
            file.write(content[:8] + (int(source.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little") + content[12:])


def missing(files: Iterable[str]) -> list[str]:
    """Return which of the sources among `files`, paths below a venv, have no bytecode among them."""
    there = set()
    sources = []
    for path in files:
        if path.endswith(".pyc"):
            folder, _, name = path.rpartition("__pycache__/")
            there.add(folder + name.rsplit(".", 2)[0])
        elif path.endswith(".py"):
            sources.append(path)
    return [path for path in sources if path.removesuffix(".py") not in there]


def command(venv: str, sources: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Return the command that compiles `sources`, those in `folders` without bytecode; a faulty one is no loss."""
    what = [f"{venv}/{path}" for path in sources] if len(sources) <= FEW else folders
    return [f"{venv}/bin/python", "-I", "-S", "-W", "ignore", "-c", COMPILE, *what]
