"""Versions that a build backend takes from a Python file: of such a file only the lines that tell them count."""

import os
import re
from collections.abc import Iterator
from typing import Any

from roost.inputs import Inputs
from roost.project import table

# Whatever name it has, and from whatever names it is put together: `__version__`, `VERSION`, `version_info`.
_TELLING = re.compile(r"^[ \t]*\w*version\w*\b[^=\n]*=.*$", re.IGNORECASE | re.MULTILINE)
_ATTRIBUTE = re.compile(r"^[ \t]*version[ \t]*=[ \t]*attr:[ \t]*([\w.]+)", re.MULTILINE)


def told(folder: str, tables: dict[str, Any], inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield each Python file that tells the version of the project in `folder`, and its lines that do.

    Its other lines change daily, and nothing gets installed another way. A version that comes from git counts as
    little as a commit does.
    """
    for name in dict.fromkeys(_names(folder, tables, inputs)):
        path = os.path.normpath(os.path.join(folder, name))
        content = inputs.read(path) if name.endswith(".py") else None
        if content is not None:
            # Without a `=` the pattern would try each way to part a long word.
            lines = [line for line in content.decode(errors="replace").split("\n") if "=" in line]
            yield path, "\n".join(filter(_TELLING.match, lines))


def _names(folder: str, tables: dict[str, Any], inputs: Inputs) -> Iterator[str]:
    """Yield the files that may tell it, there or not, from `folder` on."""
    attribute = table(tables, "tool", "setuptools", "dynamic", "version").get("attr")
    if isinstance(attribute, str):
        yield from _of_attribute(attribute, table(tables, "tool", "setuptools", "package-dir"))
    elif found := _ATTRIBUTE.search((inputs.read(f"{folder}/setup.cfg") or b"").decode(errors="replace")):
        yield from _of_attribute(found[1], {})
    for entry in (
        table(tables, "tool", "hatch", "version").get("path"),
        table(tables, "tool", "pdm", "version").get("path"),
        table(tables, "tool", "scikit-build", "metadata", "version").get("input"),
    ):
        if isinstance(entry, str):
            yield entry
    if str(table(tables, "build-system").get("build-backend", "")).startswith("flit"):
        flit = table(tables, "tool", "flit")
        named = table(flit, "module").get("name") or table(tables, "project").get("name") or ""
        yield from _modules(str(named).replace("-", "_").replace(".", "/"), ("src/", ""))


def _of_attribute(attribute: str, places: dict[str, Any]) -> Iterator[str]:
    """Yield where setuptools may find `package.module.NAME`."""
    around = [f"{place.strip('/')}/" for place in [places.get("")] if isinstance(place, str)]
    yield from _modules(attribute.rpartition(".")[0].replace(".", "/"), (*around, "src/", ""))


def _modules(name: str, places: tuple[str, ...]) -> Iterator[str]:
    for place in places if name else ():
        yield f"{place}{name}.py"
        yield f"{place}{name}/__init__.py"
