"""`sync`, `clean`, `key` and what lies on disk afterwards."""

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import roost
from tests.lib.processes import ROOST, finish, run, wait_for
from tests.lib.projects import Project, SlowProject
from tests.lib.variants import slow_after

WAIT = "open('started', 'w'); import time, os\nwhile not os.path.exists('go'): time.sleep(0.01)"


def variant(project: Project, number: int) -> Path:
    """Bring the project into another state, build it, and return its venv."""
    text = re.sub(r"\[tool\.mine\]\nx = \d+\n", "", (project.root / "pyproject.toml").read_text())
    project.file("pyproject.toml", text.replace("[tool.roost]", f"[tool.mine]\nx = {number}\n[tool.roost]"))
    got = project.python("import sys; print(sys.prefix)")
    assert got.returncode == 0, got.stderr
    return Path(got.stdout.strip())


def clean(project: Project, *words: str) -> dict[str, str]:
    """Run `roost clean` and return what it said of each venv: None for one that was removed, else why it stays."""
    got = project.roost("clean", *words)
    assert got.returncode == 0, got.stderr
    said = {}
    for line in got.stdout.splitlines():
        word, _, rest = line.partition(" ")
        path, _, why = rest.partition(": ")
        assert (word, bool(why)) in (("kept", True), ("removed", False)), line
        assert Path(path).exists() == (word == "kept")
        said[path] = why
    return said


def test_sync_prints_the_path_alone_and_points_current_at_it(project: Project) -> None:
    got = project.roost("sync")
    venv = project.venvs()[0]
    assert (got.returncode, got.stdout) == (0, f"{venv}\n")
    assert got.stderr.startswith("roost: building `default` with uv")
    assert os.readlink(project.store / ".venv/default") == str(venv)
    assert (project.store / ".venv/default/bin/python").exists()
    assert not os.path.lexists(project.root / ".venv")  # `link` is off by default
    again = project.roost("sync")
    assert (again.returncode, again.stdout, again.stderr) == (0, f"{venv}\n", "")


def test_current_follows_sync_and_not_run(project: Project) -> None:
    project.roost("sync")
    first = os.readlink(project.store / ".venv/default")
    second = variant(project, 1)
    assert os.readlink(project.store / ".venv/default") == first != str(second)
    assert project.roost("sync").stdout == f"{second}\n"
    assert os.readlink(project.store / ".venv/default") == str(second)


def test_sync_of_one_and_of_all_environments(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []\n")
    bare = project.roost("sync", "--env", "bare").stdout.strip()
    assert project.links() == ["bare"]
    every = project.roost("sync", "--all").stdout.splitlines()
    assert every[1] == bare
    assert [os.readlink(project.store / ".venv" / name) for name in ("default", "bare")] == every
    assert project.roost("sync", env=dict(os.environ) | {"ROOST_ENV": "bare"}).stdout == f"{bare}\n"


def test_sync_of_all_continues_after_one_that_fails(project: Project) -> None:
    project.edit(
        "pyproject.toml", "[tool.roost]\n", '[tool.roost]\n[tool.roost.envs.a]\npython = "3.99"\n[tool.roost.envs.b]\n'
    )
    got = project.roost("sync", "--all")
    assert got.returncode == 125
    assert len(got.stdout.splitlines()) == 2
    assert got.stderr.count("no Python satisfies `3.99`") == 1


def test_refresh_builds_beside(project: Project) -> None:
    old = project.roost("sync").stdout.strip()
    new = project.roost("sync", "--refresh").stdout.strip()
    assert new != old
    assert {str(venv) for venv in project.venvs()} == {old, new}
    assert os.readlink(project.store / ".venv/default") == new
    assert project.python("import sys; print(sys.prefix)").stdout == f"{new}\n"
    assert len(project.journal("build")) == 2


def test_link_leads_to_the_current_venv(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\nlink = ".venv"\n')
    for number in range(2):
        venv = variant(project, number)
        project.roost("sync")
        assert os.readlink(project.root / ".venv") == str(project.store / ".venv/default")
        assert os.path.realpath(project.root / ".venv") == str(venv)


def test_link_never_replaces_what_is_not_roosts(project: Project, tmp_path: Path) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\nlink = ".venv"\n')
    link = project.root / ".venv"
    link.mkdir()
    (link / "mine").touch()
    got = project.roost("sync")
    assert (got.returncode, got.stdout) == (0, f"{project.venvs()[0]}\n")
    warning = f"roost: warning: `{link}` exists and was not made by roost, so it stays: remove it to get the link\n"
    assert warning in got.stderr
    assert (link / "mine").exists()
    (link / "mine").unlink()
    link.rmdir()
    for target in (tmp_path, tmp_path / "nowhere", project.venvs()[0]):
        link.symlink_to(target)
        assert project.roost("sync").stderr == warning
        assert os.readlink(link) == str(target)
        link.unlink()


@pytest.mark.slow
def test_clean_keeps_what_is_recent_current_newest_or_in_use(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\nkeep = 1\n")
    current = variant(project, 0)
    project.roost("sync")
    used = variant(project, 1)
    session = project.start("run", "python", "-c", WAIT)
    wait_for((project.root / "started").exists, "the session")
    idle, newest = variant(project, 2), variant(project, 3)
    said = clean(project)
    assert len(said) == 4
    assert said.pop(str(current)) == "it is the target of a link in `.roost/.venv`"
    assert set(said.values()) == {"used 0 min ago, within the hour"}
    project.age()
    assert clean(project) == {
        str(current): "it is the target of a link in `.roost/.venv`",
        str(used): "in use",
        str(idle): "",
        str(newest): "the newest of `default`",
    }
    project.age()
    gone = {str(newest): ""}
    assert (
        clean(project, "--all")
        == {str(current): "it is the target of a link in `.roost/.venv`", str(used): "in use"} | gone
    )
    (project.root / "go").touch()
    assert finish(session)[0] == 0
    project.age()
    assert clean(project, "--all") == {str(current): "it is the target of a link in `.roost/.venv`", str(used): ""}
    assert project.venvs() == project.complete() == [current]
    assert list((project.store / ".venv/.v2/trash").iterdir()) == []
    assert list(project.store.glob(".venv/.v2/envs/*")) == [current.parent]
    assert {line["venv"] for line in project.journal("removal")} == {venv.name for venv in (used, idle, newest)}


def test_build_collects_all_but_the_newest(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\nkeep = 1\n")
    first = variant(project, 0)
    for number in range(1, 4):
        project.age()
        last = variant(project, number)
    assert first in project.venvs()  # current
    assert last in project.venvs()
    assert len(project.venvs()) <= 3


@pytest.mark.slow
def test_clean_with_force_removes_what_was_used_within_the_hour(project: Project) -> None:
    linked, used = variant(project, 1), variant(project, 2)
    child = project.start("run", "python", "-c", WAIT)
    wait_for((project.root / "started").exists, "the session")
    busy = {str(used): "in use", str(linked): "it is the target of a link in `.roost/.venv`"}
    assert clean(project, "--all", "--force") == busy
    (project.root / "go").touch()
    assert finish(child)[0] == 0
    assert "within the hour" in clean(project, "--all")[str(used)]
    assert clean(project, "--all", "--force")[str(used)] == ""
    got = project.roost("clean", "--force")
    assert (got.returncode, got.stderr) == (2, "roost: `--force` needs `--all`\n")


def test_clean_of_all_removes_a_selection_that_was_tried_once(project: Project) -> None:
    """Its link protects it from a usual collection, and `roost sync` never points that elsewhere."""
    for options in ((), ("--no-group", "dev")):
        assert project.roost("sync", *options).returncode == 0
    project.age()
    assert "removed" not in project.roost("clean").stdout
    got = project.roost("clean", "--all").stdout
    assert got.count("removed") == got.count("it is the target of a link") == 1
    assert project.python("import banana").returncode == 0
    assert project.roost("sync", "--no-group", "dev").returncode == 0


def test_clean_leaves_what_is_not_its_own(project: Project, tmp_path: Path) -> None:
    """Only names of the store's pattern go, and no link is followed."""
    gone = variant(project, 0)
    variant(project, 1)
    project.roost("sync")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "venv-aaaaaa").mkdir(parents=True)
    (elsewhere / "venv-aaaaaa/file").touch()
    envs = project.store / ".venv/.v2/envs"
    link = envs / "0123456789abcdef"
    link.symlink_to(elsewhere)
    (envs / "notes").mkdir()
    (gone.parent / "mine").mkdir()
    (gone / "lib/link").symlink_to(elsewhere)
    project.age()
    assert project.roost("clean", "--all").stderr == f"roost: `{link}` is not a folder: remove it\n"
    link.unlink()
    project.roost("clean", "--all")
    assert not gone.exists()
    assert (elsewhere / "venv-aaaaaa/file").exists()
    assert (envs / "notes").is_dir()
    assert (gone.parent / "mine").is_dir()


def test_clean_removes_the_rest_of_a_deleted_venv(project: Project) -> None:
    """Its lease file and its marker, though the link `default` still leads to where it was."""
    venv = Path(project.roost("sync").stdout.strip())
    shutil.rmtree(venv)
    project.age()
    got = project.roost("clean", "--all")
    assert (got.returncode, got.stdout) == (0, f"removed {venv}\n")
    assert not venv.parent.exists()


def test_clean_of_nothing(project: Project) -> None:
    got = project.roost("clean", "--all")
    assert (got.returncode, got.stdout) == (0, "")
    assert got.stderr == f"roost: there is nothing to remove in `{project.root}`\n"
    assert not project.store.exists()


def test_clean_during_a_build_removes_nothing_and_names_the_builder(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        got = slow_project.roost("clean", "--all")
    assert (got.returncode, got.stdout) == (125, "")
    assert re.match(
        rf"roost: nothing was removed: the build lock is held by pid {builder.pid} \(`roost run python`\) "
        "since [0-9:]+; try again after that\n",
        got.stderr,
    )
    assert finish(builder)[0] == 0


def test_key_is_stable_builds_nothing_and_changes_with_the_inputs(project: Project) -> None:
    first = project.roost("key")
    assert (first.returncode, first.stderr) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{16}\n", first.stdout)
    assert not project.store.exists()
    assert project.roost("key").stdout == first.stdout
    assert run([ROOST, "key", "--project", project.root]).stdout == first.stdout
    project.python("pass")
    assert project.roost("key").stdout == first.stdout
    assert project.venvs()[0].parent.name == first.stdout.strip()
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []\n")
    assert project.roost("key").stdout == first.stdout
    assert project.roost("key", "--env", "bare").stdout != first.stdout
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    project.lock()
    assert project.roost("key").stdout != first.stdout
    assert len(project.venvs()) == 1


def test_key_runs_nothing_that_the_repository_brings(project: Project) -> None:
    script = project.file("evil", "#!/bin/sh\ntouch ran\n")
    script.chmod(0o755)
    project.edit(
        "pyproject.toml",
        "[dependency-groups]",
        SlowProject.TABLES.replace("slow_backend", "evil") + "[dependency-groups]",
    )
    project.file("evil.py", "open('ran', 'w')\n")
    project.file("sitecustomize.py", "open('ran', 'w')\n")
    (project.root / "uv.lock").unlink()
    assert project.roost("key").returncode == 0
    project.file(".python-version", "./evil\n")
    assert project.roost("key").returncode == 125
    assert not list(project.root.rglob("ran"))


def test_version_and_help_with_examples(project: Project) -> None:
    assert project.roost("--version").stdout == f"roost, version {roost.__version__}\n"
    for words in (["--help"], ["-h"]):
        got = project.roost(*words)
        assert got.returncode == 0
        assert "2 usage, 124 a wait ran out, 125" in " ".join(got.stdout.split())
        assert "ROOST_TIMEOUT" in got.stdout
        assert "ROOST_DIR" in got.stdout
    for command in ("run", "sync", "clean", "key"):
        got = project.roost(command, "--help")
        assert (got.returncode, got.stderr) == (0, "")
        examples = got.stdout.partition("Example")[2]
        assert f"  roost {command}" in examples or f"$(roost {command}" in examples
        assert max(map(len, got.stdout.splitlines())) <= 100
    assert not project.store.exists()


def test_folder_elsewhere(project: Project, tmp_path: Path) -> None:
    env = dict(os.environ) | {"ROOST_DIR": str(tmp_path / "cache/deep")}
    first = project.roost("sync", env=env)
    assert first.returncode == 0, first.stderr
    place = tmp_path / "cache/deep" / str(project.root).replace("/", "%2F")
    assert first.stdout.startswith(f"{place}/.venv/.v2/envs/")
    assert os.readlink(place / ".venv/default") == first.stdout.strip()
    assert not project.store.exists()
    got = project.python("import sys; print(sys.prefix)", env=env)
    assert (got.stdout, got.stderr) == (first.stdout, "")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    other = Project(project.root.parent / "other", project.wheels)
    other.write(dependencies=["banana"])
    assert other.python("import banana", env=env).returncode == 0
    assert len(list((tmp_path / "cache/deep").iterdir())) == 2


@pytest.fixture(params=slow_after(1, [0o077, 0o000, 0o022]), ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the umask for a test."""
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_only_the_owner_may_enter_and_read(project: Project) -> None:
    project.roost("sync")
    project.python("pass")
    for path in [project.store, *project.store.rglob("*")]:
        inside = any(part.startswith("venv-") and not part.endswith(".lease") for part in path.parts)
        if path.is_symlink() or (inside and not path.name.startswith("venv-")):
            continue
        assert stat.S_IMODE(path.lstat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_folder_is_ignored_by_git_and_backups(project: Project) -> None:
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    project.python("pass")
    assert (project.store / ".gitignore").read_text() == "*\n"
    assert (project.store / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert ".roost" not in run(["git", "status", "--porcelain", "--untracked-files=all"], cwd=project.root).stdout


def test_output_into_a_closed_pipe_is_no_traceback(built: Project) -> None:
    built.roost("sync")
    got = run(
        ["/bin/sh", "-c", f"{ROOST} sync | true; {ROOST} key >&-; {ROOST} sync >/dev/full || echo no"], cwd=built.root
    )
    assert "Traceback" not in got.stderr
    assert got.stdout == "no\n"
