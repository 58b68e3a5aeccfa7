"""Projects that share a bytecode cache, and what is in it."""

import shutil
from pathlib import Path

from tests.lib.processes import run
from tests.lib.projects import Project
from tests.lib.venvs import site_packages

LOADED = """
import importlib.util, pathlib, py_compile, sys
for source in sorted(pathlib.Path(sys.prefix, "lib").rglob("*.py")):
    name = source.relative_to(sys.prefix)
    path = pathlib.Path(importlib.util.cache_from_source(source))
    if not path.exists():
        print("not compiled:", name)
        continue
    data, look = path.read_bytes(), source.stat()
    expected = importlib.util.MAGIC_NUMBER + bytes(4)
    for number in (int(look.st_mtime), look.st_size):
        expected += number.to_bytes(4, "little")
    if data[:16] != expected:
        print("not valid:", name)
"""


def another(project: Project, name: str) -> Project:
    """Return a copy of a project, without its environments: another checkout."""
    made = Project(project.root.parent / name, project.wheels)
    for file in ("pyproject.toml", "uv.lock"):
        shutil.copy(project.root / file, made.root)
    return made


def built(project: Project, *words: str) -> Path:
    """Build with `roost sync`, which starts no session, and return the venv. Its bytecode must be complete."""
    got = project.roost("sync", *words)
    assert got.returncode == 0, got.stderr
    venv = Path(got.stdout.strip())
    assert run([venv / "bin/python", "-I", "-c", LOADED]).stdout == ""
    return venv


def bytecode(venv: Path, name: str) -> Path:
    """Return the bytecode of a module such as `apple/later`."""
    package, _, module = name.partition("/")
    (found,) = (site_packages(venv) / package / "__pycache__").glob(f"{module}.*.pyc")
    return found


def cached(cache: Path) -> list[Path]:
    """Return the bytecode in the cache."""
    return sorted(path for path in cache.glob("bytecode-v1/entries/*/*") if path.name.isdecimal())


def version(venv: Path) -> str:
    """Return what a session in a venv loads as `apple.later`."""
    return run([venv / "bin/python", "-c", "import apple.later; print(apple.later.VERSION)"]).stdout.strip()
