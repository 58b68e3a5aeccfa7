"""Projects on disk, and what tests do with them."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lib.processes import ROOST, UV, run, start, wait_for

if TYPE_CHECKING:
    import subprocess


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
    """A project that is built in its source tree by `tests/lib/slow_backend.py`."""

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

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Let no build end before this does."""
        self.file("slow.txt", "inf")
        try:
            yield
        finally:
            self.file("slow.txt", "0")

    @contextlib.contextmanager
    def in_build(self, *words: "str | Path", **options: Any) -> "Iterator[subprocess.Popen[str]]":
        """Start `roost WORDS`, and provide it in the middle of its build, which goes on afterwards."""
        count = sum(what == "begin" for _, _, what in self.builds())
        with self.holding():
            started = self.start(*words, **options)
            self.begun(count + 1)
            yield started

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


def start_until_indexed(project: Project) -> Path:
    """Start until an index is written, and return it."""
    time.sleep(0.03)  # an input must be older than that for the index
    got = project.python("pass")
    assert got.returncode == 0, got.stderr
    index = project.store / ".venv/.v2/index/default"
    assert index.exists()
    return index


def starts_warm(project: Project) -> bool:
    """Return whether a start is answered by the index alone."""
    got = project.run("python", "--version", env=dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"})
    return "roost.protocol" not in got.stderr and "roost.warm.earlier_states" not in got.stderr
