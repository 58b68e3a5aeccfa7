"""Indexes that are damaged, and a project that has one."""

from collections.abc import Callable

import pytest

from tests.lib.projects import Project, start_until_indexed


@pytest.fixture
def ready(project: Project) -> Project:
    """Provide a project that is ready, and answered by its index."""
    start_until_indexed(project)
    return project


JUNK: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "cut in the head": lambda text: text[:40],
    "cut in the middle": lambda text: text[: len(text) // 2],
    "cut at a line": lambda text: text[: text.rstrip("\n").rindex("\n") + 1],
    "another format": lambda text: text.replace("roost index 4", "roost index 3"),
    "another project": lambda text: text.replace("project /", "project /x/"),
    "another venv": lambda text: text.replace("\nvenv /", "\nvenv /x/"),
    "another lease": lambda text: text.replace("\nlease ", "\nlease 1"),
    "lease no number": lambda text: text.replace("\nlease ", "\nlease x"),
    "lines of junk": lambda text: text.partition("\n\t\n")[0] + "\n\t\njunk\n\t\njunk\n\t\n",
    "null bytes": lambda text: "\0" * len(text),
    "null in a path": lambda text: text[:-2] + "\0\n",
    "null in the venv": lambda text: text.replace("\nvenv /", "\nvenv /\0"),
    "head alone": lambda text: text.partition("\n\t\n")[0] + "\n\t\n",
    "no fields": lambda _: "roost index 4\n\t\n\t\n\t\n",
}
