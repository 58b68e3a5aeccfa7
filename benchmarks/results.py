"""Results: medians, ratios, limits, and how they are shown as text and as Markdown."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass
class Row:
    """How long one case took, each time."""

    label: str
    seconds: list[float] = field(default_factory=list)
    failures: int = 0
    starts: int = 0
    """How many commands start in each round, where failures are counted."""
    notes: dict[str, str] = field(default_factory=dict)
    """More columns."""

    def add(self, seconds: float, failures: int = 0) -> None:
        """Add what was measured in one round."""
        self.seconds.append(seconds)
        self.failures += failures

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)


class Limit(NamedTuple):
    """A limit, and the measured value."""

    what: str
    value: float
    most: float

    def __str__(self) -> str:
        """Return it as a sentence."""
        verdict = "reached" if self.value <= self.most else "not reached"
        return f"{self.what}: {self.value:.2f}, at most {self.most:.2f} ({verdict})"


@dataclass
class Part:
    """One part of the benchmark."""

    name: str
    title: str
    method: str
    unit: str
    """`ms` or `s`."""
    base: str
    """The row that the ratios are to."""
    rows: list[Row]
    limits: list[Limit] = field(default_factory=list)
    rounds: int = 0
    floor: str = ""
    """The row that is subtracted before the ratio, for parts that compare what a command adds."""

    def row(self, label: str) -> Row | None:
        """Return the row with that label if it was measured."""
        return next((row for row in self.rows if row.label == label and row.seconds), None)

    def ratio(self, row: Row) -> float | None:
        """Return how long `row` took, or what it added to the floor, relative to the base."""
        base = self.row(self.base)
        if base is None or not row.seconds:
            return None
        floor = self.row(self.floor)
        off = floor.median if floor else 0.0
        return (row.median - off) / (base.median - off) if base.median > off else None

    def limit(self, label: str, most: float, what: str = "") -> None:
        """Limit the ratio of a row to `most`, if it was measured."""
        row = self.row(label)
        value = self.ratio(row) if row else None
        if value is not None:
            relation = f"adds, relative to what `{self.base}` adds" if self.floor else f"relative to `{self.base}`"
            self.limits.append(Limit(what or f"`{label}` {relation}", value, most))

    def compare(self, label: str, other: str, most: float) -> None:
        """Limit the ratio of a row to another row than the base, if both were measured."""
        row, against = self.row(label), self.row(other)
        if row and against:
            self.limits.append(Limit(f"`{label}` relative to `{other}`", row.median / against.median, most))

    def exceed(self, label: str, other: str, most: float) -> None:
        """Limit by how much a row is above another row to `most`, in the unit, if both were measured."""
        row, against = self.row(label), self.row(other)
        if row and against:
            above = (row.median - against.median) * self.scale()
            self.limits.append(Limit(f"`{label}` above `{other}`, {self.unit}", above, most))

    def scale(self) -> float:
        """Return how many of the unit are a second."""
        return 1e3 if self.unit == "ms" else 1.0


def number(value: float) -> str:
    """Return `value` with two or three significant digits."""
    places = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.0995 else 3
    return f"{value:.{places}f}"


def cells(part: Part) -> list[list[str]]:
    """Return a table: the heads of the columns, then the rows."""
    more = list(dict.fromkeys(note for row in part.rows for note in row.notes))
    counted = any(row.starts for row in part.rows)
    ratio = f"added, relative to `{part.base}`" if part.floor else f"relative to `{part.base}`"
    table = [["", f"median, {part.unit}", "fastest", "slowest", ratio, *(["failed"] if counted else []), *more]]
    for row in part.rows:
        notes = [row.notes.get(note, "") for note in more]
        if row.seconds:
            values = [number(value * part.scale()) for value in (row.median, min(row.seconds), max(row.seconds))]
            found = part.ratio(row)
            shown = "" if found is None or (part.floor and found < 0) else number(found)
            failures = f"{row.failures} of {row.starts * len(row.seconds)}" if row.starts else ""
            table.append([f"`{row.label}`", *values, shown, *([failures] if counted else []), *notes])
        else:
            table.append([f"`{row.label}`", "absent", "", "", "", *([""] if counted else []), *notes])
    return table


def text(part: Part) -> str:
    """Return the part as aligned text."""
    table = [[cell.replace("`", "") for cell in line] for line in cells(part)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [part.title, part.method, ""]
    for line in table:
        first, *others = (
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join([*lines, *(f"limit: {limit}" for limit in part.limits)])


def markdown(part: Part) -> str:
    """Return the part as Markdown."""
    head, *lines = cells(part)
    table = [head, ["---", *("--:" for _ in head[1:])], *lines]
    limits = [f"- {limit}" for limit in part.limits]
    return "\n".join(
        [f"## {part.title}", "", part.method, "", *(f"| {' | '.join(line)} |" for line in table)]
        + (["", *limits] if limits else [])
    )


HEADLINE = {  # the rows of the README's table: the part, and its sentence
    "warm": "nothing changed (ruff alone {floor})",
    "switch": "`git switch` to another lock file and back, a start after each",
}
COMMANDS = ("roost-run", "roost run", "uv run")


def headline(parts: Sequence[Part], distributions: int) -> str:
    """Return the table of the README, in milliseconds: its figures are a few of those on the page."""
    lines = [
        f"| `ruff --version`, {distributions} distributions, median in ms | `roost-run` | `roost run` | `uv run` |",
        "| --- | --: | --: | --: |",
    ]
    for part in parts:
        sentence = HEADLINE.get(part.name)
        found = [part.row(f"{command} ruff") for command in COMMANDS]
        if sentence:
            floor = part.row(part.floor)
            what = sentence.format(floor=number(floor.median * 1e3) if floor else "")
            lines.append(f"| {' | '.join([what, *(number(row.median * 1e3) if row else '' for row in found)])} |")
    return "\n".join(lines)


def between(page: str, begin: str, end: str, new: str) -> str:
    """Return `page` with `new` between the lines `begin` and `end`.

    Raises:
        ValueError: the page lacks one of them, or has them in the other order.
    """
    before, found, rest = page.partition(f"{begin}\n")
    _, closed, after = rest.partition(f"{end}\n")
    if not found or not closed:
        message = f"no `{begin}` … `{end}` to write between"
        raise ValueError(message)
    return f"{before}{begin}\n{new.strip()}\n{end}\n{after}"


def absences(absent: Mapping[str, str]) -> list[str]:
    """Return a line for each tool or case that is absent."""
    return [f"{name} is absent: {reason}" for name, reason in absent.items()]


def unmet(parts: Sequence[Part]) -> list[Limit]:
    """Return the limits that were not reached."""
    return [limit for part in parts for limit in part.limits if limit.value > limit.most]
