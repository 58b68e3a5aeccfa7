"""Hooks and kernels that name a venv: the venv stays as long as a hook needs it, and doctor names the cure."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.lib.git_hooks import PREK
from tests.lib.processes import run
from tests.lib.projects import Project


@pytest.fixture
def committed(project: Project) -> Project:
    """Provide a project under git, with prek in its environment."""
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\nkeep = 1")
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    with_prek(project)
    return project


def with_prek(project: Project) -> Path:
    """Build the environment, and put prek into it."""
    assert project.roost("sync").returncode == 0
    venv = Path(os.readlink(project.store / ".venv/default"))
    shutil.copy(PREK, venv / "bin/prek")
    return venv


def change(project: Project, number: int) -> None:
    """Let newer venvs replace the present one."""
    project.age()
    project.edit("pyproject.toml", "[tool.roost]", f"[tool.number{number}]\nx = 1\n[tool.roost]")
    with_prek(project)
    project.age()


def warnings(project: Project) -> str:
    """Return what doctor warns of, in one line."""
    found = json.loads(project.roost("doctor", "--json").stdout)["findings"]
    return " ".join(f"{one['text']}: {one['cure']}" for one in found if one["level"] == "warning")


@pytest.mark.slow
def test_venv_that_a_git_hook_names_stays_and_doctor_says_so(committed: Project) -> None:
    """The hook is written by prek itself, in the way that suggests itself and in the way that doctor shows."""
    (venv,) = committed.complete()
    assert committed.run("prek", "install").returncode == 0
    hook = committed.root / ".git/hooks/pre-commit"
    assert str(venv) in hook.read_text()
    for number in range(2):
        change(committed, number)
    got = committed.roost("clean", "--all")
    assert f"kept {venv}: the git hook `{hook}` names it" in " ".join(got.stdout.split())
    assert venv.is_dir()
    said = warnings(committed)
    cure = "prek install -f --hook-command 'roost-run prek'"
    assert f"/.git/hooks/pre-commit` names `{venv.name}`, which newer ones replace: `{cure}`" in said
    assert committed.run(*("prek", "install", "-f", "--hook-command", "roost-run prek")).returncode == 0
    assert str(venv) not in hook.read_text()
    assert venv.name not in warnings(committed)
    committed.age()
    assert committed.roost("clean", "--all").returncode == 0
    assert not venv.exists()


@pytest.mark.slow
def test_doctor_finds_kernels_whose_venv_is_gone(
    committed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    (venv,) = committed.complete()
    kernel = tmp_path / "jupyter/kernels/one/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": [f"{venv}/bin/python", "-m", "ipykernel_launcher"], "display_name": "one"}))
    change(committed, 0)
    assert committed.roost("clean", "--all").returncode == 0
    assert not venv.exists()
    cure = "let it start `roost-run python -m ipykernel_launcher -f {connection_file}`"
    assert f"/kernel.json` names `{venv.name}`, which was removed: {cure}" in warnings(committed)
