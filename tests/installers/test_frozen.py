"""A lock file that is out of date: an error that names both ways out, or installed as it is."""

import os

import pytest

from roost.warm import Selection
from tests.lib.packages import installed
from tests.lib.processes import ROOST_RUN, run
from tests.lib.projects import Project, refused

STALE = "does not fit `pyproject.toml`, and is installed as it is (frozen): `roost uv lock` updates it\n"


@pytest.fixture
def stale(project: Project) -> Project:
    """Provide a project whose lock file has `banana`, and whose `pyproject.toml` wants `cherry`."""
    project.edit("pyproject.toml", '["banana"]', '["cherry"]')
    return project


def test_frozen_installs_what_the_lock_says_with_one_line(stale: Project) -> None:
    lock = (stale.root / "uv.lock").read_bytes()
    assert 'with `--frozen`, `UV_FROZEN=1` or `lock = "frozen"`' in refused(stale)
    got = stale.roost("sync", "--frozen")
    assert got.stderr.endswith(f"`{stale.root}/uv.lock` {STALE}")
    assert got.stderr.count("\n") == 2
    assert "banana 1.0" in installed(stale, "--frozen")
    assert (stale.root / "uv.lock").read_bytes() == lock
    refused(stale)  # also after that


@pytest.mark.slow
def test_variable_and_setting_are_the_same_as_the_option(stale: Project) -> None:
    key = stale.roost("key", "--frozen").stdout
    frozen = {**os.environ, "UV_FROZEN": "1"}
    assert stale.roost("key", env=frozen).stdout == key
    venv = stale.roost("sync", "--frozen").stdout.strip()
    for _ in range(2):
        got = run([ROOST_RUN, "python", "-c", "import sys; print(sys.prefix)"], cwd=stale.root, env=frozen)
        assert (got.stdout.strip(), got.stderr) == (venv, "")
    stale.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\nlock = "frozen"\n')
    assert stale.roost("key").stdout == key
    assert stale.roost("sync").stdout.strip() == venv
    assert Selection(frozen=True).key == "default+frozen"


def test_lock_that_fits_is_frozen_silently(project: Project) -> None:
    assert project.roost("sync", "--frozen").stderr.count("\n") == 1


def test_group_that_cannot_be_resolved_is_installed_from_the_lock(project: Project) -> None:
    project.edit("pyproject.toml", '["banana"]', '["banana>9"]')
    assert '`--frozen`, or `lock = "frozen"`, installs what `uv.lock` says' in refused(project)
    assert "banana 1.0" in installed(project, "--frozen")
