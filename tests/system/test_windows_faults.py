"""What Wine cannot show: the error codes of Windows, injected where the calls return them, and what follows.

The codes are those that Microsoft documents: 5 access denied, 32 sharing violation, 1314 privilege not held.
"""

import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.system import windows_files


def error(code: int) -> OSError:
    """Return the error of Windows with this code, as `os` raises it there."""
    made = PermissionError(13, "as on Windows")
    made.winerror = code  # type: ignore[attr-defined, unused-ignore]
    return made


@pytest.fixture(autouse=True)
def as_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recognize links as on Windows: POSIX has no attributes of files."""
    monkeypatch.setattr(windows_files, "is_link", os.path.islink)
    monkeypatch.setattr(
        windows_files, "is_private_folder", lambda path: os.path.isdir(path) and not os.path.islink(path)
    )


def failing(times: int, code: int, then: Callable[..., object]) -> Callable[..., object]:
    """Return a function that raises `times`, and then calls `then`."""
    left = iter(range(times))

    def call(*args: object, **options: object) -> object:
        if next(left, None) is not None:
            raise error(code)
        return then(*args, **options)

    return call


@pytest.mark.parametrize("code", [5, 32, 33])
def test_a_file_is_replaced_once_its_readers_close_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("content")
    monkeypatch.setattr(os, "replace", failing(3, code, os.replace))
    windows_files.replace(str(old), str(new))
    assert new.read_text() == "content"


@pytest.mark.parametrize("code", [112, 5])
def test_a_replacement_that_cannot_succeed_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """At once for another code, such as 112, a full disk; after a bounded time where a reader stays."""
    monkeypatch.setattr(windows_files, "PATIENCE", 0.1)
    monkeypatch.setattr(os, "replace", failing(10_000, code, os.replace))
    with pytest.raises(OSError, match="as on Windows"):
        windows_files.replace(str(tmp_path / "old"), str(tmp_path / "new"))


def test_a_folder_in_use_is_not_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("envs", "trash", "envs/venv"):
        (tmp_path / name).mkdir()
    envs, trash = (windows_files.Folder(str(tmp_path / name)) for name in ("envs", "trash"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", failing(1, 5, os.rename))
        assert not envs.move("venv", trash)
    assert envs.names() == ["venv"]
    assert envs.move("venv", trash)
    assert (envs.names(), len(trash.names())) == ([], 1)


@pytest.fixture
def junctions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let symbolic links need a privilege, and note which junctions are made: links, as far as a test sees."""
    made: list[str] = []
    symlink = os.symlink

    def create(target: str, path: str) -> None:
        made.append(os.path.basename(path))
        symlink(target, path)

    monkeypatch.setattr(os, "symlink", failing(10, 1314, symlink))
    monkeypatch.setitem(sys.modules, "_winapi", types.SimpleNamespace(CreateJunction=create))
    return made


def test_a_link_is_a_junction_where_symbolic_links_need_a_privilege(junctions: list[str]) -> None:
    folder = Path.cwd()
    link = folder / "default"
    for name in ("one", "two"):  # the second replaces the first
        (folder / name).mkdir()
        assert windows_files.link(str(link), str(folder / name))
        assert link.resolve().name == name
    assert len(junctions) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["default", "one", "two"]


def test_a_link_is_left_out_where_neither_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "symlink", failing(10, 1314, os.symlink))
    monkeypatch.setitem(sys.modules, "_winapi", types.SimpleNamespace())
    assert not windows_files.link(f"{os.getcwd()}/default", os.getcwd())
    assert os.listdir() == []


def test_a_lease_waits_for_who_only_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` opens a lease file as a removal does, for a moment; a removal holds it longer, and the lease is None."""
    path = tmp_path / "venv.lease"
    path.touch()
    monkeypatch.setattr(os, "open", failing(3, 32, os.open))
    descriptor = windows_files.take_lease(str(path), path.stat().st_ino)
    assert descriptor is not None
    os.close(descriptor)
    monkeypatch.setattr(os, "open", failing(10_000, 32, os.open))
    assert windows_files.take_lease(str(path), path.stat().st_ino) is None
