"""Paths inside a virtual environment, and names that are safe as one file name. Imported by every warm start."""

import os

NAME_LIMIT = 255  # bytes in one file name


def scripts(venv: str) -> str:
    """Return the folder of the commands in `venv`."""
    return f"{venv}/bin"


def python(venv: str) -> str:
    """Return the interpreter of `venv`."""
    return f"{venv}/bin/python"


def command(venv: str, name: str) -> str | None:
    """Return the path of the command `name` in `venv`, or None where there is none."""
    path = f"{venv}/bin/{name}"
    return path if name and os.path.isfile(path) else None


def site_packages(venv: str) -> list[str]:
    """Return the `site-packages` folders of `venv`, found by name: its interpreter need not run."""
    import glob  # noqa: PLC0415 - not on a warm start

    return glob.glob(f"{glob.escape(venv)}/lib/python*/site-packages")


def is_path(command: str) -> bool:
    """Return whether `command` is a path, and not a name to look up."""
    return "/" in command


def quote(text: str) -> str:
    """Return `text` as one file name: a version request such as `>=3.12`, or the path of a project."""
    return text.replace("%", "%25").replace("/", "%2F").replace("\n", "%0A").replace(":", "%3A")


def is_inside(path: str, folder: str) -> bool:
    """Return whether `path` lies inside `folder`, after following links."""
    return os.path.realpath(path).startswith(f"{folder.rstrip('/')}/")


def upwards(folder: str) -> list[str]:
    """Return `folder` and all folders above it, the nearest first."""
    found = [folder]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found
