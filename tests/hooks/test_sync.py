"""The syncing hooks: after a checkout, merge or rebase, under pre-commit, prek and plain git."""

import os
import shutil
from pathlib import Path

import pytest

from tests.lib.git_hooks import PRE_COMMIT, PREK, HookedProject
from tests.lib.paths import REPOSITORY
from tests.lib.processes import BASE_PYTHON, ROOST, finish, run, start
from tests.lib.terminals import controlling, in_terminal, screen

WAYS = ["roost hook install", "core.hooksPath", "pre-commit", "prek"]
HOOKS_PAGE = REPOSITORY / "docs/hooks.md"
STAGES = ("post-checkout", "post-merge", "post-rewrite")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Provide each way to have the syncing hooks."""
    return str(request.param)


@pytest.fixture
def moving(hooked: HookedProject, way: str) -> HookedProject:
    """Provide a project with apple 2.0 on `main` and 1.0 on `old`, each synced once, and the hooks in place."""
    prepare(hooked)
    put_hooks(hooked, way)
    return hooked


def prepare(project: HookedProject) -> None:
    """Make the branch `old`, whose lock file says apple 1.0, and sync both states."""
    project.hooks("{id: sync}")
    project.git("commit", "--quiet", "--message", "Hooks")
    project.git("checkout", "--quiet", "-b", "old")
    project.write(dependencies=["apple<2"])
    project.lock()
    project.git("commit", "--quiet", "--all", "--message", "Old apple")
    assert project.roost("sync").returncode == 0
    project.git("checkout", "--quiet", "main")
    assert project.roost("sync").returncode == 0


def put_hooks(project: HookedProject, way: str) -> None:
    """Install the syncing hooks in one of the `WAYS`."""
    if way == "roost hook install":
        assert project.roost("hook", "install").returncode == 0
    elif way == "core.hooksPath":
        local = Path(os.environ["HOME"]) / ".local/bin"  # where `uv tool` and pipx put commands
        local.mkdir(parents=True)
        (local / "roost").symlink_to(ROOST)
        folder = Path(os.environ["HOME"]) / "hooks"
        folder.mkdir()
        for stage in STAGES:
            shutil.copy(project.frameworks.repository / "hooks" / stage, folder)
        project.git("config", "core.hooksPath", folder)
    else:
        project.install(PRE_COMMIT if way == "pre-commit" else PREK, *STAGES)


def said(project: HookedProject, *words: str) -> list[str]:
    """Run git in the project, which must succeed; return what roost said, but for how long a slow build took."""
    status, raw = in_terminal(controlling(["git", *words]), project.root)
    assert status == 0, raw
    lines = (line.strip() for line in screen(raw))
    return [line for line in lines if line.startswith("roost: ") and not line.startswith("roost: built ")]


def current(project: HookedProject) -> str:
    """Return the version of apple in the venv that `current` leads to."""
    code = "import apple; print(apple.VERSION)"
    return str(run([project.store / ".venv/default/bin/python", "-c", code]).stdout).strip()


@pytest.mark.slow
def test_checkout_switches_and_says_one_line(moving: HookedProject) -> None:
    for branch, version in (("old", "1.0"), ("main", "2.0"), ("old", "1.0")):
        (line,) = said(moving, "checkout", branch)
        assert line.startswith("roost: `default`: switched back to `venv-")
        assert current(moving) == version
    assert len(moving.journal("build")) == 2


@pytest.mark.slow
@pytest.mark.parametrize("program", [PRE_COMMIT, PREK], ids=lambda path: path.name)
def test_frameworks_add_one_line_to_a_checkout_that_needs_nothing(hooked: HookedProject, program: Path) -> None:
    """It is the hook's name and result, which no setting turns off."""
    prepare(hooked)
    run([program, "install", *(f"--hook-type={stage}" for stage in STAGES)], cwd=hooked.root, check=True)
    hooked.git("checkout", "--quiet", "-b", "first")  # installs roost
    status, raw = in_terminal(controlling(["git", "checkout", "--quiet", "-b", "side"]), hooked.root)
    assert status == 0
    assert "Passed" in raw
    assert not [word for word in ("roost: ", "hook id", "duration") if word in raw]
    got = run(["git", "checkout", "--quiet", "old"], cwd=hooked.root)  # without a terminal
    assert (
        got.returncode,
        [line for line in (got.stdout + got.stderr).splitlines() if line.startswith("roost: ")],
    ) == (0, [])
    assert current(hooked) == "1.0"


@pytest.mark.slow
@pytest.mark.parametrize("program", [PRE_COMMIT, PREK], ids=lambda path: path.name)
def test_checkout_of_a_commit_without_a_configuration_succeeds(hooked: HookedProject, program: Path) -> None:
    """With the option that `docs/hooks.md` names; without it, `git switch` ends with status 1."""
    words = next(
        line.strip() for line in HOOKS_PAGE.read_text().splitlines() if "--allow-missing-config" in line
    ).split()
    first = hooked.git("rev-parse", "HEAD").strip()
    hooked.hooks("{id: sync}", more="default_install_hook_types: [post-checkout]")
    hooked.git("commit", "--quiet", "--message", "Hooks")
    for options, status in (([], 1), (words[2:3], 0)):
        run([program, "install", *options], cwd=hooked.root, check=True)
        assert run(["git", "switch", "--detach", first], cwd=hooked.root).returncode == status
        hooked.git("checkout", "--quiet", "main")


@pytest.mark.normally(way=["prek"])
def test_checkout_that_needs_no_other_venv_says_and_does_nothing(moving: HookedProject) -> None:
    before = moving.store.joinpath(".venv/default").lstat().st_ino
    assert said(moving, "checkout", "-b", "side") == []
    moving.change("module.py", "OTHER = 1\n")
    assert said(moving, "commit", "--quiet", "--no-verify", "--message", "Other") == []
    assert said(moving, "checkout", "main") == []
    assert said(moving, "merge", "--no-edit", "side") == []
    assert said(moving, "commit", "--quiet", "--no-verify", "--amend", "--no-edit") == []
    assert moving.store.joinpath(".venv/default").lstat().st_ino == before


@pytest.mark.slow
def test_merge_of_another_lock_file_syncs(moving: HookedProject) -> None:
    (line,) = said(moving, "merge", "--no-edit", "old")
    assert line.startswith("roost: `default`: switched back to `venv-")
    assert current(moving) == "1.0"


@pytest.mark.slow
@pytest.mark.normally(way=["roost hook install", "pre-commit"])
def test_checkout_builds_what_was_never_built(moving: HookedProject) -> None:
    run(["rm", "-rf", moving.store], check=True)
    first = said(moving, "checkout", "old")
    assert [line for line in first if "building `default`" in line] == first[-1:]
    (line,) = said(moving, "checkout", "main")
    assert "building `default` with uv (uv.lock)" in line
    assert len(moving.journal("build")) == 2
    assert current(moving) == "2.0"


@pytest.mark.slow
def test_rebase_syncs_once_at_its_end(moving: HookedProject) -> None:
    """The commits it goes through have a state each; only the last one stays."""
    said(moving, "checkout", "-b", "side")
    for number in range(2):
        moving.change(f"side{number}.py", "")
        moving.git("commit", "--quiet", "--no-verify", "--message", f"Side {number}")
    builds = len(moving.journal("build"))
    lines = said(moving, "rebase", "old")
    assert len(lines) == 1
    assert current(moving) == "1.0"
    assert len(moving.journal("build")) == builds


@pytest.mark.slow
@pytest.mark.normally(way=["prek"])
def test_rebase_that_stops_and_is_aborted_does_nothing(moving: HookedProject) -> None:
    moving.write(dependencies=["cherry"])
    moving.lock()
    moving.git("commit", "--quiet", "--no-verify", "--all", "--message", "Cherry")
    assert moving.roost("sync").returncode == 0
    before = os.readlink(moving.store / ".venv/default")
    got = run(["git", "rebase", "old"], cwd=moving.root)
    assert got.returncode == 1
    assert said(moving, "rebase", "--abort") == []
    assert "roost: " not in got.stdout + got.stderr
    assert os.readlink(moving.store / ".venv/default") == before


@pytest.mark.slow
@pytest.mark.normally(way=["core.hooksPath"])
def test_bisect_and_cherry_pick_do_nothing(moving: HookedProject) -> None:
    said(moving, "checkout", "old")
    for number in range(3):
        moving.change(f"more{number}.py", "")
        moving.git("commit", "--quiet", "--no-verify", "--message", f"More {number}")
    run(["rm", "-rf", moving.store], check=True)
    for words in (["start", "HEAD", "main~1"], ["good"], ["bad"], ["reset"]):
        assert said(moving, "bisect", *words) == []
    moving.git("checkout", "--quiet", "--detach")  # builds; a cherry-pick that stops is what follows
    assert len(moving.journal("build")) == 1
    got = run(["git", "cherry-pick", "--no-commit", "main~1"], cwd=moving.root)
    assert "roost: " not in got.stdout + got.stderr
    assert len(moving.journal("build")) == 1


@pytest.mark.normally(way=["prek"])
def test_files_restored_are_no_checkout(moving: HookedProject) -> None:
    """It is what pre-commit and prek do around every partially staged commit."""
    before = os.readlink(moving.store / ".venv/default")
    assert said(moving, "checkout", "old", "--", "uv.lock", "pyproject.toml") == []
    assert os.readlink(moving.store / ".venv/default") == before


@pytest.mark.slow
@pytest.mark.normally(way=["roost hook install"])
def test_checkout_of_a_state_that_cannot_be_built_succeeds(moving: HookedProject) -> None:
    moving.git("checkout", "--quiet", "-b", "broken")
    moving.edit("pyproject.toml", '"apple"', '"cherry"')
    moving.git("commit", "--quiet", "--no-verify", "--all", "--message", "Broken")
    said(moving, "checkout", "main")
    before = os.readlink(moving.store / ".venv/default")
    lines = said(moving, "checkout", "broken")
    assert lines[-1].startswith("roost: warning: not synced after the checkout: ")
    assert "could not be built with uv" in lines[-1]
    assert os.readlink(moving.store / ".venv/default") == before
    moving.file("pyproject.toml", "no toml")
    moving.git("commit", "--quiet", "--no-verify", "--all", "--message", "More broken")
    said(moving, "checkout", "main")
    assert "is not valid TOML" in said(moving, "checkout", "broken")[-1]


@pytest.mark.normally(way=["core.hooksPath"])
def test_state_without_a_project_is_no_error(moving: HookedProject) -> None:
    moving.git("checkout", "--quiet", "--orphan", "empty")
    moving.git("rm", "-rf", "--quiet", "pyproject.toml", "uv.lock")
    moving.git("commit", "--quiet", "--no-verify", "--message", "Empty")
    assert said(moving, "checkout", "main") == []
    assert said(moving, "checkout", "empty") == []


@pytest.mark.slow
def test_busy_build_lock_does_not_fail_a_checkout(hooked: HookedProject) -> None:
    prepare(hooked)
    put_hooks(hooked, WAYS[0])
    hooked.git("checkout", "--quiet", "-b", "side")
    hooked.write(dependencies=["cherry"])
    hooked.lock()
    hooked.git("commit", "--quiet", "--all", "--message", "Cherry")
    hooked.git("checkout", "--quiet", "main")
    holder = f"import fcntl, sys, time; f = open({str(hooked.store / '.venv/.lock')!r}); fcntl.flock(f, 2); print(flush=True)"
    child = start([BASE_PYTHON, "-c", f"{holder}; time.sleep(60)"])
    assert child.stdout
    child.stdout.readline()
    got = run(["git", "checkout", "side"], cwd=hooked.root, env=dict(os.environ) | {"ROOST_TIMEOUT": "0"})
    child.kill()
    finish(child)
    assert got.returncode == 0
    assert "roost: warning: not synced after the checkout: gave up after 0 s" in got.stderr


def test_hooks_without_roost_do_nothing(hooked: HookedProject) -> None:
    hooked.git("config", "core.hooksPath", str(hooked.frameworks.repository / "hooks"))
    got = run(["git", "checkout", "-b", "side"], cwd=hooked.root)
    assert (got.returncode, got.stderr) == (0, "Switched to a new branch 'side'\n")


@pytest.mark.slow
def test_new_worktree_gets_its_own_environment(hooked: HookedProject, tmp_path: Path) -> None:
    prepare(hooked)
    put_hooks(hooked, WAYS[0])
    linked = tmp_path / "work" / "linked"
    lines = said(hooked, "worktree", "add", str(linked), "old")
    assert "building `default`" in lines[-1]
    assert os.readlink(linked / ".roost/.venv/default").startswith(f"{linked}/.roost/.venv/.v2/envs/")
    assert current(hooked) == "2.0"
