"""A branch switch, there and back, where both states were seen before."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.bench import Bench, Case
from benchmarks.project import Workshop
from benchmarks.results import Part

BRANCHES = ("other", "main")  # there, and back
# As `uv init --package` writes it: most projects that have tests are installed into their environment.
PACKAGE = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""


def make(shop: Workshop) -> Path:
    """Return a project with a branch for each state."""
    project, bench = shop.project("switch"), shop.bench
    (project / ".gitignore").write_text("/.roost\n/.venv\n")
    (project / "bench").mkdir()
    (project / "bench/__init__.py").touch()
    for branch, state in (("main", shop.state), ("other", shop.other)):
        if branch == "main":
            bench.do("git", "init", "--quiet", folder=project)
        else:
            bench.do("git", "switch", "--quiet", "--create", branch, folder=project)
        state.write(project)
        with (project / "pyproject.toml").open("a") as file:
            file.write(PACKAGE)
        bench.do(bench.path("uv"), "lock", "--quiet", folder=project)
        bench.do("git", "add", "--all", folder=project)
        bench.do("git", "commit", "--quiet", "--message", branch, folder=project)
        bench.do(bench.path("roost"), "sync", folder=project)
    bench.do("git", "switch", "--quiet", "main", folder=project)
    bench.do(bench.path("uv"), "sync", "--quiet", "--locked", folder=project)
    return project


def there_and_back(bench: Bench, command: Sequence[str]) -> Callable[[], int]:
    """Return what switches to the other branch and back, and runs `command` after each switch."""
    git = bench.path("git")

    def work() -> int:
        failures = 0
        for branch in BRANCHES:
            failures += bench.run(git, "switch", "--quiet", branch)
            if command:
                failures += bench.run(*command)
        return failures

    return work


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench = shop.bench
    uv, roost, roost_run = (bench.path(name) for name in ("uv", "roost", "roost-run"))
    words = [shop.recipe.tool, "--version"]
    commands: dict[str, list[str]] = {
        "git alone": [],
        "roost sync": [roost, "sync"],
        f"roost run {shop.recipe.tool}": [roost, "run", *words],
        f"roost-run {shop.recipe.tool}": [roost_run, *words],
        "uv sync": [uv, "sync", "--quiet"],
        f"uv run {shop.recipe.tool}": [uv, "run", "--quiet", *words],
    }
    with contextlib.chdir(make(shop)):
        cases = [Case(label, there_and_back(bench, command)) for label, command in commands.items()]
        rows = bench.in_turn(cases, rounds)
    part = Part(
        name="switch",
        title="A branch switch, there and back",
        method=f"`git switch` to a branch whose lock file has {shop.differences} distributions otherwise, the command, "
        "`git switch` back, the command. Both states were seen before. `git` is part of each time. The project is a "
        "package itself, whose `pyproject.toml` names its dependencies: uv builds it anew after each switch.",
        unit="ms",
        base="uv sync",
        rows=list(rows.values()),
    )
    for label in list(commands)[1:4]:
        part.limit(label, 0.12)
    return part
