"""Odd and hostile files: what can stand where roost expects a file or folder of its own, and who watches over the rest."""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

NOBODY = 65534
HUGE = 100 << 20
SCRIPT = '#!/bin/sh\n: >"$RAN"\n'

Shape = Callable[[Path, Path], object]
"""Puts something odd at a path; the second one is a folder outside of `.roost` that must stay as it is."""


def _aside(path: Path, elsewhere: Path) -> Path:
    """Copy what is at `path` into `elsewhere`, with programs there that tell when they are run, and return the copy."""
    copy = elsewhere / f"copy of {path.name}"
    if path.is_dir():
        shutil.copytree(path, copy, symlinks=True)
        for program in [*copy.rglob("bin/*"), *(copy.iterdir() if copy.name.endswith(" bin") else ())]:
            program.unlink()
            program.write_text(SCRIPT)
            program.chmod(0o755)
    elif path.exists():
        shutil.copy2(path, copy)
    else:
        copy.write_text("precious\n")
    return copy


def _clear(path: Path) -> None:
    """Take away what is at `path`: into nothing, as far as the project is concerned."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def link(path: Path, elsewhere: Path) -> None:
    """Link to a copy."""
    copy = _aside(path, elsewhere)
    _clear(path)
    path.symlink_to(copy)


def moved(path: Path, elsewhere: Path) -> None:
    """Link to the thing itself, moved away."""
    there = elsewhere / f"moved {path.name}"
    path.rename(there)
    path.symlink_to(there)


def dangling(path: Path, elsewhere: Path) -> None:
    """Link to what does not exist, and must not from then on."""
    _clear(path)
    path.symlink_to(elsewhere / "nothing")


def zero(path: Path, elsewhere: Path) -> None:
    """Link to what never ends."""
    del elsewhere
    _clear(path)
    path.symlink_to("/dev/zero")


def fifo(path: Path, elsewhere: Path) -> None:
    """A named pipe, at which an open waits."""
    del elsewhere
    _clear(path)
    os.mkfifo(path)


def folder(path: Path, elsewhere: Path) -> None:
    """A folder that is not empty."""
    del elsewhere
    _clear(path)
    path.mkdir()
    (path / "file").write_text("precious\n")


def file(path: Path, elsewhere: Path) -> None:
    """A regular file, where a folder should be."""
    del elsewhere
    _clear(path)
    path.write_text("precious\n")


def device(path: Path, elsewhere: Path) -> None:
    """A device that never ends; only root can make one."""
    del elsewhere
    _clear(path)
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))


def hardlink(path: Path, elsewhere: Path) -> None:
    """Another name of a file elsewhere that holds the same."""
    copy = _aside(path, elsewhere)
    _clear(path)
    path.hardlink_to(copy)


def stranger(path: Path, elsewhere: Path) -> None:
    """Another user's; only root can give it away."""
    del elsewhere
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def writable(path: Path, elsewhere: Path) -> None:
    """Writable by all."""
    del elsewhere
    path.chmod(0o777 if path.is_dir() else 0o666)


def empty(path: Path, elsewhere: Path) -> None:
    """Nothing in it."""
    del elsewhere
    is_folder = path.is_dir()
    _clear(path)
    if is_folder:
        path.mkdir()
    else:
        path.write_bytes(b"")


def truncated(path: Path, elsewhere: Path) -> None:
    """The first half."""
    del elsewhere
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def binary(path: Path, elsewhere: Path) -> None:
    """Every byte there is, and no line of text."""
    del elsewhere
    path.write_bytes(bytes(range(256)) * 16)


def huge(path: Path, elsewhere: Path) -> None:
    """As it was, and then 100 MB of zeros, which take no room on the disk."""
    del elsewhere
    os.truncate(path, HUGE)


OF_FILES: tuple[Shape, ...] = (
    link,
    moved,
    dangling,
    zero,
    fifo,
    folder,
    device,
    hardlink,
    stranger,
    writable,
    empty,
    truncated,
    binary,
    huge,
)
OF_FOLDERS: tuple[Shape, ...] = (link, moved, dangling, zero, fifo, file, device, stranger, writable, empty)
FOR_ROOT = (device, stranger)


class Watch:
    """Notes what is in some folders, file by file, and tells what is another afterwards."""

    def __init__(self, *folders: Path, without: tuple[Path, ...] = ()) -> None:
        """Look at `folders`, and not at what lies in `without`."""
        self.folders = folders
        self.without = without
        self.before = self._look()

    def changes(self) -> list[str]:
        """Return what came, went, or is not what it was."""
        now = self._look()
        return sorted(str(path) for path in now.keys() | self.before.keys() if now.get(path) != self.before.get(path))

    def _look(self) -> dict[Path, tuple[object, ...]]:
        found: dict[Path, tuple[object, ...]] = {}
        waiting = list(self.folders)
        while waiting:
            path = waiting.pop()
            if path in self.without:
                continue
            info = path.lstat()
            what: object = None
            if stat.S_ISDIR(info.st_mode):
                waiting += list(path.iterdir())
            elif stat.S_ISLNK(info.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                what = info.st_size, info.st_mtime_ns, _digest(path) if info.st_size < HUGE else None
            found[path] = (info.st_ino, info.st_mode, info.st_uid, what)
        return found


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
