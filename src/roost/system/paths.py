"""Paths inside a virtual environment, and names that are safe as one file name. Imported by every warm start.

Everywhere in roost a path has forward slashes, on Windows too; `native` converts it for other programs.
"""

import os
import sys

NAME_LIMIT = 255  # bytes in one file name

if sys.platform == "win32":
    SCRIPTS, LIBRARIES = "Scripts", "Lib/site-packages"
    STATE = "^"  # between a key and a fingerprint: `quote` leaves none in a key
    _RESERVED = '%/\n:\\^<>"|?*' + "".join(map(chr, range(ord("A"), ord("Z") + 1)))  # names differ in more than case
    _PROGRAMS = (".com", ".exe", ".bat", ".cmd")
else:
    SCRIPTS, LIBRARIES = "bin", "lib/*/site-packages"  # PyPy has another name there
    STATE = ":"
    _RESERVED = "%/\n:"
    _PROGRAMS: tuple[str, ...] = ()


def slashed(path: str) -> str:
    """Return `path` with forward slashes."""
    return path.replace(os.sep, "/") if os.sep != "/" else path


def native(path: str) -> str:
    """Return `path` with the separators of the operating system."""
    return path.replace("/", os.sep) if os.sep != "/" else path


def real(path: str) -> str:
    """Return the absolute path without links of `path`."""
    return slashed(os.path.realpath(path))


def absolute(path: str) -> str:
    """Return the absolute path of `path`."""
    return slashed(os.path.abspath(path))


def normal(path: str) -> str:
    """Return `path` without `.`, `..` and doubled slashes."""
    return slashed(os.path.normpath(path))


def joined(folder: str, path: str) -> str:
    """Return `path`, seen from `folder`, in its normal form."""
    return normal(os.path.join(folder, path))


def relative(path: str, start: str) -> str:
    """Return `path` as seen from `start`; `path` itself where it lies on another drive."""
    try:
        return slashed(os.path.relpath(path, start))
    except ValueError:
        return path


def scripts(venv: str) -> str:
    """Return the folder of the commands in `venv`."""
    return f"{venv}/{SCRIPTS}"


def python(venv: str) -> str:
    """Return the interpreter of `venv`."""
    return program(f"{venv}/{SCRIPTS}/python")


def active(venv: str, path: str) -> dict[str, str]:
    """Return the environment variables that activate `venv` where PATH is `path`."""
    folder = native(scripts(venv))
    return {"VIRTUAL_ENV": native(venv), "PATH": f"{folder}{os.pathsep}{path}" if path else folder}


def program(path: str) -> str:
    """Return `path` with the suffix of a program, where programs have one."""
    return f"{path}.exe" if _PROGRAMS else path


def command(venv: str, name: str) -> str | None:
    """Return the path of the command `name` in `venv`, or None where there is none."""
    path = f"{venv}/{SCRIPTS}/{name}"
    if not _PROGRAMS:
        return path if name and os.path.isfile(path) else None
    names = [path] if name.lower().endswith(_PROGRAMS) else [f"{path}{suffix}" for suffix in _PROGRAMS if name]
    return next(filter(os.path.isfile, names), None)


def site_packages(venv: str) -> list[str]:
    """Return the `site-packages` folders of `venv`, found by name: its interpreter need not run."""
    import glob  # noqa: PLC0415 - not on a warm start

    return matching(f"{glob.escape(venv)}/{LIBRARIES}")


def matching(pattern: str) -> list[str]:
    """Return the paths that match the glob `pattern`."""
    import glob  # noqa: PLC0415 - not on a warm start

    return list(map(slashed, glob.glob(pattern)))


def is_path(command: str) -> bool:
    """Return whether `command` is a path, and not a name to look up."""
    return "/" in command or os.sep in command or bool(os.path.splitdrive(command)[0])


def stem(program: str) -> str:
    """Return the name of `program`, a path or a name, without the suffix of a program."""
    name = os.path.basename(program)
    return name[:-4] if name.lower().endswith(_PROGRAMS or ("/",)) else name


def quote(text: str, limit: int = NAME_LIMIT) -> str:
    """Return `text` as one file name: a version request such as `>=3.12`, or a path; above `limit` bytes, a hash."""
    name = "".join([f"%{ord(char):02X}" if char in _RESERVED else char for char in text])
    if len(os.fsencode(name)) > limit:
        import hashlib  # noqa: PLC0415 - only for a text of that length

        name = f"%2F{hashlib.sha256(os.fsencode(text)).hexdigest()}"
    return name


def is_inside(path: str, folder: str) -> bool:
    """Return whether `path` lies inside `folder`, after following links."""
    return real(path).startswith(f"{folder.rstrip('/')}/")


def is_same_file(path: str, other: str) -> bool:
    """Return whether both paths lead to the same existing file or folder."""
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def upwards(folder: str) -> list[str]:
    """Return `folder` and all folders above it, the nearest first."""
    found = [folder]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found
