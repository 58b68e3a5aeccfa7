"""uv workspaces and path dependencies: whose environment it is, what gets installed, and what is noticed."""

import os
import shutil
from pathlib import Path

import pytest

from roost.inputs.files import Inputs
from roost.inputs.project import Project as FoundProject
from tests.lib.packages import InputParts, installed, package, said, uv_table
from tests.lib.processes import UV, run
from tests.lib.projects import Project, builds, refused, start_until_indexed, starts_warm
from tests.lib.variants import slow_after
from tests.lib.wheels import make_wheel

LOCKED = pytest.mark.parametrize("locked", slow_after(1, [True, False]), ids=["locked", "unlocked"])
MEMBERS = "workspace.members = ['packages/*']"


@pytest.fixture
def virtual(tmp_path: Path, wheels: Path) -> Project:
    """Provide a workspace whose root is no project: `red` has groups and an extra, `blue` has nothing of the kind."""
    made = Project(tmp_path / "work" / "project", wheels)
    made.file("pyproject.toml", uv_table(made, MEMBERS))
    more = "[dependency-groups]\ndev = ['banana']\nDocs = ['apple']\n"
    head = "version = '1.0'\noptional-dependencies.fast = ['cherry']"
    package(made, "packages/red", head=head, more=more)
    package(made, "packages/blue", more="[tool.uv.sources]\nred = {workspace = true}\n", dependencies=["red"])
    return made


def ask(project: Project, line: str) -> None:
    """Replace what the root's `[tool.roost]` says by `line`."""
    text = (project.root / "pyproject.toml").read_text().partition("[tool.roost]")[0]
    project.file("pyproject.toml", f"{text}[tool.roost]\n{line}\n")


def lock_if(project: Project, locked: bool) -> None:
    if locked:
        project.lock()


@pytest.mark.slow
@LOCKED
def test_groups_and_extras_of_members_are_those_of_the_workspace(virtual: Project, locked: bool) -> None:
    lock_if(virtual, locked)
    member = virtual.root / "packages/blue"
    assert installed(virtual, cwd=member) == "banana 1.0 blue 1.0 red 1.0"  # `dev` is the default of every project
    ask(virtual, "groups = ['docs']\nextras = ['fast']")
    lock_if(virtual, locked)
    assert installed(virtual, cwd=member) == "apple 2.0 blue 1.0 cherry 1.0 red 1.0"
    ask(virtual, "groups = []")
    assert installed(virtual, cwd=member) == "blue 1.0 red 1.0"
    ask(virtual, "groups = ['tests']")
    assert f"there is no dependency group `tests` in `{virtual.root}/pyproject.toml`: it has `dev`, `docs`" in refused(
        virtual
    )
    ask(virtual, "extras = ['slow']")
    assert f"there is no extra `slow` in `{virtual.root}/pyproject.toml`: it has `fast`" in refused(virtual)


@LOCKED
def test_edit_of_a_member_changes_the_environment(virtual: Project, locked: bool) -> None:
    lock_if(virtual, locked)
    before = InputParts(virtual)
    virtual.edit("packages/blue/pyproject.toml", "[tool.uv.sources]", "[tool.ruff]\n[tool.uv.sources]")
    assert before.changed() == []
    virtual.edit("packages/blue/pyproject.toml", 'dependencies = ["red"]', 'dependencies = ["red", "apple<2"]')
    assert before.changed() == ["packages/blue/pyproject.toml"]


@LOCKED
def test_member_that_comes_goes_or_is_excluded_is_noticed(virtual: Project, locked: bool) -> None:
    lock_if(virtual, locked)
    before = InputParts(virtual)
    package(virtual, "packages/rose")
    assert before.changed() == ["packages/rose/pyproject.toml"]
    then = InputParts(virtual)
    shutil.move(virtual.root / "packages/rose", virtual.root / "gone")
    assert (before.changed(), then.changed()) == ([], ["packages/rose/pyproject.toml"])
    shutil.move(virtual.root / "gone", virtual.root / "packages/rose")
    virtual.edit("pyproject.toml", MEMBERS, f"{MEMBERS}\nworkspace.exclude = ['packages/r?se']")
    assert then.changed() == ["packages/rose/pyproject.toml", "pyproject.toml [tool.uv]"]


@pytest.mark.slow
def test_member_that_moved_is_named_with_what_locks_it_again(virtual: Project) -> None:
    """To `uv lock` it is an error, too: it looks for the member where it was."""
    virtual.lock()
    said(virtual)
    shutil.move(virtual.root / "packages/red", virtual.root / "packages/rose")
    lock, gone = virtual.root / "uv.lock", virtual.root / "packages/red"
    cure = "put it back, or `roost uv lock --upgrade-package red` if that is its name\n"
    assert f"`{lock}` installs from `{gone}`, which does not exist: {cure}" in refused(virtual)
    run([UV, "--quiet", "lock", "--upgrade-package", "red"], cwd=virtual.root, check=True)
    assert installed(virtual) == "banana 1.0 blue 1.0 red 1.0"


@pytest.mark.slow
def test_member_that_comes_is_installed(virtual: Project) -> None:
    said(virtual)
    start_until_indexed(virtual)
    assert starts_warm(virtual)
    package(virtual, "packages/rose", dependencies=["apple"])
    assert "changed: packages/rose/pyproject.toml added" in said(virtual)
    assert installed(virtual) == "apple 2.0 banana 1.0 blue 1.0 red 1.0 rose 1.0"


def test_pattern_of_members_through_several_folders(virtual: Project) -> None:
    virtual.edit("pyproject.toml", "'packages/*'", "'packages/[br]*', 'packages/**/rose'")
    package(virtual, "packages/more/deep/rose")
    virtual.lock()
    assert {"red", "blue", "rose"} <= {line[8:-1] for line in (virtual.root / "uv.lock").read_text().splitlines()}
    found = FoundProject.at(str(virtual.root / "packages/more/deep/rose/src"), Inputs())
    assert found.root == str(virtual.root)
    assert [os.path.basename(member) for member in found.members] == ["blue", "rose", "red"]


@pytest.mark.slow
def test_project_whose_parent_becomes_a_workspace_and_stops_being_one(tmp_path: Path, wheels: Path) -> None:
    around = Project(tmp_path / "work", wheels)
    package(around, "packages/red", more=uv_table(around))
    red = Project(tmp_path / "work/packages/red", wheels)
    said(red)
    start_until_indexed(red)
    assert starts_warm(red)
    around.file("pyproject.toml", uv_table(around, "workspace.members = ['packages/red']"))
    got = red.python("import sys; print(sys.prefix)")
    assert got.returncode == 0, got.stderr
    assert got.stdout.startswith(f"{around.root}/.roost/")
    (around.root / "pyproject.toml").unlink()
    got = red.python("import sys; print(sys.prefix)")
    assert (got.stdout, got.stderr) == (f"{red.venvs()[0]}\n", "")
    assert builds(red) == 1


@pytest.mark.parametrize("between", ["[tool.ruff]\n", "", "[project]\nname = 'x'\nversion = '1'\n"])
def test_search_for_a_workspace_ends_at_the_first_file_above_as_it_does_for_uv(virtual: Project, between: str) -> None:
    virtual.edit("pyproject.toml", "'packages/*'", "'packages/*', 'other/*'")
    virtual.file("other/pyproject.toml", between)
    package(virtual, "other/rose", more=uv_table(virtual))
    rose = Project(virtual.root / "other/rose", virtual.wheels)
    rose.lock()
    assert (rose.root / "uv.lock").exists()  # so uv sees it
    assert FoundProject.at(str(rose.root), Inputs()).root == str(rose.root)


def test_empty_workspace_is_one(virtual: Project) -> None:
    """As for uv: a root of its own, that looks no further."""
    package(virtual, "packages/rose", more=uv_table(virtual, "workspace = {}"))
    rose = Project(virtual.root / "packages/rose", virtual.wheels)
    rose.lock()
    assert (rose.root / "uv.lock").exists()
    assert FoundProject.at(str(rose.root), Inputs()).root == str(rose.root)


def test_faults_of_a_workspace_do_not_concern_other_projects(virtual: Project) -> None:
    virtual.file("packages/red/pyproject.toml", "project = 3\n")
    assert f"`project` in `{virtual.root}/packages/red/pyproject.toml` must be a table" in refused(virtual)
    virtual.edit("pyproject.toml", MEMBERS, f"{MEMBERS}\nworkspace.exclude = ['packages/blue']")
    package(virtual, "packages/blue", more=uv_table(virtual))
    assert installed(Project(virtual.root / "packages/blue", virtual.wheels)) == "blue 1.0"


@LOCKED
def test_member_that_is_no_package_brings_its_dependencies(virtual: Project, locked: bool) -> None:
    text = "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['apple<2']\n"
    virtual.file("packages/app/pyproject.toml", text)
    lock_if(virtual, locked)
    assert installed(virtual) == "apple 1.0 banana 1.0 blue 1.0 red 1.0"


@LOCKED
def test_project_that_uv_is_told_not_to_build_brings_its_dependencies(virtual: Project, locked: bool) -> None:
    more = uv_table(virtual, MEMBERS, "package = false")
    package(virtual, ".", dependencies=["apple<2"], more=more)
    lock_if(virtual, locked)
    assert installed(virtual) == "apple 1.0 banana 1.0 blue 1.0 red 1.0"
    assert not (virtual.root / "builds.log").exists()


@pytest.fixture
def linked(project: Project) -> Project:
    """Provide a project with a path dependency next to it, which has another one."""
    more = "[tool.uv.sources]\nnear = {path = '../near', editable = true}\nfar = {path = '../far'}\n"
    project.write(dependencies=["near"], extra=more.partition("far")[0])
    package(project, "../near", dependencies=["far"], more=f"[tool.uv.sources]{more.partition('true}')[2]}")
    package(project, "../far", dependencies=["apple"])
    (project.root / "uv.lock").unlink()
    return project


@LOCKED
@pytest.mark.parametrize("folder", ["../near", "../far"])
def test_path_dependencies_are_inputs_also_those_of_others(linked: Project, folder: str, locked: bool) -> None:
    lock_if(linked, locked)
    for name, text in (
        ("setup.py", "# new\n"),
        ("setup.cfg", "[metadata]\n"),
        ("pyproject.toml", (linked.root / folder / "pyproject.toml").read_text() + "[other]\nx = 1\n"),
    ):
        before = InputParts(linked)
        linked.file(f"{folder}/{name}", text)
        assert before.changed() == [f"{folder}/{name}"]
    before = InputParts(linked)
    linked.file(f"{folder}/readme.md", "new\n")
    assert before.changed() == []


@pytest.mark.slow
@LOCKED
def test_dynamic_dependencies_of_a_path_dependency_are_read_again(linked: Project, locked: bool) -> None:
    """Uv would take the build of before from its cache: it looks at no such file."""
    dynamic = "[tool.setuptools.dynamic]\ndependencies = {file = ['deps.txt']}\n"
    package(linked, "../far", head="version = '1.0'\ndynamic = ['dependencies']", more=dynamic)
    linked.file("../far/deps.txt", "apple<2\n")
    lock_if(linked, locked)
    assert installed(linked) == "apple 1.0 far 1.0 near 1.0"
    linked.file("../far/deps.txt", "banana\n")
    if locked:
        assert "run `roost uv lock`" in refused(linked)  # from here on uv knows what it would install, too
        linked.lock()
    assert installed(linked) == "banana 1.0 far 1.0 near 1.0"


@pytest.mark.slow
def test_extra_that_only_a_build_knows_is_asked_of_the_root(virtual: Project) -> None:
    """Without a lock: no other process can have it."""
    head = "version = '1.0'\ndynamic = ['optional-dependencies']"
    package(virtual, ".", head=head, more=uv_table(virtual, MEMBERS) + "[tool.roost]\nextras = ['tasty']\n")
    virtual.edit("plain_backend.py", 'project.get("optional-dependencies", {})', "{'tasty': ['cherry']}")
    assert installed(virtual) == "banana 1.0 blue 1.0 cherry 1.0 project 1.0 red 1.0"


LOCKS = {
    "poetry.lock": "[package.source]\ntype = 'directory'\nurl = '../near'\n",
    "pdm.lock": "path = '../near'\n",
}


@pytest.mark.parametrize("lock", LOCKS)
def test_folders_that_the_lock_of_another_tool_names_are_inputs(project: Project, lock: str) -> None:
    """Whichever table of its own the tool took them from."""
    (project.root / "uv.lock").unlink()
    package(project, "../near")
    project.file(lock, f"[[package]]\nname = 'near'\nversion = '1.0'\n{LOCKS[lock]}")
    before = InputParts(project)
    project.file("../near/setup.py", "")
    assert before.changed() == ["../near/setup.py"]


@pytest.mark.parametrize("where", ["sources", pytest.param("reference", marks=pytest.mark.slow)])
def test_wheel_that_is_named_by_its_path_is_an_input(project: Project, where: str) -> None:
    (project.root / "uv.lock").unlink()
    (project.root / "dist").mkdir()
    wheel = make_wheel(project.root / "dist", "kiwi", "1.0")
    if where == "sources":
        project.write(dependencies=["kiwi"], extra=f"[tool.uv.sources]\nkiwi = {{path = 'dist/{wheel.name}'}}\n")
    else:
        project.write(dependencies=[f"kiwi @ file://{wheel}"])
    show = "import kiwi; print(kiwi.VERSION)"
    assert project.python(show).stdout == "1.0\n"
    start_until_indexed(project)
    assert starts_warm(project)
    make_wheel(project.root / "dist", "kiwi", "1.0", files={"kiwi/__init__.py": "VERSION = 'new'\n"})
    got = project.python(show)
    assert f"changed: dist/{wheel.name}\n" in got.stderr
    assert got.stdout == "new\n"


def test_wheel_may_be_larger_than_other_inputs(project: Project) -> None:
    (project.root / "uv.lock").unlink()
    wheel = make_wheel(project.root, "kiwi", "1.0")
    with wheel.open("r+b") as file:  # a zip file is read from its end
        data = file.read()
        file.seek(0)
        file.truncate()
        file.seek(65 << 20)
        file.write(data)
    project.write(dependencies=["kiwi"], extra=f"[tool.uv.sources]\nkiwi = {{path = '{wheel.name}'}}\n")
    before = InputParts(project)
    os.truncate(wheel, wheel.stat().st_size + 1)
    assert before.changed() == [wheel.name]
