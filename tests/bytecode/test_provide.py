"""A new venv takes the bytecode that fits its sources from the cache, and compiles what is new."""

import os
import zipfile
from pathlib import Path

import pytest

from tests.lib.bytecode import bytecode
from tests.lib.processes import UV, run
from tests.lib.projects import Project, builds
from tests.lib.venvs import site_packages
from tests.lib.wheels import make_wheel

UNCOMPILED = """
import importlib.util, pathlib, sys
for source in pathlib.Path(sys.prefix, "lib").rglob("*.py"):
    if not pathlib.Path(importlib.util.cache_from_source(source)).exists():
        print(source)
"""


def built_before(project: Project, old: str, new: str) -> Path:
    """Build with the dependencies `old`, let the project want `new`, and return the venv."""
    project.write(dependencies=["apple"])
    project.edit("pyproject.toml", '["apple"]', old)
    project.lock()
    assert project.python("pass").returncode == 0
    (before,) = project.venvs()
    project.edit("pyproject.toml", old, new)
    project.lock()
    return before


def add_banana(project: Project) -> tuple[Path, Path]:
    """Build, let the project want one package more, and build; return the venvs."""
    before = built_before(project, '["apple"]', '["apple", "banana"]')
    got = project.python(UNCOMPILED)
    assert (got.returncode, got.stdout, builds(project)) == (0, "", 2), got.stderr
    (now,) = set(project.venvs()) - {before}
    return before, now


def test_lock_change_compiles_what_is_new(project: Project) -> None:
    """What was there is the same file in both venvs."""
    before, now = add_banana(project)
    assert bytecode(now, "apple/later").samefile(bytecode(before, "apple/later"))
    assert bytecode(now, "banana/later").stat().st_nlink == 2  # here and in the cache


def test_new_version_gets_bytecode_of_its_own(project: Project) -> None:
    """Also where only the content tells its sources from the old ones: Python looks at the second and the size alone."""
    before = built_before(project, '["apple==1.0"]', '["apple==2.0"]')
    stamp = 1_000_000_000
    os.utime(site_packages(before) / "apple/later.py", (stamp, stamp))
    # A build backend that sets the times of what it installs, as reproducible ones do.
    project.edit(
        "pyproject.toml", "[tool.roost]\n", f"[tool.roost]\ncommand = ['sh', '-c', '{install(project, stamp)}']\n"
    )
    code = "import apple.later, sys; print(apple.later.VERSION, sys.prefix)"
    got = project.python(code)
    assert got.stdout.split()[0] == "2.0", got.stderr
    now = Path(got.stdout.split()[1])
    old, new = (site_packages(venv) / "apple/later.py" for venv in (before, now))
    assert (old.stat().st_mtime, old.stat().st_size) == (new.stat().st_mtime, new.stat().st_size)
    assert not bytecode(now, "apple/later").samefile(bytecode(before, "apple/later"))


def install(project: Project, stamp: int) -> str:
    """Return a shell command that installs apple 2.0, as if it were of the time `stamp`."""
    uv = f"{UV} pip install -q --no-index --find-links {project.wheels} apple==2.0"
    return f"{uv} && touch -d @{stamp} $VIRTUAL_ENV/lib/python3.*/site-packages/apple/later.py"


def test_bytecode_of_a_copied_source_is_copied(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uv cannot link it copies, and each copy has a time of its own: so has its bytecode, which Python loads."""
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    before, now = add_banana(project)
    old, new = (bytecode(venv, "apple/later") for venv in (before, now))
    assert not (site_packages(before) / "apple/later.py").samefile(site_packages(now) / "apple/later.py")
    assert old.read_bytes()[12:] == new.read_bytes()[12:]
    assert f"{before}/".encode() in new.read_bytes()  # it was not compiled here
    said = run([now / "bin/python", "-v", "-c", "import apple.later"]).stderr
    assert f"code object from '{new}'" in said


def test_broken_bytecode_is_not_used(project: Project) -> None:
    """What is not as it was built, by its size."""
    project.write(dependencies=["apple"])
    project.lock()
    assert project.python("pass").returncode == 0
    (before,) = project.venvs()
    path = bytecode(before, "apple/later")
    path.write_bytes(path.read_bytes()[:-3])
    project.edit("pyproject.toml", '["apple"]', '["apple", "banana"]')
    project.lock()
    got = project.python("import apple.later")
    assert got.returncode == 0, got.stderr


def test_bytecode_of_a_source_that_was_edited_in_place_is_not_used(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edit reaches all venvs and uv's cache through the link: each process would compile for itself."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    project.write(dependencies=["apple"])
    project.lock()
    assert project.python("pass").returncode == 0
    (before,) = project.venvs()
    source = site_packages(before) / "apple/later.py"
    source.write_text(source.read_text().replace("2.0", "2.1"))
    later = source.stat().st_mtime + 2
    os.utime(source, (later, later))
    project.edit("pyproject.toml", '["apple"]', '["apple", "banana"]')
    project.lock()
    assert project.roost("sync").returncode == 0  # a session would compile it and hide the fault
    (now,) = set(project.venvs()) - {before}
    assert (site_packages(now) / "apple/later.py").samefile(source)
    assert not bytecode(now, "apple/later").samefile(bytecode(before, "apple/later"))
    assert int.from_bytes(bytecode(now, "apple/later").read_bytes()[8:12], "little") == int(later)


def test_file_of_two_distributions_was_not_edited(plain: Project, tmp_path: Path) -> None:
    """Such as `ujson` and `types-ujson`: each lists the file with another size, and one of them was installed last."""
    folder = tmp_path / "shared"
    folder.mkdir()
    for name, text in (("elder", ""), ("younger", "VERSION = 1\n"), ("third", "VERSION = 1  # third\n")):
        make_wheel(folder, name, "1.0", files={"both/__init__.py": text, "both/typed.pyi": text})
    plain.write(dependencies=["elder", "younger", "third"])
    plain.edit("pyproject.toml", "find-links = [", f'find-links = ["{folder}", ')
    got = plain.python("import both")
    assert (got.returncode, "warning" in got.stderr) == (0, False), got.stderr


def test_source_that_does_not_compile_stops_nothing(project: Project, tmp_path: Path) -> None:
    """Distributions hold templates, and modules of other Pythons."""
    folder = tmp_path / "odd"
    folder.mkdir()
    files = {"elder/python2.py": "print 1\n", "elder/warns.py": "x = 1 is 1\n"}
    make_wheel(folder, "elder", "1.0", files=files)
    project.write(dependencies=["elder"], extra="", python=">=3.11")
    project.edit("pyproject.toml", "find-links = [", f'find-links = ["{folder}", ')
    project.lock()
    got = project.python(UNCOMPILED)
    assert got.returncode == 0, got.stderr
    assert [Path(line).name for line in got.stdout.splitlines()] == ["python2.py"]
    assert "Warning" not in got.stderr
    assert zipfile.is_zipfile(folder / "elder-1.0-py3-none-any.whl")


def test_unusual_names_among_the_sources_do_no_harm(project: Project) -> None:
    """A link that leads nowhere, a folder with the name of a module, and modules behind a link."""
    project.write(dependencies=[])
    (project.root / "uv.lock").unlink(missing_ok=True)
    project.file("behind/far.py", "")
    script = (
        f"{UV} pip install -q --no-index --find-links {project.wheels} apple && cd $VIRTUAL_ENV/lib/python3.*/site-packages"
        f" && ln -s /nowhere gone.py && mkdir odd.py && echo > odd.py/inner.py && ln -s {project.root}/behind behind"
    )
    project.file("install.sh", script)
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\ncommand = ['sh', 'install.sh']\n")
    got = project.python(UNCOMPILED)
    assert got.returncode == 0, got.stderr
    assert [Path(line).name for line in got.stdout.splitlines()] == ["gone.py", "odd.py"]
    assert not (project.root / "behind/__pycache__").exists()


def test_package_that_starts_a_thread_with_python_hinders_nothing(project: Project, tmp_path: Path) -> None:
    """A fork would leave such a thread behind, perhaps with a lock that it holds."""
    folder = tmp_path / "odd"
    folder.mkdir()
    thread = "import threading; threading.Thread(target=threading.Event().wait, args=(9,), daemon=True).start()\n"
    make_wheel(folder, "elder", "1.0", files={"elder.pth": thread})
    project.write(dependencies=["elder", "apple"])
    project.edit("pyproject.toml", "find-links = [", f'find-links = ["{folder}", ')
    project.lock()
    got = project.python(UNCOMPILED)
    assert (got.returncode, got.stdout) == (0, ""), got.stderr


def test_no_bytecode_where_the_settings_want_none(project: Project) -> None:
    """`compile-bytecode = false` is for those who count files."""
    project.write(dependencies=["apple"], roost="compile-bytecode = false")
    project.lock()
    assert project.roost("sync").returncode == 0
    assert list(project.venvs()[0].rglob("*.pyc")) == []


def test_traceback_names_the_venv_it_happened_in(project: Project) -> None:
    """Bytecode holds the path of its source; Python puts the true one in when it loads it."""
    _, now = add_banana(project)
    got = run([now / "bin/python", "-c", "import apple.late; print(apple.late.main.__code__.co_filename)"])
    assert got.stdout == f"{site_packages(now)}/apple/late.py\n"
