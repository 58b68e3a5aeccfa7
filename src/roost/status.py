"""The status of a project: its environments, its venvs, and who runs in them. It only looks."""

import os
import time
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from roost import changes, collect, marker, protocol, settings, users, waiting
from roost.inputs import Inputs
from roost.marker import Marker
from roost.project import find
from roost.store import Store, Venv
from roost.users import User

VERSION = 1  # of what `--json` prints; a field that goes or changes its meaning raises it
Word = Literal["ready", "missing", "stale", "building", "drifted"]


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
    python: str
    installer: str
    complete: bool
    attempt: bool
    """Whether it is being built, or was left behind by a build that was killed."""
    built: str
    seconds: float
    """How long the build took."""
    packages: int
    bytes: int
    """On disk, a file with several names counted once."""
    shared: int
    """How many of these bytes have another name, such as in uv's cache."""
    used: str
    """When it was last leased, in ISO 8601."""
    users: list[User]
    keeps: str | None
    """Why `roost clean` leaves it, or None."""


class Status(NamedTuple):
    """All of it."""

    project: str
    store: str
    environments: list[EnvStatus]
    venvs: list[VenvStatus]

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it: `version`, `project`, `store`, `environments` and `venvs`."""
        return {
            "version": VERSION,
            "project": self.project,
            "store": self.store,
            "environments": [one._asdict() for one in self.environments],
            "venvs": [one._asdict() | {"users": [user._asdict() for user in one.users]} for one in self.venvs],
        }


def look(start: str) -> Status:
    """Return the status of the project around `start`.

    Raises:
        RoostError: there is no project, or something in it is not valid.
    """
    project = find(start, Inputs())
    store = Store(project.root)
    store.check()
    names = settings.names(project)
    keep = settings.read(project, "default").keep
    asked = [(name, None) for name in names] + [pair for pair in _explicit(store) if pair[0] in names]
    verdicts = list(collect.judge(store, keep)) if os.path.isdir(store.v1) else []
    using = users.find([verdict.venv.lease for verdict in verdicts])
    building = {verdict.venv.fingerprint for verdict in verdicts if _is_building(verdict, using)}
    return Status(
        project.root,
        store.root,
        [_env(start, name, python, building) for name, python in asked],
        [_venv(verdict, using[verdict.venv.lease]) for verdict in verdicts],
    )


def _is_building(verdict: collect.Verdict, using: dict[str, list[User]]) -> bool:
    return bool(using[verdict.venv.lease]) and collect.is_attempt(verdict.venv)


def _explicit(store: Store) -> list[tuple[str, str | None]]:
    """Return the environments that were asked for with a Python of their own, such as by nox."""
    try:
        keys = sorted(os.listdir(f"{store.v1}/python"))
    except OSError:
        return []
    pairs = (unquote(key).partition("@") for key in keys)
    return [(env, python) for env, at, python in pairs if at]


def _env(start: str, name: str, python: str | None, building: set[str]) -> EnvStatus:
    request = protocol.Request(start, name, python, 0.0, "roost status")
    answer = protocol.ask(request)
    state = answer.state
    if state is None:
        return EnvStatus(name, python, "missing", answer.reason, None, None)
    word: Word = "ready"
    reason = ""
    if answer.marker is None:
        before = changes.summary(answer.store, state)
        word, reason = "drifted", answer.reason
        if answer.reason == marker.NONE:
            word, reason = ("stale", before) if before else ("missing", answer.reason)
        if state.fingerprint in building:
            word, reason = "building", f"by {waiting.Holder(answer.store.lock)}"
    venv = answer.marker.venv if answer.marker else None
    return EnvStatus(name, python, word, reason, state.fingerprint, venv)


def _venv(verdict: collect.Verdict, using: list[User]) -> VenvStatus:
    venv = verdict.venv
    found = marker.load(f"{venv.folder}/complete")[0] if verdict.complete else None
    total, shared = size(venv.path)
    return VenvStatus(
        path=venv.path,
        environment=found.environment if found else "",
        python=found.python if found else "",
        installer=found.installer if found else "",
        complete=verdict.complete,
        attempt=collect.is_attempt(venv),
        built=found.built if found else "",
        seconds=found.seconds if found else 0.0,
        packages=len(_installed(found)),
        bytes=total,
        shared=shared,
        used=_used(venv),
        users=using,
        keeps="in use" if using else verdict.keeps,
    )


def _installed(found: Marker | None) -> dict[str, str]:
    return changes.installed(found) if found else {}


def _used(venv: Venv) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(os.stat(venv.lease).st_mtime))
    except OSError:
        return ""


def mib(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 2**20:.1f} MiB"


def size(folder: str) -> tuple[int, int]:
    """Return the bytes that the files below `folder` take on disk, and how many of them have another name."""
    total = shared = 0
    seen = set()
    waiting_for = [folder]
    while waiting_for:
        try:
            entries = list(os.scandir(waiting_for.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting_for.append(entry.path)
                continue
            info = entry.stat(follow_symlinks=False)
            if info.st_ino not in seen:
                seen.add(info.st_ino)
                total += info.st_blocks * 512
                shared += info.st_blocks * 512 if info.st_nlink > 1 else 0
    return total, shared
