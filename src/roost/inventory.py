"""The inventory: what was in a venv when it was complete, file by file, for when the disk is in doubt.

A file that was written shortly before a power cut may be there afterwards, and empty. A venv that came out of a CI
cache is other files than those that were installed. Both are compared with the venv's `.roost-files`: JSON, path below
the venv to size in bytes, or to where a link leads. `RECORD` files tell less: they leave out all bytecode.
"""

import base64
import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from roost.errors import RoostError
from roost.index import open_own

FILE = ".roost-files"


class Recorded(NamedTuple):
    """One line of a `RECORD` file, which an installer wrote."""

    distribution: str
    """Name and version, such as `click 8.1.8`."""
    path: str
    digest: str
    """`sha256=` and the digest in URL-safe base64 without padding; empty where there is none."""
    size: str


def take(venv: str, within: Iterable[str] = ("",), *, bytecode: bool = True) -> dict[str, int | str]:
    """Return what is in `venv` now, or in its folders `within`, each with a slash at its end."""
    found: dict[str, int | str] = {}
    folders = list(within)
    while folders:
        below = folders.pop()
        with os.scandir(f"{venv}/{below}") as entries:
            for entry in entries:
                path = f"{below}{entry.name}"
                if entry.is_symlink():
                    found[path] = os.readlink(entry.path)
                elif entry.is_dir():
                    if bytecode or entry.name != "__pycache__":
                        folders.append(f"{path}/")
                elif path != FILE:
                    try:
                        found[path] = entry.stat().st_size
                    except FileNotFoundError:  # what starts with the venv's Python may tidy up
                        continue
    return found


def take_bytecode(venv: str, files: Iterable[str]) -> dict[str, int | str]:
    """Return what is in the `__pycache__` folders of `venv` beside `files`, as `take` has them without bytecode."""
    beside = {path.rpartition("/")[0] for path in files if path.endswith(".py")}
    caches = [f"{folder}/__pycache__/" for folder in beside]
    return take(venv, [cache for cache in caches if os.path.isdir(f"{venv}/{cache}")])


def write(venv: str, files: dict[str, int | str]) -> None:
    """Write down that `files`, as `take` has them, are in `venv`, before its marker says that it is complete.

    Raises:
        OSError: the disk would not have it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(f"{venv}/{FILE}", flags, 0o600), "w", encoding="ascii") as file:
        file.write(json.dumps(files))  # `dump` takes eight times as long
        file.flush()
        os.fsync(file.fileno())


def damage(venv: str) -> str | None:
    """Return what is missing from `venv` or of another size than it was, or None."""
    name = os.path.basename(venv)
    try:
        before, now = read(venv), take(venv)
    except (OSError, ValueError, TypeError, RecursionError):
        return f"the inventory of `{name}` cannot be read"
    for path, was in before.items():
        if path not in now:
            return f"`{path}` is gone from `{name}`"
        if now[path] != was:
            return f"`{path}` is not what it was in `{name}`"
    return None


def foreign(venv: str) -> str | None:
    """Return a file in `venv` that was not there, or is not what was installed by its `RECORD`'s hash, or None.

    To be asked where `damage` knows of nothing. Bytecode may come to a venv that is in use, and is in no `RECORD`.
    """
    before = read(venv)
    for path in take(venv):
        if path not in before and "__pycache__/" not in path:
            return f"`{path}` was added to `{os.path.basename(venv)}`"
    for one in _recorded(venv, before):
        if one.digest.startswith("sha256=") and _digest(one.path) != one.digest:
            return f"`{os.path.relpath(one.path, venv)}` is not what `{one.distribution}` installed"
    return None


def edited(venv: str, files: dict[str, int | str]) -> list[str]:
    """Return a sentence for each distribution with one of the `files` in `venv` of another size than its `RECORD` says.

    uv links files from its cache into every venv: who edits one in place edits it in all of them, and in the cache.

    Raises:
        RoostError: a file is empty that should not be, as after a power cut, in the cache too.
    """
    found: dict[str, str] = {}
    for one in _recorded(venv, files):
        size = files.get(one.path.removeprefix(f"{venv}/"))
        if one.distribution in found or not one.size.isdecimal() or not isinstance(size, int) or str(size) == one.size:
            continue
        if one.path.endswith("/RECORD"):
            continue  # where a wheel's leaves itself out, uv adds it with the size from before that
        name = one.distribution.partition(" ")[0]
        cure = f"if it was edited or damaged in uv's cache, `uv cache clean {name}` and `roost sync --refresh`"
        found[one.distribution] = f"`{one.path}` has {size} bytes, not the {one.size} that `{name}` came with: {cure}"
        if size == 0:
            raise RoostError(found[one.distribution])
    return list(found.values())


def read(venv: str) -> dict[str, int | str]:
    """Return what was in `venv` when it was complete.

    Raises:
        OSError, ValueError, TypeError: there is no inventory, or none that can be read.
    """
    with open(open_own(f"{venv}/{FILE}"), "rb") as file:
        return dict(json.load(file))


def _recorded(venv: str, files: Iterable[str]) -> Iterator[Recorded]:
    for path in sorted(path for path in files if path.endswith(".dist-info/RECORD")):
        folder, name, _ = f"{venv}/{path}".rsplit("/", 2)
        distribution = name.removesuffix(".dist-info").replace("-", " ", 1)
        try:
            with open(f"{venv}/{path}", encoding="utf-8", errors="surrogateescape", newline="") as file:
                rows = [row for row in csv.reader(file) if len(row) == len(Recorded._fields) - 1]
        except (OSError, csv.Error):
            continue
        for below, digest, size in rows:
            where = f"{folder}/{below}"
            if below.startswith("."):  # a few; for all of them it would take longer than all else here
                where = os.path.normpath(where)
            yield Recorded(distribution, where, digest, size)


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            raw = hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):
        return ""
    return f"sha256={base64.urlsafe_b64encode(raw).decode().rstrip('=')}"
