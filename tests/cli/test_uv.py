"""`roost uv`, and the `uv` that messages name."""

import os
from pathlib import Path

import pytest

from tests.lib.processes import ROOST, UV, run
from tests.lib.projects import Project, refused


@pytest.fixture
def folder_with(tmp_path: Path) -> Path:
    """Provide an empty folder for PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


def test_words_and_status_are_those_of_uv(project: Project) -> None:
    project.write(dependencies=["cherry"])
    assert (
        project.roost("uv", "lock", "--check").returncode == run([UV, "lock", "--check"], cwd=project.root).returncode
    )
    got = project.roost("uv", "lock")
    assert (got.returncode, 'name = "cherry"' in (project.root / "uv.lock").read_text()) == (0, True), got.stderr
    assert project.roost("uv", "--help").stdout == run([UV, "--help"]).stdout
    assert project.roost("uv", "--version").stdout == run([UV, "--version"]).stdout


def test_messages_name_the_uv_that_can_be_typed(project: Project, folder_with: Path) -> None:
    project.write(dependencies=["cherry"])
    path = os.environ["PATH"]

    def said(**more: str) -> str:
        return refused(project, env=dict(os.environ) | more).rpartition("run `")[2].partition("`")[0]

    with_uv = os.pathsep.join([path, str(folder_with)])
    assert said() == "roost uv lock"
    assert "warning  uv is not on PATH: `roost uv lock`" in project.roost("doctor").stdout
    (folder_with / "uv").symlink_to(UV)
    assert said(PATH=with_uv) == "uv lock"
    assert "uv is not on PATH" not in project.roost("doctor", env=dict(os.environ) | {"PATH": with_uv}).stdout


def test_hook_of_a_framework_names_what_the_users_shell_has(project: Project, folder_with: Path) -> None:
    """The framework's own environment, which is on the hook's PATH, has uv and roost."""
    project.write(dependencies=["cherry"])
    path = os.pathsep.join([os.path.dirname(ROOST), os.environ["PATH"]])
    hook = dict(os.environ) | {"PATH": path, "PRE_COMMIT": "1"}
    assert f"run `{UV} lock`, or" in refused(project, env=hook)
    (folder_with / "roost").symlink_to(ROOST)
    hook["PATH"] += os.pathsep + str(folder_with)
    assert "run `roost uv lock`, or" in refused(project, env=hook)
