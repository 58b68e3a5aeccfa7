"""`roost run`, as a user sees it."""

import json
import os
import signal

from tests.lib.processes import ROOST, ROOST_RUN, run
from tests.lib.projects import Project


def test_first_run_builds_and_says_so_second_says_nothing(project: Project) -> None:
    first = project.python("import apple, banana; print(apple.VERSION)")
    assert (first.returncode, first.stdout) == (0, "2.0\n")
    assert "building `default` with uv (uv.lock), Python 3." in first.stderr
    second = project.python("import apple, banana; print(apple.VERSION)")
    assert (second.returncode, second.stdout, second.stderr) == (0, "2.0\n", "")
    assert len(project.venvs()) == 1
    assert os.readlink(project.store / ".venv/default") == str(project.venvs()[0])


def test_every_argument_reaches_the_command_unchanged(built: Project) -> None:
    words = ["", "a b", "--env", "-x", "--", "'\"", "ü", "line\nline", "*", "$HOME"]
    got = built.run("python", "-c", "import sys; print(sys.argv[1:])", *words)
    assert got.stdout == f"{words}\n"


def test_exit_status_and_signals_are_the_commands_own(built: Project) -> None:
    assert built.python("raise SystemExit(7)").returncode == 7
    killed = built.python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert killed.returncode == -signal.SIGTERM


def test_command_replaces_roost(built: Project) -> None:
    child = built.start("run", "python", "-c", "import os; print(os.getpid())")
    out, _ = child.communicate()
    assert int(out) == child.pid


def test_ignored_signals_are_what_a_shell_would_give(built: Project) -> None:
    """Also where this runs under `nohup` or in the background; Python itself ignores SIGPIPE and SIGXFSZ."""
    command = ["grep", "SigIgn", "/proc/self/status"]
    for state in ("cold", "warm"):
        assert built.run("--external", *command).stdout == run(command).stdout, state
        ignoring = ["sh", "-c", 'trap "" HUP USR1; exec "$@"', "sh"]
        got = run([*ignoring, ROOST, "run", "--external", *command], cwd=built.root)
        assert got.stdout == run([*ignoring, *command]).stdout != run(command).stdout, state


def test_environment_of_a_command(built: Project) -> None:
    env = dict(os.environ) | {
        "PYTHONHOME": "",
        "UV_PROJECT_ENVIRONMENT": "/nowhere",
        "VIRTUAL_ENV": "/other",
        "GIT_DIR": "/some/git",
    }
    code = (
        "import json, os; print(json.dumps([os.environ.get(n) for n in "
        "('VIRTUAL_ENV', 'PYTHONHOME', 'UV_PROJECT_ENVIRONMENT', 'GIT_DIR')] + [os.environ['PATH'].split(':')[0]]))"
    )
    venv, home, uv, git, first = json.loads(built.python(code, env=env).stdout)
    assert venv == str(built.venvs()[0])
    assert (home, uv, git) == (None, None, "/some/git")
    assert first == f"{venv}/bin"


def test_command_is_never_taken_from_path(built: Project) -> None:
    got = built.run("sh", "-c", "echo ran")
    assert (got.returncode, got.stdout) == (127, "")
    assert "`sh` is not in the environment `default`" in got.stderr
    assert (
        f"to the group `dev` in `{built.root}/pyproject.toml`, then `roost uv lock`; `--external` would run"
        in got.stderr
    )
    got = built.run("--external", "sh", "-c", "echo ran")
    assert (got.returncode, got.stdout) == (0, "ran\n")


def test_command_with_a_slash_is_a_path(project: Project) -> None:
    script = project.file("tool.sh", "#!/bin/sh\necho $VIRTUAL_ENV\n")
    got = project.run("./tool.sh")
    assert got.returncode == 126
    assert got.stderr.endswith(f"`{script}` cannot be run: Permission denied\n")
    script.chmod(0o755)
    assert project.run("./tool.sh").stdout.strip() == str(project.venvs()[0])
    assert project.run("./nothing.sh").returncode == 127


def test_directory_and_project_options(project: Project) -> None:
    (project.root / "sub").mkdir()
    where = project.root.parent
    got = run([ROOST, "run", "--directory", "project/sub", "python", "-c", "import os; print(os.getcwd())"], cwd=where)
    assert got.stdout.strip() == str(project.root / "sub")
    got = run([ROOST, "run", "--project=project", "python", "-c", "import os; print(os.getcwd())"], cwd=where)
    assert got.stdout.strip() == str(where)
    assert run([ROOST, "run", "--directory", "nowhere", "python"], cwd=where).returncode == 2


def test_roost_run_takes_its_environment_from_a_variable(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []")
    code = "import importlib.util as u; print(u.find_spec('banana') is not None)"
    assert run([ROOST_RUN, "python", "-c", code], cwd=project.root).stdout == "True\n"
    env = dict(os.environ) | {"ROOST_ENV": "bare"}
    assert run([ROOST_RUN, "python", "-c", code], cwd=project.root, env=env).stdout == "False\n"
    assert run([ROOST_RUN], cwd=project.root).returncode == 2


def test_what_imports_on_a_warm_start(built: Project) -> None:
    built.run("python", "--version")
    got = built.run("python", "--version", env=dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"})
    modules = {line.rpartition("|")[2].strip() for line in got.stderr.splitlines() if line.startswith("import time:")}
    assert {"roost.warm", "roost.system.locks", "roost.cli.run"} <= modules
    heavy = (
        "json re argparse subprocess filelock click pathlib hashlib typing collections contextlib enum signal tomli uv"
    ).split()
    assert not modules.intersection(heavy)
