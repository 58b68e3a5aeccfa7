"""The folder of roost's caches, which all projects and processes of the user on one machine share."""

import os
import sys

from roost.errors import UsageError
from roost.system import files, folders


def location() -> str:
    """Return the folder of roost's caches, which need not exist.

    Raises:
        UsageError: `ROOST_CACHE_DIR` is relative: it would be another folder in another current folder.
    """
    if chosen := os.environ.get("ROOST_CACHE_DIR"):
        if not os.path.isabs(chosen):
            raise UsageError(f"`ROOST_CACHE_DIR` is `{chosen}`: it must be an absolute path")
        return chosen
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = f"{home}/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else f"{home}/.cache"
    return os.path.join(base, "roost")


def is_wanted() -> bool:
    """Return whether the user wants one."""
    return not os.environ.get("ROOST_NO_CACHE")


def fault(*paths: str) -> str | None:
    """Return why the content of the folders `paths` below `location()` cannot be trusted, or None.

    A missing folder passes; each has to come after those that it lies in.
    """
    if not os.path.isabs(location()):
        return f"there is no home for `{location()}`"
    for path in (location(), *paths):
        try:
            if not files.is_private_folder(path):
                return f"`{path}` belongs to another user, can be written by others, or is not a folder"
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"`{path}` cannot be read ({error.strerror})"
    return None


def prepare(*paths: str) -> None:
    """Create `location()` and the folders `paths` in it.

    Raises:
        OSError: they cannot be created, or the folder above belongs to another user.
    """
    root = above = location()
    if not os.path.isdir(above):
        while not os.path.isdir(above := os.path.dirname(above)):
            pass
        if not files.is_own(os.stat(above)):  # such as root in a user's home
            raise PermissionError(above)
        os.makedirs(root, mode=0o700, exist_ok=True)
    for path in paths:
        folders.make_folder(path)
