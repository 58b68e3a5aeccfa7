"""Noise on the streams of the programs that roost starts, and git when it fails: neither is taken for an answer."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.file_shapes import NOBODY
from tests.lib.git_hooks import git
from tests.lib.projects import Project, builds, refused
from tests.lib.variants import slow_after
from tests.lib.wheels import make_wheel

NOISE = [{"GIT_TRACE": "1"}, {"GIT_TRACE2": "1"}, {"LD_PRELOAD": "/nowhere/stale.so"}]


@pytest.mark.parametrize("noise", slow_after(1, NOISE), ids=lambda noise: next(iter(noise)))
def test_what_programs_write_to_standard_error_is_no_answer(project: Project, noise: dict[str, str]) -> None:
    git("init", "--quiet", cwd=project.root)
    got = project.python("pass", env=dict(os.environ) | noise)
    assert (got.returncode, builds(project)) == (0, 1), got.stderr
    assert "tracks" not in got.stderr
    assert "git tracks" not in project.roost("doctor", env=dict(os.environ) | noise).stderr


@pytest.mark.parametrize("stream", slow_after(1, ["1", "2"]))
def test_git_that_is_a_script_and_prints_more(project: Project, tmp_path: Path, stream: str) -> None:
    git("init", "--quiet", cwd=project.root)
    script = tmp_path / "tools/git"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "this git is monitored" >&{stream}\nexec {shutil.which("git")} "$@"\n')
    script.chmod(0o755)
    env = dict(os.environ) | {"PATH": f"{script.parent}:{os.environ['PATH']}"}
    got = project.python("pass", env=env)
    assert got.returncode == 0, got.stderr
    git("add", "--force", ".roost", cwd=project.root)
    assert "git tracks" in project.roost("sync", "--refresh", env=env).stderr


def test_package_that_prints_when_python_starts_and_ends(project: Project, tmp_path: Path) -> None:
    """Also what roost's own lines look like, and without the end of a line."""
    code = (
        "import atexit, sys; sys.stdout.write('roost: hello'); sys.stderr.write('roost: []'); "
        "atexit.register(sys.stdout.write, 'roost: bye'); atexit.register(sys.stderr.write, 'roost: bye')\n"
    )
    wheel = make_wheel(tmp_path, "noisy", "1.0", files={"noisy_start.pth": code})
    project.write(dependencies=[f"noisy @ file://{wheel}"])
    project.lock()
    got = project.python("import noisy")
    assert (got.returncode, builds(project)) == (0, 1), got.stderr


def damage_index(folder: Path) -> str:
    """Leave an index that git cannot read."""
    (folder / ".git/index").write_text("junk")
    return "fatal: .git/index: index file smaller than expected"


def give_away(folder: Path) -> str:
    """Let the repository belong to another user, so that git refuses it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder / ".git", NOBODY, NOBODY)
    return "fatal: detected dubious ownership in repository at "


@pytest.mark.parametrize("fault", [damage_index, give_away], ids=lambda fault: fault.__name__)
def test_git_that_fails_has_not_shown_that_it_tracks_nothing(project: Project, fault: Callable[[Path], str]) -> None:
    """Of a new `.roost` git is not asked, so this one exists, and the next start has to build."""
    assert project.roost("sync").returncode == 0
    git("init", "--quiet", cwd=project.root)
    cause = fault(project.root)
    project.edit("pyproject.toml", "[tool.roost]", "[tool.mine]\nx = 1\n[tool.roost]")
    said = refused(project)
    assert said.startswith(f"roost: git cannot tell whether it tracks `{project.store}` ({cause}")
    assert f"): make `git status` work in `{project.root}`, or set `ROOST_DIR`" in said


@pytest.mark.parametrize(
    "place",
    [
        "/nowhere/.git/worktrees/project",
        pytest.param("", marks=pytest.mark.slow),
        pytest.param("../gone", marks=pytest.mark.slow),
    ],
)
def test_worktree_without_its_repository_is_in_none(project: Project, place: str) -> None:
    """A container that has the worktree alone: git fails there, and tracks nothing."""
    project.file(".git", f"gitdir: {place}\n")
    got = project.python("pass")
    assert got.returncode == 0, got.stderr
