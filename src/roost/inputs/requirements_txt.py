"""Requirements files, as pip reads them: `-r` and `-c` are followed, `-e` and local paths are local projects."""

import os
import re
from typing import NamedTuple

from roost.console.redact import without_secrets
from roost.errors import RoostError
from roost.inputs.files import ARCHIVES, Inputs
from roost.inputs.project import Project
from roost.inputs.uv_settings import without_login
from roost.system.paths import joined

ALONE = "requirements.txt"
FOR_DEVELOPERS = ("requirements-dev.txt", "dev-requirements.txt")
USUAL = ("requirements*.txt", "requirements/*.txt")  # globs for what a `setup.py` or a Makefile may read
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"(-r|-c|-e|--requirements?|--constraints?|--editable)(?:\s+|=|(?<=^-[rce]))(.+)")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?=[^\w.:+/\\-]|$)")
_NAMED = re.compile(r"[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@\s*(.+)")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


class Found(NamedTuple):
    """The files and folders that requirements files refer to."""

    files: list[str]
    """Each file, and the files that it includes."""
    local: list[str]
    """Folders and archives."""
    variables: set[str]
    """The environment variables in them, `${NAME}`, other than logins in URLs."""


def conventional(project: Project, inputs: Inputs) -> list[str]:
    """Return the requirements files with conventional names: `requirements.txt`, and one for developers next to it."""
    existing = [name for name in (ALONE, *FOR_DEVELOPERS) if inputs.read(f"{project.root}/{name}") is not None]
    return existing if ALONE in existing else []


def follow(project: Project, inputs: Inputs, names: list[str]) -> Found:
    """Return the files and folders that the requirements files `names` refer to.

    Raises:
        RoostError: a file is missing, cannot be read, is a URL, or includes itself.
    """
    found = Found([], [], set())
    for name in names:
        if _URL.match(name):
            raise RoostError(
                f"`tool.roost.requirements` in `{project.file}` names `{without_secrets(name)}`: "
                "a file on a server can change unnoticed, so save it in the project"
            )
        _follow(project, inputs, joined(project.root, name), f"`{project.file}`", (), found)
    return found


def _follow(project: Project, inputs: Inputs, path: str, named_in: str, parents: tuple[str, ...], found: Found) -> None:
    if path in parents:
        by = f", through `{parents[-1]}`" if parents[-1] != path else ""
        raise RoostError(f"`{path}` includes itself{by}: remove that `-r` line")
    if path in found.files:
        return
    content = inputs.read(path)
    if content is None:
        raise RoostError(f"`{path}`, which {named_in} names, does not exist: create it, or remove its name")
    here, text = os.path.dirname(path), content.decode("utf-8-sig", "replace")
    lines = (_COMMENT.sub("", line) for line in text.splitlines())
    found.variables.update(name for line in lines for name in _VARIABLE.findall(without_login(line)))
    for option, value in _lines(text):
        if _URL.match(value):
            continue  # the installer downloads it
        value = _expanded(value, inputs)  # noqa: PLW2901 - the same, as the installer reads it
        if option in ("-e", ""):
            # uv takes a path from the current folder, which is the root; pip may take it from the file's.
            bare = value.partition("[")[0]
            candidates = {joined(base, bare) for base in (project.root, here)}
            found.local.extend(sorted(path for path in candidates if os.path.exists(path)))
        else:
            _follow(project, inputs, joined(here, value), f"`{path}`", (*parents, path), found)
    found.files.append(path)


def _expanded(text: str, inputs: Inputs) -> str:
    """Return `text` with each `${NAME}` replaced by that variable, which becomes an input; as pip does."""
    names = [name for name in _VARIABLE.findall(text) if name in os.environ]
    inputs.variables.update(names)
    return _VARIABLE.sub(lambda found: os.environ.get(found[1], found[0]), text)


def _lines(text: str) -> list[tuple[str, str]]:
    """Return the lines that name a file or folder: with `-r`, `-c`, `-e`, or an empty option, and the path."""
    lines = []
    for raw in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = _COMMENT.sub("", raw).strip()
        option = _OPTION.fullmatch(line)
        if option:
            word = option[1] if len(option[1]) == 2 else f"-{option[1][2]}"
            lines.append((word, path_in(option[2].strip().strip("'\""))))
        elif not line.startswith("-"):
            path = path_in(line)
            if "@" in line or "/" in path or path.startswith(".") or path.endswith(ARCHIVES):
                lines.append(("", path))
    return lines


def name_in(requirement: str) -> str:
    """Return the name of the package at the beginning of a requirement; empty for a path and a URL."""
    found = _NAME.match(requirement)
    return found[0] if found else ""


def path_in(requirement: str) -> str:
    """Return the path in a requirement such as `name @ file:PATH` or `PATH`; a URL or a name unchanged."""
    named = _NAMED.fullmatch(requirement)
    path = (named[1] if named else requirement).partition(" ;")[0].partition(" --")[0].strip()
    if path.startswith("file:"):
        from urllib.parse import unquote  # noqa: PLC0415 - it takes 2 ms

        path = unquote(path.removeprefix("file:").removeprefix("//").removeprefix("localhost"))
    return re.sub(r"^/?\$\{PROJECT_ROOT\}", ".", path)
