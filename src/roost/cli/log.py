"""`roost log`: the journal."""

from collections.abc import Sequence

import click

from roost.cli import options, output, timeline
from roost.console import messages
from roost.errors import RoostError, UsageError
from roost.inputs.project import Project
from roost.store import journal
from roost.store.store import Store


@click.command(
    short_help="Show builds, waits, failures and removals.",
    epilog="""\b
Examples:
  roost log -n 50
  roost log --timeline out.svg    the waits of the last fan-out""",
)
@click.option(
    "-n", "count", type=click.IntRange(1), metavar="COUNT", default=20, help="The last COUNT events.  [default: 20]"
)
@click.option("--timeline", "picture", metavar="FILE", help="Draw an SVG instead.")
@click.option(
    "--since",
    "minutes",
    type=click.FloatRange(0),
    metavar="MINUTES",
    help="With `--timeline`: draw this time span.  [default: the last fan-out]",
)
@options.as_json
@options.project
def log(count: int, picture: str | None, minutes: float | None, as_json: bool, project: str) -> None:
    """Show the journal: builds, waits with their holder, failures and removals, and how long they took."""
    if minutes is not None and not picture:
        raise UsageError("`--since` needs `--timeline FILE`; without it, `-n COUNT` sets the number of events")
    events = list(journal.read(Store(Project.at(project).root)))
    if picture:
        _draw(events, picture, minutes)
    elif as_json:
        rows = [{"at": one.at.isoformat(), "event": one.event, "pid": one.pid, **one.fields} for one in events[-count:]]
        output.as_json(events=rows)
    elif not events:
        messages.step("the journal is empty")
    else:
        for event in events[-count:]:
            output.result(event.text(), 34)


def _draw(events: Sequence[journal.Event], picture: str, minutes: float | None) -> None:
    chosen = timeline.last_fan_out(events) if minutes is None else timeline.last_minutes(events, minutes)
    if not chosen:
        raise RoostError("the journal has no build and no wait to draw")
    try:
        with open(picture, "w", encoding="utf-8") as file:
            file.write(timeline.draw(chosen))
    except OSError as error:
        raise UsageError(f"`--timeline {picture}`: {error.strerror}") from error
