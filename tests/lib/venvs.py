"""Venvs on disk: where packages are, and interpreters that change."""

import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.lib.processes import BASE_PYTHON, run


def site_packages(venv: Path) -> Path:
    """Return the folder of a venv's packages."""
    return next(venv.glob("lib/python3.*/site-packages"))


class FakePython:
    """A Python of its own in a folder: a copy of the base interpreter's program next to links to its library."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        self.program = folder / "bin" / f"python{sysconfig.get_python_version()}"
        shutil.copy(BASE_PYTHON, self.program)
        (folder / "bin/python3").symlink_to(self.program.name)
        (folder / "lib").symlink_to(Path(sys.base_prefix) / "lib")

    def upgrade(self) -> None:
        """Replace the program by one that is not the same file, but does the same."""
        new = self.program.with_suffix(".new")
        new.write_bytes(self.program.read_bytes() + b"\0")
        new.chmod(0o755)
        new.replace(self.program)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePython:
    """Provide a Python first on PATH, with no other there."""
    made = FakePython(tmp_path / "python")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh", "cat", "dirname", "realpath"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", f"{made.folder}/bin:{tools}")
    if run([made.program, "-c", "import sys; print(sys.base_prefix)"]).stdout != f"{made.folder}\n":
        pytest.skip("a copy of this interpreter does not find its library")
    return made
