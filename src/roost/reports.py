"""The commands that look and tell: `roost status`, `why`, `log`, `doctor`. None runs what the repository brings."""

import json
import os
from collections.abc import Sequence

import click

from roost import changes, doctor, journal, protocol, timeline
from roost import status as statuses
from roost.errors import RoostError, UsageError
from roost.inputs import Inputs
from roost.project import find
from roost.status import EnvStatus, Status, VenvStatus
from roost.store import Store

_project = click.option("--project", metavar="DIR", default=".", help="A folder in the project.  [default: .]")
_json = click.option("--json", "as_json", is_flag=True, help="For programs: a documented object, with its version.")
_COLOURS = {"ready": "green", "building": "cyan", "stale": "yellow", "missing": "yellow", "drifted": "red"}


@click.command(
    epilog="""\b
Examples:
  roost status
  roost status --json | jq -r '.environments[].status'"""
)
@_json
@_project
def status(as_json: bool, project: str) -> None:
    """Show each environment and venv: state, packages, size, who runs in it, and whether it is kept."""
    found = statuses.look(os.path.realpath(project))
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    for one in found.environments:
        click.echo(_env_line(one, found))
    for venv in sorted(found.venvs, key=lambda venv: venv.built, reverse=True):
        click.echo()
        for line in _venv_lines(venv, found):
            click.echo(line)


def _env_line(one: EnvStatus, found: Status) -> str:
    names = [f"{env.environment}{f' ({env.python})' if env.python else ''}" for env in found.environments]
    name = f"{one.environment}{f' ({one.python})' if one.python else ''}"
    word = click.style(f"{one.status:8}", fg=_COLOURS[one.status])
    where = f"{os.path.basename(one.venv)}" if one.venv else one.reason
    return f"{name:{max(map(len, names))}}  {word}  {where}"


def _venv_lines(venv: VenvStatus, found: Status) -> list[str]:
    name = os.path.basename(venv.path)
    if not venv.complete:
        head = f"{name}  {'being built' if venv.users else 'left behind by a build, or changed by somebody'}"
    else:
        head = f"{name}  {venv.environment}, {venv.python}, {venv.packages} packages, {_mib(venv.bytes)}"
    lines = [click.style(head, bold=True), f"  {os.path.relpath(venv.path, found.project)}"]
    if venv.complete:
        shared = f"; {_mib(venv.shared)} of it shared with uv's cache by hard links" if venv.shared else ""
        lines.append(f"  built {_when(venv.built)} in {venv.seconds:.1f} s by {venv.installer}{shared}")
    lines += [f"  pid {user.pid} since {_when(user.since)}: {user.command}" for user in venv.users]
    lines.append(f"  kept: {venv.keeps}" if venv.keeps else "  not kept: the next build or `roost clean` removes it")
    return lines


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _when(at: str) -> str:
    return at[:19].replace("T", " ")


@click.command(
    epilog="""\b
Example:
  roost why --env docs"""
)
@click.option("--env", metavar="NAME", help="The environment.  [default: $ROOST_ENV, else `default`]")
@_json
@_project
def why(env: str | None, as_json: bool, project: str) -> None:
    """Say what changed since the last complete venv: the inputs, and the packages from → to."""
    name = env or os.environ.get("ROOST_ENV") or "default"
    answer = protocol.ask(protocol.Request(os.path.realpath(project), name, None, 0.0, "roost why"))
    before = changes.newest(answer.store, answer.state) if answer.state else None
    if answer.state is None or before is None:
        parts, packages, text = [], [], f"`{name}` was never built here: {answer.reason}"
    else:
        parts = changes.parts(before.parts, answer.state.parts)
        packages = changes.packages(before.locked, changes.locked(answer.state.inputs))
        ready = f"`{name}` is ready: nothing changed since it was built {_when(before.built)}"
        drifted = f"`{name}` will be built anew: {answer.reason}"
        changed = f"`{name}` changed since {os.path.basename(before.venv)} was built {_when(before.built)}:"
        text = changed if parts else (ready if answer.marker else drifted)
        if parts and answer.marker:
            text = f"`{name}` is ready. It differs from {os.path.basename(before.venv)}, built {_when(before.built)}:"
    if as_json:
        ready_now = answer.marker is not None
        fields = {"version": 1, "environment": name, "ready": ready_now, "reason": answer.reason}
        click.echo(json.dumps(fields | {"parts": parts, "packages": packages}, indent=2))
        return
    for line in (text, *(f"  {line}" for line in parts), *(f"    {line}" for line in packages)):
        click.echo(line)


@click.command(
    epilog="""\b
Examples:
  roost log -n 50
  roost log --timeline fan-out.svg    who built, who waited for whom, of the last fan-out"""
)
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, help="How many events.")
@click.option("--timeline", "picture", metavar="FILE", help="Draw an SVG of the last fan-out instead.")
@click.option("--since", "minutes", type=click.FloatRange(0), metavar="MINUTES", help="Draw this time span instead.")
@_json
@_project
def log(count: int, picture: str | None, minutes: float | None, as_json: bool, project: str) -> None:
    """Show the journal: who built, who waited for whom, how long, and what was removed."""
    events = list(journal.read(Store(find(os.path.realpath(project), Inputs()).root)))
    if picture:
        _draw(events, picture, minutes)
    elif as_json:
        rows = [{"at": one.at.isoformat(), "event": one.event, "pid": one.pid, **one.fields} for one in events[-count:]]
        click.echo(json.dumps({"version": journal.VERSION, "events": rows}, indent=2))
    else:
        for event in events[-count:]:
            click.echo(event.words())


def _draw(events: Sequence[journal.Event], picture: str, minutes: float | None) -> None:
    if minutes is None:
        chosen = timeline.last_fan_out(events)
    else:
        begin = max((event.at.timestamp() for event in events), default=0.0) - minutes * 60
        chosen = timeline.last_fan_out([event for event in events if event.at.timestamp() >= begin])
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
    epilog="""\b
Example:
  roost doctor --json > report.json    to paste into an issue; it holds no secrets""",
)
@_json
@_project
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
            click.echo(f"{click.style(f'{one.level:7}', fg=colours[one.level])}  {one.text}{cure}")
    if worst:
        raise SystemExit(worst)
