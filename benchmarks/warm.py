"""How long a warm start takes: `roost run` beside `uv run`, the tool alone, and bare Python.

    python benchmarks/warm.py                 print the table
    python benchmarks/warm.py --check         exit with 1 where `roost run` takes more than 0.9 of `uv run`
    python benchmarks/warm.py --rounds 100    take longer, vary less

It makes a project of 40 real distributions in a temporary folder and locks it there, which needs uv and an index. It
installs a wheel of this checkout, with its bytecode compiled, into a virtualenv of its own, as users have it: the
`.pth` file of an editable install would cost each start something. Then all commands run in turn, round by round, so
that a machine that gets slower meanwhile gets slower for all of them.
"""

# ruff: noqa: INP001, T201 - a script, and its results go to standard output

import argparse
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
LIMIT = 0.9
ROUNDS = 40
TOOL = "ruff"
# With what they require these were 40 when this was written; the table says how many they are now.
DISTRIBUTIONS = """
    attrs babel blinker cachetools certifi charset-normalizer click colorama distlib docutils filelock flask idna
    imagesize iniconfig itsdangerous jinja2 markdown-it-py markupsafe mdurl mypy-extensions networkx packaging pathspec
    platformdirs pluggy pygments pyparsing pytest python-dateutil pytz requests rich ruff six snowballstemmer
    sortedcontainers urllib3 werkzeug
""".split()
PROJECT = f"""
[project]
name = "warm"
version = "1.0"
requires-python = ">=3.11"
dependencies = [{", ".join(f'"{name}"' for name in DISTRIBUTIONS)}]
"""
PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)  # no shell or hook manager passes that on
# What would lead a command to another environment than the one measured, or change how Python starts.
LEFT_OUT = ("PYTHON", "UV_PROJECT", "ROOST_", "VIRTUAL_ENV", "CONDA_", "__PYVENV")


class Case(NamedTuple):
    """One command that is measured."""

    label: str
    command: list[str]


def surroundings() -> dict[str, str]:
    """Return the caller's environment variables without what would lead a command elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}


def find_uv() -> str:
    """Return the path of uv: the one installed beside this Python, else the one on PATH.

    Raises:
        SystemExit: there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        sys.exit("`uv` is neither beside this Python nor on PATH: `pip install uv`")
    return found


def do(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
    """Run one step of the preparation; return its output.

    Raises:
        SystemExit: it failed.
    """
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"`{' '.join(command)}` ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def install_roost(uv: str, work: Path, env: Mapping[str, str]) -> Path:
    """Build a wheel of this checkout, install it into a virtualenv of its own, and return that one's `bin`."""
    do([uv, "build", "--quiet", "--wheel", "--out-dir", str(work / "dist"), str(REPOSITORY)], work, env)
    (wheel,) = (work / "dist").glob("*.whl")
    tools = work / "tools"
    do([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(tools)], work, env)
    python = str(tools / "bin/python")
    do([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, str(wheel)], work, env)
    return tools / "bin"


def make_project(uv: str, work: Path, env: Mapping[str, str]) -> Path:
    """Write the project, lock it, and let uv make its `.venv`; return the folder."""
    folder = work / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    do([uv, "lock", "--quiet", "--python", sys.executable], folder, env)
    do([uv, "sync", "--quiet", "--compile-bytecode", "--python", sys.executable], folder, env)
    return folder


def cases(uv: str, scripts: Path, project: Path) -> list[Case]:
    """Return the commands to measure; `roost` and `uv` by their full paths, so that none pays for a search.

    Bare Python is there twice: the interpreter alone, which is the floor, and as roost's script starts it. The second
    in roost's own virtualenv, since the base may hold what slows down every start (`.pth` files of other tools).
    """
    words = [TOOL, "--version"]
    return [
        Case("python -I -S", [str(base_python(project)), "-I", "-S", "-c", "pass"]),
        Case("python -I", [str(scripts / "python"), "-I", "-c", "pass"]),
        Case(f".venv/bin/{TOOL}", [str(project / ".venv/bin" / TOOL), "--version"]),
        Case("uv run", [uv, "run", *words]),
        Case("uv run --no-sync", [uv, "run", "--no-sync", *words]),
        Case("roost run", [str(scripts / "roost"), "run", *words]),
        Case("roost-run", [str(scripts / "roost-run"), *words]),
    ]


def base_python(project: Path) -> Path:
    """Return the interpreter that the project's venv was made with."""
    return (project / ".venv/bin/python").resolve()


def measure(case: Case, env: Mapping[str, str]) -> float:
    """Run one command in the current folder, its output thrown away; return how long it took in seconds.

    Raises:
        SystemExit: it failed.
    """
    with open(os.devnull, "r+b") as nothing:
        actions = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), descriptor) for descriptor in range(3)]
        begun = time.perf_counter()
        child = os.posix_spawn(case.command[0], case.command, env, file_actions=actions, setsigdef=PYTHON_IGNORES)
        _, status, _ = os.wait4(child, 0)
        taken = time.perf_counter() - begun
    if status:
        sys.exit(f"`{' '.join(case.command)}` ended with status {os.waitstatus_to_exitcode(status)}")
    return taken


def in_turn(chosen: Sequence[Case], rounds: int, env: Mapping[str, str]) -> dict[str, list[float]]:
    """Run each case once a round, each round in another order; return the seconds that each took."""
    taken: dict[str, list[float]] = {case.label: [] for case in chosen}
    order = random.Random(0)  # noqa: S311 - an order, not a secret
    for _ in range(rounds):
        for case in order.sample(chosen, len(chosen)):
            taken[case.label].append(measure(case, env))
    return taken


def make_warm(project: Path, scripts: Path, env: Mapping[str, str]) -> None:
    """Start until it is warm: the index is only written once the inputs are older than a time stamp's blur.

    Raises:
        SystemExit: it never is, so that what would be measured is not a warm start.
    """
    for _ in range(20):
        do([str(scripts / "roost"), "run", TOOL, "--version"], project, env)
        if (project / ".roost/v1/index/default").exists():
            return
        time.sleep(0.2)
    sys.exit(f"no index was written in `{project}`: there is no warm start to measure")


def table(taken: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the results as lines of aligned text, times in milliseconds."""
    unit = statistics.median(taken["uv run"])
    lines = [f"{'command':<20}{'median':>9}{'fastest':>9}{'of `uv run`':>13}"]
    for label, seconds in taken.items():
        median = statistics.median(seconds)
        lines.append(f"{label:<20}{median * 1e3:>9.1f}{min(seconds) * 1e3:>9.1f}{median / unit:>13.2f}")
    return lines


def machine(uv: str, scripts: Path, project: Path, env: Mapping[str, str]) -> list[str]:
    """Return what was measured, and on what."""
    versions = [
        do([str(scripts / "roost"), "--version"], project, env).strip().replace(", version", ""),
        do([uv, "--version"], project, env).strip().partition(" (")[0],
        do([str(project / f".venv/bin/{TOOL}"), "--version"], project, env).strip(),
    ]
    count = len(list((project / ".venv/lib").glob("python*/site-packages/*.dist-info")))
    python = do([str(base_python(project)), "-V"], project, env).strip()
    return [
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, {platform.machine()}",
        f"{python}, {', '.join(versions)}; {count} distributions",
    ]


def main() -> int:
    """Prepare, measure, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each command runs (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help=f"fail where `roost run` takes over {LIMIT} of `uv run`")
    told = parser.parse_args()
    uv, env = find_uv(), surroundings()
    with tempfile.TemporaryDirectory(prefix="roost-warm-") as name:
        work = Path(name).resolve()
        scripts, project = install_roost(uv, work, env), make_project(uv, work, env)
        make_warm(project, scripts, env)
        for line in machine(uv, scripts, project, env):
            print(line)
        os.chdir(project)
        taken = in_turn(cases(uv, scripts, project), told.rounds, env)
        os.chdir(REPOSITORY)
    print(f"{told.rounds} rounds in turn, milliseconds\n")
    print("\n".join(table(taken)))
    ratio = statistics.median(taken["roost run"]) / statistics.median(taken["uv run"])
    if told.check and ratio > LIMIT:
        print(f"`roost run` took {ratio:.2f} of `uv run`, and may take {LIMIT}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
