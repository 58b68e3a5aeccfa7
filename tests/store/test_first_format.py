"""The files of roost 0.1.0 are removed once no process uses them."""

import fcntl
import os
from pathlib import Path

from tests.lib.projects import Project


def make_first_format(project: Project) -> Path:
    """Put there what that version left: a venv with its lease and marker, links, and the lock. Returns the lease."""
    folder = project.store / "v1/envs/0123456789abcdef"
    (folder / "venv-abcdef/bin").mkdir(parents=True)
    (folder / "complete").write_text("{}")
    lease = folder / "venv-abcdef.lease"
    lease.touch()
    (project.store / "current").mkdir()
    (project.store / "current/default").symlink_to(folder / "venv-abcdef")
    (project.store / "lock").touch()
    return lease


def test_first_format_is_removed_by_the_next_build(project: Project) -> None:
    project.store.mkdir(0o700)
    make_first_format(project)
    assert project.python("import apple").returncode == 0
    assert sorted(os.listdir(project.store)) == [".gitignore", ".venv", "CACHEDIR.TAG"]


def test_first_format_stays_while_a_session_or_a_builder_uses_it(project: Project) -> None:
    project.store.mkdir(0o700)
    lease = make_first_format(project)
    for path, operation in ((lease, fcntl.LOCK_SH), (project.store / "lock", fcntl.LOCK_EX)):
        with path.open("r+") as file:
            fcntl.flock(file, operation)
            assert project.roost("sync", "--refresh").returncode == 0
            assert (lease.parent / "venv-abcdef/bin").is_dir()
            assert (project.store / "lock").exists()
    assert project.roost("clean").returncode == 0
    assert not (project.store / "v1").exists()


def test_link_in_place_of_the_first_format_is_not_followed(project: Project) -> None:
    project.store.mkdir(0o700)
    elsewhere = project.root.parent / "elsewhere"
    (elsewhere / "envs").mkdir(parents=True)
    (project.store / "v1").symlink_to(elsewhere)
    assert project.python("import apple").returncode == 0
    assert (elsewhere / "envs").is_dir()
