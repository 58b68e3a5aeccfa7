"""Measure roost and comparable tools: `python -m benchmarks`, in the repository.

It needs uv, git and an index. Everything is in a temporary folder, including uv's cache. A full run writes its results
to `docs/benchmarks.md` and `docs/benchmarks.svg`; a run with `--only` or `--quick` only prints them.
"""

# ruff: noqa: T201 - a script, and its results go to standard output

import argparse
import contextlib
import datetime as dt
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import change, commit, fanout, large, plot, results, sessions, switch, tools, warm, worktrees
from benchmarks.bench import Bench
from benchmarks.project import Workshop, recipe
from benchmarks.results import Part

PARTS = {
    "warm": warm,
    "fanout": fanout,
    "switch": switch,
    "change": change,
    "worktree": worktrees,
    "large": large,
    "sessions": sessions,
    "commit": commit,
}
ROUNDS = {"warm": 40, "fanout": 5, "switch": 15, "change": 7, "worktree": 7, "large": 5, "sessions": 5, "commit": 9}
BEGIN, END = "<!-- results: written by `python -m benchmarks` -->", "<!-- end of the results -->"
FIGURES = "<!-- figures: written by `python -m benchmarks` -->", "<!-- end of the figures -->"  # in the README
CAPTION = "Medians; shorter is better. Each panel has its own scale."


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    listed = ", ".join(f"{name} {count}" for name, count in ROUNDS.items())
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how often each command runs (default: {listed})")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help="only this part; repeatable")
    parser.add_argument("--quick", action="store_true", help="one round of a small project, to test the benchmark")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write the results there (default: docs)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is not reached")
    arguments = parser.parse_args(words)
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    if arguments.quick and arguments.check:
        parser.error("--check needs the full project: leave out --quick")
    return arguments


def measure(shop: Workshop, chosen: Sequence[str], rounds: int | None, *, judge: bool = True) -> list[Part]:
    """Measure the parts, and print each as soon as it is done. Without `judge` there are no limits."""
    parts = []
    for name in chosen:
        count = rounds or ROUNDS[name]
        print(f"measuring `{name}`: {count} rounds", file=sys.stderr)
        begun = time.monotonic()
        part = PARTS[name].run(shop, count)
        part.rounds = count
        if not judge:
            part.limits.clear()
        parts.append(part)
        print(f"{results.text(part)}\n{count} rounds, {time.monotonic() - begun:.0f} s in total\n", flush=True)
    return parts


def about(shop: Workshop, versions: dict[str, str], machine: str) -> list[str]:
    """Return the date, the machine, the versions and the absent tools, as lines."""
    known = {**versions, "git": shop.bench.do("git", "--version").split()[2]}
    listed = ", ".join(f"{name} {version}" for name, version in known.items())
    return [
        f"{dt.datetime.now(dt.UTC).date()}; {machine}.",
        f"{listed}; a project of {shop.distributions} distributions.",
        *results.absences(shop.bench.absent),
    ]


def page(folder: Path, new: str) -> str:
    """Return the text of `benchmarks.md` in `folder`, which need not exist, with `new` between its markers.

    Raises:
        ValueError: it lacks them.
    """
    file = folder / "benchmarks.md"
    return results.between(file.read_text() if file.exists() else f"{BEGIN}\n{END}\n", BEGIN, END, new)


def write(folder: Path, parts: Sequence[Part], lines: Sequence[str]) -> None:
    """Write the tables into `benchmarks.md`, between its markers, and the plot next to it."""
    tables = [f"{results.markdown(part)}\n\n{part.rounds} rounds." for part in parts]
    (folder / "benchmarks.md").write_text(page(folder, "\n\n".join(["\n".join(lines), *tables])))
    (folder / "benchmarks.svg").write_text(plot.svg(parts, CAPTION))


def main(words: Sequence[str] | None = None) -> int:
    """Prepare, measure, print, write. Returns the exit status."""
    arguments = options(words)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that the folder is removed
    chosen = arguments.only or list(PARTS)
    machine = tools.machine()
    docs = arguments.docs or (None if arguments.only or arguments.quick else tools.REPOSITORY / "docs")
    if docs:  # a page without markers is an error now, not after the measurement
        docs.mkdir(parents=True, exist_ok=True)
        page(docs, "")
    with (
        tempfile.TemporaryDirectory(prefix="roost-benchmarks-", ignore_cleanup_errors=True) as name,
        contextlib.closing(Bench(Path(name).resolve())) as bench,
    ):
        print("installing roost and the other tools", file=sys.stderr)
        versions = tools.install(bench)
        shop = Workshop(bench, recipe(few=arguments.quick), starts=3 if arguments.quick else 12)
        parts = measure(shop, chosen, arguments.rounds or (1 if arguments.quick else None), judge=not arguments.quick)
        lines = about(shop, versions, machine)
    print("\n".join(lines))
    if docs:
        write(docs, parts, lines)
    if docs == tools.REPOSITORY / "docs":
        readme = tools.REPOSITORY / "README.md"
        readme.write_text(results.between(readme.read_text(), *FIGURES, results.headline(parts, shop.distributions)))
    missed = results.unmet(parts)
    for limit in missed:
        print(f"limit: {limit}", file=sys.stderr)
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
