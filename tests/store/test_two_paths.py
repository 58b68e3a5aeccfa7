"""One checkout under two paths, as on a host and in a container: one lock, and else each path has its own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lib.namespaces import Namespace, namespace
from tests.lib.processes import ROOST, ROOST_RUN, all_at_once, finish, run
from tests.lib.projects import Project, SlowProject
from tests.lib.shells import Shell

PREFIX = "import sys; print(sys.prefix)"


class Container(NamedTuple):
    """A place with the project under another path, and nothing under that of the host."""

    space: Namespace
    host: Path
    root: Path

    def words(self, *words: "str | Path") -> list["str | Path"]:
        """Return the command that runs `words` in the project there."""
        return self.space.inside(self.root, *words)

    def python(self, code: str, script: "str | Path" = ROOST_RUN) -> str:
        """Run Python code in the environment there; return what it printed."""
        got = run(self.words(script, "python", "-c", code))
        assert got.returncode == 0, got.stderr
        return got.stdout.removesuffix("\n")

    def as_host(self, path: str) -> Path:
        """Return the path on the host of a path there."""
        return self.host / Path(path).relative_to(self.root)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    """Provide a container, for a project in `host/project`."""
    host, there = tmp_path / "host/project", tmp_path / "container/project"
    host.mkdir(parents=True)
    there.mkdir(parents=True)
    mounts: tuple[list[str | Path], ...] = (
        ["mount", "--bind", host, there],
        ["mount", "-t", "tmpfs", "none", host.parent],
    )
    with namespace(*mounts) as space:
        yield Container(space, host, there)


@pytest.fixture
def host(container: Container, wheels: Path) -> Project:
    """Provide that project."""
    made = Project(container.host, wheels)
    made.write(dependencies=["apple"])
    made.lock()
    return made


def test_both_paths_stay_warm_in_turns(host: Project, container: Container, tmp_path: Path) -> None:
    shell = Shell(tmp_path / "shell", "/bin/sh")
    venvs = [host.python(PREFIX).stdout.strip(), container.python(PREFIX)]
    host.python(PREFIX)
    container.python(PREFIX)
    shell.only_note()
    for _ in range(3):
        assert run([shell.script, "python", "-c", PREFIX], cwd=host.root).stdout.strip() == venvs[0]
        assert container.python(PREFIX, shell.script) == venvs[1]
        assert not shell.handed_over()
    for words in ([ROOST, "run"], ["env", "PYTHONPROFILEIMPORTTIME=1", ROOST, "run"]):
        got = run(container.words(*words, "python", "-c", PREFIX))
        assert got.stdout.strip() == venvs[1]
        assert "roost.protocol" not in got.stderr
    assert venvs[0] != str(container.as_host(venvs[1]))
    assert len(host.journal("build")) == 2


def test_each_path_has_its_own_links(host: Project, container: Container) -> None:
    """Also after `roost sync`. The path that came first has those at the top of the store, and the project's."""
    host.edit("pyproject.toml", "[tool.roost]", '[tool.roost]\nlink = ".venv"')
    venv = host.roost("sync").stdout.strip()
    assert os.path.realpath(host.root / ".venv") == venv
    got = run(container.words(ROOST, "sync"))
    name = str(container.root).replace("/", "%2F")
    link = f"{container.root}/.roost/.venv/.v2/at/{name}/links/default"
    assert got.returncode == 0
    assert f"`{container.root}/.venv` is for `{host.root}`, where this checkout was first used: here, use `{link}`" in (
        " ".join(got.stderr.split())
    )
    assert os.readlink(container.as_host(link)) == got.stdout.strip() != venv
    assert os.readlink(host.store / ".venv/default") == venv
    assert os.path.realpath(host.root / ".venv") == venv


@pytest.mark.slow
def test_neither_path_collects_what_the_other_needs(host: Project, container: Container) -> None:
    """However many newer venvs it has, and though nothing was used within the hour."""
    host.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\nkeep = 1")
    host.roost("sync")
    mine = host.complete()
    theirs = [container.as_host(container.python(PREFIX))]
    for number in range(3):
        host.age()
        host.edit("pyproject.toml", "[tool.roost]", f"[tool.number{number}]\nx = 1\n[tool.roost]")
        container.python("pass")
        assert all(venv.is_dir() for venv in mine)
    theirs = [container.as_host(container.python(PREFIX))]
    for number in range(3, 6):
        host.age()
        host.edit("pyproject.toml", "[tool.roost]", f"[tool.number{number}]\nx = 1\n[tool.roost]")
        host.roost("sync")
        assert all(venv.is_dir() for venv in theirs)
    host.age()
    assert host.roost("clean", "--all").returncode == 0
    assert all(venv.is_dir() for venv in theirs)
    host.age(40 * 86400)
    host.roost("clean")
    assert not any(venv.is_dir() for venv in theirs)


def test_one_lock_for_both(container: Container, wheels: Path, tmp_path: Path) -> None:
    """Two builds in one source tree never overlap, whatever path they take."""
    project = SlowProject(container.host, wheels)
    project.write(extra=SlowProject.TABLES)
    start = [ROOST, "run", "python", "-c", PREFIX]
    inside = container.words(*start)
    children = all_at_once(
        4,
        tmp_path,
        lambda number: inside if number % 2 else [*("sh", "-c"), f'cd {project.root} && exec "$@"', "sh", *start],
    )
    ends = [finish(child) for child in children]
    assert [end[0] for end in ends] == [0] * 4, ends
    assert len({end[1] for end in ends}) == len(project.journal("build")) == 2
    assert project.overlaps() == []


def test_project_that_moved_back_and_forth_keeps_its_links(host: Project) -> None:
    """In one place a path that is gone is no other path of the checkout."""
    host.roost("sync")
    there = host.root.with_name("moved")
    for here, new in ((host.root, there), (there, host.root)):
        shutil.move(here, new)
        got = Project(new, host.wheels).python(PREFIX)
        assert os.readlink(new / ".roost/.venv/default") == got.stdout.strip()
        assert not (new / ".roost/.venv/.v2/at").exists()
