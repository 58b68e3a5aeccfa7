"""What a session or an installer leaves running: it keeps its venv, and blocks no other process."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.nox_sessions import nox, session, write_noxfile
from tests.lib.processes import PATIENCE, ROOST, ROOST_RUN, all_at_once, finish, run, runs, wait_for
from tests.lib.projects import Project, SlowProject, start_until_indexed

# A daemon as they are written: it forks twice, has a session of its own, and closes only its standard streams.
DAEMON = """
import os, sys, time
pid_file, stop_file, *_ = sys.argv[1:]
if os.fork():
    sys.exit()
os.setsid()
if os.fork():
    os._exit(0)
null = os.open(os.devnull, os.O_RDWR)
for descriptor in (0, 1, 2):
    os.dup2(null, descriptor)
with open(pid_file + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename(pid_file + ".new", pid_file)
end = time.monotonic() + %s
while not os.path.exists(stop_file) and time.monotonic() < end:
    time.sleep(0.01)
""" % (2 * PATIENCE)
# A build backend that starts a daemon, as one does that compiles with a cache.
BACKEND = """
import subprocess, sys
from pathlib import Path
import slow_backend
from slow_backend import *

def build_editable(*args):
    here = Path(__file__).parent
    words = (here / "daemon.txt").read_text().split("\\n")
    if not Path(words[-2]).exists():
        subprocess.run([sys.executable, *words], close_fds=False, check=True)
    name = slow_backend.build_editable(*args)
    if (here / "fail").exists():
        raise RuntimeError("this does not compile")
    return name

build_wheel = build_editable
"""
NO_WAIT = {"ROOST_TIMEOUT": "0"}


class Daemon:
    """A daemon that a test lets something start."""

    def __init__(self, folder: Path) -> None:
        """Write its code."""
        self.code = folder / "cache-daemon.py"
        self.code.write_text(DAEMON)
        self.pid_file = folder / "daemon.pid"
        self.stop_file = folder / "stop"

    @property
    def words(self) -> list[str]:
        """What Python is to be called with."""
        return [str(path) for path in (self.code, self.pid_file, self.stop_file)]

    @property
    def pid(self) -> int:
        """Its process number, once it runs."""
        wait_for(self.pid_file.exists, "the daemon")
        return int(self.pid_file.read_text())

    def opened(self, below: Path) -> list[str]:
        """Return which files below a folder it has open."""
        folder = f"/proc/{self.pid}/fd"
        links = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder)]
        return [link for link in links if link.startswith(f"{below}/")]

    def stop(self) -> None:
        """Let it end, and wait for that."""
        self.stop_file.touch()
        if self.pid_file.exists():
            wait_for(lambda: not runs(self.pid), "the end of the daemon")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def caching_project(slow_project: SlowProject, daemon: Daemon) -> SlowProject:
    """Provide a project whose build starts the daemon."""
    slow_project.edit("pyproject.toml", "'slow_backend'", "'caching_backend'")
    slow_project.file("caching_backend.py", BACKEND)
    slow_project.file("daemon.txt", "\n".join(daemon.words))
    slow_project.file("slow.txt", "0.1")
    return slow_project


def _doors(project: Project, daemon: Daemon) -> dict[str, list[str]]:
    code = (
        "import roost, sys\n"
        f"with roost.acquire({str(project.root)!r}) as environment:\n"
        "    environment.run(['python', *sys.argv[1:]], check=True)\n"
    )
    return {
        "roost run": [ROOST, "run", "python", *daemon.words],
        "roost run, which builds": [ROOST, "run", "python", *daemon.words],
        "roost-run": [ROOST_RUN, "python", *daemon.words],
        "acquire": [sys.executable, "-c", code, *daemon.words],
    }


@pytest.mark.slow
@pytest.mark.parametrize("door", ["roost run", "roost run, which builds", "roost-run", "acquire"])
def test_daemon_of_a_session_keeps_its_lease_and_nothing_else(
    project: Project, daemon: Daemon, tmp_path: Path, door: str, soak: float
) -> None:
    if "builds" not in door:
        start_until_indexed(project)
    assert run(_doors(project, daemon)[door], cwd=project.root).returncode == 0
    venv = project.venvs()[0]
    assert daemon.opened(project.store) == [f"{venv}.lease"]
    if door != "roost run" and not soak:  # what follows is the same behind all of them
        return

    env = dict(os.environ) | NO_WAIT
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    project.lock()
    got = project.python("import apple; print(apple.VERSION)", env=env)
    assert (got.returncode, got.stdout) == (0, "1.0\n"), got.stderr
    assert project.roost("sync", "--refresh", env=env).returncode == 0
    launch = [ROOST, "run", "python", "-c", "import apple; print(apple.VERSION)"]
    children = all_at_once(4, tmp_path, lambda _: launch, cwd=project.root, env=env)
    assert [finish(child) for child in children] == [(0, "1.0\n", "")] * 4
    assert (len(project.journal("build")), project.journal("wait")) == (3, [])

    using = {one["path"]: one["users"] for one in json.loads(project.roost("status", "--json").stdout)["venvs"]}
    assert [user["pid"] for user in using[str(venv)]] == [daemon.pid]
    assert daemon.code.name in using[str(venv)][0]["command"]
    assert f"  pid {daemon.pid} since " in project.roost("status").stdout

    project.age()
    assert f"kept {venv}: " in project.roost("clean").stdout
    assert f"kept {venv}: in use" in project.roost("clean", "--all").stdout
    daemon.stop()
    assert f"removed {venv}" in project.roost("clean", "--all").stdout


@pytest.mark.slow
def test_daemon_of_an_installer_keeps_the_venv_and_blocks_no_other_process(
    caching_project: SlowProject, daemon: Daemon
) -> None:
    env = dict(os.environ) | NO_WAIT
    assert caching_project.python("pass", env=env).returncode == 0
    venv = caching_project.venvs()[0]
    assert daemon.opened(caching_project.store) == [f"{venv}.lease"]
    caching_project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    caching_project.lock()
    got = caching_project.roost("sync", env=env)
    assert got.returncode == 0, got.stderr
    shown = json.loads(caching_project.roost("status", "--json").stdout)["venvs"]
    (user,) = next(one["users"] for one in shown if one["path"] == str(venv))
    assert user["pid"] == daemon.pid
    assert daemon.code.name in user["command"]
    caching_project.age()
    assert f"kept {venv}: in use" in caching_project.roost("clean", "--all").stdout


@pytest.mark.slow
def test_daemon_of_a_failed_build_is_named_to_those_who_wait_for_it(
    caching_project: SlowProject, daemon: Daemon
) -> None:
    """The wait is bounded: who knows whether it is a cache or a compiler that still writes in the source tree?"""
    caching_project.file("fail", "")
    failed = caching_project.python("pass")
    assert failed.returncode == 125
    assert "this does not compile" in failed.stderr
    (caching_project.root / "fail").unlink()
    got = caching_project.python("pass", env=dict(os.environ) | {"ROOST_TIMEOUT": "1.2"})
    assert got.returncode == 124
    waiting, gave_up = got.stderr.splitlines()
    assert waiting.startswith("roost: waiting for the lease of a build that ended, held by")
    for line in (waiting, gave_up):
        assert f"held by pid {daemon.pid} (`" in line
        assert f"(`python {daemon.code} " in line
        assert ",," not in line
    assert gave_up.startswith("roost: gave up after 1 s: the lease of a build that ended is held by")
    assert len(caching_project.venvs()) == 1
    daemon.stop()
    assert caching_project.python("pass", env=dict(os.environ) | NO_WAIT).returncode == 0
    assert len(caching_project.venvs()) == len(caching_project.complete()) == 1
    assert caching_project.overlaps() == []


def test_daemon_of_a_build_that_has_to_be_done_again_is_not_waited_for(
    caching_project: SlowProject, daemon: Daemon
) -> None:
    with caching_project.in_build("run", "python", "-c", "pass", env=dict(os.environ) | NO_WAIT) as builder:
        os.utime(caching_project.root / "uv.lock")
    status, _, err = finish(builder)
    assert status == 0, err
    assert "changed during the build" in err
    assert os.path.exists(f"/proc/{daemon.pid}")
    assert len(caching_project.complete()) == 1


@pytest.mark.slow
def test_daemon_of_a_nox_sessions_own_venv_is_not_waited_for(caching_project: SlowProject, daemon: Daemon) -> None:
    caching_project.edit("pyproject.toml", "[tool.roost]", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []")
    first = caching_project.python("pass")
    assert first.returncode == 0
    daemon.stop()
    daemon.stop_file.unlink()
    daemon.pid_file.unlink()
    write_noxfile(caching_project, session("one", "session.install('cherry')", "session.run('cherry')"))
    got = nox(caching_project)
    assert got.returncode == 0, got.stderr
    assert daemon.opened(caching_project.store)
    again = caching_project.roost("sync", "--env", "bare", env=dict(os.environ) | NO_WAIT)
    assert again.returncode == 0, again.stderr


def test_session_of_nox_that_leaves_a_daemon_is_spared_for_an_hour(project: Project, daemon: Daemon) -> None:
    """Its children inherit no descriptors, so the kernel cannot tell of it."""
    write_noxfile(project, session("one", f"session.run('python', *{daemon.words!r})"))
    got = nox(project)
    assert got.returncode == 0, got.stderr
    assert daemon.opened(project.store) == []
    (project.store / ".venv/default").unlink()
    assert f"kept {project.venvs()[0]}: used 0 min ago, within the hour" in project.roost("clean", "--all").stdout
