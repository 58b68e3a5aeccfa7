"""A commit with eight hooks, each a quick check of one file, through pre-commit and prek."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench, Case
from benchmarks.project import Workshop
from benchmarks.results import Part

RULES = ("E", "F", "B", "C4", "PIE", "UP", "SIM", "RUF")  # one hook for each
FRAMEWORKS = ("pre-commit", "prek")


def entries(tool: str) -> dict[str, str]:
    """Return what hooks can call, by the label."""
    return {
        "system": f".venv/bin/{tool}",
        "roost-run": f"roost-run {tool}",
        "roost run": f"roost run {tool}",
        "uv run": f"uv run {tool}",
    }


def config(entry: str) -> str:
    """Return a `.pre-commit-config.yaml`. JSON is YAML, too."""
    hooks = [
        {"id": f"check-{rule}", "name": rule, "entry": f"{entry} check --select {rule}", "language": "system"}
        | {"types": ["python"]}
        for rule in RULES
    ]
    return json.dumps({"repos": [{"repo": "local", "hooks": hooks}]})


def make(shop: Workshop) -> Path:
    """Return a project with a folder of git hooks for each framework and each kind of hook."""
    bench, project = shop.bench, shop.project("commit")
    (project / ".gitignore").write_text("/.roost\n/.venv\n/configs\n/hooks-*\n")
    (project / "module.py").write_text('"""A module."""\n')
    (project / "configs").mkdir()
    (project / "hooks-none").mkdir()
    bench.do("git", "init", "--quiet", folder=project)
    bench.do("git", "add", "--all", folder=project)
    bench.do("git", "commit", "--quiet", "--message", "Begin", folder=project)
    bench.do(bench.path("uv"), "sync", "--quiet", "--locked", folder=project)
    bench.do(bench.path("roost"), "sync", folder=project)
    for name, entry in entries(shop.recipe.tool).items():
        file = f"configs/{name.replace(' ', '_')}.yaml"
        (project / file).write_text(config(entry))
        for framework in filter(bench.has, FRAMEWORKS):
            bench.do(bench.path(framework), "install", "--config", file, folder=project)
            folder = hooks(project, framework, name)
            folder.mkdir()
            (project / ".git/hooks/pre-commit").rename(folder / "pre-commit")
    return project


def hooks(project: Path, framework: str, name: str) -> Path:
    """Return the folder of git hooks."""
    return project / f"hooks-{framework}-{name.replace(' ', '_')}"


def changed(bench: Bench, project: Path) -> Callable[[], None]:
    """Return what changes the module, and stages it."""

    def prepare() -> None:
        text = (project / "module.py").read_text()
        (project / "module.py").write_text(f"{text}VALUE_{text.count('VALUE')} = 1\n")
        bench.do(bench.path("git"), "add", "module.py")

    return prepare


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench, project = shop.bench, make(shop)

    def commit(folder: Path) -> Callable[[], int]:
        return bench.runs(bench.path("git"), "-c", f"core.hooksPath={folder}", "commit", "--message", "Change")

    prepare = changed(bench, project)
    cases = [Case("no hooks", commit(project / "hooks-none"), prepare=prepare)]
    for framework in FRAMEWORKS:
        for name in entries(shop.recipe.tool):
            work = commit(hooks(project, framework, name))
            cases.append(Case(f"{framework}, {name}", work, (framework,), prepare))
    with contextlib.chdir(project):
        rows = bench.in_turn(cases, rounds)
    return Part(
        name="commit",
        title=f"A commit with {len(RULES)} hooks",
        method=f"`git commit` of one changed file. Each hook is local, has `language: system`, and runs one quick "
        f"check with `{shop.recipe.tool}`: by its path in `.venv` (*system*), or through the command in the table.",
        unit="ms",
        base="pre-commit, uv run",
        rows=list(rows.values()),
    )
