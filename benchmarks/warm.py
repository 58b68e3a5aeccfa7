"""A warm start: the environment exists, nothing changed, and the command itself takes almost no time."""

import contextlib
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.bench import Bench, Case
from benchmarks.project import Workshop
from benchmarks.results import Part, Row, number
from benchmarks.sessions import write_noxfiles, write_tox

SESSION = "lint"


def write_hatch(shop: Workshop, project: Path) -> None:
    """Let hatch make an environment of the same distributions, with uv, and let another one ask roost for them."""
    wanted = f"skip-install = true\ndependencies = {json.dumps(shop.recipe.dependencies)}"
    (project / "hatch.toml").write_text(
        f'[envs.default]\ninstaller = "uv"\n{wanted}\n[envs.roost]\ntype = "roost"\n{wanted}\n'
    )


def settle(bench: Bench, tool: str, project: Path) -> None:
    """Start until there is an index, which is written only if the inputs are older than the blur of a time stamp.

    Raises:
        SystemExit: no index was written, so there is no warm start to measure.
    """
    for _ in range(20):
        bench.do(bench.path("roost"), "run", tool, "--version")
        if (project / ".roost/.venv/.v2/index/default").exists():
            return
        time.sleep(0.2)
    sys.exit("roost wrote no index, so there is no warm start to measure")


def commands(shop: Workshop, project: Path, roost_python: Path) -> dict[str, tuple[list[str], tuple[str, ...]]]:
    """Return the commands by their labels, and the tools that each needs.

    There are two rows for Python alone: the base interpreter, and the Python of roost's own virtualenv, since the base
    may contain `.pth` files of other tools, which slow down every start.
    """
    bench, tool = shop.bench, shop.recipe.tool
    words = [tool, "--version"]
    uv, roost = bench.path("uv"), bench.path("roost")
    of_uv = [bench.path("nox"), "-f", "noxfile_uv.py", "-s", SESSION]
    return {
        "python -I -S -c pass": ([bench.base, "-I", "-S", "-c", "pass"], ()),
        "python -I -c pass": ([str(roost_python), "-I", "-c", "pass"], ()),
        f".venv/bin/{tool}": ([str(project / ".venv/bin" / tool), "--version"], ()),
        f"roost-run {tool}": ([bench.path("roost-run"), *words], ()),
        f"roost run {tool}": ([roost, "run", *words], ()),
        f"uv run {tool}": ([uv, "run", *words], ()),
        f"uv run --no-sync {tool}": ([uv, "run", "--no-sync", *words], ()),
        "hatch run, roost": ([bench.path("hatch-roost"), "run", f"roost:{tool}", "--version"], ("hatch-roost",)),
        f"hatch run {tool}": ([bench.path("hatch"), "run", *words], ("hatch",)),
        "nox, backend roost": ([bench.path("nox-roost"), "-f", "noxfile_roost.py", "-s", SESSION], ("nox-roost",)),
        "nox -r, backend uv": ([*of_uv, "-r"], ("nox",)),
        "nox -R, backend uv": ([*of_uv, "-R"], ("nox",)),
        "tox run, roost": ([bench.path("tox-roost"), "run", "-q", "-e", "roost"], ("tox-roost",)),
        "tox run, tox-uv": ([bench.path("tox"), "run", "-q", "-e", SESSION], ("tox", "tox-uv")),
    }


def by_hyperfine(bench: Bench, cases: Mapping[str, Sequence[str]], runs: int) -> dict[str, float]:
    """Return the medians that hyperfine finds, one command after the other, where there is hyperfine."""
    program = shutil.which("hyperfine")
    if program is None:
        bench.absent["hyperfine"] = "not on PATH; there is no column for it"
        return {}
    report = bench.work / "hyperfine.json"
    found = {}
    for label, command in cases.items():
        quoted = " ".join(f"'{word}'" for word in command)
        options = ["-N", "--warmup", "3", "--runs", str(max(runs, 2)), "--style", "none", "--export-json", str(report)]
        bench.do(program, *options, quoted)
        found[label] = statistics.median(json.loads(report.read_text())["results"][0]["times"])
    return found


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench, tool = shop.bench, shop.recipe.tool
    project = shop.project("warm")
    write_hatch(shop, project)
    write_noxfiles(shop, project)
    write_tox(shop, project)
    bench.do(bench.path("uv"), "sync", "--quiet", "--locked", "--compile-bytecode", folder=project)
    chosen = commands(shop, project, Path(os.path.dirname(bench.path("roost"))) / "python")
    with contextlib.chdir(project):
        settle(bench, tool, project)
        cases = [Case(label, bench.runs(*command), needs) for label, (command, needs) in chosen.items()]
        rows = bench.in_turn(cases, rounds)
        quick = {label: command for label, (command, needs) in chosen.items() if not needs}
        note_hyperfine(bench, rows, quick, rounds)
    part = Part(
        name="warm",
        title="A warm start",
        method=f"`{tool} --version` in an existing environment, when nothing changed. What a command adds is its "
        f"median minus the median of the tool alone, `.venv/bin/{tool}`.",
        unit="ms",
        base=f"uv run {tool}",
        floor=f".venv/bin/{tool}",
        rows=list(rows.values()),
    )
    part.limit(f"roost-run {tool}", 0.25)
    part.limit(f"roost run {tool}", 0.8)
    part.exceed("tox run, roost", "tox run, tox-uv", 10.0)
    part.exceed("hatch run, roost", f"hatch run {tool}", 10.0)
    part.exceed("nox, backend roost", "nox -r, backend uv", 3.0)
    return part


def note_hyperfine(bench: Bench, rows: Mapping[str, Row], cases: Mapping[str, Sequence[str]], rounds: int) -> None:
    """Add hyperfine's medians to the rows."""
    for label, seconds in by_hyperfine(bench, cases, rounds).items():
        rows[label].notes["hyperfine"] = number(seconds * 1e3)
