"""`roost hook install` and `uninstall`, and this repository's own hooks through `core.hooksPath`."""

import os
import shutil
from pathlib import Path

import pytest

from tests.lib.git_hooks import HookedProject
from tests.lib.paths import REPOSITORY
from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.wheels import make_wheel

STAGES = ("post-checkout", "post-merge", "post-rewrite")


def listed(folder: Path) -> list[str]:
    """Return the hooks in a folder, without git's samples."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".sample")


def test_installed_twice_and_uninstalled(hooked: HookedProject) -> None:
    folder = hooked.root / ".git/hooks"
    for _ in range(2):
        got = hooked.roost("hook", "install")
        assert got.returncode == 0, got.stderr
        assert got.stdout.split() == [word for stage in STAGES for word in ("installed", str(folder / stage))]
        assert listed(folder) == sorted(STAGES)
        assert all(os.access(folder / stage, os.X_OK) for stage in STAGES)
    got = hooked.roost("hook", "uninstall")
    assert got.stdout.split() == [word for stage in STAGES for word in ("removed", str(folder / stage))]
    assert listed(folder) == []
    got = hooked.roost("hook", "uninstall")
    assert (got.stdout, got.stderr) == ("", f"roost: there is no syncing hook in `{hooked.root}/.git/hooks`\n")


def test_other_hooks_are_never_overwritten_and_told_how_to_call_roost(hooked: HookedProject) -> None:
    folder = hooked.root / ".git/hooks"
    (folder / "post-merge").write_text("#!/bin/sh\necho mine\n")
    (folder / "post-rewrite").symlink_to("nowhere")
    got = hooked.roost("hook", "install")
    assert got.returncode == 125
    assert got.stdout == f"installed {folder}/post-checkout\n"
    assert f'`{folder}/post-merge` already exists: add the line `roost hook sync post-merge "$@"`' in (got.stderr)
    assert (folder / "post-merge").read_text() == "#!/bin/sh\necho mine\n"
    assert os.readlink(folder / "post-rewrite") == "nowhere"
    got = hooked.roost("hook", "uninstall")
    assert got.stdout == f"removed {folder}/post-checkout\n"
    assert listed(folder) == ["post-merge", "post-rewrite"]


def test_hook_that_was_edited_is_its_editors(hooked: HookedProject) -> None:
    hooked.roost("hook", "install")
    path = hooked.root / ".git/hooks/post-checkout"
    path.write_text(f"{path.read_text()}echo mine\n")
    assert hooked.roost("hook", "install").returncode == 125
    assert "echo mine" in path.read_text()
    assert f"`{path}` is not a hook of roost" in hooked.roost("hook", "uninstall").stderr
    assert listed(path.parent) == ["post-checkout"]


def test_hooks_folder_of_the_repository_is_respected(hooked: HookedProject) -> None:
    hooked.git("config", "core.hooksPath", ".githooks")
    below = hooked.root / "sub"
    below.mkdir()
    assert hooked.roost("hook", "install", cwd=below).returncode == 0
    assert listed(hooked.root / ".githooks") == sorted(STAGES)
    assert listed(hooked.root / ".git/hooks") == []


def test_hooks_folder_of_all_repositories_is_refused(hooked: HookedProject, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    hooked.git("config", "--global", "core.hooksPath", shared)
    got = hooked.roost("hook", "install")
    assert got.returncode == 125
    assert (
        f"`core.hooksPath` is `{shared}` for more than this repository (global), so nothing was installed" in got.stderr
    )
    assert not shared.exists()


def test_worktrees_share_their_hooks(hooked: HookedProject, tmp_path: Path) -> None:
    linked = tmp_path / "work" / "linked"
    hooked.git("worktree", "add", "--quiet", linked)
    assert hooked.roost("hook", "install", cwd=linked).returncode == 0
    assert listed(hooked.root / ".git/hooks") == sorted(STAGES)
    got = run(["git", "checkout", "-b", "side"], cwd=linked)
    assert "building `default`" in got.stderr
    assert (linked / ".roost").is_dir()
    assert not hooked.store.exists()


def test_project_below_the_top_is_what_the_hooks_sync(hooked: HookedProject) -> None:
    below = hooked.root / "back end's"
    below.mkdir()
    for name in ("pyproject.toml", "uv.lock"):
        hooked.git("mv", name, f"{below.name}/{name}")
    hooked.git("commit", "--quiet", "--message", "Below")
    assert hooked.roost("hook", "install", cwd=below).returncode == 0
    assert "building `default`" in run(["git", "checkout", "-b", "side"], cwd=hooked.root).stderr
    assert (below / ".roost/.venv/default").is_symlink()
    assert run(["git", "checkout", "HEAD~1"], cwd=hooked.root).returncode == 0  # where it is not there yet


@pytest.mark.slow
def test_several_projects_of_one_repository(hooked: HookedProject) -> None:
    names = ["back end's", "front", "."]
    for name in names[:2]:
        (hooked.root / name).mkdir()
        for file in ("pyproject.toml", "uv.lock"):
            shutil.copy(hooked.root / file, hooked.root / name)
        assert hooked.roost("hook", "install", "--project", name).returncode == 0
    assert hooked.roost("hook", "install").returncode == 0
    run(["git", "checkout", "-b", "side"], cwd=hooked.root, check=True)
    assert [name for name in names if (hooked.root / name / ".roost/.venv/default").is_symlink()] == names
    path = hooked.root / ".git/hooks/post-merge"
    for name, lines in (("front", 2), (names[0], 1)):
        got = hooked.roost("hook", "uninstall", "--project", name)
        assert f"changed {path}\n" in got.stdout
        assert path.read_text().count(" hook sync") == lines
    got = hooked.roost("hook", "uninstall", "--project", ".")
    assert f"removed {path}\n" in got.stdout


def test_hooks_work_with_the_short_path_of_a_gui_client(hooked: HookedProject) -> None:
    hooked.roost("hook", "install")
    env = {"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"}
    assert "building `default`" in run(["git", "checkout", "-b", "side"], cwd=hooked.root, env=env).stderr


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_outside_of_git_is_reported(hooked: HookedProject, command: str) -> None:
    shutil.rmtree(hooked.root / ".git")
    got = hooked.roost("hook", command)
    assert got.returncode == 125
    assert f"`{hooked.root}` is not in a working tree of git" in got.stderr


def test_own_hooks_of_this_repository(hooked: HookedProject, tmp_path: Path) -> None:
    """With tools that say what they were asked: ruff and mypy before a commit, pytest before a push."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("ruff", "mypy", "pytest"):
        code = (
            f"import sys\ndef main():\n    print('>', {name!r}, *sys.argv[1:])\n    sys.exit(sys.argv[1:] == ['-q'])\n"
        )
        make_wheel(folder, name, "1.0", files={f"{name}/late.py": f"VERSION = '1.0'\n{code}"})
    hooked.wheels = folder
    hooked.write(groups={"dev": ["ruff", "mypy", "pytest"]})
    hooked.lock()
    shutil.copytree(REPOSITORY / "hooks", hooked.root / "hooks")
    hooked.git("config", "core.hooksPath", "hooks")
    hooked.git("add", "--all")
    got = hooked.commit()
    assert got.returncode == 1
    assert "roost-run is not on PATH" in got.stdout
    local = Path(os.environ["HOME"]) / ".local/bin"
    local.mkdir(parents=True)
    (local / "roost").symlink_to(ROOST)
    (local / "roost-run").symlink_to(ROOST_RUN)
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    assert [line for line in got.stdout.splitlines() if line.startswith("> ")] == ["> ruff check", "> mypy"]
    away = tmp_path / "away.git"
    hooked.git("init", "--quiet", "--bare", away)
    pushed = run(["git", "push", away, "main"], cwd=hooked.root)
    assert pushed.returncode == 0, pushed.stderr
    assert "> pytest -q -x" in pushed.stdout + pushed.stderr
