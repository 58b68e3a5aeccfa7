"""The inventory: the files of a venv when it was complete, for a comparison after a restart of the machine.

A file that was written shortly before a power cut may exist afterwards, and be empty. So a venv has the file
`.roost-files`: JSON, from path below the venv to size in bytes, or to the target of a link. `RECORD` files are no
substitute: they do not list bytecode.
"""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from roost.errors import RoostError
from roost.system import files as system_files
from roost.system.paths import normal

FILE = ".roost-files"


class Recorded(NamedTuple):
    """One line of a `RECORD` file, written by an installer."""

    distribution: str
    """Name and version, such as `click 8.1.8`."""
    path: str
    size: str


def take(venv: str, within: Iterable[str] = ("",), *, bytecode: bool = True) -> dict[str, int | str]:
    """Return the files in `venv`, or in its folders `within` (with a final slash): path to size, or a link's target."""
    found: dict[str, int | str] = {}
    folders = list(within)
    while folders:
        below = folders.pop()
        with os.scandir(f"{venv}/{below}") as entries:
            for entry in entries:
                path = f"{below}{entry.name}"
                if entry.is_symlink():
                    found[path] = system_files.read_link(entry.path)
                elif entry.is_dir():
                    if bytecode or entry.name != "__pycache__":
                        folders.append(f"{path}/")
                elif path != FILE:
                    try:
                        found[path] = entry.stat().st_size
                    except FileNotFoundError:  # removed by a program that starts with the venv's Python
                        continue
    return found


def take_bytecode(venv: str, files: Iterable[str]) -> dict[str, int | str]:
    """Return what `take` leaves out without `bytecode`: the files in the `__pycache__` folders beside `files`."""
    folders = {path.rpartition("/")[0] for path in files if path.endswith(".py")}
    caches = [f"{folder}/__pycache__/" for folder in folders]
    return take(venv, [cache for cache in caches if os.path.isdir(f"{venv}/{cache}")])


def write(venv: str, files: dict[str, int | str]) -> None:
    """Write the inventory `files` into `venv`, and to the disk, before a marker names the venv.

    Raises:
        OSError: the disk is full, or fails.
    """
    system_files.write(f"{venv}/{FILE}", json.dumps(files), flush=True)


def damage(venv: str) -> str | None:
    """Return which file is missing from `venv`, or has another size than in its inventory, or None."""
    name = os.path.basename(venv)
    try:
        before, now = read(venv), take(venv)
    except (OSError, ValueError, TypeError, RecursionError):
        return f"the inventory of `{name}` cannot be read"
    for path, was in before.items():
        if path not in now:
            if "/__pycache__/" in path:  # Python writes it again
                continue
            return f"`{path}` is missing from `{name}`"
        if now[path] != was:
            return f"`{path}` in `{name}` changed"
    return None


def edited(venv: str, files: dict[str, int | str]) -> list[str]:
    """Return a warning for each distribution in `venv` with a file in `files` of another size than in its `RECORD`.

    uv links files from its cache into every venv: an edit in place changes all of them, and the cache.

    Raises:
        RoostError: a file is empty that should not be, as in a cache after a power cut.
    """
    found: dict[str, str] = {}
    for one in _recorded(venv, files):
        size = files.get(one.path.removeprefix(f"{venv}/"))
        if one.distribution in found or not one.size.isdecimal() or not isinstance(size, int) or str(size) == one.size:
            continue
        if one.path.endswith("/RECORD"):
            continue  # uv may add it to itself, with the size before that
        name = one.distribution.partition(" ")[0]
        cure = f"if it was edited or damaged in uv's cache, `uv cache clean {name}` and `roost sync --refresh`"
        found[one.distribution] = f"`{one.path}` has {size} bytes, not the {one.size} that `{name}` came with: {cure}"
        if size == 0:
            raise RoostError(found[one.distribution])
    return list(found.values())


def read(venv: str) -> dict[str, int | str]:
    """Return the inventory of `venv`.

    Raises:
        OSError, ValueError, TypeError: there is no inventory, or none that can be read.
    """
    with open(system_files.open_own(f"{venv}/{FILE}"), "rb") as file:
        return dict(json.load(file))


def _recorded(venv: str, files: Iterable[str]) -> Iterator[Recorded]:
    for path in sorted(path for path in files if path.endswith(".dist-info/RECORD")):
        folder, name, _ = f"{venv}/{path}".rsplit("/", 2)
        distribution = name.removesuffix(".dist-info").replace("-", " ", 1)
        try:
            with open(f"{venv}/{path}", encoding="utf-8", errors="surrogateescape", newline="") as file:
                rows = [row for row in csv.reader(file) if len(row) == 3]
        except (OSError, csv.Error):
            continue
        for below, _, size in rows:
            where = f"{folder}/{below}"
            if below.startswith("."):  # only these: normalizing every path would double the time
                where = normal(where)
            yield Recorded(distribution, where, size)
