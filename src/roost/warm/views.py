"""The paths under which one checkout is seen, such as that of a host and that of a container.

They share the store, its lock and its journal. Each has its own links, index and choices of a Python.
"""

import os

from roost import warm
from roost.system import files, paths


def first(project: str) -> "tuple[str, str]":
    """Return the path under which the checkout was first used, and the place where that was; else `project` and "".

    A checkout that a host and a container see under two paths has one store. The path that came first has its index,
    its choices and its links at the top of the store, and each other path in a folder of its own, see `own`.
    """
    try:
        text = os.fsdecode(files.read_own(f"{warm.folder(project)}/{warm.INNER}/first", 1 << 16))
    except OSError:
        return project, ""
    place, _, path = text.partition("\n")
    return (path, place) if path else (project, "")


def other(project: str) -> str:
    """Return the folder with the index, the choices and the links of `project` where another path came first."""
    return f"{warm.folder(project)}/{warm.INNER}/at/{paths.quote(project)}"


def own(project: str) -> str:
    """Return the folder with the index and the choices of this path of the checkout."""
    return f"{warm.folder(project)}/{warm.INNER}" if first(project)[0] == project else other(project)
