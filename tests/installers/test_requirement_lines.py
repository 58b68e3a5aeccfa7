"""The files and folders that requirements files name, and those that cannot be followed."""

import os
import shutil
import time

import pytest

from tests.lib.installer_kinds import installed, said, with_requirements
from tests.lib.packages import InputParts, package
from tests.lib.processes import UV, run
from tests.lib.projects import Project, refused

LOCAL = [
    "-e ./lib",
    "-e lib[x]",
    "-e lib @ ./lib",
    "--editable=file:lib",
    "./lib",
    "lib/",
    "./lib[x] ; python_version > '3'",
    "lib @ ./lib",
    "lib@./lib",
    "lib[x] @ file:lib",
    "lib @ file://localhost{root}/l%69b",
    "lib @ file:///${{PROJECT_ROOT}}/lib",
    "${{PROJECT_ROOT}}/lib",
]


@pytest.mark.parametrize("line", LOCAL)
def test_every_way_to_name_a_folder_leads_to_its_files(plain: Project, line: str) -> None:
    """That each is one for uv, too, is what `uv pip compile` says."""
    with_requirements(plain)
    package(plain, "lib", head="version = '1.0'\noptional-dependencies.x = []")
    plain.file("requirements.txt", line.format(root=plain.root))
    command = [UV, "--quiet", "--offline", "pip", "compile", "--no-annotate", "requirements.txt"]
    assert "lib" in run(command, cwd=plain.root, check=True).stdout
    before = InputParts(plain)
    plain.file("lib/setup.py", "")
    assert before.changed() == ["lib/setup.py"]


@pytest.mark.parametrize("line", ["{}", "./{}", "dist/../{}", "apple @ {}", "apple @ file:{}", "{} --hash=sha256:0"])
def test_every_way_to_name_a_wheel_leads_to_it(plain: Project, line: str) -> None:
    with_requirements(plain)
    wheel = shutil.copy(plain.wheels / "apple-2.0-py3-none-any.whl", plain.root)
    plain.file("requirements.txt", line.format(os.path.basename(wheel)))
    before = InputParts(plain)
    plain.file("apple-2.0-py3-none-any.whl", "another")
    assert before.changed() == ["apple-2.0-py3-none-any.whl"]


@pytest.mark.slow
def test_variable_in_the_name_of_a_requirement_file(plain: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `stat` tells of another value, so there is no index."""
    with_requirements(plain)
    plain.file("requirements.txt", "-r ${WHERE}/all.txt\n")
    plain.file("one/all.txt", "apple\n")
    plain.file("two/all.txt", "banana\n")
    for where, expected in (("one", "apple 2.0"), ("two", "banana 1.0"), ("one", "apple 2.0")):
        monkeypatch.setenv("WHERE", where)
        assert installed(plain) == expected
        time.sleep(0.03)
        assert said(plain) == ""
    monkeypatch.delenv("WHERE")
    assert f"`{plain.root}/${{WHERE}}/all.txt`, which `{plain.root}/requirements.txt` names, does not exist" in refused(
        plain
    )


@pytest.mark.parametrize("line", ["lib", "lib>=1", "lib @ https://127.0.0.1/lib/", "git+ssh://me@127.0.0.1/lib"])
def test_what_names_no_folder_leads_to_none(plain: Project, line: str) -> None:
    with_requirements(plain)
    package(plain, "lib")
    plain.file("requirements.txt", line)
    before = InputParts(plain)
    plain.file("lib/setup.py", "")
    assert before.changed() == []


REQUIREMENTS = [
    ("itself", {"requirements.txt": "-r requirements.txt\n"}, "`{root}/requirements.txt` includes itself: remove"),
    (
        "by another",
        {"requirements.txt": "-r b.txt\n", "b.txt": "-c requirements.txt\n"},
        "`{root}/requirements.txt` includes itself, through `{root}/b.txt`: remove",
    ),
    (
        "missing",
        {"requirements.txt": "-r nowhere.txt\n"},
        "`{root}/nowhere.txt`, which `{root}/requirements.txt` names, does not exist: create it",
    ),
]


@pytest.mark.parametrize(("files", "sentence"), [case[1:] for case in REQUIREMENTS], ids=[c[0] for c in REQUIREMENTS])
def test_requirement_file_that_cannot_be_followed(plain: Project, files: dict[str, str], sentence: str) -> None:
    with_requirements(plain)
    for name, text in files.items():
        plain.file(name, text)
    assert sentence.format(root=plain.root) in refused(plain)


def test_requirement_file_that_two_include_is_read_once(plain: Project) -> None:
    with_requirements(plain)
    plain.file("requirements.txt", "-r a.txt\n-r b.txt\n")
    plain.file("a.txt", "-r common.txt\n")
    plain.file("b.txt", "-r common.txt\n")
    plain.file("common.txt", "apple\n")
    assert installed(plain) == "apple 2.0"


def test_requirement_files_that_lead_to_one_by_many_ways(plain: Project) -> None:
    """As many as two to the power of forty, if each were gone."""
    with_requirements(plain)
    plain.file("requirements.txt", "-r 0.txt\n")
    for number in range(40):
        plain.file(f"{number}.txt", f"-r {number + 1}.txt\n" * 2)
    plain.file("40.txt", "apple\n")
    before = InputParts(plain)
    plain.file("40.txt", "banana\n")
    assert before.changed() == ["40.txt"]


def test_folder_that_is_named_from_the_file_on_as_pip_does(plain: Project) -> None:
    with_requirements(plain)
    package(plain, "more/lib")
    plain.file("more/base.txt", "-e ./lib\n")
    before = InputParts(plain)
    plain.file("more/lib/setup.py", "")
    assert before.changed() == ["more/lib/setup.py"]


def test_requirements_of_developers_alone_are_no_project(plain: Project) -> None:
    plain.file("pyproject.toml", "")
    plain.file("requirements-dev.txt", "apple\n")
    assert "list there what to install" in refused(plain)


def test_requirement_file_on_a_server_is_refused_without_its_password(plain: Project) -> None:
    with_requirements(plain)
    plain.edit("pyproject.toml", '["requirements.txt"]', '["https://me:hush@example.invalid/r.txt"]')
    text = refused(plain)
    assert "names `https://****@example.invalid/r.txt`: a file on a server can change unnoticed" in text
    assert "hush" not in text
