"""Tools for tests: wheels, projects, and processes that all start at one gate."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from roost.system.processes import find_uv

BASE_PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
ROOST = os.path.join(sysconfig.get_path("scripts"), "roost")
ROOST_RUN = os.path.join(sysconfig.get_path("scripts"), "roost-run")
UV = find_uv()
PATIENCE = 120.0  # seconds after which a test gives up on a process; nothing here takes a tenth of it


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    build: str = "",
    files: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
) -> Path:
    """Write a tiny pure-Python wheel with a package `name` whose `VERSION` says which it is, and a command `name`."""
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}/__init__.py": f"VERSION = {version + build!r}\nfrom {name} import late as _late\ndel _late\n",
        f"{name}/late.py": f"VERSION = {version + build!r}\ndef main():\n    print({name!r}, VERSION)\n",
        f"{name}/later.py": f"VERSION = {version + build!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {item}\n" for item in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        + (f"Build: {build}\n" if build else ""),
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}.late:main\n",
    } | dict(files or {})
    lines = []
    tag = f"-{build}" if build else ""
    path = folder / f"{name}-{version}{tag}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{member},sha256={digest},{len(text.encode())}")
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return path


def toml(value: Any) -> str:
    """Return strings, numbers, booleans and lists as TOML."""
    return json.dumps(value)


class Project:
    """A project on disk, and what tests do with it."""

    UV: tuple[str, ...] = ()
    """More lines for `[tool.uv]`."""

    def __init__(self, root: Path, wheels: Path) -> None:
        """Make the folder."""
        self.root = root
        self.wheels = wheels
        root.mkdir(parents=True, exist_ok=True)

    @property
    def store(self) -> Path:
        """The `.roost` folder."""
        return self.root / ".roost"

    def write(
        self,
        *,
        dependencies: Iterable[str] = (),
        groups: Mapping[str, Iterable[str]] | None = None,
        extra: str = "",
        roost: str = "",
        python: str = ">=3.11",
        name: str | None = None,
    ) -> None:
        """Write `pyproject.toml`; `roost` is the body of `[tool.roost]`, `extra` goes at the end."""
        lines = [
            "[project]",
            f'name = "{name or self.root.name}"',
            'version = "1.0"',
            f"requires-python = {toml(python)}",
            f"dependencies = {toml(list(dependencies))}",
            "[dependency-groups]",
            *(f"{name} = {toml(list(items))}" for name, items in (groups or {}).items()),
            "[tool.uv]",
            "no-index = true",
            *self.UV,
            f"find-links = [{toml(str(self.wheels))}]",
            "[tool.roost]",
            roost,
            extra,
        ]
        self.file("pyproject.toml", "\n".join(lines) + "\n")

    def file(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, by `new` in a file of the project."""
        text = (self.root / name).read_text()
        assert old in text, f"no {old!r} in {name}"
        (self.root / name).write_text(text.replace(old, new))

    def lock(self) -> None:
        """Make `uv.lock` fit `pyproject.toml`."""
        run([UV, "lock", "--quiet"], cwd=self.root, check=True)

    def roost(self, *words: "str | Path", **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run `roost WORDS` in the project."""
        options.setdefault("cwd", self.root)
        return run([ROOST, *words], **options)

    def run(self, *command: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run `roost run COMMAND` in the project."""
        return self.roost("run", *command, **options)

    def python(self, code: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run Python code in the environment."""
        return self.run("python", "-c", code, **options)

    def start(self, *words: "str | Path", **options: Any) -> "subprocess.Popen[str]":
        """Start `roost WORDS` in the project, and do not wait."""
        options.setdefault("cwd", self.root)
        return start([ROOST, *words], **options)

    def venvs(self) -> list[Path]:
        """Return the shared venvs, complete or not."""
        return [path for path in self.all_venvs() if not path.parent.name.startswith("session-")]

    def all_venvs(self) -> list[Path]:
        """Return the same, with those that belong to single nox sessions."""
        return sorted(path for path in self.store.glob(".venv/.v2/envs/*/venv-*") if path.is_dir())

    def complete(self) -> list[Path]:
        """Return the shared venvs that a marker names."""
        markers = (json.loads(path.read_text()) for path in self.store.glob(".venv/.v2/envs/*/complete"))
        return sorted(Path(marker["venv"]) for marker in markers if not marker["session"])

    def links(self) -> list[str]:
        """Return the names of the environments that have a link to their current venv."""
        return sorted(path.name for path in (self.store / ".venv").iterdir() if path.is_symlink())

    def journal(self, event: str) -> list[dict[str, Any]]:
        """Return the journal's lines about `event`, without those about nox sessions' own venvs."""
        try:
            lines = (self.store / ".venv/.v2/journal").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [line for line in map(json.loads, lines) if line["event"] == event and not line.get("session")]

    def age(self, seconds: float = 7200) -> None:
        """Make every venv look as if it was last used `seconds` ago."""
        then = time.time() - seconds
        for path in self.store.glob(".venv/.v2/envs/*/venv-*.lease"):
            os.utime(path, (then, then))


class SlowProject(Project):
    """A project that is built in its source tree by `tests/slow_backend.py`."""

    UV = ("no-cache = true",)  # else uv takes the second build from its cache
    TABLES = "[build-system]\nrequires = []\nbuild-backend = 'slow_backend'\nbackend-path = ['.']\n"

    def __init__(self, root: Path, wheels: Path, seconds: float = 0.5) -> None:
        """Put the backend there; each build takes `seconds`."""
        super().__init__(root, wheels)
        shutil.copy(Path(__file__).parent / "slow_backend.py", root)
        self.file("slow.txt", str(seconds))
        self.file("src/project.py", "")

    def builds(self) -> list[tuple[float, int, str]]:
        """Return what the backend noted: when (monotonic, seconds), which process, and what."""
        try:
            lines = (self.root / "builds.log").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(float(when), int(pid), what) for when, pid, what in map(str.split, lines)]

    def begun(self, count: int = 1) -> None:
        """Wait until the backend began for the `count`-th time."""
        wait_for(lambda: sum(what == "begin" for _, _, what in self.builds()) >= count, "the backend")

    def overlaps(self) -> list[str]:
        """Return where two builds ran at once, by the backend's flock and by its notes."""
        found = [f"pid {pid} met another's flock" for _, pid, what in self.builds() if what == "overlap"]
        running: set[int] = set()
        for _, pid, what in self.builds():
            if what == "begin":
                found += [f"pid {pid} began before pid {other} ended" for other in running]
                running.add(pid)
            elif what == "end":
                running.discard(pid)
        return found


def run(command: Sequence[str | Path], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, with its output as text."""
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.DEVNULL,
        "text": True,
    } | options
    return subprocess.run([str(word) for word in command], timeout=PATIENCE, **options)  # noqa: PLW1510 - callers say


def start(command: Sequence[str | Path], **options: Any) -> "subprocess.Popen[str]":
    """Start a command, with its output as text."""
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.DEVNULL,
        "text": True,
    } | options
    return subprocess.Popen([str(word) for word in command], **options)


def finish(child: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for the end of a command; return its status and both outputs."""
    out, err = child.communicate(timeout=PATIENCE)
    return child.returncode, out, err


def all_at_once(
    count: int, tmp_path: Path, launch: Callable[[int], Sequence[str | Path]], **options: Any
) -> "list[subprocess.Popen[str]]":
    """Start `count` processes that wait at one gate, each with a TMPDIR of its own, and open the gate.

    `launch` gives the command of each. The gate is the end of a pipe that all have as standard input: each is a shell
    that reads from it, and becomes the command when its writer closes.
    """
    reader, writer = os.pipe()
    env = dict(options.pop("env", os.environ))
    children = []
    for number in range(count):
        temporary = tmp_path / f"tmp-{number}"
        temporary.mkdir(exist_ok=True)
        command = ["/bin/sh", "-c", 'read -r _; exec "$@" </dev/null', "sh", *launch(number)]
        children.append(start(command, stdin=reader, env=env | {"TMPDIR": str(temporary)}, **options))
    os.close(reader)
    os.close(writer)
    return children


def without_build_lock(folder: Path) -> dict[str, str]:
    """Return environment variables with which roost takes the build lock without locking; `folder` is for the patch."""
    broken = folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import roost.system.locks as locks\n"
        "locks.BuildLock.try_take = lambda lock, record: True\n"
        "locks.BuildLock.is_current = lambda lock: True\n"
    )
    return dict(os.environ) | {"PYTHONPATH": str(broken)}


def wait_for(condition: Callable[[], object], what: str) -> Any:
    """Poll until `condition` returns something true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)
    return found


def runs(pid: int) -> bool:
    """Return whether a process has not ended; one that nobody has waited for yet has."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Keep the process `pid`, which the caller started, stopped for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def refused(
    project: Project,
    *options: str,
    status: int = 125,
    command: Sequence[str] = ("python", "-c", "open('ran', 'w')"),
    prefix: Sequence[str] = (),
    **more: Any,
) -> str:
    """Check that `roost run OPTIONS COMMAND` refuses: nothing ran, nothing is lost, no traceback. Returns what it said."""
    before = project.complete(), project.venvs()
    got = run([*prefix, ROOST, "run", *options, *command], **({"cwd": project.root} | more))
    assert (got.returncode, got.stdout) == (status, ""), got.stderr
    assert "Traceback" not in got.stderr
    assert got.stderr.startswith("roost: ")
    assert not list(project.root.parent.rglob("ran"))
    assert (project.complete(), project.venvs()) == before
    return got.stderr


def builds(project: Project) -> int:
    """Count the builds so far."""
    return len(project.journal("build"))


def settle(project: Project) -> Path:
    """Start until an index is written, and return it."""
    time.sleep(0.03)  # an input must be older than that for the index
    got = project.python("pass")
    assert got.returncode == 0, got.stderr
    index = project.store / ".venv/.v2/index/default"
    assert index.exists()
    return index


def uses_index(project: Project) -> bool:
    """Return whether a start is answered by the index alone."""
    got = project.run("python", "--version", env=dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"})
    return "roost.protocol" not in got.stderr and "roost.warm.earlier_states" not in got.stderr
