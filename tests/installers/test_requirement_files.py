"""Requirement files in the layouts of pip-tools, and the project that they leave out or bring along."""

import os
import time
from pathlib import Path

import pytest

from tests.lib.packages import BACKEND, InputParts, installed, package
from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.projects import Project, builds, refused
from tests.lib.wheels import make_wheel

FILES = "[tool.roost]\nrequirements = ['requirements/*.txt']\n"


@pytest.fixture
def layered(tmp_path: Path, wheels: Path) -> Project:
    """Provide a package with files of pip-tools: `dev.txt` includes `main.txt`, with constraints elsewhere."""
    made = Project(tmp_path / "work" / "project", wheels)
    package(made, ".", head="version = '1.0'\noptional-dependencies.fast = ['cherry']")
    made.file("requirements/main.txt", f"--no-index\n--find-links {wheels}\napple\n")
    made.file("requirements/dev.txt", "-r main.txt\n-c ../constraints.txt\nbanana\n")
    made.file("constraints.txt", "apple<2\n")
    return made


def configure(project: Project, text: str) -> None:
    head = (project.root / "pyproject.toml").read_text().partition("[tool.roost]")[0]
    project.file("pyproject.toml", f"{head}{text}")


def test_glob_names_all_files_and_leaves_the_project_out(layered: Project) -> None:
    configure(layered, FILES)
    assert installed(layered) == "apple 1.0 banana 1.0"
    before = InputParts(layered)
    layered.file("requirements/more.txt", "cherry\n")
    assert before.changed() == ["requirements/more.txt"]
    layered.file("constraints.txt", "apple<3\n")
    assert "constraints.txt" in before.changed()
    configure(layered, "[tool.roost]\nrequirements = ['deps/*.txt']\n")
    assert "`deps/*.txt` in `tool.roost.requirements`" in refused(layered)


@pytest.mark.slow
@pytest.mark.parametrize("door", [[ROOST, "run"], [ROOST_RUN]], ids=["python", "shell"])
def test_variable_in_a_requirements_file_counts(plain: Project, tmp_path: Path, door: list[str]) -> None:
    """In any line, and on a warm start. A login in a URL changes nothing that is installed."""
    older = make_wheel(tmp_path, "apple", "1.0").parent
    plain.file("pyproject.toml", "[tool.roost]\nrequirements = ['main.txt']\n")
    plain.file("main.txt", "--no-index\n--find-links ${LINKS}  # ${COMMENT}\n-i https://${LOGIN}@localhost:1/\napple\n")
    code = "import apple; print(apple.VERSION)"
    folders = {older: "1.0\n", plain.wheels: "2.0\n"}
    for _ in range(2):
        for folder, version in folders.items():
            for login in ("", "me:secret"):
                env = dict(os.environ) | {"LINKS": str(folder), "LOGIN": login, "COMMENT": login}
                assert run([*door, "python", "-c", code], cwd=plain.root, env=env).stdout == version
                time.sleep(0.03)  # so that there is an index
    assert builds(plain) == 2
    got = run([*door, "python", "-c", "pass"], cwd=plain.root, env=env | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert "roost.protocol" not in got.stderr


@pytest.mark.slow
def test_project_is_installed_along_as_an_editable_with_extras(layered: Project) -> None:
    configure(layered, f"{FILES}project = true\n")
    assert installed(layered) == "apple 1.0 banana 1.0 project 1.0"
    got = layered.python("import project; print(project.__file__)")
    assert got.stdout.startswith(str(layered.root / "src"))
    assert installed(layered, "--extra", "fast") == "apple 1.0 banana 1.0 cherry 1.0 project 1.0"
    key = layered.roost("key", "--extra", "fast").stdout
    configure(layered, f"{FILES}project = true\nextras = ['fast']\n")
    assert layered.roost("key").stdout == key
    got = layered.roost("key", "--group", "dev")
    assert (got.returncode, "`--group` has no effect on the environment `default`" in got.stderr) == (2, True)


@pytest.mark.parametrize(
    "line", ["-e .", pytest.param("-e .[fast]", marks=pytest.mark.slow), pytest.param(".", marks=pytest.mark.slow)]
)
def test_line_of_the_files_that_installs_the_project_is_enough(layered: Project, line: str) -> None:
    layered.file("requirements/own.txt", f"{line}\n")
    configure(layered, f"{FILES}project = true\n")
    assert "project 1.0" in installed(layered)
    before = InputParts(layered)
    layered.edit("pyproject.toml", "version = '1.0'", "version = '1.1'")
    assert before.changed() == ["pyproject.toml [project] version"]


def test_project_without_requirement_files_or_a_project_is_refused(layered: Project) -> None:
    configure(layered, "[tool.roost]\nproject = true\n")
    assert "`project` in" in refused(layered)
    layered.file("pyproject.toml", f"{BACKEND}{FILES}project = true\n".replace(BACKEND, ""))
    assert "there is no project to install: write a `[project]` table" in refused(layered)
