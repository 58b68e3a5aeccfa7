"""The first command in a fresh worktree or clone, when this machine has built the same state before."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.bench import Bench, Case, failed
from benchmarks.project import Workshop
from benchmarks.results import Limit, Part
from benchmarks.sessions import walk

IMPORTERS = 4
# The least that a tool in Python does which lets uv install and starts the result once: no lock, no check, no bytecode.
LEAST = """
import os, subprocess, sys
uv, tool, python = sys.argv[1], f".venv/bin/{sys.argv[2]}", ".venv/bin/python"
subprocess.run([uv, "sync", "--quiet", "--locked"], check=True)
subprocess.run([python, "-I", "-c", "pass"], check=True)
os.execv(tool, [tool, "--version"])
"""


class Checkouts:
    """Fresh worktrees and clones of one repository. Each is the current folder of the next command."""

    def __init__(self, bench: Bench, project: Path) -> None:
        """Commit `project`, and build it once with each tool, so that all caches are warm."""
        self.bench = bench
        self.project = project
        (project / ".gitignore").write_text("/.roost\n/.venv\n")
        bench.do("git", "init", "--quiet", folder=project)
        bench.do("git", "add", "--all", folder=project)
        bench.do("git", "commit", "--quiet", "--message", "state", folder=project)
        bench.do(bench.path("roost"), "sync", folder=project)
        bench.do(bench.path("uv"), "sync", "--quiet", "--locked", folder=project)

    def enter(self, *command: str) -> Callable[[], None]:
        """Return what makes a new checkout with `git COMMAND`, and enters it."""

        def prepare() -> None:
            folder = self.project.parent / f"{self.project.name}-{next(self.bench.numbers)}"
            source = [str(self.project)] if command[0] == "clone" else ["--detach"]
            words = [*command, "--quiet", *source, str(folder)]
            self.bench.do("git", *words, folder=self.project)
            os.chdir(folder)

        return prepare


def at_once(bench: Bench, command: Sequence[str | Path]) -> Callable[[], int]:
    """Return what starts several commands at once."""
    return lambda: failed([bench.start(command) for _ in range(IMPORTERS)])


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench, tool = shop.bench, shop.recipe.tool
    checkouts = Checkouts(bench, shop.project("worktree"))
    uv, roost = [bench.path("uv"), "run", "--quiet", "--locked"], [bench.path("roost"), "run"]
    least = bench.runs(bench.base, "-I", "-S", "-c", LEAST, bench.path("uv"), tool)
    cases = [Case(f"uv sync and {tool}, by Python", least, prepare=checkouts.enter("worktree", "add"))]
    for place, git in (("worktree", ("worktree", "add")), ("clone", ("clone",))):
        enter = checkouts.enter(*git)
        for name, start in (("uv run", uv), ("roost run", roost)):
            cases.append(Case(f"{name} {tool}, {place}", bench.runs(*start, tool, "--version"), prepare=enter))
    enter = checkouts.enter("worktree", "add")
    for name, start in (("uv run", uv), ("roost run", roost)):
        work = at_once(bench, [*start, "python", "lot.py"])
        cases.append(Case(f"{name}, {IMPORTERS} importers at once", work, prepare=enter))
    bare = at_once(bench, [checkouts.project / ".roost/.venv/default/bin/python", "lot.py"])
    cases.append(Case(f"built before, {IMPORTERS} importers at once", bare))
    here = Path.cwd()
    try:
        rows = bench.in_turn(cases, rounds)
        synced = [bench.path("uv"), "sync", "--quiet", "--locked"]
        notes = {"uv": disk(checkouts, synced, ".venv"), "roost": disk(checkouts, [roost[0], "sync"], ".roost")}
    finally:
        os.chdir(here)
    for name, size in notes.items():
        rows[f"{name} run {tool}, worktree"].notes["MB of a further worktree"] = f"{size / 1e6:.1f}"
    part = Part(
        name="worktree",
        title="A fresh worktree",
        method=f"`git worktree add` or `git clone` of a project that was built elsewhere on this machine, then "
        f"`{tool} --version`, or {IMPORTERS} processes at once that import all distributions. The caches of uv and "
        f"roost are warm. *uv sync and {tool}, by Python* is a program of three lines, which also starts the venv's "
        "Python once: the least for a tool in Python that calls uv. *Built before* is the least for importers. *MB of "
        "a further worktree* is the disk that `uv sync` without bytecode and `roost sync` with "
        "bytecode add, folders included. A file that is hard-linked elsewhere adds nothing.",
        unit="s",
        base=f"uv run {tool}, worktree",
        rows=list(rows.values()),
    )
    part.limit(f"roost run {tool}, worktree", 1.2)
    part.compare(f"roost run {tool}, clone", f"uv run {tool}, clone", 1.2)
    importers = f"{IMPORTERS} importers at once"
    part.compare(f"roost run, {importers}", f"uv run, {importers}", 0.45)
    more = (notes["roost"] - notes["uv"]) / 1e6
    part.limits.append(Limit("MB of a further worktree, more than with `uv sync`", more, 5.0))
    return part


def disk(checkouts: Checkouts, command: Sequence[str], folder: str) -> int:
    """Return the bytes that the environment in `folder`, made by `command`, adds in a further worktree."""
    checkouts.enter("worktree", "add")()
    checkouts.bench.do(*command)
    return sum(look.st_blocks * 512 for path, look in walk(Path(folder)) if os.path.isdir(path) or look.st_nlink == 1)
