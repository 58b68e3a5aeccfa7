"""`roost why`: what changed since the last complete venv."""

from typing import Any

import click

from roost import protocol, warm
from roost.cli import options, output
from roost.store import changes


@click.command(
    short_help="Show what changed since the last complete venv.",
    epilog="""\b
Example:
  roost why --env docs""",
)
@options.selection
@options.python
@options.as_json
@options.project
def why(selected: dict[str, Any], as_json: bool, project: str) -> None:
    """Show what changed since the last complete venv: the inputs, and the packages from → to."""
    selection = warm.select(**selected)
    answer = protocol.ask(protocol.Request(project, selection))
    now = then = None
    if answer.state and (latest := changes.newest(answer.store, answer.state)):
        now = changes.since(latest, answer.state)
        if latest == answer.marker and (before := changes.newest(answer.store, answer.state, latest)):
            then = changes.between(before, latest)
    if as_json:
        output.as_json(
            environment=selection.name,
            ready=answer.marker is not None,
            reason=answer.reason,
            parts=now.parts if now else [],
            packages=now.packages if now else [],
            since=now and now.venv,
            last_build=then and then._asdict(),
        )
        return
    output.result(_summary(selection, answer, now), 2)
    if now:
        _show_difference(now)
    if then:
        output.result(f"Changes in that build, since {then.venv} was built {output.time(then.built)}:", 2)
        _show_difference(then)
        if not then.parts + then.packages:
            click.echo("  the same packages, from the same inputs")


def _summary(selection: warm.Selection, answer: protocol.Answer, now: changes.Difference | None) -> str:
    name = selection.name
    if answer.state is None and warm.load(answer.store.project, selection.key):
        return f"`{name}` will be built again: {answer.reason}"
    if now is None:
        return f"`{name}` is not built yet: `{options.sync_command(selection)}`"
    if now.parts and answer.marker:
        return f"`{name}` is ready. It differs from {now.venv}, built {output.time(now.built)}:"
    if now.parts:
        return f"`{name}` changed since {now.venv} was built {output.time(now.built)}:"
    if answer.marker:
        return f"`{name}` is ready: nothing changed since it was built {output.time(now.built)}"
    return f"`{name}` will be built again: {answer.reason}"


def _show_difference(found: changes.Difference) -> None:
    for part in found.parts:
        output.result(f"  {part}", 4)
    for package in found.packages:
        output.result(f"    {package}", 6)
