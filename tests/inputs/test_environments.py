"""Named environments: what each of them asks for and inherits, and how one is chosen everywhere."""

import os
from pathlib import Path
from typing import Any

import pytest

from roost.errors import RoostError
from roost.inputs import settings
from roost.inputs.files import Inputs
from roost.inputs.project import Project as FoundProject
from roost.inputs.settings import Settings
from roost.warm import Selection
from tests.lib.nox_sessions import HERE_PYTHON, NOX, OTHER_PYTHON, session, with_other_python, write_noxfile
from tests.lib.packages import InputParts, installed, package
from tests.lib.processes import ROOST, UV, all_at_once, finish, run
from tests.lib.projects import Project, SlowProject, builds, refused

ENVS = ("default", "bare")
needs_another_python = pytest.mark.skipif(not OTHER_PYTHON, reason="there is only one Python on this machine")

SEVEN = """
[tool.roost.envs.docs]
groups = ["docs"]
[tool.roost.envs.fast]
groups = []
extras = ["Fast"]
[tool.roost.envs.plain]
requirements = ["plain.txt"]
[tool.roost.envs.made]
command = ["UV", "pip", "install", "banana", "apple<2"]
[tool.roost.envs.locked]
installer = "pylock"
[tool.roost.envs.whole]
groups = ["all"]
compile-bytecode = false
"""
INSTALLED = {
    "default": "apple 2.0 banana 1.0",
    "docs": "apple 2.0 cherry 1.0",
    "fast": "apple 2.0 kiwi 1.0",
    "locked": "apple 1.0",
    "made": "apple 1.0 banana 1.0",
    "plain": "cherry 1.0",
    "whole": "apple 2.0 banana 1.0 cherry 1.0",
}


@pytest.fixture
def seven(tmp_path: Path, wheels: Path) -> Project:
    """Provide a project with an environment of each kind; nothing is built yet."""
    made = Project(tmp_path / "work" / "project", wheels)
    groups = {"dev": ["banana"], "docs": ["cherry"]}
    made.write(dependencies=["apple"], groups=groups, roost=SEVEN.replace("UV", UV))
    made.edit("pyproject.toml", "dependencies =", 'optional-dependencies.fast = ["kiwi"]\ndependencies =')
    included = 'all = [{include-group = "dev"}, {include-group = "docs"}]'
    made.edit("pyproject.toml", "[tool.uv]", f"{included}\n[tool.uv]\nsources.kiwi.path = 'kiwi'")
    package(made, "kiwi")
    made.file("plain.txt", "cherry\n")
    command = [UV, "--quiet", "pip", "compile", "-", "-o", "pylock.toml", "--find-links", str(wheels), "--no-index"]
    (tmp_path / "in.txt").write_text("apple<2\n")
    with (tmp_path / "in.txt").open() as file:
        run(command, cwd=made.root, check=True, stdin=file)
    made.lock()
    return made


@pytest.mark.slow
def test_sync_of_all_makes_each_one_what_it_asks_for(seven: Project) -> None:
    """In the order `default`, then by name, one after the other; each path on a line of its own."""
    got = seven.roost("sync", "--all")
    assert got.returncode == 0, got.stderr
    order = [line.split("`")[1] for line in got.stderr.splitlines() if line.startswith("roost: building")]
    assert order == ["default", *sorted(INSTALLED.keys() - {"default"})]
    assert [os.readlink(seven.store / ".venv" / name) for name in order] == got.stdout.split()
    assert len(set(got.stdout.split())) == builds(seven) == len(order)
    ways = [line.partition(" with ")[2].partition(" (")[0] for line in got.stderr.splitlines() if " with " in line]
    assert dict(zip(order, ways, strict=True)) == dict.fromkeys(INSTALLED, "uv") | {
        "made": "command",
        "plain": "requirements",
        "locked": "pylock",
    }
    assert {name: installed(seven, "--env", name) for name in INSTALLED} == INSTALLED
    again = seven.roost("sync", "--all")
    assert (again.stdout, again.stderr) == (got.stdout, "")


def test_sync_of_all_reports_every_failure_and_builds_the_rest(project: Project) -> None:
    bad = "[tool.roost.envs.a]\npython = '3.99'\n[tool.roost.envs.b]\n[tool.roost.envs.c]\ngroups = ['nowhere']\n"
    bad += "[tool.roost.envs.d]\ncommand = ['sh', '-c', 'exit 3']\n"
    project.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\n{bad}")
    got = project.roost("sync", "--all")
    assert got.returncode == 125
    assert len(got.stdout.split()) == 2
    for failure in ("no Python satisfies `3.99`", "no dependency group `nowhere`", "`sh` ended with status 3"):
        assert got.stderr.count(failure) == 1
    assert project.links() == ["b", "default"]


def read(project: Project, env: str, roost: str) -> Settings:
    """Return the settings of `env`, where `[tool.roost]` is `roost`."""
    text = (project.root / "pyproject.toml").read_text().partition("[tool.roost]")[0]
    project.file("pyproject.toml", f"{text}[tool.roost]\n{roost}\n")
    return settings.read(FoundProject.at(str(project.root), Inputs()), Selection(env))


KEYS: dict[str, tuple[Any, Any]] = {
    "python": ("3.11", "3.12"),
    "groups": (["dev"], []),
    "extras": (["fast"], []),
    "installer": ("pylock", "uv"),
    "requirements": (["a.txt"], ["b.txt"]),
    "command": (["a"], ["b"]),
    "inputs": (["a"], ["b"]),
    "compile-bytecode": (True, False),
}


@pytest.mark.parametrize("key", KEYS)
def test_each_key_is_inherited_or_replaced_and_never_merged(project: Project, key: str) -> None:
    project.edit("pyproject.toml", "dependencies =", 'optional-dependencies.fast = ["cherry"]\ndependencies =')
    above, own = (str(value).lower() if isinstance(value, bool) else repr(value) for value in KEYS[key])
    for line, expected in ((f"{key} = {own}", KEYS[key][1]), ("", KEYS[key][0])):
        found = read(project, "one", f"{key} = {above}\n[tool.roost.envs.one]\n{line}")
        value = getattr(found, key.replace("-", "_"))
        assert (list(value) if isinstance(value, tuple) else value) == expected
    assert found.env == "one"


def test_keys_for_all_environments_reach_each(project: Project) -> None:
    top = 'keep = 7\nlink = ".venv"\nignore-tables = ["tool.mine"]\n[tool.roost.envs.one]\ngroups = []'
    found = read(project, "one", top)
    assert (found.keep, found.link, found.ignore_tables) == (7, ".venv", ("tool.mine",))


def test_way_to_install_is_one_choice_and_inherits_no_half_of_another(project: Project) -> None:
    top = "requirements = ['a.txt']\ncommand = ['b']\npython = '3.11'\n[tool.roost.envs.one]\n"
    found = read(project, "one", f"{top}installer = 'uv'")
    assert (found.installer, found.requirements, found.command, found.python) == ("uv", (), (), "3.11")
    found = read(project, "one", f"{top}command = ['c']")
    assert (found.installer, found.requirements, found.command) == ("command", (), ("c",))
    top = "groups = ['dev']\nextras = []\n[tool.roost.envs.one]\n"
    found = read(project, "one", f"{top}requirements = ['a.txt']")
    assert found.requirements == ("a.txt",)  # and the groups of the others mean nothing to it


def test_default_can_have_a_table_of_its_own(project: Project) -> None:
    assert read(project, "default", "groups = ['dev']\n[tool.roost.envs.default]\ngroups = []").groups == ()
    assert project.roost("sync", "--all").stdout.count("\n") == 1


NOT_READ = [
    ("groups = ['dev']\nrequirements = ['a.txt']", "default", "tool.roost.groups", "requirements"),
    ("groups = ['dev']\ncommand = ['a']", "default", "tool.roost.groups", "command"),
    ("groups = ['dev']\ninstaller = 'requirements'", "default", "tool.roost.groups", "requirements"),
    ("command = ['a']\n[tool.roost.envs.one]\ngroups = ['dev']", "one", "tool.roost.envs.one.groups", "command"),
    (
        "[tool.roost.envs.one]\nrequirements = ['a.txt']\nextras = ['x']",
        "one",
        "tool.roost.envs.one.extras",
        "requirements",
    ),
]


@pytest.mark.parametrize(("table", "env", "key", "kind"), NOT_READ)
def test_groups_that_an_installer_would_leave_out_are_refused(
    project: Project, table: str, env: str, key: str, kind: str
) -> None:
    with pytest.raises(RoostError, match=rf"^`{key}` in `.*` has no effect: the installer `{kind}` installs "):
        read(project, env, table)
    read(project, env, table.replace("['dev']", "[]").replace("['x']", "[]"))


CIRCLES = [
    ("dev = [{include-group = 'dev'}]", "include one another in a circle, `dev` → `dev`: remove one of the includes"),
    (
        "dev = [{include-group = 'One'}]\none = [{include-group = 'two'}]\ntwo = [{include-group = 'one'}]",
        "include one another in a circle, `one` → `two` → `one`: remove one of the includes",
    ),
    (
        "dev = [{include-group = 'none'}]\nx = []",
        "`dev` in `{file}` includes `none`, which does not exist: it has `dev`, `x`",
    ),
]


@pytest.mark.parametrize(("groups", "sentence"), CIRCLES)
def test_groups_that_cannot_be_followed(project: Project, groups: str, sentence: str) -> None:
    project.edit("pyproject.toml", 'dev = ["banana"]', groups)
    assert sentence.format(file=project.root / "pyproject.toml") in refused(project)
    assert not project.store.exists()
    assert read(project, "default", "groups = []").groups == ()


def test_circle_in_a_member_names_its_file(project: Project) -> None:
    package(project, "red", more="[dependency-groups]\ndev = [{include-group = 'dev'}]\n")
    project.edit("pyproject.toml", "[tool.uv]", "[tool.uv]\nworkspace.members = ['red']")
    with pytest.raises(RoostError, match=rf"in `{project.root}/red/pyproject.toml` include one another in a circle"):
        read(project, "default", "")


def test_group_that_two_include_is_no_circle(project: Project) -> None:
    groups = (
        "dev = [{include-group = 'a'}, {include-group = 'b'}]\na = [{include-group = 'c'}]\nb = [{include-group = 'c'}]"
    )
    project.edit("pyproject.toml", 'dev = ["banana"]', f"{groups}\nc = []")
    assert read(project, "default", "").groups == ("dev",)


@pytest.mark.parametrize(
    ("chosen", "groups"),
    [("['docs']", ("docs",)), ("'all'", ("dev", "docs")), ("[]", ()), ("['Docs', 'dev']", ("Docs", "dev"))],
)
def test_default_groups_of_uv(project: Project, chosen: str, groups: tuple[str, ...]) -> None:
    project.edit("pyproject.toml", "[tool.uv]", f"docs = ['cherry']\n[tool.uv]\ndefault-groups = {chosen}")
    assert read(project, "default", "").groups == groups
    assert read(project, "default", "groups = ['dev']").groups == ("dev",)
    assert read(project, "one", "[tool.roost.envs.one]\ngroups = ['docs']").groups == ("docs",)


def test_groups_that_conflict_are_two_environments(project: Project) -> None:
    project.write(groups={"old": ["apple<2"], "new": ["apple>=2"]})
    project.edit("pyproject.toml", "[tool.uv]", "[tool.uv]\nconflicts = [[{group = 'old'}, {group = 'new'}]]")
    envs = "".join(f"[tool.roost.envs.{name}]\ngroups = ['{name}']\n" for name in ("old", "new"))
    project.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\ngroups = ['old', 'new']\n{envs}")
    project.lock()
    assert "the group `new` and the group `old` cannot be installed together" in refused(project)
    assert (installed(project, "--env", "old"), installed(project, "--env", "new")) == ("apple 1.0", "apple 2.0")


def test_edit_of_one_environment_leaves_the_others_alone(project: Project) -> None:
    (project.root / "uv.lock").unlink()
    project.write(dependencies=["apple"], groups={"dev": ["banana"], "docs": []}, roost="envs.docs.groups = ['docs']")
    first, second = InputParts(project), InputParts(project, "docs")
    project.edit("pyproject.toml", "docs = []", 'docs = ["cherry"]')
    assert (first.changed(), second.changed()) == ([], ["pyproject.toml [dependency-groups] docs"])
    first, second = InputParts(project), InputParts(project, "docs")
    project.edit("pyproject.toml", "envs.docs.groups", "envs.docs.inputs = ['x.txt']\nenvs.docs.groups")
    assert (first.changed(), second.changed()) == ([], ["setting inputs x.txt"])


def test_command_may_install_any_group(project: Project) -> None:
    project.write(groups={"docs": []}, roost="command = ['true']")
    before = InputParts(project)
    project.edit("pyproject.toml", "docs = []", 'docs = ["cherry"]')
    assert before.changed() == ["pyproject.toml [dependency-groups] docs"]


SHOW = "import importlib.util as u, sys; print('in', sys.prefix, sys.version_info[1], bool(u.find_spec('banana')))"


@pytest.mark.slow
@needs_another_python
@pytest.mark.usefixtures("parallel_nox")
def test_two_pythons_and_two_environments_at_once_from_nox_and_hooks(slow_project: SlowProject, tmp_path: Path) -> None:
    """Four venvs, each built once, never two at a time in the source tree, and everybody gets the right one."""
    slow_project.file("slow.txt", "0.2")
    slow_project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []\n")
    pythons = [HERE_PYTHON, OTHER_PYTHON]
    options = f"python={pythons}, allow_parallel=True"
    body = f"session.run('python', '-c', {SHOW!r})"
    bare = f"venv_params=['--env', 'bare'], {options}"
    write_noxfile(slow_project, session("with_all", body, options=options) + session("bare", body, options=bare))
    calls = [f'"{ROOST}" run --env {env} --python {python} python -c "$show"' for env in ENVS for python in pythons]
    starts = "".join(f'{call} & all="$all $!"\n' for call in calls)
    waits = "for one in $all; do wait $one || exit; done\n"
    hook = slow_project.file("hooks/pre-commit", f'#!/bin/sh\nshow="{SHOW}"\n{starts}{waits}')
    hook.chmod(0o755)
    for words in (["init", "--quiet"], ["config", "core.hooksPath", "hooks"]):
        run(["git", *words], cwd=slow_project.root, check=True)
    commit = ["git", "commit", "--quiet", "--allow-empty", "--message", "x"]
    launch = [[NOX, "-j", "4"], commit]
    env = with_other_python()
    ended = [finish(one) for one in all_at_once(2, tmp_path, lambda nth: launch[nth], cwd=slow_project.root, env=env)]
    assert [status for status, _, _ in ended] == [0, 0], ended
    lines = [line for output in ended for text in output[1:] for line in text.splitlines() if line.startswith("in ")]
    assert len(lines) == 2 * 4
    seen = {tuple(line.split()[2:]): line.split()[1] for line in lines}
    minors = [python.partition(".")[2] for python in pythons]
    assert seen.keys() == {(minor, found) for minor in minors for found in ("True", "False")}
    assert len(set(lines)) == len(set(seen.values())) == len(slow_project.venvs()) == builds(slow_project) == 4
    assert slow_project.overlaps() == []
