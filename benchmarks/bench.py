"""The bench: a temporary folder with the tools in it, and a clock for commands that run in turn."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.results import Row

PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)  # no shell or hook manager passes that on
# Variables that select another environment than the measured one, or change how Python or uv works, or how much a tool
# prints. Variables about package indexes are passed on.
LEFT_OUT = (
    *("PYTHON", "VIRTUAL_ENV", "CONDA_", "__PYVENV", "ROOST_", "NOX", "TOX", "HATCH_", "PRE_COMMIT", "PREK_", "GIT_"),
    *("UV_PROJECT", "UV_PYTHON", "UV_CACHE", "UV_COMPILE", "UV_LINK", "UV_LOCKED", "UV_FROZEN", "UV_NO_SYNC", "CI"),
)
GIT_CONFIG = "[user]\n\tname = B\n\temail = b@example.invalid\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"


class Case(NamedTuple):
    """One row of a part."""

    label: str
    work: Callable[[], int]
    """Runs its commands, and returns how many failed."""
    needs: tuple[str, ...] = ()
    """The tools that it needs; if one is absent, so is the case."""
    prepare: Callable[[], None] | None = None
    """Runs before each measurement, and is not measured."""


class Bench:
    """A folder for everything, the environment variables of the commands, and the installed tools."""

    def __init__(self, work: Path) -> None:
        """Prepare everything below the folder `work`. No tool is installed yet."""
        self.work = work
        self.commands = work / "commands"
        self.commands.mkdir()
        self.absent: dict[str, str] = {}
        """The reason for each tool that could not be installed, and for each case that does not work here."""
        self.add("git", Path(shutil.which("git") or "/usr/bin/git"))
        self.output = tempfile.TemporaryFile("w+b", dir=work)  # noqa: SIM115 - for as long as the bench is there
        self.base = str(Path(sys.executable).resolve())
        # One interpreter for all of them, and the first to be found.
        (self.commands / f"python{sys.version_info.major}.{sys.version_info.minor}").symlink_to(self.base)
        self.removed = work / "removed"
        self.numbers = itertools.count()
        for name in ("tmp", "git-templates", "removed"):
            (work / name).mkdir()
        (work / "gitconfig").write_text(GIT_CONFIG)
        (work / "hatch-config.toml").touch()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
        here = os.path.join(sys.prefix, "bin")
        path = [str(self.commands), *(entry for entry in os.get_exec_path() if entry != here)]
        self.env = kept | {
            "PATH": os.pathsep.join(path),
            "TMPDIR": str(work / "tmp"),
            "UV_CACHE_DIR": str(work / "uv-cache"),  # on the file system of the venvs, so that uv can link
            "ROOST_CACHE_DIR": str(work / "roost-cache"),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_PYTHON_PREFERENCE": "only-system",
            "GIT_CONFIG_GLOBAL": str(work / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TEMPLATE_DIR": str(work / "git-templates"),
            "HATCH_CONFIG": str(work / "hatch-config.toml"),
            "HATCH_DATA_DIR": str(work / "hatch"),
            "HATCH_CACHE_DIR": str(work / "hatch-cache"),
            "PRE_COMMIT_HOME": str(work / "pre-commit"),
            "PREK_HOME": str(work / "prek"),
        }

    def add(self, name: str, path: Path) -> None:
        """Put the tool at `path` on the PATH of all commands, as `name`."""
        (self.commands / name).symlink_to(path)

    def has(self, *names: str) -> bool:
        """Return whether all these tools were installed."""
        return all((self.commands / name).exists() for name in names)

    def path(self, name: str) -> str:
        """Return the path of a tool: measured commands are given by it, so that none pays for a search."""
        return os.path.realpath(self.commands / name)

    def do(self, *command: str | Path, folder: Path | None = None) -> str:
        """Run one step of the preparation in `folder`, else in the current one; return its output.

        Raises:
            SystemExit: it failed.
        """
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=folder, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"`{' '.join(words)}` exited with status {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, command: Sequence[str | Path], more: dict[str, str] | None = None) -> int:
        """Start a command in the current folder, its output thrown away; return its process number."""
        words = [str(word) for word in command]
        with open(os.devnull, "rb") as nothing:
            actions = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 0)]
            actions += [(os.POSIX_SPAWN_DUP2, self.output.fileno(), descriptor) for descriptor in (1, 2)]
            env = self.env | more if more else self.env
            return os.posix_spawn(words[0], words, env, file_actions=actions, setsigdef=PYTHON_IGNORES)

    def run(self, *command: str | Path) -> int:
        """Run a command to its end; return how many failed: 0 or 1."""
        return failed([self.start(command)])

    def runs(self, *command: str | Path) -> Callable[[], int]:
        """Return what runs a command, as the work of a case."""
        return lambda: self.run(*command)

    def measure(self, case: Case) -> tuple[float, int]:
        """Do a case once; return how long it took in seconds, and how many of its commands failed."""
        if case.prepare:
            case.prepare()
        self.output.seek(0)
        self.output.truncate()
        begun = time.perf_counter()
        failures = case.work()
        return time.perf_counter() - begun, failures

    def said(self) -> str:
        """Return what the commands of the last case printed."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace").strip()

    def in_turn(self, cases: Sequence[Case], rounds: int, *, starts: int = 0, warm_up: bool = True) -> dict[str, Row]:
        """Do each case once a round, each round in another order; return the rows, in the order of `cases`.

        With `starts`, failures are counted, out of that many in each round. Without, they end the benchmark; only in
        the first round a case whose tools are others' (`needs`) is left out instead. That round goes in the order of
        `cases`. It is a warm-up, and does not count, unless it is the only one.

        Raises:
            SystemExit: a case failed.
        """
        rows = {case.label: Row(case.label, starts=starts) for case in cases}
        present = [case for case in cases if self.has(*case.needs)]
        ordered = rounds == 1 or warm_up
        extra = warm_up and rounds > 1
        order = random.Random(0)  # noqa: S311 - an order, not a secret
        for number in range(rounds + extra):
            first = ordered and number == 0
            for case in list(present) if first else order.sample(present, len(present)):
                taken, failures = self.measure(case)
                if failures and not starts:
                    self._leave_out(case, may=first)
                    present.remove(case)
                elif not (first and extra):
                    rows[case.label].add(taken, failures)
        return rows

    def _leave_out(self, case: Case, *, may: bool) -> None:
        said = self.said()
        if not may or not case.needs:
            sys.exit(f"`{case.label}` failed:\n{said}")
        self.absent[case.label] = said.splitlines()[-1].strip() if said else "failed without output"
        sys.stderr.write(f"`{case.label}` does not work here:\n{said}\n")

    def remove(self, *paths: Path) -> Callable[[], None]:
        """Return what takes these folders away. They are deleted at the end of the benchmark.

        For a while after many files were deleted, ext4 searches past their inodes for each new folder: `mkdir` takes
        ten times as long, and whatever is measured next pays for it.
        """

        def work() -> None:
            for path in paths:
                if path.exists():
                    path.rename(self.removed / str(next(self.numbers)))

        return work

    def close(self) -> None:
        """Close what is open."""
        self.output.close()


def failed(children: Sequence[int]) -> int:
    """Wait for all `children`; return how many of them failed."""
    return sum(os.wait4(child, 0)[1] != 0 for child in children)
