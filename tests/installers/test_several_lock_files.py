"""Several lock files in one project: one is taken, and of the others nothing matters; what is broken is said at once."""

import os

import pytest

from tests.lib.installer_kinds import installed, said, with_pylock, with_requirements
from tests.lib.processes import UV, run
from tests.lib.projects import Project, builds, refused, start_until_indexed, starts_warm

BROKEN = "version = 1\n<<<<<<< HEAD\n=======\n>>>>>>> other\n"
ORDER = ("uv.lock", "pylock.toml", "poetry.lock", "pdm.lock")
OTHERS = {
    "uv": ORDER[1:],
    "pylock": ("uv.lock", "poetry.lock", "pdm.lock"),
    "requirements": ORDER,
}


def by(project: Project, kind: str) -> None:
    """Let the project be installed by `kind`."""
    if kind == "uv":
        project.lock()
    elif kind == "pylock":
        with_pylock(project)
        project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ninstaller = "pylock"\n')
    else:
        with_requirements(project)


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHERS)
def test_locks_that_are_not_taken_may_be_broken(plain: Project, kind: str) -> None:
    """Or no files at all; whatever happens to them, a warm start stays warm."""
    by(plain, kind)
    for name in OTHERS[kind]:
        plain.file(name, BROKEN)
    assert installed(plain) == "apple 2.0 banana 1.0"
    start_until_indexed(plain)
    for name in OTHERS[kind]:
        (plain.root / name).unlink()
        os.mkfifo(plain.root / name)
    assert starts_warm(plain)
    assert plain.roost("sync", "--refresh").returncode == 0
    assert "is ready" in plain.roost("why").stdout


@pytest.mark.parametrize("name", ORDER)
def test_lock_that_is_taken_and_broken_is_reported_before_any_build(plain: Project, name: str) -> None:
    """Never is the next one taken instead."""
    plain.file(name, BROKEN)
    for other in ORDER[ORDER.index(name) + 1 :]:
        plain.file(other, "")
    assert f"roost: `{plain.root}/{name}` is not valid TOML: " in refused(plain)
    assert not plain.store.exists()


def test_lock_of_another_environment_may_be_broken(plain: Project) -> None:
    with_pylock(plain)
    plain.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.docs]\ngroups = []\n")
    (plain.root / "pylock.toml").rename(plain.root / "pylock.docs.toml")
    plain.file("pylock.toml", BROKEN)
    assert "with pylock (pylock.docs.toml)" in said(plain, "--env", "docs")
    assert f"`{plain.root}/pylock.toml` is not valid TOML" in refused(plain)


def test_input_of_another_language_that_is_called_a_lock(plain: Project) -> None:
    """It is no TOML, or its packages are none of Python's."""
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ninputs = ["*.lock"]\n')
    plain.file("yarn.lock", "# yarn lockfile v1\n\nleft-pad@^1.0.0:\n  version 1.0.0\n")
    plain.file("Cargo.lock", "[[package]]\nname = 'serde'\nversion = '1.0.0'\n")
    assert installed(plain) == "apple 2.0 banana 1.0"
    plain.file("Cargo.lock", "[[package]]\nname = 'serde'\nversion = '1.0.1'\n")
    assert "changed: Cargo.lock\n" in said(plain)


@pytest.mark.slow
def test_lock_that_a_command_reads_says_what_changed(plain: Project) -> None:
    plain.lock()
    words = f'["{UV}", "sync", "--locked", "--active"]'
    plain.edit("pyproject.toml", "[tool.roost]\n", f'[tool.roost]\ncommand = {words}\ninputs = ["uv.lock"]\n')
    assert installed(plain) == "apple 2.0 banana 1.0"
    plain.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    run([UV, "lock", "--quiet"], cwd=plain.root, check=True)
    assert "(apple 2.0 → 1.0)" in said(plain)
    plain.file("uv.lock", BROKEN)
    assert f"`{UV}` ended with status 2" in refused(plain)
    assert builds(plain) == 2
