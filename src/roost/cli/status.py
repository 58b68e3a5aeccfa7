"""`roost status`: the environments of a project, its venvs, and the processes in them."""

import os
from typing import Any, Literal, NamedTuple

import click

from roost import protocol, warm
from roost import state as states
from roost.bytecode.cache import Cache, limit
from roost.cli import options, output
from roost.console import holders, messages
from roost.errors import RoostError
from roost.inputs import settings
from roost.inputs.project import Project
from roost.store import changes, collection, marker
from roost.store.store import Store
from roost.store.venvs import Venv
from roost.system import folders, paths, proc
from roost.system.proc import Process
from roost.warm import Selection, keys

Word = Literal["ready", "missing", "stale", "building", "drifted"]
_COLOURS = {"ready": "green", "building": "cyan", "stale": "yellow", "missing": "yellow", "drifted": "red"}


class EnvStatus(NamedTuple):
    """One environment, with one Python."""

    environment: str
    python: str | None
    """The explicit request, such as `3.13`; None for the project's own."""
    status: Word
    reason: str
    fingerprint: str | None
    venv: str | None


class VenvStatus(NamedTuple):
    """One venv on disk."""

    path: str
    environment: str
    """Empty for an attempt."""
    session: str
    """The nox session that it belongs to; empty for a shared one."""
    python: str
    installer: str
    complete: bool
    attempt: bool
    """Whether it is being built, or was left by a build that was killed."""
    built: str
    seconds: float
    """How long the build took."""
    packages: int
    bytes: int
    """On disk, a file with several names counted once."""
    shared: int
    """How many of these bytes have another name, such as in uv's cache."""
    bytecode: int
    """How many of the shared bytes are bytecode, from the bytecode cache."""
    used: str
    """When it was last leased, in ISO 8601."""
    users: list[Process]
    keeps: str | None
    """Why `roost clean` leaves it, or None."""


class CacheStatus(NamedTuple):
    """The user's bytecode cache, which all projects share."""

    path: str
    entries: int
    """One for each distribution and Python."""
    bytes: int
    limit: int


class Status(NamedTuple):
    """The status of a project."""

    project: str
    store: str
    environments: list[EnvStatus]
    venvs: list[VenvStatus]
    cache: CacheStatus


def look(start: str, selection: Selection | None = None) -> Status:
    """Return the status of the project around `start`: of all that was used there, or of `selection`.

    Raises:
        RoostError: there is no project, or something in it is not valid.
    """
    project = Project.at(start)
    store = Store(project.root)
    store.check()
    cache = Cache()
    names = settings.names(project)
    keep = settings.read(project, Selection()).keep
    used = [Selection(name) for name in names] + [one for one in _explicit(store) if one.env in names]
    asked = [selection] if selection else used
    if selection:
        states.draft(start, selection)  # an error in what was asked for is one of the command
    verdicts = list(collection.examine(store, keep)) if os.path.isdir(store.data) else []
    using = holders.users([verdict.venv.lease_file for verdict in verdicts])
    attempts = [verdict.venv for verdict in verdicts if collection.is_attempt(verdict.venv)]
    building = {os.path.basename(venv.folder) for venv in attempts if using[venv.lease_file]}
    return Status(
        project.root,
        store.root,
        [_env(start, one, building) for one in asked],
        [_venv(verdict, using[verdict.venv.lease_file]) for verdict in verdicts],
        CacheStatus(cache.root, *cache.usage(), limit()),
    )


def _explicit(store: Store) -> list[Selection]:
    """Return the selections that were requested with options, such as a Python by nox."""
    names = [name for folder in ("index", "python") for name in folders.names_in(f"{store.view}/{folder}")]
    found = (keys.parse(key) for key in sorted({name.partition(paths.STATE)[0] for name in names}))
    return [one for one in found if one and one.key != one.env]


def _env(start: str, selection: Selection, building: set[str]) -> EnvStatus:
    name, python = selection.name, selection.python
    try:
        answer = protocol.ask(protocol.Request(start, selection))
    except RoostError as error:  # in its table, or its group was removed since; the others are shown
        return EnvStatus(name, python, "missing", str(error), None, None)
    state = answer.state
    if state is None:
        stale = warm.load(answer.store.project, selection.key) is not None
        reason = answer.reason if stale else _not_built(selection)
        return EnvStatus(name, python, "stale" if stale else "missing", reason, None, None)
    word: Word = "ready"
    reason = ""
    if answer.marker is None:
        first = python and changes.first(answer.store, state)  # a second Python is not a change
        before = None if first else changes.summary(answer.store, state)
        word, reason = "drifted", answer.reason
        if answer.reason == marker.NONE:
            word, reason = ("stale", before) if before else ("missing", _not_built(selection))
        if state.folder in building:
            word, reason = "building", f"by {holders.Holder(answer.store.lock)}"
    venv = answer.marker.venv if answer.marker else None
    return EnvStatus(name, python, word, reason, state.fingerprint, venv)


def _not_built(selection: Selection) -> str:
    return f"not built yet: `{options.sync_command(selection)}`"


def _venv(verdict: collection.Verdict, using: list[Process]) -> VenvStatus:
    venv = verdict.venv
    found = (marker.load(venv.marker)[0] if verdict.complete else None) or marker.EMPTY
    disk = folders.disk_usage(venv.path)
    return VenvStatus(
        path=venv.path,
        environment=found.environment,
        session=found.session,
        python=found.python,
        installer=found.installer,
        complete=verdict.complete,
        attempt=collection.is_attempt(venv),
        built=found.built,
        seconds=found.seconds,
        packages=len(changes.installed(found)),
        bytes=disk.total,
        shared=disk.shared,
        bytecode=disk.bytecode,
        used=_used(venv),
        users=using,
        keeps="in use" if using else verdict.keeps,
    )


def _used(venv: Venv) -> str:
    try:
        return proc.iso(os.stat(venv.lease_file).st_mtime)
    except OSError:
        return ""


@click.command(
    short_help="Show environments, venvs, and the processes in them.",
    epilog="""\b
Examples:
  roost status
  roost status --json | jq -r '.environments[].status'""",
)
@options.selection
@options.python
@options.as_json
@options.project
def status(selected: dict[str, Any], as_json: bool, project: str) -> None:
    """Show each environment and venv: state, packages, size, processes in it, and whether it is kept."""
    found = look(project, warm.select(**selected) if selected else None)
    if as_json:
        output.as_json(
            project=found.project,
            store=found.store,
            environments=[one._asdict() for one in found.environments],
            venvs=[one._asdict() | {"users": [user._asdict() for user in one.users]} for one in found.venvs],
            cache=found.cache._asdict(),
        )
        return
    names = [f"{one.environment} ({one.python})" if one.python else one.environment for one in found.environments]
    for name, one in zip(names, found.environments, strict=True):
        where = os.path.basename(one.venv) if one.venv else one.reason
        begin = f"{name:{max(map(len, names))}}  "
        output.result(where, len(begin) + 10, word=f"{one.status:8}  ", colour=_COLOURS[one.status], before=begin)
    for venv in sorted(found.venvs, key=lambda venv: venv.built, reverse=True):
        click.echo()
        head, *lines = _venv_lines(venv, found)
        click.secho(messages.printable(head), bold=True)
        for line in lines:
            output.result(f"  {line}", 4)
    if cache := found.cache.entries and found.cache:
        click.echo()
        size = f"{output.mib(cache.bytes)} of at most {output.mib(cache.limit)}"
        output.result(f"bytecode cache of all projects: {size}, {cache.path}", 4)


def _venv_lines(venv: VenvStatus, found: Status) -> list[str]:
    name = os.path.basename(venv.path)
    if venv.attempt:
        head = f"{name}  {'being built' if venv.users else 'left by a build that was killed'}"
    elif not venv.complete:
        head = f"{name}  superseded by another venv for the same state"
    else:
        owner = f"{venv.environment} for the nox session {venv.session}" if venv.session else venv.environment
        head = f"{name}  {owner}, {venv.python}, {venv.packages} packages, {output.mib(venv.bytes)}"
    lines = [head, paths.relative(venv.path, found.project)]
    if venv.complete:
        parts = {"its own": venv.bytes - venv.shared, "uv's cache": venv.shared - venv.bytecode}
        parts["the bytecode cache"] = venv.bytecode
        own, *linked = [f"{output.mib(size)} {name}" for name, size in parts.items() if size or name == "its own"]
        disk = f"{own}, linked with others: {', '.join(linked)}" if linked else own
        lines.append(f"built {output.time(venv.built)} in {venv.seconds:.1f} s by {venv.installer}")
        lines.append(f"disk: {disk}")
        lines.append(f"last used {output.time(venv.used)}")
    lines += [f"pid {user.pid} since {output.time(user.since)}: {holders.shorten(user.command)}" for user in venv.users]
    lines.append(f"kept: {venv.keeps}" if venv.keeps else "not kept: the next build or `roost clean` removes it")
    return lines
