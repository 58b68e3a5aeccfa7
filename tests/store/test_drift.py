"""Changes by others to a venv, a project's place or an interpreter: noticed, reported, and built again next to the old one."""

import json
import os
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.processes import UV, finish, run, wait_for
from tests.lib.projects import Project, builds
from tests.lib.variants import slow_after
from tests.lib.venvs import FakePython, site_packages
from tests.lib.wheels import make_wheel

LATE = """
import apple, os, time
open("started", "w")
while not os.path.exists("go"): time.sleep(0.01)
import apple.later, banana.later
print(apple.later.VERSION)
"""


def delete_package(project: Project, venv: Path) -> None:
    """Delete a package's folder."""
    del project
    shutil.rmtree(site_packages(venv) / "cherry")


def delete_metadata(project: Project, venv: Path) -> None:
    """Delete a package's metadata, as an install that was interrupted does."""
    del project
    shutil.rmtree(site_packages(venv) / "cherry-1.0.dist-info")


def install_another(project: Project, venv: Path) -> None:
    """Install a package that the project does not ask for."""
    pip_install(project, venv, "durian")


def uninstall(project: Project, venv: Path) -> None:
    """Uninstall a package."""
    del project
    run([UV, "pip", "uninstall", "--quiet", "--python", venv / "bin/python", "cherry"], check=True)


def reinstall_another_build(project: Project, venv: Path) -> None:
    """Install another build of a package under the same name and version."""
    pip_install(project, venv, "--reinstall-package=cherry", "--no-deps", "cherry==1.0")


def pip_install(project: Project, venv: Path, *words: str) -> None:
    """Install into a venv from the folder `other` next to the project."""
    other = project.root.parent / "other"
    other.mkdir()
    make_wheel(other, "durian", "1.0")
    make_wheel(other, "cherry", "1.0", build="7")
    command: list[str | Path] = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--python",
        venv / "bin/python",
        "--no-index",
        "--find-links",
        other,
    ]
    run([*command, "--no-cache", *words], check=True)


def edit_pyvenv(project: Project, venv: Path) -> None:
    """Let the venv see the packages of its base interpreter."""
    del project
    text = (venv / "pyvenv.cfg").read_text()
    (venv / "pyvenv.cfg").write_text(
        text.replace("include-system-site-packages = false", "include-system-site-packages = true")
    )


def remake(project: Project, venv: Path) -> None:
    """Make the venv again in its place, as `uv venv --clear` through a link does."""
    run([UV, "venv", "--quiet", "--clear", "--no-project", venv], cwd=project.root, check=True)


def delete_a_command(project: Project, venv: Path) -> None:
    """Delete a command."""
    del project
    (venv / "bin/cherry").unlink()


def leave_egg_info(project: Project, venv: Path) -> None:
    """Install as `setup.py install` did."""
    del project
    (site_packages(venv) / "durian-1.0.egg-info").write_text("")


DRIFTS = [
    (delete_metadata, "`cherry 1.0` was removed from `{venv}`"),
    (install_another, "`durian 1.0` was added to `{venv}`"),
    (reinstall_another_build, "`cherry 1.0` was reinstalled in `{venv}`"),
    (remake, "`{venv}` was changed (`pyvenv.cfg`)"),
    (delete_a_command, "`cherry` was removed from `{venv}`"),
    (delete_package, "`cherry` was removed from `{venv}`"),
    (uninstall, "`cherry 1.0` was removed from `{venv}`"),
    (edit_pyvenv, "`{venv}` was changed (`pyvenv.cfg`)"),
    (leave_egg_info, "`durian 1.0` was added to `{venv}`"),
]


@pytest.mark.parametrize(("change", "sentence"), slow_after(3, DRIFTS), ids=[change.__name__ for change, _ in DRIFTS])
def test_changed_venv_is_reported_and_another_is_built(
    project: Project, change: Callable[[Project, Path], None], sentence: str
) -> None:
    """What runs in the old one goes on, and keeps what was not taken from it."""
    project.write(dependencies=["apple", "cherry"], groups={"dev": ["banana"]})
    project.lock()
    session = project.start("run", "python", "-c", LATE)
    wait_for((project.root / "started").exists, "the session")
    old = project.venvs()[0]
    change(project, old)
    got = project.python("import cherry, sys; print(cherry.VERSION, sys.prefix)")
    new = project.complete()[0]
    assert (got.returncode, got.stdout) == (0, f"1.0 {new}\n"), got.stderr
    assert sentence.format(venv=old.name) in got.stderr
    assert got.stderr.count("building") == 1
    assert new != old
    assert project.venvs() == sorted([old, new])
    assert project.python("pass").stderr == ""
    if change is not remake:
        (project.root / "go").touch()
        assert finish(session)[:2] == (0, "2.0\n")
    else:
        session.kill()
        finish(session)


def test_removed_venv_is_built_again(project: Project) -> None:
    project.python("pass")
    old = project.venvs()[0]
    shutil.rmtree(old)
    got = project.python("import apple")
    assert got.returncode == 0
    assert f"`{old.name}` was removed" in got.stderr
    assert os.readlink(project.store / ".venv/default") == str(project.complete()[0])


@pytest.mark.parametrize("name", ["complete", "*.lease"])
def test_removed_marker_or_lease_leads_to_another_build(project: Project, name: str) -> None:
    project.python("pass")
    old = project.venvs()[0]
    next(old.parent.glob(name)).unlink()
    got = project.python("import apple")
    assert got.returncode == 0, got.stderr
    assert (
        ("there is no venv" in got.stderr)
        or (f"the lease file of `{old.name}` was removed" in got.stderr)
        or (name == "complete")
    )
    assert project.python("import apple").stderr == ""
    assert len(project.complete()) == 1
    assert old not in project.complete()


def test_replaced_lease_is_not_the_one_that_sessions_hold(project: Project) -> None:
    """A new file under the old name would let a removal through while a session holds the old one."""
    project.python("pass")
    old = project.venvs()[0]
    lease = Path(f"{old}.lease")
    shutil.copy(lease, f"{lease}.new")
    os.replace(f"{lease}.new", lease)
    got = project.python("import apple")
    assert f"the lease file of `{old.name}` was replaced" in got.stderr
    assert old not in project.complete()


JUNK = ("", "{", "null", "[]", '{"format": 1}', "[" * 100_000, "\x00", '{"format": 1e999}')


@pytest.mark.slow
def test_marker_that_is_junk_is_no_marker(project: Project) -> None:
    project.python("pass")
    for junk in JUNK:
        next(project.store.glob(".venv/.v2/envs/*/complete")).write_text(junk)
        got = project.python("import apple")
        assert got.returncode == 0, (junk, got.stderr)
        assert "its marker cannot be read" in got.stderr or "its marker is of another format" in got.stderr, junk
        assert len(project.complete()) == 1


@pytest.mark.slow
def test_marker_with_wrong_content_is_no_marker(project: Project) -> None:
    project.python("pass")
    path = next(project.store.glob(".venv/.v2/envs/*/complete"))
    wrong = {
        "venv": "/nowhere/venv-abcdef",
        "folders": {"/nowhere": 3},
        "records": {"/nowhere": 3},
        "parts": {},
        "lease": 1,
        "fingerprint": "0" * 16,
    }
    for number, (field, value) in enumerate(wrong.items(), 1):
        path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
        got = project.python("import apple")
        assert got.returncode == 0, (field, got.stderr)
        assert "Traceback" not in got.stderr, field
        assert builds(project) == 1 + number, field


PLACE = "import apple, os, sys; print(sys.prefix, os.environ['VIRTUAL_ENV'], apple.__file__)"


def test_moved_project_is_built_again(project: Project) -> None:
    project.roost("sync")
    there = project.root.parent / "there"
    project.root.rename(there)
    moved = Project(there, project.wheels)
    got = moved.python(PLACE)
    assert got.returncode == 0, got.stderr
    assert all(word.startswith(f"{there}/.roost/") for word in got.stdout.split())
    assert "project path" in got.stderr
    assert len(moved.journal("build")) == 2
    assert os.path.realpath(there / ".roost/.venv/default") == got.stdout.split()[0]


def test_renamed_parent_folder(project: Project) -> None:
    project.python("pass")
    parent = project.root.parent.with_name("renamed")
    os.chdir(parent.parent)
    project.root.parent.rename(parent)
    moved = Project(parent / "project", project.wheels)
    got = moved.python(PLACE)
    assert got.returncode == 0, got.stderr
    assert all(word.startswith(f"{moved.root}/.roost/") for word in got.stdout.split())


def test_copied_project_never_runs_what_the_original_has(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]", '[tool.roost]\nlink = ".venv"')
    project.roost("sync")
    there = project.root.parent / "copy"
    run(["cp", "-a", project.root, there], check=True)
    copy = Project(there, project.wheels)
    got = copy.python(PLACE)
    assert got.returncode == 0, got.stderr
    assert all(word.startswith(f"{there}/.roost/") for word in got.stdout.split())
    for link in (".roost/.venv/default", ".venv"):
        assert os.path.realpath(there / link).startswith(f"{there}/.roost/.venv/.v2/envs/")
        assert os.path.realpath(project.root / link) == str(project.venvs()[0])
    assert len(copy.journal("build")) == 2
    assert project.python("pass").stderr == ""
    shutil.rmtree(project.root)
    assert copy.python("import apple").stderr == ""


def test_project_reached_by_a_link_is_the_same_project(project: Project) -> None:
    project.python("pass")
    link = project.root.parent / "link"
    link.symlink_to(project.root)
    got = run([*("sh", "-c"), f"cd {link} && exec {shutil.which('true')}"])
    assert got.returncode == 0
    linked = Project(link, project.wheels)
    assert linked.python("pass").stderr == ""
    assert linked.roost("key").stdout == project.roost("key").stdout


BASE = "import sys; print(sys.base_prefix)"


def test_upgraded_interpreter_is_noticed(project: Project, fake: FakePython) -> None:
    assert project.python(BASE).stdout == f"{fake.folder}\n"
    assert project.python(BASE).stderr == ""
    fake.upgrade()
    got = project.python(BASE)
    assert (got.returncode, got.stdout) == (0, f"{fake.folder}\n"), got.stderr
    assert "changed: interpreter file" in got.stderr
    assert len(project.journal("build")) == 2
    assert project.python(BASE).stderr == ""


@pytest.mark.slow
def test_interpreter_that_is_only_touched_rebuilds_nothing(project: Project, fake: FakePython) -> None:
    """A container that is made again has the same file with another time stamp."""
    project.python(BASE)
    copy = fake.program.with_suffix(".new")
    shutil.copy(fake.program, copy)
    copy.replace(fake.program)
    got = project.python(BASE)
    assert (got.returncode, got.stderr) == (0, "")
    assert len(project.journal("build")) == 1


def test_vanished_interpreter_leads_to_another(
    project: Project, fake: FakePython, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert project.python(BASE).stdout == f"{fake.folder}\n"
    shutil.rmtree(fake.folder)
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "none"))
    got = project.python("open('ran', 'w')")
    assert got.returncode == 125
    assert "no Python satisfies `>=3.11` (`project.requires-python` in" in got.stderr
    assert "Traceback" not in got.stderr
    assert not (project.root / "ran").exists()
    other = FakePython(tmp_path / "other")
    monkeypatch.setenv("PATH", f"{other.folder}/bin:{os.environ['PATH']}")
    got = project.python(BASE)
    assert (got.returncode, got.stdout) == (0, f"{other.folder}\n"), got.stderr
    assert "changed: interpreter path" in got.stderr


@pytest.mark.slow
def test_interpreter_under_two_names_is_one(project: Project, fake: FakePython, tmp_path: Path) -> None:
    """As `/bin/python3` and `/usr/bin/python3` are, in whatever order they come."""
    (tmp_path / "alias").symlink_to(fake.folder)
    program = tmp_path / "alias/bin" / fake.program.name
    prefixes = set()
    for python in (program, None, fake.program, program.with_name("python3")):
        words = ["--python", str(python)] if python else []
        got = project.roost("run", *words, "python", "-c", "import sys; print(sys.prefix)")
        assert got.returncode == 0, got.stderr
        prefixes.add(got.stdout)
    assert len(prefixes) == len(project.journal("build")) == 1
    (tmp_path / "alias").unlink()
    assert project.python(BASE).stderr == ""


@pytest.mark.slow
def test_link_that_now_leads_to_another_interpreter_is_noticed(
    project: Project, fake: FakePython, tmp_path: Path
) -> None:
    """Such as Homebrew's, after an upgrade next to the old version."""
    alias = tmp_path / "alias"
    alias.symlink_to(fake.folder)
    start = ["run", "--python", f"{alias}/bin/{fake.program.name}", "python", "-c", BASE]
    assert project.roost(*start).stdout == f"{fake.folder}\n"
    other = FakePython(tmp_path / "other")
    alias.unlink()
    alias.symlink_to(other.folder)
    assert project.roost(*start).stdout == f"{other.folder}\n"
    assert fake.folder.exists()


@pytest.mark.slow
def test_start_with_a_python_of_its_own_makes_no_link(project: Project, fake: FakePython, tmp_path: Path) -> None:
    """The link `default` is for editors: it leads to a venv with the project's own Python."""
    other = FakePython(tmp_path / "other")
    assert project.roost("run", "--python", other.program, "python", "-c", BASE).stdout == f"{other.folder}\n"
    assert project.links() == []
    assert project.python(BASE).stdout == f"{fake.folder}\n"
    assert project.links() == ["default"]
    assert run([project.store / ".venv/default/bin/python", "-c", BASE]).stdout == f"{fake.folder}\n"


def test_interpreter_that_does_not_run_is_reported(project: Project, fake: FakePython) -> None:
    fake.program.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    got = project.python("open('ran', 'w')")
    assert got.returncode == 125
    assert "no Python satisfies" in got.stderr or "does not run" in got.stderr
    assert "Traceback" not in got.stderr


def test_chosen_interpreter_stays_chosen_on_another_path(
    project: Project, fake: FakePython, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A hook that a graphical client starts has another PATH than a terminal."""
    other = FakePython(tmp_path / "other")
    assert project.python(BASE).stdout == f"{fake.folder}\n"
    for path in (f"{other.folder}/bin:{os.environ['PATH']}", f"{other.folder}/bin", "/nowhere"):
        monkeypatch.setenv("PATH", path)
        os.utime(project.root / "pyproject.toml")
        got = project.python(BASE)
        assert (got.returncode, got.stdout, got.stderr) == (0, f"{fake.folder}\n", "")
    monkeypatch.setenv("PATH", f"{other.folder}/bin")
    version = sysconfig.get_python_version()
    project.file(".python-version", f"{version}\n")  # another request, that the same Python satisfies
    got = project.python(BASE)
    assert (got.returncode, got.stdout, got.stderr) == (0, f"{fake.folder}\n", "")
    assert len(project.journal("build")) == 1
