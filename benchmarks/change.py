"""A lock change: one more dependency, and how long until the first command runs in the new environment."""

import contextlib
from collections.abc import Callable

from benchmarks.bench import Case, remove
from benchmarks.project import Workshop
from benchmarks.results import Part


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench, tool = shop.bench, shop.recipe.tool
    project = shop.project("change")
    uv, roost = bench.path("uv"), bench.path("roost")
    gone = remove(project / ".venv", project / ".roost")

    def afresh() -> None:
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
        Case("uv sync, afresh", bench.runs(*sync), prepare=afresh),
        Case("uv sync --compile-bytecode, afresh", bench.runs(*compiled), prepare=afresh),
        Case(f"roost run {tool}, afresh", bench.runs(*start), prepare=afresh),
        Case(f"roost run {tool}, after the change", bench.runs(*start), prepare=after(roost, "sync")),
        Case("uv sync, after the change", bench.runs(*sync), prepare=after(*sync)),
        Case("uv sync --compile-bytecode, after the change", bench.runs(*compiled), prepare=after(*compiled)),
    ]
    with contextlib.chdir(project):
        rows = bench.in_turn(cases, rounds)
    part = Part(
        name="change",
        title="A lock file with one dependency more",
        method="*Afresh*: no environment is there. *After the change*: there is one of the state before; uv changes "
        "it, roost makes another beside it, with the bytecode that is still valid.",
        unit="s",
        base="uv sync, afresh",
        rows=list(rows.values()),
    )
    part.limit(f"roost run {tool}, after the change", 2.5)
    return part
