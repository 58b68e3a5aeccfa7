"""Wrong arguments on the command line, and unusual surroundings."""

import os
import shutil
from pathlib import Path

import pytest

from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.projects import Project, refused
from tests.lib.variants import slow_after


@pytest.mark.parametrize("text", slow_after(2, ["soon", "nan", "", "-1", "inf", "1e400", "5 s"]))
def test_timeout_that_is_no_number_of_seconds(project: Project, text: str) -> None:
    said = refused(project, status=2, env=dict(os.environ) | {"ROOST_TIMEOUT": text})
    assert said == f"roost: `ROOST_TIMEOUT` is `{text}`: it must be a number of seconds, 0 or more\n"
    got = project.roost("sync", env=dict(os.environ) | {"ROOST_TIMEOUT": text})
    assert (got.returncode, got.stdout, got.stderr) == (2, "", said)


@pytest.mark.slow
@pytest.mark.parametrize("state", ["cold", "warm"])
def test_folder_that_is_not_there(project: Project, state: str) -> None:
    if state == "warm":
        assert project.python("pass").returncode == 0
        assert project.python("pass").stderr == ""
    for name in ("nowhere", "nowhere/deeper", "pyproject.toml"):
        sentence = f"`{project.root}/{name}` is not a folder: name one inside a project\n"
        assert refused(project, "--project", name, status=2) == f"roost: {sentence}"
        for command in ("sync", "clean", "key"):
            got = project.roost(command, "--project", name)
            assert (got.returncode, got.stdout, got.stderr) == (2, "", f"roost: {sentence}")
    assert refused(project, "--directory", "nowhere", status=2) == (
        "roost: `--directory nowhere`: No such file or directory\n"
    )
    assert "`--directory pyproject.toml`: Not a directory" in refused(
        project, "--directory", "pyproject.toml", status=2
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run"], "Missing argument 'COMMAND...'"),
        (["pytest"], "No such command 'pytest'. To run it in the environment: roost run pytest"),
        (
            ["log", "--since", "3"],
            "`--since` needs `--timeline FILE`; without it, `-n COUNT` sets the number of events",
        ),
        (["run", "--"], "Missing argument 'COMMAND...'"),
        (["run", "--nonsense", "python"], "No such option"),
        (["run", "--env"], "Option '--env' requires an argument"),
        (["run", "-x"], "No such option"),
        (["sync", "python"], "Got unexpected extra argument (python)"),
        (["sync", "--env", "default", "--all"], "`--env` and `--all` exclude each other"),
        (["sync", "--project"], "Option '--project' requires an argument"),
        (["clean", "everything"], "Got unexpected extra argument (everything)"),
        (["key", "--all"], "No such option"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_usage_errors(project: Project, words: list[str], sentence: str) -> None:
    got = project.roost(*words)
    assert (got.returncode, got.stdout) == (2, "")
    assert sentence in got.stderr
    assert "Traceback" not in got.stderr
    assert not project.store.exists()


def test_roost_run_takes_the_options_of_run(built: Project) -> None:
    assert built.roost("run", "--help").stdout == run([ROOST_RUN, "--help"], cwd=built.root).stdout != ""
    got = run([ROOST_RUN, "--env", "docs", "python"], cwd=built.root)
    assert got.returncode == 125
    assert "there is no environment `docs`" in got.stderr


def test_arguments_that_are_no_text(built: Project) -> None:
    """A name that is not UTF-8 goes into the lock's record and into messages."""
    got = run([ROOST, "run", b"\xff".decode(errors="surrogateescape")], cwd=built.root)
    assert got.returncode == 127
    assert "is not in the environment" in got.stderr
    assert "Traceback" not in got.stderr


def test_closed_standard_streams_cost_nothing(built: Project) -> None:
    """Files that roost opens then get the numbers 0 to 2."""
    command = f'exec {ROOST} run python -c \'import apple; open("ran", "w")\' <&- >&- 2>&-'
    got = run(["/bin/sh", "-c", command], cwd=built.root)
    assert got.returncode == 0
    assert (built.root / "ran").exists()


def test_uv_that_is_nowhere_is_reported(project: Project, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "uv.py").write_text("raise ImportError\n")
    env = dict(os.environ) | {"PYTHONPATH": str(hidden), "PATH": str(hidden)}
    said = refused(project, env=env)
    assert "`uv` is neither installed next to roost nor on PATH: `pip install uv`" in said


def test_project_in_a_folder_with_unusual_letters(project: Project) -> None:
    strange = project.root.parent / "a b'\"\\ü%2F\n$x"
    shutil.move(project.root, strange)
    moved = Project(strange, project.wheels)
    for _ in range(2):
        got = moved.python("import apple, sys; print(sys.prefix)")
        assert (got.returncode, got.stdout) == (0, f"{moved.venvs()[0]}\n"), got.stderr
