"""`.venv` for tools that look for it: a link, or the file of PEP 832."""

import os

import pytest

from tests.lib.processes import UV, run
from tests.lib.projects import Project, builds


def configure(project: Project, link: str) -> None:
    text = (project.root / "pyproject.toml").read_text().partition("[tool.roost]")[0]
    project.file("pyproject.toml", f"{text}[tool.roost]\nlink = '{link}'\n")


def test_file_leads_to_the_current_venv(project: Project) -> None:
    configure(project, "file")
    venv = project.roost("sync").stdout.strip()
    file = project.root / ".venv"
    assert (file.is_symlink(), file.read_text()) == (False, ".roost/.venv/default\n")
    before = file.stat()
    project.roost("sync")
    assert file.stat() == before
    got = run([UV, "run", "--no-sync", "python", "-c", "import sys; print(sys.prefix)"], cwd=project.root)
    assert os.path.realpath(got.stdout.strip()) == venv
    assert project.roost("sync", "--no-group", "dev").stdout.strip() != venv
    assert os.path.realpath(project.root / file.read_text().strip()) == venv


def test_link_and_file_replace_each_other_and_nothing_else(project: Project) -> None:
    file = project.root / ".venv"
    for kind in ("file", ".venv", "file"):
        configure(project, kind)
        project.roost("sync")
        assert file.is_symlink() == (kind == ".venv")
        assert os.path.samefile(
            file if kind == ".venv" else project.root / file.read_text().strip(), project.venvs()[0]
        )
    for text in ("", "elsewhere/venv\n"):
        file.write_text(text)
        assert f"`{file}` exists and was not made by roost, so it stays" in project.roost("sync").stderr
        assert file.read_text() == text


@pytest.mark.parametrize("kind", [pytest.param(".venv", marks=pytest.mark.slow), "file"])
def test_sync_of_uv_through_it_is_noticed_at_the_next_start(project: Project, kind: str) -> None:
    configure(project, kind)
    venv = project.roost("sync").stdout.strip()
    got = run([UV, "sync", "--no-default-groups"], cwd=project.root)
    assert got.returncode == 0, got.stderr
    got = project.python("import banana, sys; print(sys.prefix)")
    assert got.stdout.strip() not in ("", venv)
    assert "was removed from" in got.stderr
    assert builds(project) == 2
