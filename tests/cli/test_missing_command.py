"""What real projects led to, and roost now answers with what to type."""

import os
from pathlib import Path

import pytest

from roost import state, tool_places
from roost.tool_places import Place
from roost.warm import Selection
from tests.lib.processes import ROOST, run
from tests.lib.projects import Project, refused


@pytest.mark.slow
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

    where = f"in `[tool.roost]` of `{plain.root}/pyproject.toml`"
    assert answer("cherry") == (
        "roost: `cherry` is not in the environment `default`: it is in the group `test`: "
        f'`--group test`, or `groups = ["dev", "test"]` {where}\n'
    )
    assert f'it is in the extra `fruit`: `--extra fruit`, or `extras = ["fruit"]` {where}' in answer("grape")
    assert plain.run("--group", "test", "python", "-c", "import cherry").returncode == 0
    assert plain.roost("sync", "--env", "docs").returncode == 0
    assert '`groups = ["dev"]` in `[tool.roost.envs.docs]`' in answer("--env", "docs", "banana")
    assert f"add the package that brings it to the group `dev` in `{plain.root}/pyproject.toml`\n" in answer("melon")
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["true"]\n')
    assert plain.python("pass").returncode == 0
    assert "to what `command` in `[tool.roost]`" in answer("cherry")  # no command knows of groups


def test_package_in_a_requirements_file(plain: Project) -> None:
    plain.file("requirements-tests.txt", "melon\n")
    assert plain.python("pass").returncode == 0
    text = refused(plain, status=127, command=["melon"])
    assert 'it is in `requirements-tests.txt`: `requirements = ["requirements-tests.txt"]` in `[tool.roost]`' in text
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\nrequirements = ["dev.txt"]\n')
    plain.file("dev.txt", f"--no-index\n--find-links {plain.wheels}\napple\n")
    assert plain.python("pass").returncode == 0
    assert f"add the package that brings it to `{plain.root}/dev.txt`\n" in refused(plain, status=127, command=["kiwi"])
    assert '`requirements = ["dev.txt", "requirements-tests.txt"]`' in refused(plain, status=127, command=["melon"])


@pytest.mark.parametrize(
    ("tool", "table"),
    [("pdm", "dev-dependencies]\nlint = ['melon>=1']"), ("poetry", "group.lint.dependencies]\nmelon = '*'")],
)
def test_group_in_the_table_of_another_tool(project: Project, tool: str, table: str) -> None:
    project.file("pyproject.toml", f"[project]\nname = 'x'\nversion = '1'\n[tool.{tool}.{table}\n")
    project.file(f"{tool}.lock", "")
    draft = state.draft(str(project.root), Selection())
    assert tool_places.find(draft, "melon") == Place("groups", "lint", [])


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("pip", "install", "-q", "rich"), 127, "no `pip` is in it: `roost uv add --dev rich`"),
        (("pip3.12", "install", "a", "b"), 127, "no `pip3.12` is in it: `roost uv add --dev a b`"),
        (("app.py", "-v"), 127, "`app.py` is a file, not a command of the environment: `roost run python app.py`"),
        (("-m", "pytest"), 2, "`roost run` has no `-m`: `roost run python -m MODULE`"),
        (("-mpytest",), 2, "`roost run` has no `-m`: `roost run python -m MODULE`"),
        (("--no-dev", "x"), 2, "`roost run` has no `--no-dev`: `--no-group dev`"),
        (("-p", "3.12", "x"), 2, "`roost run` has no `-p`: `--python X`"),
        (("--with", "rich", "x"), 2, "`roost run` has no `--with`: `roost uv add --dev PACKAGE` adds a package"),
    ],
)
def test_words_for_python_pip_and_uv_run(
    built: Project, tmp_path: Path, words: tuple[str, ...], status: int, text: str
) -> None:
    (tmp_path / "app.py").touch()
    got = run([ROOST, "run", "--project", built.root, *words], cwd=tmp_path)
    if words[0].startswith("-"):
        got = run([ROOST, "run", *words], cwd=built.root)
    assert (got.returncode, got.stdout) == (status, "")
    assert text in got.stderr
    assert got.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["setup.py", "setup.cfg", "requirements.txt"])
def test_project_of_the_time_before_pyproject(tmp_path: Path, wheels: Path, name: str) -> None:
    project = Project(tmp_path / "work" / "old", wheels)
    project.file(name, "")
    cure = f"write one next to `{name}`, an empty one will do"
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
