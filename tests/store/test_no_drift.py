"""Changes in a venv that no installer makes: they cost no build."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.processes import run
from tests.lib.projects import Project, builds, start_until_indexed, starts_warm
from tests.lib.venvs import site_packages
from tests.lib.wheels import make_wheel


def add_names(project: Project, venv: Path) -> None:
    """Add a command, and a file in `site-packages`, as `coverage run` does for as long as it runs."""
    del project
    (venv / "bin/mine").write_text("#!/bin/sh\n")
    (site_packages(venv) / "subcover_123.pth").write_text("import sys\n")


def clean_bytecode(project: Project, venv: Path) -> None:
    """Remove all bytecode, as many a `make clean` does."""
    del venv
    run(["find", project.root, "-name", "__pycache__", "-exec", "rm", "-rf", "{}", "+"], check=True)


def change_modes(project: Project, venv: Path) -> None:
    """Change modes to what they are, which moves the ctime of every file."""
    del venv
    run(["chmod", "-R", "g-w,o-w", project.root], check=True)


def change_owner(project: Project, venv: Path) -> None:
    """Change the owner to the present one."""
    del venv
    run(["chown", "-R", str(os.geteuid()), project.root], check=True)


def link_record(project: Project, venv: Path) -> None:
    """Give a file that an installer recorded another name, which moves its ctime, in a folder that changed."""
    os.link(site_packages(venv) / "apple-2.0.dist-info/RECORD", project.root / "RECORD")
    (site_packages(venv) / "notes.txt").write_text("")


@pytest.mark.parametrize(
    "change",
    [
        add_names,
        pytest.param(clean_bytecode, marks=pytest.mark.slow),
        change_modes,
        pytest.param(change_owner, marks=pytest.mark.slow),
        link_record,
    ],
    ids=lambda change: change.__name__,
)
def test_what_no_installer_does_rebuilds_nothing(project: Project, change: Callable[[Project, Path], None]) -> None:
    (project.root / ".mine/__pycache__").mkdir(parents=True)
    module = make_wheel(project.root, "elder", "1.0", files={"elder_top.py": ""})  # bytecode in `site-packages` itself
    project.write(dependencies=["apple", f"elder @ file://{module}"])
    project.lock()
    start_until_indexed(project)
    (venv,) = project.venvs()
    assert (site_packages(venv) / "__pycache__").exists()
    change(project, venv)
    got = project.python("import apple, elder_top")
    assert (got.returncode, got.stderr, builds(project)) == (0, "", 1)
    start_until_indexed(project)
    assert starts_warm(project)


def test_edited_pyvenv_with_its_times_restored_is_noticed(project: Project) -> None:
    """Size, inode and mtime are as before: where the ctime alone moved, the content is compared."""
    start_until_indexed(project)
    path = project.venvs()[0] / "pyvenv.cfg"
    stamp = path.stat()
    path.write_text(path.read_text().replace("packages = false", "packages = truee"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert "was changed (`pyvenv.cfg`)" in project.python("pass").stderr
