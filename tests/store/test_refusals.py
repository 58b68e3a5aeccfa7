"""What roost says of a `.roost` that it cannot use or must not trust; nothing runs, and nothing in it is lost."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.projects import Project, refused
from tests.lib.variants import slow_after

NOBODY = 65534


@pytest.fixture
def bound() -> list[str]:
    """Provide the words before a command that let permissions count for it, also where the tests run as root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no `setpriv` to give that up")
    powers = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}"]


@pytest.fixture
def ready(project: Project) -> Project:
    """Provide a project whose environment is there."""
    assert project.python("pass").returncode == 0
    return project


def stale(project: Project) -> None:
    """Make the next start build."""
    project.edit("pyproject.toml", "[tool.roost]", "[tool.mine]\nx = 1\n[tool.roost]")


def test_project_that_cannot_be_written(project: Project, bound: list[str]) -> None:
    project.root.chmod(0o500)
    said = refused(project, prefix=bound)
    project.root.chmod(0o700)
    assert said == (
        f"roost: `{project.store}` cannot be used: Permission denied; make it writable, "
        "or set `ROOST_DIR` to a folder that is\n"
    )
    assert not project.store.exists()


def test_folder_that_cannot_be_written(ready: Project, bound: list[str]) -> None:
    stale(ready)
    folder = ready.store / ".venv/.v2/envs"
    folder.chmod(0o500)
    said = refused(ready, prefix=bound)
    folder.chmod(0o700)
    assert f"roost: `{folder}/" in said
    assert " cannot be used: Permission denied; make it writable, or set `ROOST_DIR` to a folder that is\n" in said


def test_read_only_folder_serves_what_is_ready(ready: Project, bound: list[str]) -> None:
    """A checkout that is mounted read-only has an environment, and keeps no index."""
    for folder in [ready.store, *filter(Path.is_dir, ready.store.glob(".venv/.v2/**/"))]:
        if "venv-" not in str(folder):
            folder.chmod(0o500)
    os.utime(ready.root / "pyproject.toml")  # so that the index does not answer
    got = run([*bound, ROOST, "run", "python", "-c", "print(1)"], cwd=ready.root)
    assert (got.returncode, got.stdout, got.stderr) == (0, "1\n", "")
    for folder in [ready.store, *ready.store.glob(".venv/.v2/**/")]:
        if "venv-" not in str(folder):
            folder.chmod(0o700)


def test_lock_that_cannot_be_opened(ready: Project, bound: list[str]) -> None:
    (ready.store / ".venv/.lock").chmod(0)
    stale(ready)
    assert f"`{ready.store}/.venv/.lock` cannot be used: Permission denied; make it writable" in refused(
        ready, prefix=bound
    )


def test_lock_that_is_a_link(ready: Project, tmp_path: Path) -> None:
    (ready.store / ".venv/.lock").unlink()
    (ready.store / ".venv/.lock").symlink_to(tmp_path / "elsewhere")
    stale(ready)
    assert f"`{ready.store}/.venv/.lock` cannot be used: " in refused(ready)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("there", [True, False])
def test_folder_that_is_a_link(project: Project, tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "elsewhere").mkdir()
    project.store.symlink_to(tmp_path / "elsewhere")
    said = refused(project)
    assert said == (
        f"roost: `{project.store}` is a link, so its content cannot be trusted: "
        "remove it; to keep environments elsewhere set `ROOST_DIR`\n"
    )
    for command in ("sync", "clean"):
        assert project.roost(command).stderr == said
    assert not there or not list((tmp_path / "elsewhere").iterdir())


def test_folder_that_is_a_file(project: Project) -> None:
    project.store.write_text("")
    assert f"`{project.store}` is not a folder, so its content cannot be trusted: move it away" in refused(project)


def test_link_inside_the_folder_is_not_followed(ready: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    stale(ready)
    for name in (".venv", ".venv/.v2", ".venv/.v2/envs", ".venv/.v2/trash", ".venv/.v2/index", ".venv/.v2/python"):
        shutil.move(ready.store / name, elsewhere)
        (ready.store / name).symlink_to(elsewhere)
        before = sorted(elsewhere.rglob("*"))
        assert f"`{ready.store}/{name}` is not a folder: remove it" in refused(ready)
        assert sorted(elsewhere.rglob("*")) == before
        (ready.store / name).unlink()
        shutil.move(elsewhere, ready.store / name)
    assert ready.python("pass").returncode == 0


def test_folder_that_others_may_write_to(ready: Project) -> None:
    for mode in (0o777, 0o770, 0o702):
        ready.store.chmod(mode)
        said = refused(ready)
        assert (
            f"`{ready.store}` can be written by others, so its content cannot be trusted: `chmod 700 {ready.store}`"
            in said
        )
        ready.store.chmod(0o700)
    assert ready.python("pass").stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folder_of_another_user(ready: Project) -> None:
    os.chown(ready.store, NOBODY, NOBODY)
    said = refused(ready)
    assert (
        f"`{ready.store}` belongs to another user (uid {NOBODY}, you are 0), so its content cannot be trusted: "
        "remove it, or set `ROOST_DIR` to a folder of your own\n"
    ) in said
    assert ready.roost("clean", "--all").returncode == 125
    assert len(ready.venvs()) == 1


def test_folder_that_git_tracks(ready: Project) -> None:
    run(["git", "init", "--quiet"], cwd=ready.root, check=True)
    run(["git", "add", "--force", ".roost/CACHEDIR.TAG"], cwd=ready.root, check=True)
    stale(ready)
    said = refused(ready)
    assert (
        f"git tracks `{ready.store}`, so it may hold an environment that someone else built: "
        "`git rm -r --cached .roost`" in said
    )
    run(["git", "rm", "-rq", "--cached", ".roost"], cwd=ready.root, check=True)
    assert ready.python("pass").returncode == 0


def test_folder_that_a_checkout_brings_is_never_run(ready: Project, tmp_path: Path) -> None:
    """The author of a repository could put a venv, its marker and its index there, at the right path."""
    venv = ready.venvs()[0]
    (venv / "bin/python").unlink()
    (venv / "bin/python").write_text("#!/bin/sh\ntouch ran\n")
    (venv / "bin/python").chmod(0o755)
    git = ["git", f"--git-dir={tmp_path / 'git'}", f"--work-tree={ready.root}"]
    run([*git, "init", "--quiet"], check=True)
    (ready.store / ".gitignore").unlink()
    run([*git, "add", "--all", "--force"], cwd=ready.root, check=True)
    shutil.rmtree(ready.store)
    run([*git, "checkout-index", "--all"], cwd=ready.root, check=True)
    ready.store.chmod(0o700)
    assert (venv / "bin/python").exists()
    assert len(ready.complete()) == 1
    got = ready.python("open('good', 'w')")
    assert got.returncode == 0, got.stderr
    assert (ready.root / "good").exists()
    assert not (ready.root / "ran").exists()


@pytest.mark.parametrize(
    ("error", "state"),
    slow_after(2, [("ENOLCK", "cold"), ("ENOSYS", "ready"), ("ENOSYS", "cold"), ("EOPNOTSUPP", "cold")]),
)
def test_file_system_without_flock(project: Project, error: str, state: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("there is no `strace`, which makes flock fail")
    if state == "ready":
        assert project.python("pass").returncode == 0
    faulty = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", f"inject=flock:error={error}"]
    if run([*faulty, "true"]).returncode != 0:
        pytest.skip("`strace` may not trace here")
    said = refused(project, prefix=faulty)
    why = os.strerror(getattr(errno, error))
    assert (
        f"flock does not work in `{project.store}` ({why}), and roost never continues unlocked: "
        "set `ROOST_DIR` to a folder on a local disk\n"
    ) in said


def test_other_failure_of_flock_is_not_counted_as_a_lock(project: Project) -> None:
    if shutil.which("strace") is None:
        pytest.skip("there is no `strace`, which makes flock fail")
    faulty = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=EIO"]
    assert "cannot be used: Input/output error; make it writable, or set `ROOST_DIR`" in refused(project, prefix=faulty)


def test_full_disk_is_an_error_and_nothing_counts(ready: Project) -> None:
    """A limit on the size of files stands for it: every write above that fails."""
    stale(ready)
    said = refused(ready, prefix=["/bin/sh", "-c", 'ulimit -f 1; exec "$@"', "sh"])
    assert "could not be built" in said or "cannot be" in said
    assert ready.python("pass").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("where", ["itself", "above", "by a link"])
@pytest.mark.parametrize("fault", ["mode", "owner"])
def test_folder_for_stores_that_others_can_replace(project: Project, tmp_path: Path, where: str, fault: str) -> None:
    """A user who can rename a folder above a venv can put another in its place while a command runs there."""
    outer = tmp_path / "shared"
    place = outer / "roost" if where == "above" else outer
    place.mkdir(parents=True)
    given = tmp_path / "link" if where == "by a link" else place
    if where == "by a link":
        given.symlink_to(outer)
    env = dict(os.environ) | {"ROOST_DIR": str(given)}
    assert project.python("pass", env=env).returncode == 0
    assert run([ROOST_RUN, "python", "-c", "pass"], cwd=project.root, env=env).returncode == 0
    venvs = sorted(place.rglob("venv-*"))
    if fault == "mode":
        outer.chmod(0o777)
        said = f"roost: `{outer}` can be written by others, so what `ROOST_DIR` puts there cannot be trusted: "
        said += f"set `ROOST_DIR` to a folder of your own, or `chmod go-w {outer}`\n"
    elif os.geteuid() == 0:
        os.chown(outer, NOBODY, NOBODY)
        said = f"roost: `{outer}` belongs to another user (uid {NOBODY}, you are 0), so what `ROOST_DIR` puts there "
        said += "cannot be trusted: set `ROOST_DIR` to a folder of your own\n"
    else:
        pytest.skip("only root can give a folder away")
    assert refused(project, env=env) == said
    assert refused(project, env=env, prefix=["/bin/sh", "-c", f'shift 2; exec "{ROOST_RUN}" "$@"', "sh"]) == said
    assert sorted(place.rglob("venv-*")) == venvs
    outer.chmod(0o1777)
    os.chown(outer, os.geteuid(), -1)
    assert project.python("pass", env=env).stderr == ""


@pytest.mark.parametrize("place", ["relative", "~/roost", "./roost", ".."])
def test_relative_folder_for_the_store_is_refused(project: Project, place: str) -> None:
    """From another current folder it would be another lock."""
    said = refused(project, env=dict(os.environ) | {"ROOST_DIR": place}, status=2)
    assert said == f"roost: `ROOST_DIR` is `{place}`: it must be an absolute path\n"
    assert sorted(path.name for path in project.root.iterdir()) == ["pyproject.toml", "uv.lock"]
