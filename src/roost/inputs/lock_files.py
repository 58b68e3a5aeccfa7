"""Lock files: which of them a project has, the folders they install from, and the packages they list."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from roost.errors import RoostError
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.inputs.schema import table, tables_at
from roost.system.paths import joined

# Lock files of Python packages; a `Cargo.lock` or `yarn.lock` may be an input as well.
_NAME = re.compile(r"(?:uv|poetry|pdm)\.lock|pylock(?:\..+)?\.toml")


def available(project: Project, env: str, kind: str, inputs: Inputs) -> Iterator[str]:
    """Yield the names of the lock files for the installer `kind`, in order of preference; for `auto`, of any installer.

    Only the first is opened. Missing files before it become inputs; of those after it only the names matter.
    """
    chosen = None
    known = {
        "uv": ("uv.lock",),
        "pylock": (f"pylock.{env}.toml", "pylock.toml"),
        "poetry": ("poetry.lock",),
        "pdm": ("pdm.lock",),
    }
    for names in (names for tool, names in known.items() if kind in ("auto", tool)):
        for path in (f"{project.root}/{name}" for name in names):
            if os.path.exists(path) if chosen else inputs.read(path) is not None:
                chosen = os.path.basename(path)
                yield chosen
                break


def folders(lock: dict[str, Any], root: str) -> set[str]:
    """Return the folders that a lock file of any tool names, existing or not. PDM names archives in the same way."""
    paths: list[object] = [table(package, "directory").get("path") for package in tables_at(lock, "packages")]
    for package in tables_at(lock, "package"):
        source = table(package, "source")
        paths += [package.get("path"), source.get("url") if source.get("type") == "directory" else None]
        paths += [source.get(kind) for kind in ("editable", "directory", "virtual")]
    return {joined(root, path) for path in paths if isinstance(path, str)}


def archives(lock: dict[str, Any], root: str) -> list[str]:
    """Return the wheels and source archives that a lock file of any tool names by path, sorted.

    Those of an index are left out, even when it is a folder.
    """
    places = [place for package in tables_at(lock, "package") for place in (package, table(package, "source"))]
    for package in tables_at(lock, "packages"):  # of a `pylock.toml`
        places += [table(package, "archive"), table(package, "sdist"), *tables_at(package, "wheels")]
    paths = [place.get("url" if place.get("type") == "file" else "path") for place in places]
    found = {joined(root, path) for path in paths if isinstance(path, str)}
    return sorted(path for path in found if not os.path.isdir(path))


def packages(paths: Iterable[str], inputs: Inputs) -> dict[str, str]:
    """Return the packages in those of `paths` that are lock files: name to version, several versions joined by `or`."""
    found: dict[str, set[str]] = {}
    for package in _listed(paths, inputs):
        if isinstance(package.get("version"), str):
            found.setdefault(str(package.get("name")), set()).add(package["version"])
    return {name: " or ".join(sorted(versions)) for name, versions in sorted(found.items())}


def names(paths: Iterable[str], inputs: Inputs) -> set[str]:
    """Return the names of the packages in those of `paths` that are lock files, also where they have no version."""
    return {str(package.get("name")) for package in _listed(paths, inputs)}


def _listed(paths: Iterable[str], inputs: Inputs) -> Iterator[dict[str, Any]]:
    for path in paths:
        if path in inputs.signatures and _NAME.fullmatch(os.path.basename(path)):
            tables: dict[str, Any] = {}
            with contextlib.suppress(RoostError):  # reported by an installer that reads it; a command may not
                tables = inputs.toml(path) or {}
            yield from tables_at(tables, "package") or tables_at(tables, "packages")
