"""A branch switch, there and back, between two states that were built before."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.bench import Bench, Case
from benchmarks.project import Workshop
from benchmarks.results import Part

BRANCHES = ("other", "main")  # there, and back
PACKAGE = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[tool.hatch.build]
dev-mode-dirs = ["src"]
"""


def make(shop: Workshop, name: str, more: str = "") -> Path:
    """Return a project with a branch for each state; `more` goes to the end of its `pyproject.toml`."""
    project, bench = shop.project(name), shop.bench
    (project / ".gitignore").write_text("/.roost\n/.venv\n")
    (project / "src/bench").mkdir(parents=True)
    (project / "src/bench/__init__.py").touch()
    for branch, state in (("main", shop.state), ("other", shop.other)):
        if branch == "main":
            bench.do("git", "init", "--quiet", folder=project)
        else:
            bench.do("git", "switch", "--quiet", "--create", branch, folder=project)
        state.write(project)
        with (project / "pyproject.toml").open("a") as file:
            file.write(more)
        bench.do(bench.path("uv"), "lock", "--quiet", folder=project)
        bench.do("git", "add", "--all", folder=project)
        bench.do("git", "commit", "--quiet", "--message", branch, folder=project)
        bench.do(bench.path("roost"), "sync", folder=project)
    bench.do("git", "switch", "--quiet", "main", folder=project)
    bench.do(bench.path("uv"), "sync", "--quiet", "--locked", folder=project)
    return project


def there_and_back(bench: Bench, project: Path, command: Sequence[str]) -> Callable[[], int]:
    """Return what switches to the other branch of `project` and back, and runs `command` after each switch."""
    git = bench.path("git")

    def work() -> int:
        failures = 0
        with contextlib.chdir(project):
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
    package, other = make(shop, "switch", PACKAGE), make(shop, "switch-plain")
    cases = [Case(label, there_and_back(bench, package, command)) for label, command in commands.items()]
    cases += [
        Case(f"{label}, no package", there_and_back(bench, other, commands[label]))
        for label in ("roost sync", "uv sync")
    ]
    rows = bench.in_turn(cases, rounds)
    part = Part(
        name="switch",
        title="A branch switch, there and back",
        method=f"`git switch` to a branch whose lock file differs in {shop.differences} distributions, the command, "
        "`git switch` back, the command again. Both states were built before. Each time includes `git`. The project "
        "is a package, built by hatchling, and its `pyproject.toml` lists the dependencies, so uv builds it again "
        "after each switch. In the rows *no package* it is not a package, and uv builds nothing.",
        unit="ms",
        base="uv sync",
        rows=list(rows.values()),
    )
    for label in list(commands)[1:4]:
        part.limit(label, 0.12)
    return part
