"""Noxfiles that use roost, for people who have nox alone, and for people who run tools with `uvx`."""

import os
from pathlib import Path

import pytest

from tests.lib.documentation import blocks
from tests.lib.git_hooks import Frameworks
from tests.lib.nox_sessions import PREFIX, session, write_noxfile
from tests.lib.processes import UV, run
from tests.lib.projects import Project

SHOW = "print(session.venv_backend)"


@pytest.fixture
def documented(project: Project) -> Project:
    """Provide a project whose noxfile begins with the guarded form of `docs/nox.md`."""
    (head,) = [block.text for block in blocks("python") if "except ModuleNotFoundError" in block.text]
    write_noxfile(project, session("tests", SHOW, PREFIX), head)
    return project


@pytest.fixture
def offline(frameworks: Frameworks, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let uv find nox, and what roost is made of, without an index. Provides a folder with roost's source."""
    for name, value in frameworks.variables().items():
        monkeypatch.setenv(name, value)
    return frameworks.repository


@pytest.mark.slow
def test_nox_alone_falls_back_to_its_own_backend_with_one_line(documented: Project, offline: Path) -> None:
    got = run([UV, "tool", "run", "nox"], cwd=documented.root)
    assert got.returncode == 0, got.stderr
    assert sorted(got.stdout.splitlines()) == sorted(["virtualenv", str(documented.root / ".nox/tests")])
    lines = [line for line in got.stderr.splitlines() if "roost" in line and "Creating virtual environment" not in line]
    assert lines == ["nox > roost is missing: using nox's own venvs"]
    assert offline.exists()
    assert not documented.store.exists()


@pytest.mark.slow
def test_uvx_brings_roost_along(documented: Project, offline: Path) -> None:
    got = run([UV, "tool", "run", "--with", offline, "nox"], cwd=documented.root, env=dict(os.environ))
    assert got.returncode == 0, got.stderr
    assert sorted(got.stdout.splitlines()) == sorted(["roost", str(documented.venvs()[0])])
    assert "is not installed" not in got.stderr
