"""What real projects led to, and roost now answers with what to type."""

import os
from pathlib import Path

import pytest

from tests.lib.processes import ROOST, run
from tests.lib.projects import Project, refused


def test_command_that_another_group_or_an_extra_brings(plain: Project) -> None:
    plain.edit("pyproject.toml", "[tool.uv]", "test = ['cherry>=1; python_version > \"3\"']\n[tool.uv]")
    plain.edit(
        "pyproject.toml",
        "[dependency-groups]",
        "[project.optional-dependencies]\nfruit = ['Grape']\n[dependency-groups]",
    )
    plain.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.docs]\ngroups = []\n")
    assert plain.python("pass").returncode == 0

    def answer(*words: str) -> str:
        return refused(plain, *words[:-1], status=127, command=words[-1:])

    file = f"`{plain.root}/pyproject.toml`"
    assert (
        f'`test` lists a package of that name, so write `groups = ["dev", "test"]` in `[tool.roost]` of {file}'
        in answer("cherry")
    )
    assert f'`fruit` lists a package of that name, so write `extras = ["fruit"]` in `[tool.roost]` of {file}' in answer(
        "grape"
    )
    assert plain.roost("sync", "--env", "docs").returncode == 0
    assert 'write `groups = ["dev"]` in `[tool.roost.envs.docs]`' in answer("--env", "docs", "banana")
    assert f"add the package that brings it to the group `dev` in {file}" in answer("melon")
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["true"]\n')
    assert plain.python("pass").returncode == 0
    assert "add the package that brings it" in answer("cherry")  # no command knows of groups


@pytest.mark.parametrize("name", ["setup.py", "setup.cfg", "requirements.txt"])
def test_project_of_the_time_before_pyproject(tmp_path: Path, wheels: Path, name: str) -> None:
    project = Project(tmp_path / "work" / "old", wheels)
    project.file(name, "")
    cure = f"write one beside `{name}`, an empty one will do"
    assert f"no `pyproject.toml` in `{project.root}` or above it: {cure}" in refused(project)


@pytest.mark.parametrize("words", [["run", "true"], ["status"]])
def test_current_folder_that_was_removed(tmp_path: Path, words: list[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$@"'
    got = run(["sh", "-c", script, "sh", ROOST, *words], cwd=gone)
    assert (got.returncode, got.stdout) == (125, "")
    assert got.stderr == "roost: the current folder does not exist any more: `cd` to one that does\n"
    assert not os.path.exists(gone)


def test_settings_of_a_linter_in_setup_cfg_make_no_package(plain: Project) -> None:
    plain.file("pyproject.toml", "")
    plain.file("setup.cfg", "[flake8]\nmax-line-length = 99\n")
    assert "list there what to install" in refused(plain)
    plain.file("setup.cfg", "[metadata]\nname = project\n")
    assert "with uv (its build, no uv.lock)" in plain.python("pass", env=dict(os.environ) | {"UV_OFFLINE": "1"}).stderr
