"""A change of the lock file: one more dependency, and the time until the first command in the new environment."""

import contextlib
from collections.abc import Callable

from benchmarks.bench import Case
from benchmarks.project import Workshop
from benchmarks.results import Part


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench, tool = shop.bench, shop.recipe.tool
    project = shop.project("change")
    uv, roost = bench.path("uv"), bench.path("roost")
    gone = bench.remove(project / ".venv", project / ".roost")

    def from_scratch() -> None:
        gone()
        shop.more.write(project)

    def after(*command: str) -> Callable[[], None]:
        def prepare() -> None:
            gone()
            shop.state.write(project)
            bench.do(*command, folder=project)
            shop.more.write(project)

        return prepare

    sync = [uv, "sync", "--quiet", "--locked"]
    compiled = [*sync, "--compile-bytecode"]
    start = [roost, "run", tool, "--version"]
    cases = [
        Case("uv sync, from scratch", bench.runs(*sync), prepare=from_scratch),
        Case("uv sync --compile-bytecode, from scratch", bench.runs(*compiled), prepare=from_scratch),
        Case(f"roost run {tool}, from scratch", bench.runs(*start), prepare=from_scratch),
        Case(f"roost run {tool}, after the change", bench.runs(*start), prepare=after(roost, "sync")),
        Case("uv sync, after the change", bench.runs(*sync), prepare=after(*sync)),
        Case("uv sync --compile-bytecode, after the change", bench.runs(*compiled), prepare=after(*compiled)),
    ]
    with contextlib.chdir(project):
        rows = bench.in_turn(cases, rounds)
    part = Part(
        name="change",
        title="One more dependency in the lock file",
        method="*From scratch*: there is no environment. *After the change*: there is an environment of the previous "
        "state. uv changes it; roost builds a new one next to it, and links the bytecode that is in its cache.",
        unit="s",
        base="uv sync, from scratch",
        rows=list(rows.values()),
    )
    part.limit(f"roost run {tool}, after the change", 1.2)
    return part
