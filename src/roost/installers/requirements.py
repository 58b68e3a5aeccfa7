"""Requirement files, as pip reads them: `-r` and `-c` are followed, `-e` and local paths are sources."""

import os
import re
from typing import Literal, NamedTuple

from roost.errors import RoostError
from roost.inputs import ARCHIVES, Inputs
from roost.installers import sources
from roost.installers.base import Run, Target
from roost.installers.uv import fresh_builds, uv_pip
from roost.project import Project
from roost.redact import without_secrets

ALONE = "requirements.txt"
FOR_DEVELOPERS = ("requirements-dev.txt", "dev-requirements.txt")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"(-r|-c|-e|--requirements?|--constraints?|--editable)(?:\s+|=|(?<=^-[rce]))(.+)")
_NAMED = re.compile(r"[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@\s*(.+)")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


class Found(NamedTuple):
    """What requirement files lead to."""

    files: list[str]
    """Each file with all that it includes."""
    local: list[str]
    """Folders and archives that are named by a path."""


def conventional(project: Project, inputs: Inputs) -> list[str]:
    """Return the requirement files that a project has by convention: `requirements.txt`, and one for developers."""
    names = (ALONE, *FOR_DEVELOPERS)
    there = [name for name in names if inputs.read(f"{project.root}/{name}") is not None]
    return there if ALONE in there else []


class RequirementsInstall:
    """`uv pip install -r …`, and nothing else: a line `-e .` installs the project."""

    kind: Literal["requirements"] = "requirements"
    makes_venv = False

    def __init__(self, project: Project, inputs: Inputs, names: list[str], reason: str) -> None:
        """Follow the files called `names`.

        Raises:
            RoostError: one is missing, cannot be read, or includes itself.
        """
        self.reason = reason
        self.names = names
        found = follow(project, inputs, names)
        self.files = [f"{project.root}/uv.toml", *found.files, *(path for path in found.local if os.path.isfile(path))]
        folders = tuple(path for path in found.local if os.path.isdir(path))
        self.sources = sources.followed(project, inputs, folders)
        self._builds = sources.builds(sorted({*folders, *self.sources}), inputs)

    def install(self, target: Target, run: Run) -> str | None:
        """Install what the files ask for."""
        words = [word for name in self.names for word in ("--requirements", name)]
        return uv_pip(["install", *words, *fresh_builds(self._builds, target)], target, run)


def follow(project: Project, inputs: Inputs, names: list[str]) -> Found:
    """Return all that the requirement files `names` lead to.

    Raises:
        RoostError: a file is missing, cannot be read, is a URL, or includes itself.
    """
    found = Found([], [])
    for name in names:
        if _URL.match(name):
            message = (
                f"`tool.roost.requirements` in `{project.file}` names `{without_secrets(name)}`: "
                "a file on a server can change unseen, so save it in the project"
            )
            raise RoostError(message)
        path = os.path.normpath(os.path.join(project.root, name))
        _follow(project, inputs, path, f"`{project.file}`", (), found)
    return found


def _follow(project: Project, inputs: Inputs, path: str, named_in: str, way: tuple[str, ...], found: Found) -> None:
    if path in way:
        by = f", by way of `{way[-1]}`" if way[-1] != path else ""
        message = f"`{path}` includes itself{by}: remove that `-r` line"
        raise RoostError(message)
    if path in found.files:
        return
    content = inputs.read(path)
    if content is None:
        message = f"`{path}`, which {named_in} names, is not there: write it, or remove its name"
        raise RoostError(message)
    here = os.path.dirname(path)
    for option, value in _lines(content.decode("utf-8-sig", "replace")):
        if _URL.match(value):
            continue  # what is on a server is the installer's to fetch
        value = _expanded(value, inputs)  # noqa: PLW2901 - the same, as the installer reads it
        if option in ("-e", ""):
            # uv takes a path from the current folder, which is the root; pip may take it from the file's.
            bare = value.partition("[")[0]
            candidates = {os.path.normpath(os.path.join(base, bare)) for base in (project.root, here)}
            found.local.extend(sorted(path for path in candidates if os.path.exists(path)))
        else:
            inner = os.path.normpath(os.path.join(here, value))
            _follow(project, inputs, inner, f"`{path}`", (*way, path), found)
    found.files.append(path)


def _expanded(text: str, inputs: Inputs) -> str:
    """Return `text` with each `${NAME}` in it replaced by that variable's value, which then counts; as pip does."""
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
            value = option[2].strip().strip("'\"")
            named = _NAMED.fullmatch(value)
            lines.append((word, _local(named[1] if named else value)))
        elif not line.startswith("-"):
            named = _NAMED.fullmatch(line)
            path = _local(named[1] if named else line)
            if named or "/" in path or path.endswith(ARCHIVES):
                lines.append(("", path))
    return lines


def _local(text: str) -> str:
    """Return the path that a requirement says, a `file:` URL or not; any other URL as it is."""
    path = text.partition(" ;")[0].partition(" --")[0].strip()
    if path.startswith("file:"):
        from urllib.parse import unquote  # noqa: PLC0415 - few say a path so, and every slow start imports this module

        path = unquote(path.removeprefix("file:").removeprefix("//").removeprefix("localhost"))
    return re.sub(r"^/?\$\{PROJECT_ROOT\}", ".", path)
