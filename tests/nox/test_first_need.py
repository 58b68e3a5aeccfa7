"""The shared venv is built when a session first needs it. A session that fills a venv of its own does without."""

import os
from pathlib import Path

import pytest

from tests.lib.nox_sessions import NOX, PREFIX, nox, own_venvs, session, write_noxfile
from tests.lib.processes import run
from tests.lib.projects import Project, SlowProject
from tests.lib.strace import trace
from tests.lib.variants import slow_after

FRUIT = (
    'session.run("python", "-c", "import importlib.util as u;'
    " print([n for n in ('apple', 'banana', 'cherry') if u.find_spec(n)])\")"
)
AT_THE_LOCATION = "external=True, env={'UV_PROJECT_ENVIRONMENT': session.virtualenv.location}"
REPLACING = {
    "sync of one group": (
        "session.run_install('uv', '--quiet', 'sync', '--only-group', 'dev', external=True)",
        "['banana']\n",
    ),
    "sync to the location": (
        f"session.run_install('uv', '--quiet', 'sync', '--no-default-groups', {AT_THE_LOCATION})",
        "['apple']\n",
    ),
    "sync to the location, with its Python": (  # nox's cookbook
        f"session.run_install('uv', '--quiet', 'sync', '--python', session.virtualenv.location, {AT_THE_LOCATION})",
        "['apple', 'banana']\n",
    ),
    "sync with a variable for its Python": (
        "session.run_install('uv', '--quiet', 'sync', external=True, env={'UV_PYTHON': session.virtualenv.location})",
        "['apple', 'banana']\n",
    ),
    "sync to a variable, after a command": (
        "session.env['UV_PROJECT_ENVIRONMENT'] = session.virtualenv.location; session.run('python', '-c', '');"
        " session.run_install('uv', '--quiet', 'sync', '--no-default-groups', external=True)",
        "['apple']\n",
    ),
    "pip sync": ("session.run('uv', '--quiet', 'pip', 'sync', 'requirements.txt')", "['cherry']\n"),
}


def _journal(project: Project) -> str:
    path = project.store / ".venv/.v2/journal"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("way", slow_after(1, REPLACING))
def test_session_that_replaces_everything_starts_empty(project: Project, way: str) -> None:
    project.file("requirements.txt", "cherry\n")
    words, expected = REPLACING[way]
    write_noxfile(project, session("tests", words, FRUIT, PREFIX))
    got = nox(project)
    (own,) = own_venvs(project, "tests")
    assert got.stdout == f"{expected}{own}\n", got.stderr
    assert project.venvs() == []
    assert _journal(project).count('"event": "build"') == 1
    assert "roost: building an empty venv, " in got.stderr
    assert nox(project, "-r").stdout == f"{expected}{own}\n"
    assert _journal(project).count('"event": "build"') == 1


@pytest.mark.parametrize(
    ("words", "made", "pythons"),
    [
        ("'uv', 'sync'", 0, 0),
        ("'uv', 'pip', 'sync', 'requirements.txt'", 1, 1),  # uv asks the new Python what it is
        ("'uv', 'pip', 'install', 'cherry'", 0, 2),  # and roost checks its health
    ],
)
def test_own_venv_costs_no_more_than_with_the_backend_uv(project: Project, words: str, made: int, pythons: int) -> None:
    """`uv sync` makes the venv itself, and so need not ask it what it is. The others need a venv.

    The marker is written once, since the command changes the venv at once.
    """
    project.file("requirements.txt", "cherry\n")
    write_noxfile(project, session("tests", f"session.run_install({words}, external=True)"))
    calls = [call for process in trace([NOX], project.root, "execve,rename,fsync") for call in process]
    started = [call.texts for call in calls if call.becomes()]
    assert sum(texts[0].endswith("/uv") and "venv" in texts for texts in started) == made
    python = [texts for texts in started if "/envs/session-" in texts[0] and "/compiler.py" not in "".join(texts)]
    assert len(python) == pythons, python
    assert sum(call.name == "rename" and call.texts[1].endswith("/complete") for call in calls) == 1
    assert sum(call.name == "fsync" for call in calls) == 2  # the marker, and its folder


def test_git_is_started_once_for_several_venvs(project: Project) -> None:
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    sync = "session.run_install('uv', 'sync', external=True)"
    write_noxfile(project, "".join(session(name, sync) for name in ("one", "two", "three")))
    calls = [call for process in trace([NOX], project.root, "execve") for call in process]
    # None for the first: git tracks nothing in a folder that did not exist.
    assert sum(call.becomes() and "ls-files" in call.texts for call in calls) == 1


@pytest.mark.parametrize("words", ["'--dry-run'", "'--group', 'nothing', success_codes=[2]"])
def test_sync_that_makes_no_venv_leaves_an_empty_one(project: Project, words: str) -> None:
    write_noxfile(
        project, session("tests", f"session.run_install('uv', 'sync', {words}, external=True)", FRUIT, PREFIX)
    )
    got = nox(project)
    assert got.stdout.splitlines()[-2:] == ["[]", str(own_venvs(project, "tests")[0])], got.stderr


def test_inexact_sync_keeps_what_the_environment_has(project: Project) -> None:
    sync = "session.run_install('uv', '--quiet', 'sync', '--inexact', '--no-default-groups', external=True)"
    write_noxfile(project, session("tests", sync, FRUIT))
    assert nox(project).stdout == "['apple', 'banana']\n"
    assert project.venvs() == []


@pytest.mark.slow
@pytest.mark.parametrize("words", ["'.'", "'apple>=1', '--resolution=lowest-direct'", "'-e', '.', './other'"])
def test_install_that_no_shared_venv_answers_builds_none(slow_project: SlowProject, words: str) -> None:
    slow_project.file("slow.txt", "0")
    slow_project.file(
        "other/pyproject.toml", '[project]\nname = "other"\nversion = "1"\n[build-system]\nrequires = []\n'
    )
    write_noxfile(slow_project, session("tests", f"session.install({words}, '--no-deps')", PREFIX))
    got = nox(slow_project)
    assert slow_project.venvs() == [], got.stderr
    assert len(own_venvs(slow_project, "tests")) == 1


@pytest.mark.parametrize(
    ("words", "shared"),
    [("'cherry>=1'", 0), ("'banana'", 1), ("'-c', 'none.txt', 'banana'", 1), ("'cherry; python_version<\"3\"'", 1)],
)
def test_package_that_the_lock_file_lacks_needs_no_shared_venv(project: Project, words: str, shared: int) -> None:
    project.file("none.txt", "")
    write_noxfile(project, session("tests", f"session.install({words})", FRUIT))
    got = nox(project)
    assert len(project.venvs()) == shared, got.stderr
    assert got.stdout == ("['apple', 'banana', 'cherry']\n" if not shared else "['apple', 'banana']\n"), got.stderr


def test_session_without_a_command_builds_nothing(project: Project) -> None:
    write_noxfile(project, session("tests", "print('ran')"))
    assert nox(project).stdout == "ran\n"
    assert project.all_venvs() == []


@pytest.mark.parametrize(
    "need",
    [
        "session.bin",
        pytest.param("session.env['VIRTUAL_ENV']", marks=pytest.mark.slow),
        pytest.param("session.bin_paths[0]", marks=pytest.mark.slow),
    ],
)
def test_property_that_names_the_venv_builds_it(project: Project, need: str) -> None:
    write_noxfile(project, session("tests", f"print({need}.removesuffix('/bin'))"))
    got = nox(project)
    assert got.stdout == f"{project.venvs()[0]}\n", got.stderr


def test_missing_python_skips_the_session_before_it_runs(project: Project) -> None:
    write_noxfile(project, session("tests", "print('ran')", options='python="3.99", download_python="never"'))
    got = nox(project)
    assert (got.returncode, got.stdout) == (0, ""), got.stderr
    assert "Session tests skipped: Python interpreter 3.99 not found" in got.stderr
    assert project.all_venvs() == []


def test_own_venv_is_used_again_without_a_shared_one(project: Project) -> None:
    write_noxfile(project, session("tests", "session.install('.', '--no-deps', '--dry-run')", PREFIX))
    first = nox(project)
    assert first.returncode == 0, first.stderr
    assert nox(project, "-R").stdout == first.stdout
    assert project.venvs() == []


def test_session_that_changes_the_folder_first_keeps_its_project(project: Project, tmp_path: Path) -> None:
    """Neither a folder outside of the project nor one with another `pyproject.toml` selects another venv."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project.file("inner/pyproject.toml", '[project]\nname = "inner"\nversion = "1"\n')
    outside = session("outside", f"session.chdir({str(elsewhere)!r})", "session.install('cherry')", FRUIT)
    inner = session("inner", "session.chdir('inner')", PREFIX)
    write_noxfile(project, outside + inner)
    got = nox(project, env={**os.environ, "UV_FIND_LINKS": str(project.wheels), "UV_NO_INDEX": "1"})
    assert got.stdout == f"['apple', 'banana', 'cherry']\n{project.venvs()[0]}\n", got.stderr
    assert not (project.root / "inner/.roost").exists()


def test_command_outside_of_the_venv_sees_it_on_path(built: Project) -> None:
    write_noxfile(built, session("tests", "session.run('sh', '-c', 'command -v python', external=True)"))
    got = nox(built, env=dict(os.environ))
    assert got.stdout == f"{built.venvs()[0]}/bin/python\n", got.stderr
    assert run([got.stdout.strip(), "--version"]).returncode == 0
