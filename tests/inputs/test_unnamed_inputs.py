"""Files that change what is installed although no setting names them."""

import os
import shutil
from pathlib import Path

import pytest

from tests.lib.packages import installed, pack, said, uv_table
from tests.lib.processes import UV, run
from tests.lib.projects import Project, builds, refused, start_until_indexed, starts_warm
from tests.lib.wheels import make_wheel


@pytest.fixture
def backends(tmp_path: Path) -> Project:
    """Provide a folder for a project, and wheels of real build backends, `apple` and `banana`."""
    folder = tmp_path / "backend"
    folder.mkdir()
    for name in ("hatchling", "setuptools"):
        pack(name, folder)
    for name in ("editables", "apple", "banana"):
        make_wheel(folder, name, "0.5")
    return Project(tmp_path / "work" / "project", folder)


@pytest.mark.slow
def test_hatch_toml_counts_and_is_built_again(backends: Project) -> None:
    """The backend lays it over `[tool.hatch]`. uv does not compare it before it uses an earlier build again."""
    text = "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
    text += "[project]\nname = 'project'\nrequires-python = '>=3.11'\ndynamic = ['version']\n"
    text += "[tool.hatch.version]\npath = 'src/project/one.py'\n[tool.hatch.build]\ndev-mode-dirs = ['src']\n"
    backends.file("pyproject.toml", f"{text}{uv_table(backends)}")
    for number, name in enumerate(("one", "two", "three"), 1):
        backends.file(f"src/project/{name}.py", f"__version__ = '{number}.0'\n")
    backends.file("src/project/__init__.py", "")
    assert installed(backends) == "project 1.0"
    start_until_indexed(backends)
    for name, version in (("two", "2.0"), ("three", "3.0")):
        backends.file("hatch.toml", f"[version]\npath = 'src/project/{name}.py'\n")
        assert "changed: hatch.toml" in said(backends)
        assert installed(backends) == f"project {version}"
    start_until_indexed(backends)
    assert starts_warm(backends)
    assert builds(backends) == 3


@pytest.mark.slow
def test_requirement_files_that_a_setup_py_reads_count(backends: Project) -> None:
    setup = "import setuptools\nsetuptools.setup(name='project', version='1.0', py_modules=[], "
    setup += "install_requires=open('requirements/base.txt').read().split())\n"
    backends.file("setup.py", setup)
    backends.file("requirements/base.txt", "apple\n")
    text = "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
    backends.file("pyproject.toml", f"{text}{uv_table(backends)}")
    assert installed(backends) == "apple 0.5 project 1.0"
    start_until_indexed(backends)
    assert starts_warm(backends)
    backends.file("requirements/base.txt", "banana\n")
    assert "changed: requirements/base.txt" in said(backends)
    assert installed(backends) == "banana 0.5 project 1.0"
    backends.file("requirements-dev.txt", "apple\n")  # which it may read from now on
    assert "changed: requirements-dev.txt" in said(backends)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["uv.lock", "pylock.dev.toml", "Pipfile.lock", "requirements-dev.txt", "requirements/dev.in"]
)
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.paired("name", "there")
def test_usual_files_count_for_a_command(plain: Project, name: str, there: bool) -> None:
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["true"]\n')
    if there:
        plain.file(name, "one\n")
    said(plain)
    start_until_indexed(plain)
    assert starts_warm(plain)
    plain.file(name, "two\n")
    assert f"changed: {name}" in said(plain)
    assert said(plain) == ""
    assert builds(plain) == 2


@pytest.mark.parametrize("lock", ["uv.lock", pytest.param("pylock.toml", marks=pytest.mark.slow)])
def test_wheel_that_a_lock_file_names_by_path_counts(plain: Project, tmp_path: Path, lock: str) -> None:
    """The tool then reports that its hash is another one."""
    wheel = Path(shutil.copy(plain.wheels / "apple-1.0-py3-none-any.whl", plain.root.parent))
    plain.edit("pyproject.toml", "[tool.uv]\n", f"[tool.uv]\nsources = {{apple = {{path = '../{wheel.name}'}}}}\n")
    plain.lock()
    if lock == "pylock.toml":
        run([UV, "--quiet", "export", "--all-groups", "-o", lock], cwd=plain.root, check=True)
        (plain.root / "uv.lock").unlink()
    assert installed(plain) == "apple 1.0 banana 1.0"
    start_until_indexed(plain)
    assert starts_warm(plain)
    os.replace(make_wheel(tmp_path, "apple", "1.0", files={"apple/new.py": ""}), wheel)
    assert "Hash mismatch" in refused(plain)
    assert builds(plain) == 1
