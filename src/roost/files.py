"""What the store does to single folders and files of its own: it follows no link, and replaces by renames."""

import contextlib
import os
import re
import stat

from roost import index
from roost.errors import RoostError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")  # what `index.temporary` makes; no name that stays begins with a point


def refuse_other_than_folder(path: str) -> None:
    """Refuse what is no folder, such as a link to one; what is not there is fine.

    Raises:
        RoostError: with the path.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            message = f"`{path}` is not a folder: remove it"
            raise RoostError(message)


def make_folder(path: str) -> None:
    """Make sure that there is a folder at `path`.

    Raises:
        RoostError: something else is there.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        refuse_other_than_folder(path)
    else:
        os.chmod(path, 0o700)  # a strict umask may have taken our own bits


def names(folder: str, pattern: "re.Pattern[str]") -> list[str]:
    """Return the names in `folder` that `pattern` matches, sorted; none where there is no such folder."""
    try:
        return sorted(filter(pattern.fullmatch, os.listdir(folder)))
    except FileNotFoundError:
        return []


def sweep(path: str, before: float) -> None:
    """Remove from the folder `path` what `index.temporary` named, if last changed before `before`."""
    folder = os.open(path, FOLDER)
    try:
        for name in filter(_TEMPORARY.fullmatch, os.listdir(folder)):
            if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < before:
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def write(path: str, text: str) -> None:
    """Write `text` to `path`, there whole or not at all."""
    new = index.temporary(path)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
    os.replace(new, path)


def link(path: str, target: str) -> None:
    """Let the link `path` lead to `target`, whatever it led to before."""
    new = index.temporary(path)
    os.symlink(target, new)
    os.replace(new, path)
