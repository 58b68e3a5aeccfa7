"""Poetry and PDM: the groups and extras they get, a lock file that does not fit, and venvs of their own."""

import os
from pathlib import Path

import pytest

from tests.lib import installer_kinds
from tests.lib.index_fixtures import AddTool
from tests.lib.installer_kinds import installed
from tests.lib.package_index import Index
from tests.lib.processes import UV, run
from tests.lib.projects import Project, refused


@pytest.fixture(params=["poetry", "pdm"])
def tool(request: pytest.FixtureRequest, add_tool: AddTool) -> str:
    """Provide each of both, on PATH."""
    name: str = request.param
    add_tool(name)
    return name


@pytest.fixture
def locked(tool: str, plain: Project, open_index: Index) -> Project:
    """Provide a project with a group besides `dev` and an extra, locked by the tool."""
    plain.write(dependencies=["apple"], groups={"dev": ["banana"], "docs": ["cherry"]})
    plain.edit(
        "pyproject.toml",
        "[dependency-groups]\n",
        "[project.optional-dependencies]\nmore = ['cherry']\n[dependency-groups]\n",
    )
    installer_kinds.name_index(plain, tool, open_index.url())
    (installer_kinds.with_poetry if tool == "poetry" else installer_kinds.with_pdm)(plain)
    return plain


ALL = "apple 2.0 banana 1.0 cherry 1.0 project 1.0"
ASKED = {
    "none": ("groups = []", "apple 2.0 project 1.0"),
    "one": ('groups = ["dev"]', "apple 2.0 banana 1.0 project 1.0"),
    "extra": ('groups = []\nextras = ["more"]', "apple 2.0 cherry 1.0 project 1.0"),
}


@pytest.mark.slow
@pytest.mark.normally(tool=["pdm"])
def test_groups_and_extras_are_those_of_the_settings(locked: Project, tool: str, soak: float) -> None:
    """Where they name no groups, the tool's own choice holds: all of them. That of no groups, `extra` is too."""
    lock = (locked.root / f"{tool}.lock").read_bytes()
    tables = "".join(f"[tool.roost.envs.{name}]\n{asked}\n" for name, (asked, _) in ASKED.items())
    locked.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\n{tables}")
    assert installed(locked) == ALL
    chosen = {name: expected for name, (_, expected) in ASKED.items() if soak or name != "none"}
    assert {name: installed(locked, "--env", name) for name in chosen} == chosen
    assert (locked.root / f"{tool}.lock").read_bytes() == lock


OPTIONS = [
    (["--no-group", "dev"], "apple 2.0 cherry 1.0 project 1.0"),
    (["--only-group", "docs"], "cherry 1.0"),
    (["--group", "docs"], ALL),
]


@pytest.mark.slow
@pytest.mark.normally(tool=["pdm"])
def test_options_select_groups(locked: Project) -> None:
    assert [installed(locked, *options) for options, _ in OPTIONS] == [expected for _, expected in OPTIONS]


@pytest.mark.slow
def test_without_named_groups_pdm_installs_what_it_chooses_itself(
    plain: Project, add_tool: AddTool, open_index: Index
) -> None:
    """All groups and extras of its lock file: `--dev` would leave out the extras."""
    add_tool("pdm")
    plain.edit(
        "pyproject.toml", "[dependency-groups]\n", "optional-dependencies.more = ['cherry']\n[dependency-groups]\n"
    )
    installer_kinds.name_index(plain, "pdm", open_index.url())
    installer_kinds.with_pdm(plain)
    own = dict(os.environ) | {"PDM_IGNORE_SAVED_PYTHON": "1", "PDM_CHECK_UPDATE": "0"}
    run([UV, "venv", "--quiet", ".venv"], cwd=plain.root, check=True)
    run(["pdm", "sync"], cwd=plain.root, check=True, env=own | {"VIRTUAL_ENV": f"{plain.root}/.venv"})
    listed = run([UV, "pip", "list", "--python", ".venv", "--format", "freeze"], cwd=plain.root).stdout
    names = [line.partition("=")[0] for line in listed.splitlines()]
    assert installed(plain).split()[::2] == names == ["apple", "banana", "cherry", "project"]


@pytest.mark.slow
@pytest.mark.normally(tool=["poetry"])
def test_lock_that_does_not_fit_any_more_is_refused_and_left_alone(locked: Project, tool: str) -> None:
    lock = (locked.root / f"{tool}.lock").read_bytes()
    locked.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    text = refused(locked)
    assert f"`{locked.root}/{tool}.lock` does not fit `pyproject.toml` any more: run `{tool} lock`" in text
    assert (locked.root / f"{tool}.lock").read_bytes() == lock


NEWER = {
    "poetry": ('lock-version = "2', "Upgrade Poetry to be able to read the lock file"),
    "pdm": ('lock_version = "4', "/pdm.lock` is of a format that `"),
}


@pytest.mark.slow
@pytest.mark.normally(tool=["pdm"])
def test_lock_of_a_newer_version_is_refused(locked: Project, tool: str) -> None:
    version, sentence = NEWER[tool]
    locked.edit(f"{tool}.lock", version, f"{version}9")
    assert sentence in refused(locked)


@pytest.mark.slow
def test_poetry_before_version_2_is_refused(plain: Project, add_tool: AddTool) -> None:
    """It has `install`, which leaves what is not in the lock."""
    add_tool("poetry1")
    plain.file("poetry.lock", "")
    text = refused(plain)
    assert "/poetry` is older than 2.0 and has no `sync`: `pipx upgrade poetry`" in text


@pytest.mark.slow
@pytest.mark.normally(tool=["poetry"])
def test_venvs_of_the_tool_itself_are_left_alone(locked: Project, tool: str) -> None:
    """One that it keeps in the project, and one that it noted to prefer, both by the user's settings."""
    own = locked.root / ".venv"
    run([UV, "venv", "--quiet", "--no-project", own], check=True)
    if tool == "poetry":
        locked.file("poetry.toml", "[virtualenvs]\nin-project = false\n")
        noted = run(["poetry", "env", "use", own / "bin/python"], cwd=locked.root)
        assert noted.returncode == 0, noted.stdout + noted.stderr
        own = Path(run(["poetry", "env", "info", "--path"], cwd=locked.root, check=True).stdout.strip())
    else:
        locked.file(".pdm-python", str(own / "bin/python"))
    assert not own.is_relative_to(locked.store)
    before = _files(own)
    assert own / "pyvenv.cfg" in before
    assert installed(locked) == ALL
    assert _files(own) == before


def _files(venv: Path) -> list[Path]:
    return sorted(path for path in venv.rglob("*") if "__pycache__" not in path.parts)


ELSEWHERE = {
    "poetry": {"POETRY_VIRTUALENVS_CREATE": "false", "POETRY_VIRTUALENVS_IN_PROJECT": "true"},
    "pdm": {
        "PDM_IGNORE_ACTIVE_VENV": "1",
        "PDM_LOCKFILE": "other.lock",
        "PDM_NO_EDITABLE": "1",
        "PDM_NO_SELF": "1",
        "PDM_PROJECT": "/nowhere",
        "PDM_USE_VENV": "false",
    },
}


@pytest.mark.slow
@pytest.mark.normally(tool=["pdm"])
def test_variables_that_lead_the_tool_elsewhere(locked: Project, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To another venv, project or lock file; or that leave out the project, or make a copy of it."""
    for name, value in ELSEWHERE[tool].items():
        monkeypatch.setenv(name, value)
    assert installed(locked) == ALL
    assert "site-packages" not in locked.python("import project; print(project.__file__)").stdout
