"""Local sources: the folders that get built and installed from where they lie, and the files that a build reads."""

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from roost.inputs import Inputs
from roost.installers import versions
from roost.project import Project, table

# A build backend that takes the metadata from elsewhere than `pyproject.toml`. What it compiles is for `inputs`.
_OF_BACKENDS = {
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
    """Whether it was built from files that uv does not look at before it takes an earlier build."""


class CacheKeys(NamedTuple):
    """What uv's `cache-keys` name, but for git: a commit would be another environment."""

    files: list[str]
    """Globs."""
    folders: list[str]
    variables: list[str]


def named_by_uv_lock(project: Project, inputs: Inputs) -> list[str]:
    """Return the folders besides the root that `uv.lock` installs from, sorted."""
    lock = inputs.toml(f"{project.root}/uv.lock") or {}
    found = set(project.members)
    for package in tables_in(lock, "package"):
        source = table(package, "source")
        found |= {
            os.path.normpath(os.path.join(project.root, source[kind]))
            for kind in ("editable", "directory", "virtual")
            if isinstance(source.get(kind), str)
        }
    return sorted(found - {project.root})


def tables_in(tables: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the array of tables at `key`; the tool that reads the file says what is wrong with another type."""
    found = tables.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def followed(project: Project, inputs: Inputs, more: tuple[str, ...] = ()) -> list[str]:
    """Return the folders besides the root that `path` entries lead to, from the root, the members and `more`."""
    waiting = [project.root, *project.members, *more]
    seen: set[str] = set()
    while waiting:
        here = waiting.pop()
        seen.add(here)
        paths = (os.path.normpath(os.path.join(here, path)) for path in _paths(here, inputs))
        waiting += [path for path in paths if os.path.isdir(path) and path not in seen]
    return sorted(seen - {project.root})


def _paths(folder: str, inputs: Inputs) -> Iterator[str]:
    """Yield what uv's sources, poetry's dependencies and direct references in `folder` say of other folders."""
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
        _, url, path = text.partition("file://")
        if url:
            yield path.partition(";")[0].strip().removeprefix("localhost").replace("/${PROJECT_ROOT}", ".")


def in_lock(lock: dict[str, Any], root: str) -> tuple[str, ...]:
    """Return the folders that the tables of a `poetry.lock` or `pdm.lock` install from."""
    packages = tables_in(lock, "package")
    paths = [package.get("path") for package in packages]
    paths += [table(package, "source").get("url") for package in packages if _is_directory(package)]
    found = {os.path.normpath(os.path.join(root, path)) for path in paths if isinstance(path, str)}
    return tuple(sorted(path for path in found if os.path.isdir(path)))


def _is_directory(package: dict[str, Any]) -> bool:
    return table(package, "source").get("type") == "directory"


def archives(folders: list[str], inputs: Inputs) -> list[str]:
    """Return the wheels and source archives that `path` entries in `folders` lead to."""
    paths = [os.path.normpath(os.path.join(here, path)) for here in folders for path in _paths(here, inputs)]
    return sorted({path for path in paths if not os.path.isdir(path)})


def read_by_a_build(folder: str, tables: dict[str, Any], inputs: Inputs) -> list[str]:
    """Return the files that can change the metadata of the project in `folder`, whose `pyproject.toml` is `tables`."""
    backend = str(table(tables, "build-system").get("build-backend", "")).partition(":")[0]
    names = ["setup.py", "setup.cfg", *_OF_BACKENDS.get(backend, ()), *dynamic(folder, tables, inputs)]
    crate = table(tables, "tool", "maturin").get("manifest-path")
    if isinstance(crate, str):
        names += [crate, f"{os.path.dirname(crate) or '.'}/Cargo.lock"]
    return [os.path.normpath(os.path.join(folder, name)) for name in names]


def dynamic(folder: str, tables: dict[str, Any], inputs: Inputs) -> list[str]:
    """Return the files that build backends are told to read requirements, entry points or a version from.

    Not a readme: it changes nothing that gets installed. Of a Python file only the version counts (`versions`).
    """
    entries = dict(table(tables, "tool", "setuptools", "dynamic"))
    entries |= {f"extra {name}": entry for name, entry in table(entries, "optional-dependencies").items()}
    found: list[object] = []
    for key, entry in entries.items():
        if key != "readme" and isinstance(entry, dict):
            files = entry.get("file")
            found += files if isinstance(files, list) else [files]
    hook = table(tables, "tool", "hatch", "metadata", "hooks", "requirements_txt")
    found += [hook.get("filename")]
    for files in (hook.get("files"), *table(hook, "optional-dependencies").values()):
        found += files if isinstance(files, list) else []
    found += _hooks(tables)
    cfg = (inputs.read(f"{folder}/setup.cfg") or b"").decode(errors="replace")
    named = (names.split(",") for key, names in _FILE_IN_CFG.findall(cfg) if "description" not in key)
    return [name for name in found if isinstance(name, str)] + [name.strip() for names in named for name in names]


def _hooks(tables: dict[str, Any]) -> Iterator[object]:
    """Yield the programs of a project that its build backend runs: what they add to the metadata nobody can foresee."""
    hatch = table(tables, "tool", "hatch")
    targets = [table(hatch, "build", "targets", name) for name in table(hatch, "build", "targets")]
    for around in (table(hatch, "metadata"), table(hatch, "build"), *targets):
        if "custom" in (hooks := table(around, "hooks")):
            yield table(hooks, "custom").get("path", "hatch_build.py")
    if str(table(tables, "build-system").get("build-backend", "")) == "pdm.backend":
        yield table(tables, "tool", "pdm", "build").get("custom-hook", "pdm_build.py")
    yield table(tables, "tool", "poetry", "build").get("script")


def cache_keys(tables: dict[str, Any]) -> CacheKeys:
    """Return what uv's `cache-keys` name; an entry of another kind than uv knows is for uv to refuse."""
    keys = table(tables, "tool", "uv").get("cache-keys")
    entries = [
        {"file": entry} if isinstance(entry, str) else entry for entry in (keys if isinstance(keys, list) else [])
    ]
    found = ([entry.get(kind) for entry in entries if isinstance(entry, dict)] for kind in ("file", "dir", "env"))
    return CacheKeys(*([text for text in texts if isinstance(text, str)] for texts in found))


def builds(folders: list[str], inputs: Inputs) -> list[Build]:
    """Return what uv may build of `folders`."""
    found = []
    for folder in folders:
        tables = inputs.toml(f"{folder}/pyproject.toml") or {}
        name = table(tables, "project").get("name", "")
        if name or "workspace" not in table(tables, "tool", "uv"):  # else a root that is no project itself
            keys = cache_keys(tables).files
            more = bool(dynamic(folder, tables, inputs) or list(versions.told(folder, tables, inputs)))
            found.append(Build(str(name), more or bool(keys and "pyproject.toml" not in keys)))
    return found
