"""What uv reads besides the project's own files: its variables, and its settings in other folders."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from roost import warm
from roost.errors import RoostError
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.inputs.schema import table
from roost.system import paths, variables

_LOGIN = re.compile(r"://[^\s/@]+@")


def values(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield those of the variables `names` that are set, with their values.

    Logins in URLs are left out: a token that is renewed every day does not change what is installed.
    """
    for name in names:
        if value := os.environ.get(name):
            yield name, without_login(value)


def without_login(text: str) -> str:
    """Return `text` without the logins in its URLs."""
    return _LOGIN.sub("://", text)


def files(project: Project, names: Sequence[str]) -> list[str]:
    """Return the files that the variables `names` name, and those with the settings of the user and the system."""
    named = (os.environ.get(name, "").split() for name in names if name in variables.FILES)
    found = [os.path.normpath(os.path.join(project.root, path)) for words in named for path in words]
    return [*found, *warm.settings_of_uv()]


def above(project: Project, inputs: Inputs) -> Iterator[tuple[str, Any]]:
    """Yield the first settings in a folder above: the file, and its content or its `[tool.uv]`.

    uv looks there where the project has no settings of its own. A file that does not parse is passed over, as in uv.
    """
    if inputs.read(f"{project.root}/uv.toml") is not None or "uv" in table(project.tables, "tool"):
        return
    for folder in paths.upwards(project.root)[1:]:
        with contextlib.suppress(RoostError):
            content = inputs.digest(f"{folder}/uv.toml")
            if content is not None:
                yield f"{folder}/uv.toml", content
                return
        with contextlib.suppress(RoostError):
            tool = table(inputs.toml(f"{folder}/pyproject.toml") or {}, "tool")
            if "uv" in tool:
                yield f"{folder}/pyproject.toml [tool.uv]", tool["uv"]
                return
