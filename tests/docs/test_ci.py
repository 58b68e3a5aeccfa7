"""The recipe of `docs/ci.md`, as it stands there: a `.roost` that comes out of a cache is verified, and not built."""

import os
import shutil
from pathlib import Path

import pytest

from tests.lib.documentation import DOCS, blocks
from tests.lib.processes import BASE_PYTHON, ROOST, run
from tests.lib.projects import Project, builds
from tests.lib.wheels import make_wheel


@pytest.fixture
def cached(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Provide a project with a `pytest` of its own, and roost on PATH."""
    folder = tmp_path / "wheels"
    shutil.copytree(wheels, folder)
    make_wheel(folder, "pytest", "1.0")
    monkeypatch.setenv("PATH", f"{os.path.dirname(ROOST)}{os.pathsep}{os.environ['PATH']}")
    made = Project(tmp_path / "work/project", folder)
    made.write(dependencies=["apple"], groups={"dev": ["pytest"]})
    made.lock()
    return made


def recipe() -> tuple[str, str]:
    """Return the two halves of the page's block of commands: the first machine's, and the next one's."""
    (block,) = [block for block in blocks("sh") if block.page == DOCS / "ci.md"]
    first, mark, second = block.text.partition("rm -rf .roost")
    assert mark
    return first, mark + second


def test_recipe_restores_verifies_and_builds_nothing(cached: Project) -> None:
    first, second = recipe()
    got = run(["bash", "-ec", first], cwd=cached.root)
    assert got.returncode == 0, got.stderr
    assert builds(cached) == 1
    (venv,) = cached.venvs()
    inode = (venv / "pyvenv.cfg").stat().st_ino
    # Kept elsewhere, the old file keeps its inode from being given to the new one by chance.
    got = run(["bash", "-ec", f"mv {venv}/pyvenv.cfg kept; {second}"], cwd=cached.root)
    assert got.returncode == 0, got.stderr
    assert got.stderr == ""
    assert (venv / "pyvenv.cfg").stat().st_ino != inode
    assert cached.venvs() == [venv]
    assert (builds(cached), len(cached.journal("restored"))) == (1, 1)
    assert "found `default` whole after it was restored from a cache" in got.stdout
    assert run(["bash", "-ec", "roost run pytest"], cwd=cached.root).stderr == ""  # without the variable: it is stamped
    assert builds(cached) == 1


@pytest.mark.parametrize("harm", ["", "apple/late.py", "apple/later.py"], ids=["variable", "missing", "edited"])
def test_without_the_variable_or_with_damage_it_is_built(cached: Project, harm: str) -> None:
    first, second = recipe()
    run(["bash", "-ec", first], cwd=cached.root, check=True)
    if not harm:
        second = second.replace("export ROOST_RESTORED=1\n", "")
    (venv,) = cached.venvs()
    change = {"": "", "apple/late.py": "rm", "apple/later.py": "sed -i s/VERSION/VERSIOM/"}[harm]
    files = f"{venv}/lib/python*/site-packages/{harm}"
    spoil = f"{change} {files}\n" if harm else ""
    second = second.replace("export", f"{spoil}export") if harm else second
    got = run(["bash", "-ec", second], cwd=cached.root)
    assert got.returncode == 0, got.stderr
    assert "building `default`" in got.stderr
    assert (builds(cached), len(cached.journal("restored"))) == (2, 0)


def test_key_is_the_same_on_the_next_machine_and_changes_with_the_lock_file(cached: Project) -> None:
    first = cached.roost("key").stdout
    cached.python("pass")
    shutil.rmtree(cached.store)
    shutil.copytree(cached.root, cached.root.parent / "moved")
    assert (
        cached.roost("key", env=dict(os.environ) | {"PATH": f"{os.path.dirname(BASE_PYTHON)}:/bin:/usr/bin"}).stdout
        == first
    )
    assert run(["roost", "key"], cwd=cached.root.parent / "moved").stdout != first  # a venv does not relocate
    cached.write(dependencies=["apple<2"], groups={"dev": ["pytest"]})
    cached.lock()
    assert cached.roost("key").stdout != first
