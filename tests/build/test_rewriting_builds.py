"""Builds that write an input and restore it, as poetry-dynamic-versioning does with `pyproject.toml`."""

import pytest

from tests.lib.packages import BACKEND, package, uv_table
from tests.lib.projects import Project, builds, refused, start_until_indexed, starts_warm

REWRITING = """
from pathlib import Path

import plain_backend
from plain_backend import *

def build_editable(*words):
    names = Path("rewritten.txt").read_text().split()
    number = len(Path("builds.log").read_text().split()) if Path("builds.log").exists() else 0
    path = Path(names[number % len(names)])
    before = path.read_bytes()
    path.write_bytes(before + b"# changed\\n")
    try:
        return plain_backend.build_editable(*words)
    finally:
        path.write_bytes(before)
"""


@pytest.fixture
def rewriting(project: Project) -> Project:
    """Provide a project whose backend rewrites the files in `rewritten.txt` in turn, one in each build."""
    more = f'{uv_table(project, "no-cache = true")}[tool.roost]\ninputs = ["notes.txt", "more.txt"]\n'
    package(project, ".", dependencies=["apple"], more=more)
    project.edit("pyproject.toml", BACKEND, BACKEND.replace("plain_backend", "rewriting_backend"))
    project.file("rewriting_backend.py", REWRITING)
    for name in ("notes.txt", "more.txt"):
        project.file(name, "as it was\n")
    project.lock()
    return project


def test_build_that_restores_what_it_writes_is_published(rewriting: Project) -> None:
    rewriting.file("rewritten.txt", "pyproject.toml")
    got = rewriting.python("import apple, project")
    assert got.returncode == 0, got.stderr
    said = f"the build writes `{rewriting.root}/pyproject.toml` and restores its content, so its second run counts"
    assert got.stderr.count(said) == 1
    assert (got.stderr.count("building"), builds(rewriting), len(rewriting.venvs())) == (2, 1, 1)
    assert rewriting.python("pass").stderr == ""
    start_until_indexed(rewriting)
    assert starts_warm(rewriting)


@pytest.mark.parametrize(
    ("names", "last"),
    [("notes.txt more.txt", "notes.txt"), ("uv.lock", "uv.lock")],
    ids=["another file in each build", "what the installer reads"],
)
def test_other_writers_are_not_counted_as_the_build(rewriting: Project, names: str, last: str) -> None:
    rewriting.file("rewritten.txt", names)
    said = refused(rewriting)
    assert f"`{rewriting.root}/{last}` changed during each of 3 builds" in said
