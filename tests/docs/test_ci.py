"""The recipe in `docs/ci.md`: uv's cache is restored by the key that `roost key` prints."""

import os
import shutil
from pathlib import Path

import pytest

from tests.lib.documentation import blocks
from tests.lib.links import DOCS
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


@pytest.mark.slow
def test_recipe_restores_the_cache_and_builds(cached: Project) -> None:
    """The second machine has neither `.roost` nor a cache: the same key leads to the archive of the first."""
    first, second = recipe()
    got = run(["bash", "-ec", first], cwd=cached.root)
    assert got.returncode == 0, got.stderr
    assert "building `default`" in got.stderr
    (archive,) = cached.root.parent.glob("*.tar")
    assert archive.stem == cached.roost("key").stdout.strip()
    got = run(["bash", "-ec", second], cwd=cached.root)
    assert got.returncode == 0, got.stderr
    assert "building `default`" in got.stderr
    (venv,) = cached.venvs()
    assert (cached.root / ".uv-cache").is_dir()
    linked = [path for path in venv.glob("lib/python*/site-packages/apple/*.py") if path.stat().st_nlink > 1]
    assert linked  # from the restored cache
    assert run(["bash", "-ec", "roost run pytest"], cwd=cached.root).stderr == ""
    assert builds(cached) == 1


def test_restored_folder_is_not_trusted(cached: Project) -> None:
    cached.python("pass")
    (cached.root / ".roost").rename(cached.root.parent / "kept")
    shutil.copytree(cached.root.parent / "kept", cached.root / ".roost", symlinks=True)
    assert "was replaced" in cached.python("import apple.late").stderr
    assert builds(cached) == 2


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
