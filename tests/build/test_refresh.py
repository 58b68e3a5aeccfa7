"""`roost sync --refresh`: local projects are built again, and packages of an index are not fetched again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.package_index import Index
from tests.lib.packages import installed, package, uv_table
from tests.lib.processes import UV, run
from tests.lib.projects import Project

FOLDERS = (".", "packages/red", "near")


def by_requirements(project: Project) -> None:
    project.file("requirements.txt", "-e .\n-e packages/red\n./near\n")
    project.edit("pyproject.toml", "[tool.uv]\n", "[tool.roost]\nrequirements = ['requirements.txt']\n[tool.uv]\n")


def by_pylock(project: Project) -> None:
    command = [UV, "--quiet", "export", "--format", "pylock.toml", "--all-packages", "-o", "pylock.toml"]
    run(command, cwd=project.root, check=True)
    (project.root / "uv.lock").unlink()


def by_pylock_without_the_project(project: Project) -> None:
    by_pylock(project)
    text = (project.root / "pylock.toml").read_text()
    kept = [part for part in text.split("[[packages]]") if 'name = "project"' not in part]
    project.file("pylock.toml", "[[packages]]".join(kept))


def unlocked(project: Project) -> None:
    del project


WAYS: list[Callable[[Project], None]] = [
    Project.lock,
    unlocked,
    by_requirements,
    by_pylock,
    by_pylock_without_the_project,
]


@pytest.fixture
def local(tmp_path: Path, wheels: Path) -> Project:
    """Provide a workspace with a member and a path dependency, each of which notes its builds."""
    made = Project(tmp_path / "work" / "project", wheels)
    sources = "sources.near.path = 'near'\nworkspace.members = ['packages/*']\n"
    package(made, ".", dependencies=["apple", "near"], more=uv_table(made, sources))
    package(made, "packages/red")
    package(made, "near")
    return made


def counts(project: Project) -> dict[str, int]:
    """Return how often each folder was built."""
    return {folder: (project.root / folder / "builds.log").read_text().count("\n") for folder in FOLDERS}


@pytest.mark.parametrize("way", WAYS)
def test_local_projects_are_built_again(local: Project, way: Callable[[Project], None]) -> None:
    """Uv would take each of them from its cache."""
    way(local)
    assert installed(local) == "apple 2.0 near 1.0 project 1.0 red 1.0"
    before = counts(local)
    got = local.roost("sync", "--refresh")
    assert got.returncode == 0, got.stderr
    assert got.stderr.splitlines()[0].endswith(": because of `--refresh`")
    assert {folder: count - before[folder] for folder, count in counts(local).items()} == dict.fromkeys(FOLDERS, 1)


def test_what_an_index_has_is_not_fetched_again(local: Project, open_index: Index) -> None:
    local.edit("pyproject.toml", "no-index = true", f"index = [{{url = '{open_index.url()}', default = true}}]")
    local.edit("pyproject.toml", "find-links", "# find-links")
    local.lock()
    assert installed(local) == "apple 2.0 near 1.0 project 1.0 red 1.0"
    before = len(open_index.requests)
    assert local.roost("sync", "--refresh").returncode == 0
    assert open_index.requests[before:] == []


def test_requirement_whose_dependencies_stand_elsewhere_is_built_again_without_being_told(local: Project) -> None:
    """As a member is: uv looks at no such file before it takes its build of before."""
    by_requirements(local)
    dynamic = "[tool.setuptools.dynamic]\ndependencies = {file = ['deps.txt']}\n"
    package(local, "near", head="version = '1.0'\ndynamic = ['dependencies']", more=dynamic)
    local.file("near/deps.txt", "banana\n")
    assert installed(local) == "apple 2.0 banana 1.0 near 1.0 project 1.0 red 1.0"
    local.file("near/deps.txt", "cherry\n")
    assert installed(local) == "apple 2.0 cherry 1.0 near 1.0 project 1.0 red 1.0"
