"""The nox backend, as users of nox see it."""

import os
import sys

import pytest

from tests.lib.nox_sessions import (
    HEAD,
    HERE_PYTHON,
    OTHER_PYTHON,
    PREFIX,
    nox,
    own_venvs,
    session,
    with_other_python,
    write_noxfile,
)
from tests.lib.processes import ROOST, run
from tests.lib.projects import Project
from tests.lib.variants import slow_after

needs_another_python = pytest.mark.skipif(not OTHER_PYTHON, reason="there is only one Python on this machine")
WHOLE = 'session.run("python", "-c", "import sys, apple.late, banana.late; print(sys.prefix)")'


def test_session_runs_in_the_venv_that_roost_run_uses(project: Project) -> None:
    write_noxfile(project, session("tests", WHOLE))
    got = nox(project)
    assert got.returncode == 0, got.stderr
    assert got.stdout.strip() == str(project.venvs()[0])
    assert project.python("import sys; print(sys.prefix)").stdout == got.stdout
    assert len(project.journal("build")) == 1


@pytest.mark.parametrize(
    ("head", "options", "env"),
    slow_after(
        2,
        [
            (HEAD, "", {}),
            ("import nox, roost.nox\n", 'venv_backend="roost"', {}),
            ("import nox, roost.nox\n", "", {"NOX_DEFAULT_VENV_BACKEND": "roost"}),
            (f'# /// script\n# dependencies = ["nox", "roost"]\n# ///\n{HEAD}', "", {}),
        ],
    ),
    ids=["options", "decorator", "variable", "script"],
)
def test_every_way_to_select_the_backend(built: Project, head: str, options: str, env: dict[str, str]) -> None:
    write_noxfile(built, session("tests", "print(session.venv_backend)", WHOLE, options=options), head)
    got = nox(built, env=dict(os.environ) | env)
    assert got.returncode == 0, got.stderr
    assert got.stdout.splitlines() == ["roost", str(built.venvs()[0])]


def test_commands_of_a_session_get_the_venv_and_nothing_of_another(built: Project) -> None:
    names = ("VIRTUAL_ENV", "PATH", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "VIRTUAL_ENV_PROMPT", "PYTHONHOME")
    code = f"import os; [print(os.environ.get(name)) for name in {names}]"
    write_noxfile(built, session("tests", f"session.run('python', '-c', {code!r})"))
    env = dict(os.environ) | {
        "UV_PROJECT_ENVIRONMENT": "/a",
        "UV_PYTHON": "/b",
        "VIRTUAL_ENV": "/c",
        "VIRTUAL_ENV_PROMPT": "d",
    }
    venv, path, *rest = nox(built, env=env).stdout.splitlines()
    assert venv == str(built.venvs()[0])
    assert path.startswith(f"{venv}/bin:")
    assert rest == ["None"] * 4


def test_warm_session_imports_nothing_heavy(built: Project) -> None:
    write_noxfile(built, session("tests", "session.run('python', '-c', 'pass')"))
    assert nox(built).returncode == 0
    own = session("tests", "pass").replace("pass", "print(*sorted(sys.modules))")
    write_noxfile(built, f"import sys\nbefore = set(sys.modules)\n{own}")
    modules = set(nox(built).stdout.split())
    assert {name for name in modules if name.partition(".")[0] in ("roost", "filelock", "click", "tomli")} == {
        "roost",
        "roost.environment",
        "roost.errors",
        "roost.nox",
        "roost.system",
        "roost.system.files",
        "roost.system.locks",
        "roost.system.paths",
        "roost.warm",
    }


def test_lease_is_held_until_nox_ends(project: Project) -> None:
    clean = f"session.run({ROOST!r}, 'clean', '--all', external=True)"
    write_noxfile(project, session("first", "pass") + session("second", clean))
    project.python("pass")
    project.age()
    got = nox(project)
    assert got.returncode == 0
    assert "target of a link" in got.stdout  # so remove the link
    (project.store / ".venv/default").unlink()
    write_noxfile(
        project, session("first", "pass") + session("second", "import pathlib, os", "age()", clean), HEAD + _AGE
    )
    got = nox(project)
    assert f"kept {project.venvs()[0]}: in use" in got.stdout, got.stdout + got.stderr
    project.age()
    assert "removed" in project.roost("clean", "--all").stdout


_AGE = """
import glob, os
def age():
    for path in glob.glob('.roost/.venv/.v2/envs/*/*.lease'):
        os.utime(path, (1, 1))
"""


def test_failed_build_is_one_sentence_and_a_failed_session(project: Project) -> None:
    project.edit("pyproject.toml", '["banana"]', '["banana", "cherry"]')
    write_noxfile(project, session("tests", "session.run('python')"))
    got = nox(project)
    assert got.returncode == 1
    assert "nox > Session tests failed." in got.stderr
    assert "Traceback" not in got.stderr
    assert "run `roost uv lock`" in got.stderr
    assert project.complete() == []


def test_project_without_a_pyproject_fails_in_words(project: Project) -> None:
    write_noxfile(project, session("tests", "pass"))
    (project.root / "pyproject.toml").unlink()
    got = nox(project)
    assert got.returncode == 1
    assert "nox > roost: no `pyproject.toml` in" in got.stderr
    assert "Traceback" not in got.stderr


@needs_another_python
def test_one_venv_for_each_python_shared_by_all_sessions_that_ask_for_it(project: Project) -> None:
    versions = f"python={[HERE_PYTHON, OTHER_PYTHON]!r}"
    show = 'session.run("python", "-c", "import sys; print(sys.prefix, sys.version_info[1])")'
    write_noxfile(project, session("tests", show, options=versions) + session("types", show, options=versions))
    got = nox(project, env=with_other_python())
    assert got.returncode == 0, got.stderr
    here, other, again_here, again_other = map(str.split, got.stdout.splitlines())
    assert (here, other) == (again_here, again_other)
    assert here[0] != other[0]
    assert [f"3.{minor}" for _, minor in (here, other)] == [HERE_PYTHON, OTHER_PYTHON]
    assert len(project.venvs()) == 2


@pytest.mark.slow
@needs_another_python
def test_keep_counts_for_each_python(project: Project) -> None:
    """A matrix of Pythons must not push its own venvs out."""
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\nkeep = 1")
    write_noxfile(project, session("tests", PREFIX, options=f"python={[HERE_PYTHON, OTHER_PYTHON]!r}"))
    for requirement in ('["apple"]', '["apple<2"]'):
        project.edit("pyproject.toml", "dependencies = ", f"dependencies = {requirement}\n# ")
        project.lock()
        project.age()
        assert nox(project, env=with_other_python()).returncode == 0
    project.age()
    for name in project.links():
        (project.store / ".venv" / name).unlink()
    cleaned = project.roost("clean").stdout
    assert cleaned.count("the newest of `default`") == 2, cleaned


def test_missing_interpreter_is_skipped_or_failed_as_nox_does(built: Project) -> None:
    write_noxfile(built, session("tests", "pass", options='python="3.99"'))
    got = nox(built)
    assert got.returncode == 0
    assert "Session tests skipped: Python interpreter 3.99 not found" in got.stderr
    got = nox(built, "--error-on-missing-interpreters")
    assert got.returncode == 1
    assert "Session tests failed: Python interpreter 3.99 not found" in got.stderr
    assert "Traceback" not in got.stderr


def test_missing_python_of_the_project_is_not_skipped(project: Project) -> None:
    project.file(".python-version", "3.99\n")
    write_noxfile(project, session("tests", "pass"))
    got = nox(project)
    assert got.returncode == 1
    assert f"no Python satisfies `3.99` (`{project.root}/.python-version`)" in got.stderr


@pytest.mark.parametrize(
    ("how", "asked"), [("never", 0), ("auto", 1), pytest.param("always", 1, marks=pytest.mark.slow)]
)
def test_download_python_is_honoured(project: Project, how: str, asked: int) -> None:
    """With a nox whose own download only notes that it was asked for one."""
    head = HEAD + "roost.nox.uv_install_python = lambda version: print('download', version)\n"
    write_noxfile(project, session("tests", "pass", options='python="3.99"'), head)
    if "--download-python" not in nox(project, "--help").stdout:
        pytest.skip("this nox has no such option")
    got = nox(project, "--download-python", how)
    assert got.stdout.splitlines() == ["download 3.99"] * asked
    assert "Session tests skipped" in got.stderr


def test_venv_params_choose_a_named_environment(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []")
    spec = 'session.run("python", "-c", "import importlib.util as u; print(u.find_spec(\'banana\') is None)")'
    write_noxfile(
        project,
        session("one", spec, options='venv_params=["--env", "bare"]')
        + session("two", spec, options='venv_params=["--env=bare"]')
        + session("three", spec)
        + session("four", spec, options='venv_params=["--env", "fruit"]')
        + session("five", spec, options='venv_params=["--clear"]'),
    )
    got = nox(project)
    assert got.stdout.split() == ["True", "True", "False"]
    assert (
        f"nox > roost: there is no environment `fruit` in `{project.root}/pyproject.toml`: it has `bare`, `default`"
        in (got.stderr)
    )
    assert '`venv_params=[\'--clear\']` is not valid for the backend `roost`: use `["--env", "NAME"]`' in got.stderr
    assert "Traceback" not in got.stderr
    assert len(project.venvs()) == 2


def test_flags_and_methods_of_nox_work_as_with_its_own_backends(built: Project) -> None:
    bin_folder = "session.run('python', '-c', 'import sys; print(sys.executable)', silent=True)"
    temporary = "session.run('python', '-c', 'import tempfile; print(tempfile.gettempdir())', silent=True)"
    lines = [
        "import os",
        f"print(session.bin == os.path.dirname({bin_folder}))",
        "print(session.bin_paths == [session.bin], session.python, session.virtualenv.is_sandboxed)",
        f"print(os.path.abspath(session.create_tmp()) == session.env['TMPDIR'] == {temporary}.strip())",
        "session.run_install('python', '-c', 'print(123)')",
        "session.notify('second')",
    ]
    write_noxfile(built, session("first", *lines) + session("second", PREFIX))
    got = nox(built, "-s", "first")
    assert got.returncode == 0, got.stderr
    assert got.stdout.splitlines() == ["True", "True None True", "True", "123", str(built.venvs()[0])]
    listed = nox(built, "--list")
    assert "* first" in listed.stdout
    assert "* second" in listed.stdout


def test_install_only_skips_runs_and_no_venv_uses_none(built: Project) -> None:
    write_noxfile(
        built,
        session("tests", "session.run_install('python', '-c', 'print(1)')", "session.run('python', '-c', 'print(2)')"),
    )
    assert nox(built, "--install-only").stdout == "1\n"
    write_noxfile(built, session("tests", "print(session.venv_backend)"))
    assert nox(built, "--no-venv").stdout == "none\n"
    assert nox(built, "--force-venv-backend", "none").stdout == "none\n"


@pytest.mark.slow
def test_no_install_skips_what_nox_skips_once_the_environment_is_known(project: Project) -> None:
    write_noxfile(project, session("tests", "session.run_install('python', '-c', 'print(1)')"))
    assert nox(project, "-R").stdout == "1\n"  # nothing to reuse yet
    assert nox(project, "-R").stdout == ""
    assert nox(project, "--reuse-existing-virtualenvs", "--no-install").stdout == ""
    assert nox(project, "--no-install").stdout == "1\n"  # not reused
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    project.lock()
    assert nox(project, "-R").stdout == "1\n"  # another environment


def test_error_on_external_run_is_honoured(built: Project) -> None:
    write_noxfile(built, session("tests", "session.run('sh', '-c', 'echo ran')"))
    got = nox(built, "--error-on-external-run")
    assert (got.returncode, got.stdout) == (1, "")
    assert nox(built).stdout == "ran\n"


def test_requires_is_honoured(built: Project) -> None:
    write_noxfile(built, session("second", "print(2)", options='requires=["first"]') + session("first", "print(1)"))
    got = nox(built, "-s", "second")
    assert got.stdout.split() == ["1", "2"], got.stderr


def test_conda_install_gets_the_error_of_nox(built: Project) -> None:
    write_noxfile(built, session("tests", "session.conda_install('six')"))
    got = nox(built)
    assert got.returncode == 1
    assert "A session without a conda environment can not install dependencies from conda" in got.stderr


@pytest.mark.slow
def test_move_back_to_a_backend_of_nox_needs_no_clean_up(project: Project) -> None:
    write_noxfile(project, session("tests", "session.install('cherry')", PREFIX))
    assert nox(project).returncode == 0
    assert len(own_venvs(project, "tests")) == 1
    got = nox(project, "--force-venv-backend", "uv")
    assert (got.returncode, got.stdout.strip()) == (0, str(project.root / ".nox/tests")), got.stderr


def test_noxfile_in_a_folder_of_the_project(built: Project) -> None:
    built.file("tools/noxfile.py", HEAD + session("tests", WHOLE))
    got = run([*_nox(), "-f", "tools/noxfile.py"], cwd=built.root)
    assert got.stdout.strip() == str(built.venvs()[0])


def _nox() -> list[str]:
    return [sys.executable, "-m", "nox"]
