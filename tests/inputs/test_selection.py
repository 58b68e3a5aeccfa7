"""Selections: an environment by what it holds, by options, variables, nox and Python; the same one is the same venv."""

import os
import shutil
import sys
from pathlib import Path

import pytest

import roost
from roost import warm
from roost.warm import Selection, keys
from tests.lib.packages import package, uv_table
from tests.lib.processes import ROOST, ROOST_RUN, all_at_once, finish, run
from tests.lib.projects import Project, builds, starts_warm
from tests.lib.variants import slow_after

LOCKED = pytest.mark.parametrize("locked", slow_after(1, [True, False]), ids=["locked", "unlocked"])
EXTRAS = '[project.optional-dependencies]\nfast = ["cherry"]\n'
GROUPS = {"dev": ["banana"], "docs": ["cherry"]}
OPTIONS = [
    (["--group", "docs"], {"apple", "banana", "cherry"}),
    (["--only-group=docs"], {"cherry"}),
    (["--no-group", "dev"], {"apple"}),
    (["--group", "docs", "--no-group", "dev"], {"apple", "cherry"}),
    (["--extra", "fast", "--no-group=Dev"], {"apple", "cherry"}),
    (["--all-extras"], {"apple", "banana", "cherry"}),
]
LIST = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"


@pytest.fixture
def several(tmp_path: Path, wheels: Path) -> Project:
    """Provide a project with two groups and an extra."""
    made = Project(tmp_path / "work" / "several", wheels)
    made.write(dependencies=["apple"], groups=GROUPS, extra=EXTRAS, roost="envs.docs.groups = ['dev', 'docs']")
    return made


def holds(project: Project, *options: str, **more: str) -> set[str]:
    got = project.roost("run", *options, "--", "python", "-c", LIST, env={**os.environ, **more})
    assert got.returncode == 0, got.stderr
    return set(got.stdout.split()) - {"several"}


@pytest.mark.slow
@LOCKED
def test_options_select_groups_and_extras(several: Project, locked: bool) -> None:
    if locked:
        several.lock()
    for options, expected in OPTIONS:
        assert holds(several, *options) == expected, options
    assert holds(several) == {"apple", "banana"}


@pytest.mark.slow
def test_same_selection_is_the_same_venv_however_it_was_asked_for(several: Project) -> None:
    several.lock()
    key = several.roost("key", "--env", "docs").stdout
    for options in (["--group=docs"], ["--group", "Docs", "--group", "dev"], ["--group", "docs", "--group", "docs"]):
        assert several.roost("key", *options).stdout == key
    assert several.roost("key", env={**os.environ, "ROOST_GROUPS": "dev, docs"}).stdout == key
    assert several.roost("key").stdout != key
    venv = several.roost("sync", "--group", "docs").stdout
    assert several.roost("sync", "--env", "docs").stdout == venv
    with roost.acquire(several.root, groups=["docs"]) as environment:
        assert f"{environment.path}\n" == venv
    several.file("noxfile.py", NOXFILE)
    got = several.roost("nox", "--no-error-on-missing-interpreters")
    assert venv in got.stdout, got.stderr
    assert builds(several) == 1
    assert "`docs` is ready" in several.roost("why", "--env", "docs").stdout


@pytest.mark.slow
@LOCKED
def test_group_that_another_one_includes_changes_nothing(several: Project, locked: bool) -> None:
    """`uv run --group typing` became `roost run --group typing`, and `dev` includes `typing`."""
    several.edit("pyproject.toml", "[dependency-groups]\n", "[dependency-groups]\nall = [{include-group = 'more'}]\n")
    several.edit("pyproject.toml", "[dependency-groups]\n", "[dependency-groups]\nmore = [{include-group = 'docs'}]\n")
    if locked:
        several.lock()
    venv = several.roost("sync", "--group", "all").stdout
    for options in (["--group=all", "--group=Docs"], ["--group=docs", "--group=more", "--group=all"]):
        assert several.roost("sync", *options).stdout == venv
    assert builds(several) == 1
    key = several.roost("key", "--group", "all").stdout
    assert several.roost("key", "--group", "docs").stdout != key
    assert several.roost("key", "--group", "docs", "--group", "all", "--no-group", "all").stdout != key
    assert several.roost("key", "--only-group", "all", "--only-group", "docs").stdout != key
    assert holds(several, "--group", "all") == {"apple", "banana", "cherry"}


@pytest.mark.slow
def test_six_doors_at_once_build_once(several: Project, tmp_path: Path) -> None:
    several.lock()
    code = "import sys; print(sys.prefix)"
    in_python = f"import roost; print(roost.acquire({str(several.root)!r}, groups=['docs'], extras=[]).venv)"
    variable = ["env", "ROOST_GROUPS=docs"]
    doors = (
        [ROOST, "run", "--group", "docs", "python", "-c", code],
        [ROOST, "run", "--env=docs", "python", "-c", code],
        [*variable, ROOST_RUN, "python", "-c", code],
        [*variable, ROOST, "run", "python", "-c", code],
        [ROOST, "sync", "-q", "--group=docs", "--group=dev"],
        [sys.executable, "-c", in_python],
    )
    for turn in range(2):
        children = all_at_once(len(doors), tmp_path, lambda number: doors[number], cwd=several.root)
        ends = [finish(child) for child in children]
        assert [status for status, _, _ in ends] == [0] * len(doors), ends
        assert len({out for _, out, _ in ends}) == 1
        assert builds(several) == 1 + turn
        shutil.rmtree(several.store / ".venv/.v2/envs")


NOXFILE = """
import nox

@nox.session(venv_params=["--group", "docs"])
def one(session):
    session.run("python", "-c", "import os; print(os.environ['VIRTUAL_ENV'])")
"""


def test_selection_starts_warm_and_leaves_the_plain_environment_alone(several: Project) -> None:
    several.lock()
    plain = several.roost("sync").stdout
    chosen = several.roost("sync", "--group", "docs").stdout
    assert plain != chosen
    assert os.readlink(several.store / ".venv/default") == plain.strip()
    assert os.readlink(several.store / ".venv/default+group=docs") == chosen.strip()
    for _ in range(2):
        assert several.roost("sync", "--group", "docs").stdout == chosen
    assert warm.load(str(several.root), Selection(groups=["docs"]).key) is not None
    assert starts_warm(several)
    status = several.roost("status").stdout
    assert "default+group=docs" in status
    one = several.roost("status", "--group", "docs").stdout.splitlines()[0]
    assert one.split()[:2] == ["default+group=docs", "ready"]


@pytest.mark.slow
def test_roost_run_never_uses_the_plain_index_for_a_selection(several: Project) -> None:
    several.lock()
    command = [ROOST_RUN, "python", "-c", LIST]
    for _ in range(3):
        assert "cherry" not in run(command, cwd=several.root).stdout
    for variable, value in (("ROOST_GROUPS", "docs"), ("ROOST_EXTRAS", "fast")):
        got = run(command, cwd=several.root, env={**os.environ, variable: value})
        assert "cherry" in got.stdout, got.stderr
    assert "cherry" in holds(several, ROOST_GROUPS="docs")
    assert holds(several, "--only-group", "docs", ROOST_GROUPS="dev", ROOST_EXTRAS="fast") == {"cherry"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--group", "dcos"], "there is no dependency group `dcos` in `{file}`: it has `dev`, `docs`"),
        (["--only-group", "x"], "there is no dependency group `x` in `{file}`: it has `dev`, `docs`"),
        (["--no-group", "x"], "there is no dependency group `x` in `{file}`: it has `dev`, `docs`"),
        (["--extra", "slow"], "there is no extra `slow` in `{file}`: it has `fast`"),
        (["--extra", "docs"], "there is no extra `docs` in `{file}`: it has `fast`; `docs` is a group: `--group docs`"),
        (["--group", "fast"], "it has `dev`, `docs`; `fast` is an extra: `--extra fast`"),
        (["--package", "red"], "there is no package `red` in `{file}`: it has `several`"),
        (["--only-group=dev", "--extra=fast"], "`--only-group` and `--extra` exclude each other"),
        (["--env", "plain", "--group", "dev"], "`--group` has no effect on the environment `plain` of `{file}`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_option_that_is_not_valid_is_a_usage_error(several: Project, options: list[str], message: str) -> None:
    several.write(dependencies=["apple"], groups=GROUPS, extra=EXTRAS, roost="envs.plain.requirements = ['all.txt']")
    several.file("all.txt", "apple\n")
    for command in ("run", "key", "sync", "why", "status"):
        got = several.roost(command, *options, *(["true"] if command == "run" else []))
        assert got.returncode == 2, got.stderr
        assert message.format(file=several.root / "pyproject.toml") in got.stderr
    assert not several.store.exists()


@pytest.mark.parametrize(
    ("roost", "text"),
    [
        ("", "there is no dependency group `x` in `{file}`: it has `dev`, `docs` (`ROOST_GROUPS` is set)"),
        ("command = ['true']", "name another environment with `--env` (`ROOST_GROUPS` is set)"),
    ],
)
def test_error_about_a_variable_names_it(several: Project, roost: str, text: str) -> None:
    several.write(dependencies=["apple"], groups=GROUPS, extra=EXTRAS, roost=roost)
    got = several.roost("key", env={**os.environ, "ROOST_GROUPS": "x"})
    assert (got.returncode, got.stderr.endswith(text.format(file=several.root / "pyproject.toml") + "\n")) == (
        2,
        True,
    ), got.stderr
    assert "is set" not in several.roost("key", "--group", "y", env={**os.environ, "ROOST_GROUPS": "x"}).stderr


def test_status_shows_the_other_environments_beside_one_that_is_not_valid(several: Project) -> None:
    several.write(dependencies=["apple"], groups=GROUPS, roost="envs.docs.groups = ['dcos']\nenvs.bare.groups = []")
    lines = several.roost("status").stdout.splitlines()
    assert lines[0].split()[:2] == ["default", "missing"]
    assert lines[1] == "bare     missing   not built yet: `roost sync --env bare`"
    assert lines[2].startswith("docs     missing   there is no dependency group `dcos` in `")


def test_selection_that_used_the_venv_of_another_is_not_new_after_a_change(several: Project) -> None:
    several.lock()
    assert holds(several, "--group", "docs") == holds(several, "--group", "Docs")
    several.edit("pyproject.toml", '"apple"', '"apple", "cherry"')
    for spelling in ("docs", "Docs"):
        got = several.roost("why", "--group", spelling).stdout
        assert got.startswith(f"`default+group={spelling}` changed since venv-"), got
    assert several.roost("status").stdout.count(": `roost sync") == 2  # `default` and `docs`, which were never used


def test_new_request_for_a_python_is_a_change(several: Project) -> None:
    several.roost("sync")
    several.edit("pyproject.toml", ">=3.11", ">=3.11.0")
    reason = "no Python was chosen yet for `>=3.11.0`"
    assert several.roost("why").stdout == f"`default` will be built again: {reason}\n"
    assert several.roost("status").stdout.splitlines()[0] == f"default  stale     {reason}"
    assert "not built yet" in several.roost("why", "--python", ">=3.10").stdout


def test_conflict_that_uv_declares_is_named_before_anything_is_built(several: Project) -> None:
    conflicts = "[[{group = 'docs'}, {extra = 'fast'}, {group = 'dev'}]]"
    text = (several.root / "pyproject.toml").read_text().replace("[tool.uv]\n", f"[tool.uv]\nconflicts = {conflicts}\n")
    several.file("pyproject.toml", text)
    message = (
        f"the group `dev` and the group `docs` cannot be installed together (`tool.uv.conflicts` in "
        f"`{several.root}/pyproject.toml`): leave one out, or use an environment for each\n"
    )
    for options, status in ((["--group", "docs"], 2), (["--env", "docs"], 125)):
        got = several.roost("run", *options, "true")
        assert (got.returncode, got.stderr) == (status, f"roost: {message}")
    assert "the extra `fast` and the group `dev`" in several.roost("key", "--all-extras").stderr
    assert not several.store.exists()
    assert holds(several, "--only-group", "docs") == {"cherry"}


def test_conflict_of_an_included_group_is_named_too(several: Project) -> None:
    text = (several.root / "pyproject.toml").read_text()
    text = text.replace("docs = ", "both = [{include-group = 'old'}]\nold = []\ndocs = ", 1)
    conflicts = "conflicts = [[{group = 'docs'}, {group = 'old'}]]\n"
    several.file("pyproject.toml", text.replace("[tool.uv]\n", f"[tool.uv]\n{conflicts}"))
    got = several.roost("run", "--group", "both", "--group", "docs", "true")
    message = "the group `docs` and the group `old`, which `both` includes, cannot be installed together"
    assert (got.returncode, message in got.stderr) == (2, True), got.stderr
    assert not several.store.exists()


def test_keys_of_selections_lead_back_to_them() -> None:
    one = Selection(
        "a.b", python="cpython@3.12", groups=["x+y", "b=c"], no_groups=["d@e"], extras=["é/:%"], frozen=True
    )
    again = keys.parse(one.key)
    assert again
    assert all(getattr(again, name) == getattr(one, name) for name in Selection.__slots__)
    assert "/" not in one.key
    assert Selection(groups=["b", "a", "b"]).key == Selection(groups=["a", "b"]).key == "default+group=a+group=b"
    long = Selection(groups=[f"group{number}" for number in range(99)])
    assert len(long.key) < 30
    assert keys.parse(long.key) is None
    assert Selection("default@3.12").key != Selection(python="3.12").key


@pytest.fixture
def workspace(tmp_path: Path, wheels: Path) -> Project:
    """Provide a workspace with two members, each with other dependencies."""
    made = Project(tmp_path / "work" / "project", wheels)
    made.file("pyproject.toml", uv_table(made, "workspace.members = ['packages/*']"))
    package(made, "packages/red", dependencies=["apple"], more="[dependency-groups]\ndev = ['banana']\n")
    package(made, "packages/blue", dependencies=["cherry"], more="[dependency-groups]\ndocs = ['banana']\n")
    return made


@pytest.mark.slow
@LOCKED
def test_package_is_that_member_with_its_dependencies(workspace: Project, locked: bool) -> None:
    if locked:
        workspace.lock()
    assert holds(workspace) == {"apple", "banana", "blue", "cherry", "red"}
    assert holds(workspace, "--package", "Blue") == {"blue", "cherry"}
    assert holds(workspace, "--package", "blue", "--group", "docs") == {"banana", "blue", "cherry"}
    assert holds(workspace, "--package", "red") == {"apple", "banana", "red"}
    file = workspace.root / "packages/blue/pyproject.toml"
    got = workspace.roost("key", "--package", "blue", "--group", "dev")
    assert (got.returncode, got.stderr) == (
        2,
        f"roost: there is no dependency group `dev` in `{file}`: it has `docs`\n",
    )
    key = workspace.roost("key", "--package", "blue").stdout
    text = (workspace.root / "pyproject.toml").read_text()
    workspace.file("pyproject.toml", f"{text}\n[tool.roost]\nenvs.blue.packages = ['blue']\n")
    assert workspace.roost("key", "--env", "blue").stdout == key
    workspace.file("pyproject.toml", f"{text}\n[tool.roost]\npackages = ['green']\n")
    got = workspace.roost("key")
    assert got.returncode == 125
    assert f"there is no package `green` in `{workspace.root}/pyproject.toml`: it has `blue`, `red`" in got.stderr


@pytest.mark.slow
@LOCKED
def test_package_takes_a_group_that_it_lacks_from_the_root(workspace: Project, locked: bool) -> None:
    text = (workspace.root / "pyproject.toml").read_text()
    workspace.file("pyproject.toml", f"{text}\n[dependency-groups]\ndev = ['cherry']\nlint = ['cherry']\n")
    if locked:
        workspace.lock()
    assert holds(workspace, "--package", "red") == {"apple", "banana", "red"}
    assert holds(workspace, "--package", "red", "--group", "dev") == {"apple", "banana", "red"}
    assert holds(workspace, "--package", "red", "--group", "lint") == {"apple", "banana", "cherry", "red"}
    assert holds(workspace, "--package", "red", "--only-group", "lint") == {"cherry"}
    before = workspace.roost("key", "--package", "red", "--group", "lint").stdout
    workspace.edit("pyproject.toml", "lint = ['cherry']", "lint = ['cherry>=1']")
    assert workspace.roost("key", "--package", "red", "--group", "lint").stdout != before


def test_group_that_is_included_in_one_member_alone_is_another_venv(workspace: Project) -> None:
    """`red` has all of `docs` in `dev`, and `blue` has a `docs` of its own."""
    red = "[dependency-groups]\ndev = ['banana', {include-group = 'docs'}]\ndocs = []\n"
    package(workspace, "packages/red", dependencies=["apple"], more=red)
    assert workspace.roost("key", "--group", "docs").stdout != workspace.roost("key").stdout
