"""The commands that look and tell: `roost status`, `why`, `log`, `doctor`. None runs what the repository brings."""

import json
import os
from collections.abc import Sequence

import click

from roost import changes, doctor, index, journal, options, protocol, report, timeline, waiting
from roost import status as statuses
from roost.errors import RoostError, UsageError
from roost.inputs import Inputs
from roost.project import find
from roost.status import EnvStatus, Status, VenvStatus, mib
from roost.store import Store

_json = click.option("--json", "as_json", is_flag=True, help="For programs: a documented object, with its version.")
_SINCE = "With `--timeline`: draw this time span.  [default: the last fan-out]"
_COLOURS = {"ready": "green", "building": "cyan", "stale": "yellow", "missing": "yellow", "drifted": "red"}


@click.command(
    short_help="Show environments and venvs, and who runs in them.",
    epilog="""\b
Examples:
  roost status
  roost status --json | jq -r '.environments[].status'""",
)
@_json
@options.project
def status(as_json: bool, project: str) -> None:
    """Show each environment and venv: state, packages, size, who runs in it, and whether it is kept."""
    found = statuses.look(os.path.realpath(project))
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    names = [_name(one) for one in found.environments]
    for name, one in zip(names, found.environments, strict=True):
        where = os.path.basename(one.venv) if one.venv else one.reason
        begin = f"{name:{max(map(len, names))}}  "
        report.result(where, len(begin) + 10, word=f"{one.status:8}  ", colour=_COLOURS[one.status], before=begin)
    for venv in sorted(found.venvs, key=lambda venv: venv.built, reverse=True):
        click.echo()
        head, *lines = _venv_lines(venv, found)
        click.secho(report.printable(head), bold=True)
        for line in lines:
            report.result(f"  {line}", 4)


def _name(one: EnvStatus) -> str:
    return f"{one.environment} ({one.python})" if one.python else one.environment


def _venv_lines(venv: VenvStatus, found: Status) -> list[str]:
    name = os.path.basename(venv.path)
    if venv.attempt:
        head = f"{name}  {'being built' if venv.users else 'left behind by a build that was killed'}"
    elif not venv.complete:
        head = f"{name}  superseded by another venv for the same state"
    else:
        head = f"{name}  {venv.environment}, {venv.python}, {venv.packages} packages, {mib(venv.bytes)}"
    lines = [head, os.path.relpath(venv.path, found.project)]
    if venv.complete:
        shared = f"; {mib(venv.shared)} of it shared with uv's cache by hard links" if venv.shared else ""
        lines.append(f"built {_when(venv.built)} in {venv.seconds:.1f} s by {venv.installer}{shared}")
        lines.append(f"last used {_when(venv.used)}")
    lines += [f"pid {user.pid} since {_when(user.since)}: {waiting.gist(user.command)}" for user in venv.users]
    lines.append(f"kept: {venv.keeps}" if venv.keeps else "not kept: the next build or `roost clean` removes it")
    return lines


def _when(at: str) -> str:
    return at[:19].replace("T", " ")


@click.command(
    short_help="Say what changed since the last complete venv.",
    epilog="""\b
Example:
  roost why --env docs""",
)
@options.env
@_json
@options.project
def why(env: str | None, as_json: bool, project: str) -> None:
    """Say what changed since the last complete venv: the inputs, and the packages from → to."""
    name = env or index.default_env()
    answer = protocol.ask(protocol.Request(os.path.realpath(project), name, None, 0.0, "roost why"))
    latest = changes.newest(answer.store, answer.state) if answer.state else None
    now = changes.since(latest, answer.state) if latest and answer.state else None
    built = answer.marker if answer.marker == latest else None
    before = changes.newest(answer.store, answer.state, built) if answer.state and built else None
    then = changes.between(before, built) if before and built else None
    if as_json:
        fields = {"version": 1, "environment": name, "ready": answer.marker is not None, "reason": answer.reason}
        fields |= {"parts": now.parts if now else [], "packages": now.packages if now else []}
        fields |= {"since": now and now.venv, "last_build": then and then._asdict()}
        click.echo(json.dumps(fields, indent=2))
        return
    report.result(_because(name, answer, now), 2)
    if now:
        _show_difference(now)
    if then:
        report.result(f"What changed by that build, since {then.venv} was built {_when(then.built)}:", 2)
        _show_difference(then)
        if not then.parts + then.packages:
            click.echo("  the same packages, from the same inputs")


def _because(name: str, answer: protocol.Answer, now: changes.Difference | None) -> str:
    if now is None:
        return f"`{name}` was never built here ({answer.reason}): `roost sync --env {name}` does it"
    if now.parts and answer.marker:
        return f"`{name}` is ready. It differs from {now.venv}, built {_when(now.built)}:"
    if now.parts:
        return f"`{name}` changed since {now.venv} was built {_when(now.built)}:"
    if answer.marker:
        return f"`{name}` is ready: nothing changed since it was built {_when(now.built)}"
    return f"`{name}` will be built anew: {answer.reason}"


def _show_difference(found: changes.Difference) -> None:
    for part in found.parts:
        report.result(f"  {part}", 4)
    for package in found.packages:
        report.result(f"    {package}", 6)


@click.command(
    short_help="Show who built, and who waited for whom.",
    epilog="""\b
Examples:
  roost log -n 50
  roost log --timeline out.svg    who waited for whom in the last fan-out""",
)
@click.option("-n", "count", type=click.IntRange(1), metavar="COUNT", default=20, help="The last ones.  [default: 20]")
@click.option("--timeline", "picture", metavar="FILE", help="Draw an SVG instead.")
@click.option("--since", "minutes", type=click.FloatRange(0), metavar="MINUTES", help=_SINCE)
@_json
@options.project
def log(count: int, picture: str | None, minutes: float | None, as_json: bool, project: str) -> None:
    """Show the journal: who built, who waited for whom, how long, and what was removed."""
    if minutes is not None and not picture:
        message = "`--since` is for `--timeline FILE`; without a picture, `-n COUNT` says how many events"
        raise UsageError(message)
    events = list(journal.read(Store(find(os.path.realpath(project), Inputs()).root)))
    if picture:
        _draw(events, picture, minutes)
    elif as_json:
        rows = [{"at": one.at.isoformat(), "event": one.event, "pid": one.pid, **one.fields} for one in events[-count:]]
        click.echo(json.dumps({"version": journal.VERSION, "events": rows}, indent=2))
    elif not events:
        report.step("the journal is empty so far")
    else:
        for event in events[-count:]:
            report.result(event.words(), 34)


def _draw(events: Sequence[journal.Event], picture: str, minutes: float | None) -> None:
    chosen = timeline.last_fan_out(events) if minutes is None else timeline.last_minutes(events, minutes)
    if not chosen:
        message = "the journal has no build and no wait to draw"
        raise RoostError(message)
    try:
        with open(picture, "w", encoding="utf-8") as file:
            file.write(timeline.draw(chosen))
    except OSError as error:
        message = f"`--timeline {picture}`: {error.strerror}"
        raise UsageError(message) from error


@click.command(
    name="doctor",
    short_help="Say what is wrong here, and how to mend it.",
    epilog="""\b
Example:
  roost doctor --json > report.json    for an issue; it holds no secrets""",
)
@_json
@options.project
def doctor_(as_json: bool, project: str) -> None:
    """Try what roost relies on here, and say what is wrong and how to mend it."""
    findings = doctor.examine(os.path.realpath(project))
    worst = RoostError.status if any(one.level == "error" for one in findings) else 0
    if as_json:
        click.echo(json.dumps({"version": doctor.VERSION, "findings": [one._asdict() for one in findings]}, indent=2))
    else:
        colours = {"ok": "green", "warning": "yellow", "error": "red"}
        for one in findings:
            cure = f": {one.cure}" if one.cure else ""
            report.result(f"{one.text}{cure}", 9, word=f"{one.level:7}  ", colour=colours[one.level])
    if worst:
        raise SystemExit(worst)
