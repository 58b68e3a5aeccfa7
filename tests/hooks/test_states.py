"""Hooks during git's operations: partially staged commits, worktrees, git dependencies, Ctrl-C."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.lib.git_hooks import PRE_COMMIT, PREK, HookedProject, git
from tests.lib.processes import finish, run, start
from tests.lib.projects import SlowProject

BOTH = pytest.mark.parametrize("program", [PRE_COMMIT, PREK], ids=["pre-commit", "prek"])
# Without requirements of its own, so that a git dependency can be built without an index.
BACKEND = """
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    info = "grape-1.0.dist-info"
    files = {
        "grape.py": f"BUILT_WITH = {[name for name in os.environ if name[:4] == 'GIT_' and name != 'GIT_EXEC_PATH']}",
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: grape\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(f"{folder}/grape-1.0-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return "grape-1.0-py3-none-any.whl"
"""
BUILD = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"


@pytest.fixture
def grape(tmp_path: Path) -> Path:
    """Provide a git repository with the distribution `grape`."""
    folder = tmp_path / "grape"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f"[project]\nname = 'grape'\nversion = '1.0'\n{BUILD}")
    (folder / "backend.py").write_text(BACKEND)
    git("init", "--quiet", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message", "Grape", cwd=folder)
    return folder


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PRE_COMMIT])
def test_git_dependency_cloned_during_a_hook_leaves_the_commit_alone(
    hooked: HookedProject, grape: Path, tmp_path: Path, program: Path
) -> None:
    """In a linked worktree, where git gives its hooks `GIT_DIR` and `GIT_INDEX_FILE`: the tool alone sees them."""
    hooked.write(dependencies=["apple", f"grape @ git+file://{grape}"])
    hooked.lock()
    code = 'import grape, os; print("grape", grape.BUILT_WITH, os.environ["GIT_INDEX_FILE"])'
    hooked.hooks(f"{{id: run, args: [python, -c, '{code}'], verbose: true}}")
    hooked.install(program)
    hooked.git("add", "--all")
    hooked.git("commit", "--quiet", "--no-verify", "--message", "Grape")
    linked = tmp_path / "work" / "linked"
    hooked.git("worktree", "add", "--quiet", linked)
    (linked / "module.py").write_text("LINKED = 1\n")
    (linked / "new.py").write_text("NEW = 1\n")
    git("add", "--all", cwd=linked)
    # A cache of its own: what `uv lock` cloned is not there.
    got = hooked.commit(cwd=linked, env=dict(os.environ) | {"UV_CACHE_DIR": str(tmp_path / "cold")})
    assert got.returncode == 0, got.stdout
    assert f"\ngrape [] {hooked.root}/.git/worktrees/linked/index\n" in got.stdout
    assert len(list(tmp_path.glob("cold/git-v*/checkouts/*"))) == 1
    for folder in (linked, hooked.root):
        assert git("status", "--porcelain", cwd=folder) == ""
        git("fsck", "--full", "--strict", cwd=folder)
    assert git("show", "--name-only", "--format=", cwd=linked).split() == ["module.py", "new.py"]
    assert git("ls-files", cwd=linked).split() == sorted([*hooked.git("ls-files").split(), "new.py"])


@BOTH
@pytest.mark.normally(program=[PREK])
def test_partially_staged_commits_keep_two_venvs_and_never_build_a_third(hooked: HookedProject, program: Path) -> None:
    hooked.hooks("{id: run, args: [python, -c, 'import apple; print(\"apple\", apple.VERSION)'], verbose: true}")
    hooked.install(program)
    hooked.git("commit", "--quiet", "--no-verify", "--message", "Hooks")
    hooked.write(dependencies=["apple<2"], groups={"dev": ["banana"]})
    hooked.lock()
    assert hooked.python("import apple; print(apple.VERSION)").stdout == "1.0\n"
    current = os.readlink(hooked.store / ".venv" / "default")
    for _ in range(3):
        hooked.change()
        got = hooked.commit()
        assert got.returncode == 0, got.stdout
        assert "apple 2.0" in got.stdout
        assert hooked.git("status", "--porcelain").split() == ["M", "pyproject.toml", "M", "uv.lock"]
        assert hooked.python("import apple; print(apple.VERSION)").stdout == "1.0\n"
        assert os.readlink(hooked.store / ".venv" / "default") == current
    assert len(hooked.journal("build")) == len(hooked.complete()) == 2
    assert hooked.roost("sync").stdout == f"{current}\n"


@BOTH
@pytest.mark.normally(program=[PREK])
def test_each_worktree_has_its_own_venv_and_imports_its_own_code(
    hooked: HookedProject, tmp_path: Path, program: Path
) -> None:
    SlowProject(hooked.root, hooked.wheels, seconds=0)
    hooked.write(dependencies=["apple"], extra=SlowProject.TABLES)
    hooked.lock()
    hooked.hooks(
        "{id: run, args: [python, -c, 'import project, sys; print(project.__file__, sys.prefix)'], verbose: true}"
    )
    hooked.install(program)
    hooked.git("add", "--all")
    hooked.git("commit", "--quiet", "--no-verify", "--message", "Source")
    linked = tmp_path / "work" / "linked"
    hooked.git("worktree", "add", "--quiet", linked)
    for number, root in enumerate((hooked.root, linked, hooked.root, linked)):
        (root / "src/project.py").write_text(f"HERE = {number}\n")
        git("add", "--all", cwd=root)
        got = hooked.commit(cwd=root)
        assert got.returncode == 0, got.stdout
        assert f"\n{root}/src/project.py {root}/.roost/.venv/.v2/envs/" in got.stdout
    assert len(list(linked.glob(".roost/.venv/.v2/envs/*/complete"))) == len(hooked.complete()) == 1


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PRE_COMMIT])
def test_commit_after_ctrl_c_in_a_hook_that_builds_works(hooked: HookedProject, wheels: Path, program: Path) -> None:
    slow = SlowProject(hooked.root, wheels, seconds=30)
    slow.write(dependencies=["apple"], extra=SlowProject.TABLES)
    slow.lock()
    hooked.hooks("{id: run, args: [python, -c, 'import apple.late, project']}")
    hooked.install(program)
    run([program, "install-hooks"], cwd=hooked.root, check=True)
    hooked.git("add", "--all")
    # A process group of its own, as a terminal makes it. No pipe, which a survivor would hold open.
    commit = start(
        ["git", "commit", "--message", "Change"],
        cwd=hooked.root,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    slow.begun()
    os.killpg(commit.pid, signal.SIGINT)
    assert finish(commit)[0] != 0
    assert hooked.git("log", "--oneline").count("\n") == 1
    hooked.change("slow.txt", "0")
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    assert [what for _, _, what in slow.builds()] == ["begin", "begin", "end"]
    assert len(slow.complete()) == len(slow.venvs()) == 1
