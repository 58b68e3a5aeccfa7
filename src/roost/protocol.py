"""The protocol: how a process gets a complete venv. `docs/protocol.md` explains the rules.

1. A venv is never changed once it is complete.      6. The lease lives as long as what runs.
2. A path is never built in twice.                   7. Removal needs the build lock and the lease.
3. The marker comes last.                            8. Fail closed.
4. The same question before and after the lock.      9. One build lock, and no orphan beside it.
5. Lease, then look again.                          10. Nothing waits without a bound.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from roost import state as states
from roost import warm
from roost.build import build
from roost.console import holders, messages
from roost.console.waiting import Wait
from roost.errors import RoostError, VanishedError
from roost.inputs import interpreter
from roost.state import State
from roost.store import collection, inventory, journal, links, marker, venvs
from roost.store.marker import Marker
from roost.store.store import Store
from roost.system import files, locks
from roost.warm import Selection

RESTARTS = 5  # after a user removed `.roost` during an acquisition
TRIES = 3  # after an input changed during a build


class Request(NamedTuple):
    """What an entry point needs."""

    start: str
    """A folder inside the project."""
    selection: Selection
    timeout: float = 0.0
    """Bound on all waits together, in seconds."""
    label: str = ""
    """The command that others see while they wait for this process."""
    refresh: bool = False
    """Build again, even if there is a valid venv."""
    session: str = ""
    """The nox session that gets a venv of its own; empty for the shared venv."""
    name: str = ""
    """The name of that venv."""
    empty: bool = False
    """Leave the folder of that venv empty: the session fills it."""
    cancelled: Callable[[], bool] = bool
    """Returns whether the caller gave up, which ends a wait."""


class Answer(NamedTuple):
    """The answer to the question: is there a valid marker for the present state?"""

    store: Store
    state: State | None
    """None before an interpreter was chosen, which happens under the build lock."""
    marker: Marker | None
    reason: str
    """Why there is no valid marker."""
    watched: str
    """The file that changes when another process changes the answer."""


class Held(NamedTuple):
    """A complete venv, and the lease on it."""

    store: Store
    state: State
    marker: Marker
    lease_descriptor: int
    built: bool = False
    """Whether this process built it."""


def acquire(request: Request) -> Held:
    """Return a complete venv for `request`, with a lease on it. Builds it if no other process has.

    Raises:
        RoostError: there is none, and no lease. Its class says why.
    """
    wait = Wait(request.timeout, request.cancelled)
    for _ in range(RESTARTS):
        with contextlib.suppress(VanishedError):
            held = _acquire(request, wait)
            if wait.waited:
                _log_wait(request, wait, held.store)
            if not request.session:
                if request.selection.python is None:  # the link is for the project's own Python
                    _link_first(held)
                _write_index(request, held)
            return held
    raise RoostError(
        f"`.roost` of the project around `{request.start}` was removed {RESTARTS} times meanwhile: start again"
    )


def _acquire(request: Request, wait: Wait) -> Held:
    while True:
        answer = ask(request)  # rule 4: without a lock
        if not (request.refresh or request.session) and (held := lease(answer)):
            return held
        with build_lock(request, answer, wait) as lock:
            if lock:
                return _build_if_needed(request, lock, wait)


def ask(request: Request, *, choose: bool = False) -> Answer:
    """Look for a valid marker, without the index. With `choose`, an interpreter is chosen where there is none."""
    draft = states.draft(request.start, request.selection)
    store = Store(draft.project.root)
    store.check()
    record = store.python(request.selection.choice, draft.request.text)
    chosen = interpreter.recorded(record, draft.request, draft.inputs)
    if chosen is None and choose:
        with store.guarded():
            interpreter.record(record, draft.request, interpreter.choose(record, draft.project, draft.request))
        chosen = interpreter.recorded(record, draft.request, draft.inputs)
    if chosen is None:
        return Answer(store, None, None, f"no Python was chosen yet for `{draft.request.text}`", record)
    state = draft.with_interpreter(chosen, request.session)
    valid, reason = marker.check(store, state)
    if valid and valid.boot != files.boot_id() and (damage := inventory.damage(valid.venv)):
        valid, reason = None, f"{damage} since the machine restarted"
    return Answer(store, state, valid, reason, store.marker(state.folder))


def lease(answer: Answer) -> Held | None:
    """Take a lease on the venv of a valid marker, then look again (rule 5). None where it is gone by then."""
    if answer.marker is None or answer.state is None:
        return None
    exclusive = bool(answer.state.session)
    with answer.store.guarded():
        descriptor = locks.take_lease(f"{answer.marker.venv}.lease", answer.marker.lease_inode, exclusive=exclusive)
    if descriptor is None:
        return None
    if marker.check(answer.store, answer.state)[0] != answer.marker:
        os.close(descriptor)
        return None
    return Held(answer.store, answer.state, answer.marker, descriptor)


@contextlib.contextmanager
def build_lock(request: Request, answer: Answer, wait: Wait) -> Iterator[locks.BuildLock | None]:
    """Take the build lock. Yields None instead when another process changed the answer meanwhile."""
    store = answer.store
    store.prepare()
    lock = locks.BuildLock(store.lock)
    with store.guarded():
        taken = _take(request, answer, lock, wait)
    wait.end()
    if not taken:
        yield None
        return
    try:
        with store.guarded():
            store.claim()
        yield lock
    finally:
        lock.release()
        venvs.empty_trash(store)


def _take(request: Request, answer: Answer, lock: locks.BuildLock, wait: Wait) -> bool:
    """Take `lock`, or return False when the answer changed (rule 10: it waits by polling, with a bound)."""
    seen = files.signature(answer.watched)
    while not lock.try_take(holders.record(request.label)):
        build.refuse_nested(answer.store)
        wait.pause("the build lock", lock.path)
        if files.signature(answer.watched) != seen:
            return False
    return True


def _build_if_needed(request: Request, lock: locks.BuildLock, wait: Wait) -> Held:
    """Ask again under the build lock, and build if there still is no valid marker (rules 3 and 9)."""
    changed, rewritten = None, set[str]()
    for tried in range(TRIES):
        answer = ask(request, choose=True)
        store, state = answer.store, answer.state
        if not request.session and (tried or not request.refresh) and (held := lease(answer)):
            return held
        if state is None:
            raise VanishedError(answer.watched)
        reason = f"`{changed}` changed during the build" if changed else answer.reason
        build.await_orphans(store, wait)
        with store.guarded(), build.attempt(store, state, request.label, request.name) as made:
            failure = build.build(store, state, made, reason, refresh=request.refresh, empty=request.empty)
            changed = changed_input(request, state, rewritten)
            if changed:
                if failure is None:
                    build.mark_installer_finished(made)
                continue
            if not (lock.is_current() and made.is_current()):
                raise VanishedError(made.venv.path)
            if failure:
                raise RoostError(failure)
            done = build.publish(store, state, made)
            for verdict in collection.collect(store, state.settings.keep):
                if verdict.failed:
                    messages.warning(f"an old venv stays: {verdict.keeps}")
            return Held(store, state, done, made.lease_descriptor, built=True)
    raise RoostError(f"`{changed}` changed during each of {TRIES} builds: start again when nothing writes it")


def changed_input(request: Request, state: State, rewritten: set[str]) -> str | None:
    """Return the input that changed since `state` was read, or None (rule 3).

    An edit and its undo leave the fingerprint as it was, but not the ctime. A new file that a glob matches leaves the
    signatures as they were, but not the fingerprint.

    `rewritten` holds the inputs that moved in the build before this one and kept their content, and gets those of this
    one. The same in two builds running: the builds write them, as poetry-dynamic-versioning writes `pyproject.toml`.
    What an installer installs from is no such input, since no build writes that.
    """
    before, moved = set(rewritten), state.inputs.changed()
    rewritten.clear()
    fixed = () if state.installer.kind == "command" else state.installer.files
    if any(path in fixed or not state.inputs.is_same(path) for path in moved):
        return moved[0]
    now = ask(request).state
    if now is None:
        return state.interpreter.path
    names = [name for name in now.parts.keys() | state.parts.keys() if now.parts.get(name) != state.parts.get(name)]
    if names or not moved:
        return min(names, default=None)
    if before.issuperset(moved):
        messages.step(f"the build writes `{moved[0]}` and restores its content, so its second run counts")
        return None
    rewritten.update(moved)
    return moved[0]


def _log_wait(request: Request, wait: Wait, store: Store) -> None:
    wait.end()
    seconds = round(wait.waited, 3)
    journal.write(
        store, "wait", environment=request.selection.name, command=request.label, seconds=seconds, holder=wait.holder
    )


def _link_first(held: Held) -> None:
    """Make the first link to a venv here: its builder may have been killed after it wrote the marker."""
    settings, project = held.state.settings, held.state.project
    with contextlib.suppress(OSError):  # a read-only checkout
        if settings.name not in links.targets(held.store):
            warning = links.point(project.root, settings.name, held.marker.venv, settings.link)
            if warning:
                messages.warning(warning)


def _write_index(request: Request, held: Held) -> None:
    """Save the next start all hashing. Best effort: a read-only checkout has no index, and works."""
    state, store, name = held.state, held.store, request.selection.key
    # The folder itself, since its ctime shows a chmod: `hooks/roost-run` cannot examine modes (rule 8).
    own = [store.root, store.marker(state.folder), f"{held.marker.venv}/pyvenv.cfg", *held.marker.folders]
    seen = {path: files.signature(path) for path in [*own, store.python(request.selection.choice, state.request.text)]}
    seen |= state.inputs.folders | state.inputs.signatures
    if (
        any("\n" in path or warm.BREAK in path for path in seen)
        or state.inputs.variables
        or marker.check(store, state)[0] != held.marker
    ):
        return
    index = warm.Index()
    index.project, index.name = state.project.root, name
    index.venv, index.lease_inode = held.marker.venv, held.marker.lease_inode
    index.boot, index.members, index.link = files.boot_id(), list(state.project.members), state.settings.link
    index.variables = {name: warm.value(name) for name in state.installer.variables}
    index.paths = list(seen)
    index.expected = "\n".join(f"{signature} {path}" for path, signature in seen.items() if signature != files.ABSENT)
    index.digests = state.inputs.digests()
    with contextlib.suppress(OSError):
        index.write(state.fingerprint, state.inputs.settled)
