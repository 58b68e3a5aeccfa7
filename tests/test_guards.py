"""The guards of `conftest.py`: no test can write in the real home or in this repository's own `.roost`."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import conftest
from tests.lib.paths import REPOSITORY

WRITES: list[Callable[[Path], object]] = [
    lambda path: path.write_text("x"),
    lambda path: path.open("ab"),
    lambda path: os.open(path, os.O_RDWR),
    lambda path: os.open(str(path), os.O_RDONLY | os.O_CREAT),
    lambda path: os.open(bytes(path), os.O_WRONLY),
    lambda path: path.mkdir(),
    lambda path: path.unlink(),
    lambda path: path.rmdir(),
    lambda path: path.symlink_to("here"),
    lambda path: path.chmod(0o777),
    lambda path: path.rename("elsewhere"),
    lambda path: Path("here").rename(path),
    lambda path: os.replace("here", path),
    lambda path: os.link("here", path),
    lambda path: os.truncate(path, 0),
    os.utime,
]


@pytest.mark.parametrize("write", WRITES, ids=range(len(WRITES)))
@pytest.mark.parametrize("place", ["home", "roost"])
def test_write_where_no_test_belongs_raises(write: Callable[[Path], object], place: str) -> None:
    if place == "home" and f"{conftest.REAL_HOME}/" not in conftest._guarded:
        pytest.skip("the temporary folder lies in the home folder here")
    folder = conftest.REAL_HOME if place == "home" else REPOSITORY / ".roost"
    Path("here").write_text("")
    with pytest.raises(PermissionError, match="a test tried to write"):
        write(folder / "no-such-folder" / "file")


def test_write_in_a_tests_own_folder_and_reading_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").rename(tmp_path / "other")
    assert (REPOSITORY / "pyproject.toml").read_text()
    os.path.exists(conftest.REAL_HOME / ".gitconfig")


def test_pytest_itself_may_write_into_a_repository_that_lies_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "_guarded", [f"{REPOSITORY.parent}/"])
    assert not conftest._is_guarded(f"{REPOSITORY}/.pytest_cache/v")
    assert conftest._is_guarded(f"{REPOSITORY}/.roost/file")
    assert conftest._is_guarded(f"{REPOSITORY.parent}/file")


def test_environment_is_a_tests_own(tmp_path: Path) -> None:
    assert Path.home() == tmp_path / "home"
    assert os.environ["TMPDIR"] == str(tmp_path / "tmp")
    assert not any(name.startswith(("GIT_", "VIRTUAL_ENV", "PYTHON")) for name in os.environ)
    assert [name for name in os.environ if name.startswith("ROOST_")] == ["ROOST_CACHE_DIR"]
    assert "shims" not in os.environ["PATH"]
    assert Path.cwd() == tmp_path / "work"
