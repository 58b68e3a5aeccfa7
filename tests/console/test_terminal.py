"""What a person sees: on a terminal of 80 columns and in a pipe, in colour and without."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.cli import commands as cli
from tests.lib.processes import ROOST, ROOST_RUN, finish, run, wait_for
from tests.lib.projects import Project
from tests.lib.terminals import COLUMNS, in_terminal, plain, screen
from tests.lib.wheels import make_wheel

LIVE = re.compile(r"\r\x1b\[K([^\r\n\x1b]+)\r(?!\n)")
BUILDING = r"roost: building `default` with uv \(uv\.lock\), Python 3\.\d+\.\d+: the first one"
COMMANDS = (["status"], ["why"], ["log"], ["doctor"])
HELP = [
    *([word, "--help"] for word in cli.cli.commands if word != "nox"),  # that one is nox's
    *(["hook", word, "--help"] for word in ("install", "uninstall", "sync")),
]


@pytest.fixture
def held(tmp_path: Path, wheels: Path) -> Project:
    """Provide a project whose build says `halfway`, and goes on once there is a file `go`."""
    made = Project(tmp_path / "work" / "project", wheels)
    script = "echo started; echo '   halfway'; while [ ! -e go ]; do sleep 0.02; done"
    made.write(roost=f'installer = "command"\ncommand = ["sh", "-c", "{script}"]')
    return made


def release(project: Project, sign: str) -> Callable[[str], None]:
    """Return what lets a build go on once `sign` was seen on the terminal."""

    def react(raw: str) -> None:
        if sign in plain(raw):
            (project.root / "go").touch()

    return react


def test_long_build_shows_phase_packages_and_time(held: Project) -> None:
    status, raw = in_terminal([ROOST, "run", "python", "-c", "print('ran')"], held.root, react=release(held, ", 2 s:"))
    assert status == 0
    shown = LIVE.findall(plain(raw))
    assert "roost: installing with command, 0 packages, 1 s: halfway" in shown
    assert max(map(len, shown)) < COLUMNS
    first, last, ran = screen(raw)
    assert first.startswith("roost: building `default` with command (")
    assert re.fullmatch(r"roost: built `default` in \d+\.\d s, 0 packages", last)
    assert ran == "ran"


def test_live_line_shows_no_json_while_compiling(tmp_path: Path) -> None:
    """The program that checks a new venv answers in JSON; here a package keeps it running after that."""
    waiting = "import pathlib, time; pathlib.Path('answered').touch()\n"
    waiting += "while not pathlib.Path('go').exists():\n    time.sleep(0.02)\n"
    files = {
        "slow_exit.py": f"import atexit\natexit.register(lambda: exec({waiting!r}))\n",
        "slow_exit.pth": "import slow_exit\n",
    }
    wheels = tmp_path / "more"
    wheels.mkdir()
    make_wheel(wheels, "elder", "1.0", files=files)
    project = Project(tmp_path / "work/project", wheels)
    project.write(dependencies=["elder"])
    seen = 0

    def react(raw: str) -> None:
        nonlocal seen
        if not seen and (project.root / "answered").exists():
            seen = len(raw)
        if seen and "compiling" in raw[seen:]:
            (project.root / "go").touch()

    status, raw = in_terminal([ROOST, "sync"], project.root, react=react)
    assert status == 0
    shown = [line for line in LIVE.findall(plain(raw)) if "compiling" in line]
    assert shown
    assert all(re.fullmatch(r"roost: compiling, 1 packages, \d+ s", line) for line in shown), shown


def test_live_line_is_cut_to_a_narrow_terminal(held: Project) -> None:
    _, raw = in_terminal([ROOST, "sync"], held.root, columns=40, react=release(held, "…"))
    shown = LIVE.findall(plain(raw))
    assert "roost: installing with command, 0 pack…" in shown
    assert max(map(len, shown)) == 39


def test_live_line_of_wide_characters_does_not_wrap(held: Project) -> None:
    held.edit("pyproject.toml", "halfway", "\u65e5\u672c\u8a9e" * 20)
    _, raw = in_terminal([ROOST, "sync"], held.root, react=release(held, "\u2026"))
    (line, *_) = [line for line in LIVE.findall(plain(raw)) if line.endswith("\u2026")]
    assert line.startswith("roost: installing with command, 0 packages, 1 s: \u65e5\u672c\u8a9e")
    assert sum(1 if char.isascii() or char == "\u2026" else 2 for char in line) in (COLUMNS - 2, COLUMNS - 1)


def test_long_build_in_a_pipe_is_two_lines(held: Project) -> None:
    builder = held.start("run", "python", "-c", "pass")
    wait_for(held.venvs, "the build")
    waiter = held.start("run", "python", "-c", "pass")
    held_up = []
    assert waiter.stderr is not None
    held_up.append(waiter.stderr.readline())
    (held.root / "go").touch()
    _, _, said = finish(builder)
    assert [line.split("`")[0] for line in said.splitlines()] == ["roost: building ", "roost: built "]
    assert "\x1b" not in said
    assert "\r" not in said
    held_up.append(finish(waiter)[2])
    assert re.fullmatch(
        rf"roost: waiting for the build lock, held by pid {builder.pid} \(`roost run python`\) since [0-9:]+\n",
        "".join(held_up),
    )


def test_wait_shows_the_holder_and_the_time(held: Project) -> None:
    builder = held.start("run", "python", "-c", "pass")
    wait_for(held.venvs, "the build")
    command = [ROOST, "run", "python", "-c", "print('ran')"]
    status, raw = in_terminal(command, held.root, react=release(held, "waiting 2 s"))
    assert status == 0
    shown = LIVE.findall(plain(raw))
    for seconds in (1, 2):
        begin = f"roost: waiting {seconds} s for the build lock, held by pid {builder.pid} (`roost run pyth"
        assert any(line.startswith(begin[: COLUMNS - 2]) and len(line) < COLUMNS for line in shown)
    waited, ran = screen(raw)
    assert re.fullmatch(
        rf"roost: waited \d\.\d s for the build lock, held by pid {builder.pid} \(`roost run python`\) since [0-9:]+",
        waited,
    )
    assert ran == "ran"
    assert finish(builder)[0] == 0


def test_two_on_one_terminal_do_not_write_into_each_others_lines(held: Project) -> None:
    """One that waits has its live line there while another says something."""
    builder = held.start("run", "python", "-c", "pass")
    wait_for(held.venvs, "the build")
    other = f"{ROOST} sync --env default --all"
    both = f"{ROOST} run python -c pass & while [ ! -e ../seen ]; do sleep 0.02; done; {other}; wait"

    def react(raw: str) -> None:
        if "waiting 1 s" in plain(raw):
            (held.root.parent / "seen").touch()
        if "exclude each other" in raw:
            (held.root / "go").touch()

    _, raw = in_terminal(["/bin/sh", "-c", both], held.root, react=react)
    assert finish(builder)[0] == 0
    lines = screen(raw)
    assert "roost: `--env` and `--all` exclude each other" in lines
    assert sum(line.startswith("roost: waited ") for line in lines) == 1


def test_wait_that_runs_out_leaves_the_error_alone(held: Project) -> None:
    builder = held.start("run", "python", "-c", "pass")
    wait_for(held.venvs, "the build")
    env = dict(os.environ) | {"ROOST_TIMEOUT": "1.5", "TERM": "xterm"}
    status, raw = in_terminal([ROOST, "run", "python"], held.root, env)
    assert status == 124
    assert LIVE.search(plain(raw))
    assert [line.split(":")[0:2] for line in screen(raw)[:1]] == [["roost", " gave up after 2 s"]]
    (held.root / "go").touch()
    assert finish(builder)[0] == 0


def test_wait_that_runs_out_leaves_no_live_line_to_others(held: Project) -> None:
    """In Python, where roost says nothing of the error itself, as in nox."""
    builder = held.start("run", "python", "-c", "pass")
    wait_for(held.venvs, "the build")
    code = "import roost\ntry:\n    roost.acquire('.', timeout=1.2)\nexcept roost.RoostError:\n    print('caught')"
    status, raw = in_terminal([Path(ROOST).parent / "python", "-c", code], held.root)
    assert (status, screen(raw)) == (0, ["caught"])
    assert LIVE.search(plain(raw))
    (held.root / "go").touch()
    assert finish(builder)[0] == 0


def test_under_pre_commit_lines_are_whole(held: Project) -> None:
    """It gives hooks a terminal, and prints what that collected afterwards."""
    builder = held.start("run", "python", "-c", "pass")
    wait_for(held.venvs, "the build")
    env = dict(os.environ) | {"PRE_COMMIT": "1", "TERM": "xterm"}
    react = release(held, "roost: waiting")
    _, raw = in_terminal([ROOST, "run", "python", "-c", "pass"], held.root, env, react=react)
    assert finish(builder)[0] == 0
    assert "\x1b[K" not in raw
    assert raw.count("\n") == 1
    assert "roost: waiting for the build lock, held by pid" in plain(raw)


def test_short_build_is_one_line_and_a_warm_start_none(project: Project) -> None:
    for env in (None, dict(os.environ) | {"TERM": "xterm", "FORCE_COLOR": "1"}):
        _, raw = in_terminal([ROOST, "sync", "--refresh"], project.root, env)
        said, path = screen(raw)
        assert re.fullmatch(f"{BUILDING}|.*: because of `--refresh`", said)
        assert path in map(str, project.venvs())
    _, raw = in_terminal([ROOST, "run", "python", "-c", "print('ran')"], project.root)
    assert raw == "ran\r\n"


def test_what_changed_is_in_the_line_of_a_short_build(project: Project) -> None:
    project.python("pass")
    project.write(dependencies=["apple<2"], groups={"dev": ["cherry"]})
    project.lock()
    said, *_ = project.python("pass").stderr.splitlines()  # on a busy machine it is no short one
    changed = "changed: pyproject.toml [dependency-groups] dev, pyproject.toml [project] dependencies, uv.lock"
    assert said.endswith(f": {changed} (apple 2.0 → 1.0, + cherry 1.0, - banana 1.0)")


@pytest.mark.parametrize("words", [["run", "-q"], ["sync", "--quiet"]], ids=" ".join)
def test_quiet_says_nothing_of_a_build_nor_of_a_wait(held: Project, words: list[str]) -> None:
    command = [*words, "python", "-c", "pass"] if words[0] == "run" else words
    builder = held.start(*command)
    wait_for(held.venvs, "the build")
    journal = held.store / ".venv/.v2/journal"
    waiter = held.start(*command, env=dict(os.environ) | {"ROOST_TIMEOUT": "1.2"})
    status, _, error = finish(waiter)
    assert (status, error.count("\n")) == (124, 1)  # an error is said
    assert error.startswith("roost: gave up after 1 s: ")
    (held.root / "go").touch()
    assert finish(builder)[::2] == (0, "")
    assert journal.exists()


def test_quiet_from_the_environment_for_hooks(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]", '[tool.roost]\nlink = ".venv"')
    (project.root / ".venv").mkdir()
    env = dict(os.environ) | {"ROOST_QUIET": "1", "TERM": "xterm"}
    got = run([ROOST_RUN, "python", "-c", "print('ran')"], cwd=project.root, env=env)
    assert got.stdout == "ran\n"
    (warning,) = got.stderr.splitlines()  # only warnings
    assert warning.startswith(f"roost: warning: `{project.root}/.venv` exists")
    env["ROOST_QUIET"] = "0"
    assert "building" in run([ROOST, "sync", "--refresh"], cwd=project.root, env=env).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "terminal", "pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
    ids=str,
)
def test_colours(project: Project, env: dict[str, str], terminal: bool, pipe: bool) -> None:
    variables = dict(os.environ) | {"TERM": "xterm"} | env
    error = ["sync", "--env", "nonesuch"]
    for words in (["status"], error):
        got = run([ROOST, *words], cwd=project.root, env=variables)
        assert ("\x1b[" in got.stdout + got.stderr) == pipe
        _, raw = in_terminal([ROOST, *words], project.root, variables)
        assert (plain(raw) != raw) == terminal
        assert " ".join(" ".join(screen(raw)).split()) == " ".join(plain(got.stdout + got.stderr).split())


@pytest.mark.slow
def test_every_report_fits_80_columns_and_says_the_same_in_a_pipe(project: Project) -> None:
    run(["git", "init", "-q"], cwd=project.root, check=True)
    project.python("pass")
    project.write(dependencies=["apple<2"], groups={"dev": ["banana", "cherry"]}, roost="compile-bytecode = false")
    project.lock()
    project.python("pass")
    for words in COMMANDS:
        got = run([ROOST, *words], cwd=project.root)
        assert got.returncode == 0
        assert "\x1b" not in got.stdout
        _, raw = in_terminal([ROOST, *words], project.root)
        lines = screen(raw)
        assert _words(lines) == _words(got.stdout.splitlines())
        too_long = [line for line in lines if len(line) > COLUMNS and len(max(line.split(), key=len)) < COLUMNS - 10]
        assert too_long == []


def _words(lines: list[str]) -> list[str]:
    """Return what was said, without what differs from one moment to the next."""
    return [word for word in " ".join(lines).split() if not re.fullmatch(r"[0-9:]{8}|\d+", word)]


def test_help_fits_and_its_summaries_are_whole() -> None:
    _, raw = in_terminal([ROOST, "--help"], Path.cwd())
    lines = screen(raw)
    assert max(map(len, lines)) <= COLUMNS
    summaries = lines[lines.index("Commands:") + 1 :]
    summaries = summaries[: summaries.index("")]
    assert [line.split()[0] for line in summaries] == sorted(
        "clean completion doctor hook init key log nox run status sync uv why".split()
    )
    assert not [line for line in summaries if not line.endswith(".") or line.endswith("...")]


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_of_each_command_fits(words: list[str]) -> None:
    status, raw = in_terminal([ROOST, *words], Path.cwd())
    assert status == 0
    assert max(map(len, screen(raw))) <= COLUMNS
    assert "Example" in raw or words == ["hook", "--help"]
    assert "..." not in raw.replace("COMMAND...", "").replace("[ARGS]...", "").replace("[ARGUMENTS]...", "")


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_of_each_option_with_a_value_says_its_default(words: list[str]) -> None:
    said = " ".join(run([ROOST, *words]).stdout.split())
    for option in re.findall(r" (-+[a-z]+) (?:NAME|DIR|X|COUNT|MINUTES)\b ", said):
        text = said.partition(f" {option} ")[2].partition(" -")[0]
        assert "[default: " in text, option


def test_help_says_how_to_begin_and_what_can_be_set() -> None:
    said = run([ROOST, "--help"]).stdout
    for line in (
        "  roost run pytest         in scripts and hooks also: roost-run pytest\n",
        "  2 usage, 124 a wait ran out, 125 any other failure,\n",
        "  ROOST_TIMEOUT            bound on waits, in seconds  [default: 600]\n",
    ):
        assert line in said
