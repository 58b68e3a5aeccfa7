"""The inventory: the files of a venv when it was complete, for a comparison after a restart of the machine.

A file that was written shortly before a power cut may exist afterwards, and be empty. So a venv has the file
`.roost-files`: compressed JSON, from path below the venv to size in bytes, or to the target of a link. `RECORD` files
are no substitute: they do not list bytecode.
"""

import csv
import glob
import json
import os
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from roost.errors import RoostError
from roost.system import files as system_files
from roost.system import folders
from roost.system.paths import LIBRARIES, matching, normal

FILE = ".roost-files"


class Record(NamedTuple):
    """A `RECORD` file, in which an installer listed the files of one distribution."""

    distribution: str
    """Name and version, such as `click 8.1.8`."""
    folder: str
    """Its `site-packages`, below the venv, with a final slash."""
    rows: list[list[str]]
    """For each file: path below `folder`, hash, size."""


def take(venv: str, stats: dict[str, os.stat_result] | None = None) -> dict[str, int | str]:
    """Return the files in `venv`: path to size, or a link's target. `stats` gets the stat results of Python sources."""
    found: dict[str, int | str] = {}
    pending = [""]
    while pending:
        below = pending.pop()
        with folders.entries(f"{venv}/{below}") as entries:
            for entry in entries:
                path = f"{below}{entry.name}"
                if entry.is_symlink():
                    found[path] = system_files.read_link(f"{venv}/{path}")
                elif entry.is_dir():
                    pending.append(f"{path}/")
                elif path != FILE:
                    try:
                        info = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:  # removed by a program that starts with the venv's Python
                        continue
                    found[path] = info.st_size
                    if stats is not None and path.endswith(".py"):
                        stats[path] = info if info.st_ino else os.lstat(f"{venv}/{path}")  # which Windows leaves out
    return found


def write(venv: str, files: dict[str, int | str]) -> None:
    """Write the inventory `files` into `venv`, before a marker names the venv.

    It is not flushed to the disk: after a power cut, an inventory that cannot be read counts as damage.

    Raises:
        OSError: the disk is full, or fails.
    """
    system_files.write(f"{venv}/{FILE}", zlib.compress(json.dumps(files).encode(), 1))


def damage(venv: str) -> str | None:
    """Return which file is missing from `venv`, or has another size than in its inventory, or None."""
    name = os.path.basename(venv)
    try:
        before, now = read(venv), take(venv)
    except (OSError, ValueError, TypeError, RecursionError, zlib.error):
        return f"the inventory of `{name}` cannot be read"
    for path, was in before.items():
        if path not in now:
            if "/__pycache__/" in path:  # Python writes it again
                continue
            return f"`{path}` is missing from `{name}`"
        if now[path] != was:
            return f"`{path}` in `{name}` changed"
    return None


def edited(venv: str, files: dict[str, int | str], records: Iterable[Record]) -> list[str]:
    """Return a warning for each distribution in `venv` with a file in `files` of another size than in its `RECORD`.

    uv links files from its cache into every venv: an edit in place changes all of them, and the cache.

    Raises:
        RoostError: a file is empty that should not be, as in a cache after a power cut.
    """
    others: list[tuple[str, str, str]] = []
    right: set[str] = set()
    for record in records:
        for below, _, expected in record.rows:
            path = f"{record.folder}{below}"
            if below.startswith("."):  # only these: normalizing every path would double the time
                path = normal(path)
            size = files.get(path)
            if str(size) == expected:
                right.add(path)
            elif isinstance(size, int) and expected.isdecimal() and not path.endswith("/RECORD"):
                others.append((record.distribution, path, expected))  # uv may add to `RECORD` after it noted its size
    found: dict[str, str] = {}
    for distribution, path, expected in others:
        if path in right:  # two distributions have it, such as `ujson` and `types-ujson`, and one was installed last
            continue
        name, size = distribution.partition(" ")[0], files[path]
        cure = f"if it was edited or damaged in uv's cache, `uv cache clean {name}` and `roost sync --refresh`"
        text = f"`{venv}/{path}` has {size} bytes, not the {expected} that `{name}` came with: {cure}"
        if size == 0:
            raise RoostError(text)
        found.setdefault(distribution, text)
    return list(found.values())


def read(venv: str) -> dict[str, int | str]:
    """Return the inventory of `venv`.

    Raises:
        OSError, ValueError, TypeError, zlib.error: there is no inventory, or none that can be read.
    """
    with open(system_files.open_own(f"{venv}/{FILE}"), "rb") as file:
        return dict(json.loads(zlib.decompress(file.read())))


def records(venv: str) -> list[Record]:
    """Return the content of the `RECORD` files in `venv`; one that cannot be read is left out."""
    found = []
    for path in sorted(matching(f"{glob.escape(venv)}/{LIBRARIES}/*.dist-info/RECORD")):
        folder, name, _ = path.rsplit("/", 2)
        distribution = name.removesuffix(".dist-info").replace("-", " ", 1)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
                rows = [row for row in csv.reader(file) if len(row) == 3]
        except (OSError, csv.Error):
            continue
        found.append(Record(distribution, f"{folder.removeprefix(venv)[1:]}/", rows))
    return found
