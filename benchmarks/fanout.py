"""Cold fan-out: many commands start at once when there is no environment yet, and each imports everything."""

import contextlib
from collections.abc import Callable, Sequence

from benchmarks.bench import Bench, Case, failed
from benchmarks.project import Workshop
from benchmarks.results import Part


def at_once(bench: Bench, count: int, command: Sequence[str], *, apart: bool = False) -> Callable[[], int]:
    """Return what starts `count` commands at once, with one TMPDIR for all or each with its own."""
    folders = [bench.work / f"tmp-{number}" for number in range(count)]
    for folder in folders:
        folder.mkdir(exist_ok=True)

    def work() -> int:
        return failed([bench.start(command, {"TMPDIR": str(folder)} if apart else None) for folder in folders])

    return work


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench, count = shop.bench, shop.starts
    project = shop.project("fanout")
    uv, roost = bench.path("uv"), bench.path("roost")
    script = ["python", "lot.py"]
    bare = at_once(bench, count, [str(project / ".venv/bin/python"), "lot.py"])

    def build_once() -> int:
        return bench.run(uv, "sync", "--quiet", "--locked", "--compile-bytecode") or bare()

    works = {
        "built once, then bare": build_once,
        "roost run": at_once(bench, count, [roost, "run", *script]),
        "roost run, different TMPDIRs": at_once(bench, count, [roost, "run", *script], apart=True),
        "uv run": at_once(bench, count, [uv, "run", *script]),
        "uv run --compile-bytecode": at_once(bench, count, [uv, "run", "--compile-bytecode", *script]),
        "uv run, different TMPDIRs": at_once(bench, count, [uv, "run", *script], apart=True),
    }
    afresh = bench.remove(project / ".venv", project / ".roost", bench.work / "roost-cache")
    with contextlib.chdir(project):
        cases = [Case(label, work, prepare=afresh) for label, work in works.items()]
        rows = bench.in_turn(cases, rounds, starts=count, warm_up=False)
    part = Part(
        name="fanout",
        title=f"{count} cold starts at once",
        method=f"There is no environment, and roost's bytecode cache is empty. {count} commands start at once, and "
        "each imports all distributions. The floor is `uv sync --compile-bytecode`, followed by the same number of "
        "starts of the venv's own Python.",
        unit="s",
        base="built once, then bare",
        rows=list(rows.values()),
    )
    part.limit("roost run", 1.08)
    part.limit("roost run, different TMPDIRs", 1.08)
    for suffix in ("", ", different TMPDIRs"):
        part.compare(f"roost run{suffix}", f"uv run{suffix}", 1.0)
    return part
