"""Measure roost beside its peers: `python -m benchmarks`, in the repository.

It needs uv, git and an index. Everything is made and installed in a temporary folder, uv's cache included. A full run
writes its results into `docs/benchmarks.md` and `docs/benchmarks.svg`; one with `--only` or `--quick` just prints them.
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

from benchmarks import change, commit, fanout, plot, results, sessions, switch, tools, warm
from benchmarks.bench import Bench
from benchmarks.project import Workshop, recipe
from benchmarks.results import Part

PARTS = {"warm": warm, "fanout": fanout, "switch": switch, "change": change, "sessions": sessions, "commit": commit}
ROUNDS = {"warm": 40, "fanout": 5, "switch": 15, "change": 7, "sessions": 5, "commit": 9}
BEGIN, END = "<!-- results: written by `python -m benchmarks` -->", "<!-- end of the results -->"
CAPTION = "Medians; shorter is better. Each panel has a scale of its own."


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    listed = ", ".join(f"{name} {count}" for name, count in ROUNDS.items())
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how often each command runs (default: {listed})")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help="one of them; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one round of a small project: does it run?")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write the results there (default: docs)")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a limit is not reached")
    told = parser.parse_args(words)
    if told.rounds is not None and told.rounds < 1:
        parser.error("--rounds must be at least 1")
    if told.quick and told.check:
        parser.error("--check judges the full project, so not with --quick")
    return told


def measure(shop: Workshop, chosen: Sequence[str], rounds: int | None, *, judge: bool = True) -> list[Part]:
    """Measure the parts, and print each as soon as it is done, with the limits if these are to `judge`."""
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
        print(f"{results.text(part)}\n{count} rounds in turn, {time.monotonic() - begun:.0f} s in all\n", flush=True)
    return parts


def about(shop: Workshop, versions: dict[str, str], machine: str) -> list[str]:
    """Return what was measured, when, and on what."""
    known = {**versions, "git": shop.bench.do("git", "--version").split()[2]}
    listed = ", ".join(f"{name} {version}" for name, version in known.items())
    return [
        f"{dt.datetime.now(dt.UTC).date()}; {machine}.",
        f"{listed}; a project of {shop.distributions} distributions.",
        *results.absences(shop.bench.absent),
    ]


def page(folder: Path, new: str) -> str:
    """Return the text of `benchmarks.md` in `folder`, where there may be none yet, with `new` between its markers.

    Raises:
        ValueError: it lacks them.
    """
    file = folder / "benchmarks.md"
    return results.between(file.read_text() if file.exists() else f"{BEGIN}\n{END}\n", BEGIN, END, new)


def write(folder: Path, parts: Sequence[Part], lines: Sequence[str]) -> None:
    """Write the tables into `benchmarks.md`, between its markers, and the plot beside it."""
    tables = [f"{results.markdown(part)}\n\n{part.rounds} rounds." for part in parts]
    (folder / "benchmarks.md").write_text(page(folder, "\n\n".join(["\n".join(lines), *tables])))
    (folder / "benchmarks.svg").write_text(plot.svg(parts, CAPTION))


def main(words: Sequence[str] | None = None) -> int:
    """Prepare, measure, print, write; return the exit status."""
    told = options(words)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that the folder is removed
    chosen = told.only or list(PARTS)
    machine = tools.machine()
    docs = told.docs or (None if told.only or told.quick else tools.REPOSITORY / "docs")
    if docs:  # found out now, and not at the end
        docs.mkdir(parents=True, exist_ok=True)
        page(docs, "")
    with (
        tempfile.TemporaryDirectory(prefix="roost-benchmarks-", ignore_cleanup_errors=True) as name,
        contextlib.closing(Bench(Path(name).resolve())) as bench,
    ):
        print("installing roost and its peers", file=sys.stderr)
        versions = tools.install(bench)
        shop = Workshop(bench, recipe(few=told.quick), starts=3 if told.quick else 12)
        parts = measure(shop, chosen, told.rounds or (1 if told.quick else None), judge=not told.quick)
        lines = about(shop, versions, machine)
    print("\n".join(lines))
    if docs:
        write(docs, parts, lines)
    missed = results.unmet(parts)
    for limit in missed:
        print(f"limit: {limit}", file=sys.stderr)
    return 1 if told.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
