"""The first build in a fresh worktree of a large project."""

import os
from pathlib import Path

from benchmarks.bench import Case
from benchmarks.project import LARGE, Workshop
from benchmarks.results import Part
from benchmarks.worktrees import Checkouts


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench = shop.bench
    project = shop.project("large")
    if shop.starts >= 12:  # else it is a test of the benchmark, with a small project
        shop.locked(project, LARGE)
    checkouts = Checkouts(bench, project)
    enter = checkouts.enter("worktree", "add")
    cases = [
        Case("uv sync", bench.runs(bench.path("uv"), "sync", "--quiet", "--locked"), prepare=enter),
        Case("roost sync", bench.runs(bench.path("roost"), "sync"), prepare=enter),
    ]
    here = Path.cwd()
    try:
        rows = bench.in_turn(cases, rounds)
    finally:
        os.chdir(here)
    count = len(list((project / ".venv/lib").glob("python*/site-packages/*.dist-info")))
    part = Part(
        name="large",
        title="A fresh worktree of a large project",
        method=f"The first build in a fresh worktree of a project with {count} distributions: `uv sync` without "
        "bytecode, and `roost sync` with bytecode. The caches of both are warm.",
        unit="s",
        base="uv sync",
        rows=list(rows.values()),
    )
    part.limit("roost sync", 1.6)
    return part
