"""Completion, by what real shells make of it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.processes import ROOST, run
from tests.lib.projects import Project
from tests.lib.terminals import in_terminal

KILL_LINE = "\x15"
# `READY` is the prompt once the shell is set up: as typed it has quotes in it, so its echo does not count.
SETUP = {
    "bash": """eval "$(roost completion bash)"; PS1=REA'DY '""",
    "zsh": """autoload -Uz compinit; compinit -u -D; eval "$(roost completion zsh)"; PS1=REA'DY '""",
}
SHELLS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


@pytest.fixture
def named(project: Project) -> Project:
    """Provide a built project with the environments `default`, `docs` and `dough`."""
    roost = "[project.optional-dependencies]\nfast = []\n[tool.roost.envs.docs]\ngroups = []\n[tool.roost.envs.dough]\ngroups = []"
    project.write(dependencies=["apple"], groups={"dev": ["banana"]}, roost=roost)
    project.lock()
    project.roost("sync")
    return project


def need(shell: str) -> None:
    """Skip where `shell` is not installed."""
    if shutil.which(shell) is None:
        pytest.skip(f"`{shell}` is not installed")


def surroundings() -> dict[str, str]:
    """Return the variables of a shell that finds roost on its PATH."""
    path = f"{os.path.dirname(ROOST)}{os.pathsep}{os.environ['PATH']}"
    return dict(os.environ) | {"PATH": path, "TERM": "dumb", "PS1": "> "}


def dialogue(*steps: tuple[str, str]) -> Callable[[str], str | None]:
    """Return what types the second of each step once the first came, counted from where the step before was seen."""
    left, seen = list(steps), 0

    def react(raw: str) -> str | None:
        nonlocal seen
        if left and (at := raw.find(left[0][0], seen)) >= 0:
            seen = at + len(left[0][0])
            return left.pop(0)[1]
        return None

    return react


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_completes_environments_commands_and_tools(named: Project, shell: str) -> None:
    need(shell)
    react = dialogue(
        ("> ", SETUP[shell] + "\n"),
        ("READY ", "roost run --env dou\t"),
        ("--env dough", KILL_LINE + "roost why --env d\t\t"),
        ("docs", KILL_LINE + "roost hook unin\t"),
        ("hook uninstall", KILL_LINE + "roost run bana\t"),
        ("run banana", KILL_LINE + "roost-run bana\t"),
        ("roost-run banana", KILL_LINE + "roost statu\t"),
        ("roost status", KILL_LINE + "exit\n"),
    )
    status, raw = in_terminal(SHELLS[shell], named.root, surroundings(), react=react)
    assert status == 0, raw
    (listed,) = {line for line in raw.splitlines() if line.split()[:1] == ["default"]} or {raw}
    assert listed.split() == ["default", "docs", "dough"]
    assert "Traceback" not in raw


def test_fish_completes_environments_commands_and_tools(named: Project) -> None:
    need("fish")
    asked = {
        "roost run --env do": ["docs", "dough"],
        "roost hook unin": ["uninstall"],
        "roost run bana": ["banana"],
        "roost statu": ["status"],
        "roost completion b": ["bash"],
    }
    for line, expected in asked.items():
        got = run(
            ["fish", "--no-config", "-c", f"roost completion fish | source; complete -C '{line}'"],
            cwd=named.root,
            env=surroundings(),
        )
        assert got.stderr == ""
        assert [word.split("\t")[0] for word in got.stdout.splitlines()] == expected


@pytest.mark.slow
def test_what_cannot_be_completed_is_no_error(named: Project, tmp_path: Path) -> None:
    """By what click prints for bash: kind and value, a line each."""
    before = sorted(named.store.rglob("*"))
    asked = {
        "run --env do": ["plain,docs", "plain,dough"],
        "run --env docs ": [],  # which was never built
        "run --project /nowhere ba": [],
        "sync --project /nowhere --env d": [],
        "run banana te": ["file,te"],
        "run ./te": ["file,./te"],
        "hook sync --env dou": ["plain,dough"],
        "run --group ": ["plain,dev"],
        "sync --only-group d": ["plain,dev"],
        "why --extra ": ["plain,fast"],
        "key --package ": [f"plain,{named.root.name}"],
    }
    for words, expected in asked.items():
        assert _offered(words, named.root) == expected, words
    assert _offered("run ba", tmp_path) == _offered("run --env d", tmp_path) == []
    assert sorted(named.store.rglob("*")) == before


def _offered(words: str, folder: Path) -> list[str]:
    count = len(words.split()) + words.endswith(" ")
    env = {"_ROOST_COMPLETE": "bash_complete", "COMP_WORDS": f"roost {words}", "COMP_CWORD": str(count)}
    got = run([ROOST], cwd=folder, env=dict(os.environ) | env)
    assert got.stderr == ""
    return got.stdout.split()
