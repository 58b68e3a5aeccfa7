"""Local projects: the folders that are built and installed in place, and the files that their builds read."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from roost.inputs import requirements_txt
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.inputs.schema import table
from roost.system.paths import joined

# Files with metadata besides `pyproject.toml`, by build backend. The sources that it compiles belong in `inputs`.
_METADATA_FILES = {
    "maturin": ("Cargo.toml", "Cargo.lock"),
    "mesonpy": ("meson.build", "meson.options", "meson_options.txt"),
    "scikit_build_core.build": ("CMakeLists.txt",),
}
_FILE_IN_CFG = re.compile(r"^[ \t]*([\w-]+)[ \t]*=[ \t]*file:[ \t]*(.+)$", re.MULTILINE)


class Build(NamedTuple):
    """A local project that uv may have built before."""

    name: str
    """Empty where only its build knows it."""
    reads_more: bool
    """Whether it is built from files that uv does not compare before it uses an earlier build again."""


class CacheKeys(NamedTuple):
    """uv's `cache-keys`, except for git: each commit would be another environment."""

    files: list[str]
    """Globs."""
    folders: list[str]
    variables: list[str]


def followed(project: Project, inputs: Inputs, more: Iterable[str] = ()) -> list[str]:
    """Return the folders besides the root that `path` entries lead to, from the root, the members and `more`."""
    pending = [project.root, *project.members, *filter(os.path.isdir, more)]
    seen: set[str] = set()
    while pending:
        here = pending.pop()
        seen.add(here)
        paths = (joined(here, path) for path in _paths(here, inputs))
        pending += [path for path in paths if os.path.isdir(path) and path not in seen]
    return sorted(seen - {project.root})


def _paths(folder: str, inputs: Inputs) -> Iterator[str]:
    """Yield the paths in uv's sources, Poetry's dependencies and direct references of the project in `folder`."""
    tables = inputs.toml(f"{folder}/pyproject.toml") or {}
    poetry = table(tables, "tool", "poetry")
    groups = [table(poetry, "group", name, "dependencies") for name in table(poetry, "group")]
    sources = [table(tables, "tool", "uv", "sources"), table(poetry, "dependencies"), *groups]
    for source in (source for found in sources for source in found.values()):
        for entry in source if isinstance(source, list) else [source]:
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                yield entry["path"]
    lists = [table(tables, "project").get("dependencies"), *table(tables, "project", "optional-dependencies").values()]
    lists += table(tables, "dependency-groups").values()
    for text in (text for found in lists if isinstance(found, list) for text in found if isinstance(text, str)):
        if "file:" in text:
            yield requirements_txt.path_in(text)


def archives(folders: list[str], inputs: Inputs) -> list[str]:
    """Return the wheels and source archives that `path` entries in `folders` lead to."""
    paths = [joined(here, path) for here in folders for path in _paths(here, inputs)]
    return sorted({path for path in paths if not os.path.isdir(path)})


def read_by_a_build(folder: str, tables: dict[str, Any], inputs: Inputs) -> list[str]:
    """Return the files that can change the metadata of the project in `folder`, whose `pyproject.toml` is `tables`."""
    backend = str(table(tables, "build-system").get("build-backend", "")).partition(":")[0]
    names = ["setup.py", "setup.cfg", *_METADATA_FILES.get(backend, ()), *dynamic(folder, tables, inputs)]
    crate = table(tables, "tool", "maturin").get("manifest-path")
    if isinstance(crate, str):
        names += [crate, f"{os.path.dirname(crate) or '.'}/Cargo.lock"]
    return [joined(folder, name) for name in names]


def dynamic(folder: str, tables: dict[str, Any], inputs: Inputs) -> list[str]:
    """Return the files from which the settings of build backends take requirements, entry points or a version.

    A `setup.py` may take them from any of the usual requirements files. A readme is left out: it does not change what
    gets installed.
    """
    entries = dict(table(tables, "tool", "setuptools", "dynamic"))
    entries |= {f"extra {name}": entry for name, entry in table(entries, "optional-dependencies").items()}
    found: list[object] = []
    for key, entry in entries.items():
        if key != "readme" and isinstance(entry, dict):
            files = entry.get("file")
            found += files if isinstance(files, list) else [files]
    hatch = table(tables, "tool", "hatch")
    if "hatchling" in str(table(tables, "build-system")):
        own = inputs.toml(f"{folder}/hatch.toml")  # hatchling lays it over `[tool.hatch]`, key by key
        hatch, found = hatch | (own or {}), [*found, *(["hatch.toml"] if own is not None else [])]
    hook = table(hatch, "metadata", "hooks", "requirements_txt")
    found += [hook.get("filename")]
    for files in (hook.get("files"), *table(hook, "optional-dependencies").values()):
        found += files if isinstance(files, list) else []
    cfg = _FILE_IN_CFG.findall(inputs.text(f"{folder}/setup.cfg"))
    named = (names.split(",") for key, names in cfg if "description" not in key)
    there = [name for name in found if isinstance(name, str)] + [name.strip() for names in named for name in names]
    return [*there, *_read_by_setup_py(folder, tables, inputs)]


def _read_by_setup_py(folder: str, tables: dict[str, Any], inputs: Inputs) -> list[str]:
    """Return the requirements files of a project whose `setup.py` may list the dependencies."""
    given = table(tables, "project").get("dynamic") if "project" in tables else ["dependencies"]
    open_lists = isinstance(given, list) and ("dependencies" in given or "optional-dependencies" in given)
    if not open_lists or inputs.read(f"{folder}/setup.py") is None:
        return []
    return [path for pattern in requirements_txt.USUAL for path in inputs.expand(folder, pattern)]


def cache_keys(tables: dict[str, Any]) -> CacheKeys:
    """Return uv's `cache-keys`. Entries of a kind that uv does not know are left to uv to refuse."""
    keys = table(tables, "tool", "uv").get("cache-keys")
    entries = [
        {"file": entry} if isinstance(entry, str) else entry for entry in (keys if isinstance(keys, list) else [])
    ]
    found = ([entry.get(kind) for entry in entries if isinstance(entry, dict)] for kind in ("file", "dir", "env"))
    return CacheKeys(*([text for text in texts if isinstance(text, str)] for texts in found))


def builds(folders: list[str], inputs: Inputs) -> list[Build]:
    """Return the projects in `folders` that uv may build."""
    found = []
    for folder in folders:
        tables = inputs.toml(f"{folder}/pyproject.toml") or {}
        name = table(tables, "project").get("name", "")
        if name or "workspace" not in table(tables, "tool", "uv"):  # else the root of a workspace, no project
            keys = cache_keys(tables).files
            more = bool(dynamic(folder, tables, inputs) or (keys and "pyproject.toml" not in keys))
            found.append(Build(str(name), more))
    return found
