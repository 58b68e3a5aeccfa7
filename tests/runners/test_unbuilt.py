"""What a lock file says of a venv that was not built yet."""

import pytest

from roost import warm
from roost.runners import unbuilt
from tests.lib.installer_kinds import with_pylock
from tests.lib.projects import Project


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["Apple>=1", "banana[x]"], ""),
        (["apple", "Cherry==1"], "Cherry"),
        (["cherry; python_version<'3'", "./cherry", "-e", "cherry", "-r", "cherry", "--group", "cherry"], ""),
        (["project[all]"], ""),
        (["cherry @ https://example.org/cherry.zip"], "cherry"),
    ],
)
@pytest.mark.parametrize("kind", ["uv", "pylock", "command"])
def test_package_that_no_lock_file_lists(project: Project, words: list[str], missing: str, kind: str) -> None:
    if kind == "pylock":
        (project.root / "uv.lock").unlink()
        with_pylock(project)
    if kind == "command":
        project.edit("pyproject.toml", "[tool.roost]", '[tool.roost]\ncommand = ["uv", "sync"]\ninputs = ["uv.lock"]')
    expected = missing if kind != "command" else ""
    assert unbuilt.missing(str(project.root), warm.select(), words) == expected


def test_project_whose_version_is_dynamic_is_listed(project: Project) -> None:
    project.edit("pyproject.toml", 'version = "1.0"', 'dynamic = ["version"]')
    project.edit("uv.lock", 'name = "project"\nversion = "1.0"', 'name = "other"')
    assert unbuilt.missing(str(project.root), warm.select(), ["project", "other"]) == ""
    assert unbuilt.missing(str(project.root), warm.select(), ["another"]) == "another"
