"""Kinds of projects: workspaces, projects without a lock file, groups and extras, and which Python they ask for."""

import os
import sysconfig

import pytest

from tests.lib.processes import ROOST, run
from tests.lib.projects import Project, builds, refused, start_until_indexed


@pytest.fixture
def workspace(project: Project) -> Project:
    """Provide a workspace with two members, one of which depends on a package of its own."""
    backend = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    for name, needs in (("red", '["cherry"]'), ("blue", "[]")):
        project.file(
            f"packages/{name}/pyproject.toml",
            f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
            f"dependencies = {needs}\n{backend}",
        )
        project.file(f"packages/{name}/src/{name}.py", f"NAME = {name!r}\n")
        project.file(f"packages/{name}/backend.py", BACKEND.format(name=name))
    project.file("packages/none/readme.md", "no member: it has no pyproject.toml\n")
    project.edit("pyproject.toml", "[tool.uv]\n", '[tool.uv]\nworkspace.members = ["packages/r*", "packages/blue"]\n')
    project.lock()
    return project


BACKEND = """
import os, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    info = "{name}-1.0.dist-info"
    name = "{name}-1.0-py3-none-any.whl"
    here = os.path.dirname(os.path.abspath(__file__))
    requires = "Requires-Dist: cherry\\n" if "{name}" == "red" else ""
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        archive.writestr("{name}.pth", here + "/src\\n")
        archive.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n" + requires)
        archive.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "/RECORD", "{name}.pth,,\\n")
    return name

build_wheel = build_editable

def get_requires_for_build_editable(config_settings=None):
    return []

get_requires_for_build_wheel = get_requires_for_build_editable
"""
ALL = "import red, blue, cherry, apple, banana; print(red.NAME, blue.NAME)"


def test_member_of_a_workspace_uses_the_roots_environment(workspace: Project) -> None:
    member = workspace.root / "packages/red"
    for where in (member, member / "src", workspace.root, workspace.root / "packages/blue"):
        got = workspace.python(ALL, cwd=where)
        assert (got.returncode, got.stdout) == (0, "red blue\n"), got.stderr
    assert builds(workspace) == 1
    start_until_indexed(workspace)
    for where in (member, member / "src", workspace.root / "packages/none"):
        got = workspace.run("python", "--version", cwd=where, env=dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"})
        assert "roost.protocol" not in got.stderr
    assert not list(workspace.root.glob("packages/*/.roost"))


def test_edit_of_a_member_counts(workspace: Project) -> None:
    start_until_indexed(workspace)
    workspace.edit("packages/blue/pyproject.toml", "dependencies = []", 'dependencies = ["cherry"]')
    workspace.lock()
    assert "packages/blue/pyproject.toml" in workspace.python("pass").stderr
    workspace.file(
        "packages/blue/pyproject.toml", (workspace.root / "packages/blue/pyproject.toml").read_text() + "[tool.ruff]\n"
    )
    assert workspace.python("pass").stderr == ""
    assert builds(workspace) == 2


@pytest.mark.slow
def test_folder_that_becomes_a_member_is_noticed(workspace: Project) -> None:
    (workspace.root / "packages/rose").mkdir()
    start_until_indexed(workspace)
    text = (workspace.root / "packages/blue/pyproject.toml").read_text().replace("blue", "rose")
    workspace.file("packages/rose/pyproject.toml", text)
    got = workspace.python("pass")
    assert got.returncode == 125
    assert "run `roost uv lock`" in got.stderr


def test_project_excluded_from_a_workspace_has_its_own_environment(workspace: Project) -> None:
    workspace.edit("pyproject.toml", "[tool.uv]\n", '[tool.uv]\nworkspace.exclude = ["packages/red"]\n')
    got = workspace.python(
        "import red, cherry, sys; print(sys.prefix)", cwd=workspace.root / "packages/red", env=indexed(workspace)
    )
    assert got.returncode == 0, got.stderr
    assert got.stdout.startswith(f"{workspace.root}/packages/red/.roost/")


def indexed(project: Project) -> dict[str, str]:
    """Return variables that let uv find the wheels without a project's settings."""
    return dict(os.environ) | {"UV_FIND_LINKS": str(project.wheels), "UV_NO_INDEX": "1"}


def test_project_without_a_lock_file_with_groups_and_extras(project: Project) -> None:
    (project.root / "uv.lock").unlink()
    project.edit("pyproject.toml", "dependencies =", 'optional-dependencies.Fast_Lane = ["cherry"]\ndependencies =')
    project.edit(
        "pyproject.toml",
        "[tool.roost]\n",
        '[tool.roost]\nextras = ["fast-lane"]\n[tool.roost.envs.bare]\ngroups = []\nextras = []\n',
    )
    got = project.python("import apple, banana, cherry; print(apple.VERSION)")
    assert (got.returncode, got.stdout) == (0, "2.0\n"), got.stderr
    assert "building `default` with uv (pyproject.toml, no uv.lock)" in got.stderr
    found = "import importlib.util as u; print([n for n in ('apple', 'banana', 'cherry') if u.find_spec(n)])"
    assert project.run("--env", "bare", "python", "-c", found).stdout == "['apple']\n"
    assert not (project.root / "uv.lock").exists()


def test_lock_file_that_appears_counts(project: Project) -> None:
    text = (project.root / "uv.lock").read_text()
    (project.root / "uv.lock").unlink()
    start_until_indexed(project)
    project.file("uv.lock", text)
    assert "with uv (uv.lock)" in project.python("pass").stderr


def test_project_of_groups_alone(project: Project) -> None:
    (project.root / "uv.lock").unlink()
    text = (project.root / "pyproject.toml").read_text()
    project.file("pyproject.toml", text[text.index("[dependency-groups]") :])
    assert project.python("import banana").returncode == 0


def test_groups_that_include_groups(project: Project) -> None:
    project.edit(
        "pyproject.toml", 'dev = ["banana"]', 'dev = [{include-group = "Test_Tools"}]\ntest-tools = ["banana"]'
    )
    project.lock()
    assert project.python("import banana").returncode == 0
    start_until_indexed(project)
    project.edit("pyproject.toml", 'test-tools = ["banana"]', 'test-tools = ["banana", "cherry"]')
    project.lock()
    got = project.python("import cherry")
    assert got.returncode == 0
    assert "[dependency-groups] test-tools" in got.stderr


def test_default_groups_of_uv(project: Project) -> None:
    project.write(groups={"dev": ["banana"], "docs": ["cherry"]})
    project.edit("pyproject.toml", "[tool.uv]\n", '[tool.uv]\ndefault-groups = ["docs"]\n')
    project.lock()
    found = "import importlib.util as u; print([n for n in ('apple', 'banana', 'cherry') if u.find_spec(n)])"
    assert project.python(found).stdout == "['cherry']\n"
    project.edit("pyproject.toml", 'default-groups = ["docs"]', 'default-groups = "all"')
    project.lock()
    assert project.python(found).stdout == "['banana', 'cherry']\n"


def test_order_of_requests_for_a_python(project: Project) -> None:
    """`--python`, then `[tool.roost] python`, then `.python-version`, then `requires-python`: the first one counts."""
    here = sysconfig.get_python_version()
    project.file(".python-version", "3.99\n")
    assert f"`3.99` (`{project.root}/.python-version`)" in refused(project)
    project.edit("pyproject.toml", "[tool.roost]\n", f'[tool.roost]\npython = "{here}"\n')
    assert project.python("pass").returncode == 0
    project.edit("pyproject.toml", f'python = "{here}"', 'python = "3.98"')
    assert f"`3.98` (`tool.roost.python` in `{project.root}/pyproject.toml`)" in refused(project)
    got = project.run("--python", here, "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    assert (got.returncode, got.stdout) == (0, f"{here}\n"), got.stderr
    got = run([ROOST, "run", f"--python={here}", "python", "-c", "pass"], cwd=project.root)
    assert (got.returncode, got.stderr) == (0, "")
    project.edit("pyproject.toml", 'python = "3.98"\n', "")
    project.file(".python-version", f"# ours\n\n  {here}  # here\n3.99\n")
    assert project.python("pass").returncode == 0
    assert builds(project) == 1  # the same Python, however it was requested


def test_files_with_a_byte_order_mark(project: Project) -> None:
    """As editors on Windows write it, and PowerShell does."""
    for name in ("pyproject.toml", "uv.lock"):
        path = project.root / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    here = sysconfig.get_python_version()
    project.file(".python-version", f"\ufeff{here}\r\n")
    got = project.python("import apple")
    assert (got.returncode, f"Python {here}" in got.stderr) == (0, True), got.stderr


def test_python_of_one_environment(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\n[tool.roost.envs.new]\npython = "3.99"\n')
    assert "`3.99` (`tool.roost.envs.new.python`" in refused(project, "--env", "new")
    assert project.python("pass").returncode == 0
