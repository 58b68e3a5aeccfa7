"""Situations in which nothing is refused, stale or noisy: variables, file systems, process numbers that mean two processes.

Those of `docs/trust.md`, "What else was tried", that are cheap enough to try each time.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.lib import integrity
from tests.lib.git_hooks import git
from tests.lib.namespaces import namespace
from tests.lib.processes import ROOST, ROOST_RUN, UV, finish, run, start
from tests.lib.projects import Project, SlowProject, builds

DOORS = ([ROOST, "run"], [ROOST_RUN])
PREFIX = "import sys; print(sys.prefix)"

# With none of them another venv is right, nor is anything to be printed.
VARIABLES = {
    "dockerfile": {"UV_COMPILE_BYTECODE": "1", "UV_LINK_MODE": "copy", "UV_NO_CACHE": "1", "UV_NO_PROGRESS": "1"},
    "another project": {"UV_PYTHON": "3.99", "UV_PROJECT": "/", "UV_PROJECT_ENVIRONMENT": "other", "UV_NO_SYNC": "1"},
    "another venv": {"VIRTUAL_ENV": "/nowhere", "CONDA_PREFIX": "/nowhere", "CONDA_DEFAULT_ENV": "base"},
    "pip": {"PIP_TARGET": "/nowhere", "PIP_NO_INDEX": "1", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_USER": "1"},
    "strict Python": {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1", "PYTHONWARNDEFAULTENCODING": "1"},
    "odd Python": {"PYTHONOPTIMIZE": "2", "PYTHONPYCACHEPREFIX": "/nowhere", "PYTHONSAFEPATH": "1", "PYTHONUTF8": "0"},
    "git hook": {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_LITERAL_PATHSPECS": "1", "GIT_PREFIX": "x/"},
    "locale": {"LC_ALL": "nowhere.UTF-8", "LANGUAGE": "xx", "TZ": "Asia/Kathmandu", "SOURCE_DATE_EPOCH": "1"},
    "terminal": {"TERM": "dumb", "COLUMNS": "1", "LINES": "0", "NO_COLOR": "1", "CI": "1"},
    "traces": {"RUST_LOG": "trace", "RUST_BACKTRACE": "1", "CLICOLOR_FORCE": "1", "PY_COLORS": "1"},
    "folders": {"XDG_CACHE_HOME": "relative", "XDG_CONFIG_HOME": "relative", "XDG_RUNTIME_DIR": "/nowhere"},
    "shell": {"CDPATH": "/", "ENV": "/nowhere", "IFS": "/", "POSIXLY_CORRECT": "1", "PS4": "$(touch ran)", "fd": "9"},
}


@pytest.mark.slow
@pytest.mark.parametrize("situation", VARIABLES)
def test_variables_of_the_caller(project: Project, situation: str) -> None:
    git("init", "--quiet", cwd=project.root)
    env = dict(os.environ) | VARIABLES[situation]
    cold = project.python(PREFIX, env=env)
    assert (cold.returncode, cold.stdout) == (0, f"{project.venvs()[0]}\n"), cold.stderr
    said = [line for line in cold.stderr.splitlines() if "built `default`" not in line]
    assert [("building `default` with uv" in line) for line in said] == [True]
    assert project.python("import apple, banana").stderr == ""
    for door in DOORS:
        warm = run([*door, "python", "-c", PREFIX], cwd=project.root, env=env)
        assert (warm.returncode, warm.stdout, warm.stderr) == (0, cold.stdout, "")
    for words in ("status", "why", "log", "key", "doctor", "clean --all"):
        assert project.roost(*words.split(), env=env).returncode == 0
    assert builds(project) == 1
    assert integrity.of_markers(project.store) == []
    assert not (project.root / "ran").exists()


DISKS: Mapping[str, tuple[str, Sequence[str]]] = {
    "ext4": ("200M", ["mkfs.ext4", "-q", "-F", "-I", "128"]),  # time stamps are whole seconds
    "xfs": ("400M", ["mkfs.xfs", "-q"]),
    "btrfs": ("200M", ["mkfs.btrfs", "-q"]),
    "noexec": ("", []),
}


@pytest.mark.slow
@pytest.mark.parametrize("disk", DISKS)
@pytest.mark.parametrize("role", ["project", "ROOST_DIR", "ROOST_CACHE_DIR", "UV_CACHE_DIR"])
@pytest.mark.paired("disk", "role")
def test_disks(project: Project, tmp_path: Path, disk: str, role: str) -> None:
    """Each with the project, or another folder, on it: a build, a warm start, an edit right after it, and a clean-up."""
    size, make = DISKS[disk]
    image, mounted = tmp_path / "image", tmp_path / "disk"
    mounted.mkdir()
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "noexec,mode=700", "tmpfs", mounted]
    if make:
        program = shutil.which(make[0], path="/usr/sbin:/sbin:/usr/bin")
        if program is None:
            pytest.skip(f"there is no `{make[0]}`")
        image.touch()
        os.truncate(image, int(size.removesuffix("M")) << 20)
        assert run([program, *make[1:], image]).returncode == 0
        mount = ["mount", "-o", "loop", image, mounted]
    root = mounted / "work/project" if role == "project" else project.root
    env = dict(os.environ) | ({} if role == "project" else {role: str(mounted / "folder")})
    edit = f'sed -i \'s/"banana"/"cherry"/\' pyproject.toml && {UV} lock -q'
    with namespace(mount) as place:
        place.do("sh", "-c", f"mkdir -p {mounted}/work && cp -r {project.root} {mounted}/work/")
        place.do("chmod", "700", mounted)
        venvs = [run(place.inside(root, *door, "python", "-c", PREFIX), env=env) for door in (*DOORS, *DOORS)]
        assert [(got.returncode, got.stdout) for got in venvs] == [(0, venvs[0].stdout)] * 4, venvs[0].stderr
        assert [got.stderr for got in venvs[1:]] == [""] * 3
        assert run(place.inside(root, "sh", "-c", edit), env=env).returncode == 0
        for door in reversed(DOORS):
            got = run(place.inside(root, *door, "python", "-c", "import cherry"), env=env)
            assert got.returncode == 0, got.stderr
        for words in (["doctor"], ["clean", "--all"]):
            assert run(place.inside(root, ROOST, *words), env=env).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a namespace of process numbers")
def test_process_numbers_that_collide(slow_project: SlowProject) -> None:
    """As in containers over one checkout, where each roost is process 2. One is killed in its build."""
    words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh"]
    command = [*words, ROOST, "run", "python", "-c", "print('ran')"]
    with slow_project.holding():
        killed = start(command, cwd=slow_project.root)
        slow_project.begun()
        others = [start(command, cwd=slow_project.root) for _ in range(3)]
        killed.kill()
        killed.communicate()
    ends = [finish(child) for child in others]
    assert [end[:2] for end in ends] == [(0, "ran\n")] * 3, ends
    assert builds(slow_project) == 1
    assert not [line for line in slow_project.overlaps() if "flock" in line]  # by their numbers, they look the same
