"""The protocol: how a process comes to a venv that is whole. The rules are those of `docs/protocol.md`.

1. A venv is never changed once it is complete.      6. The lease lives as long as what runs.
2. A path is never built in twice.                   7. Removal needs the build lock and the lease.
3. The marker comes last.                            8. Fail closed.
4. The same question before and after the lock.      9. One build lock, and no orphan beside it.
5. Lease, then look again.                          10. Nothing waits without a bound.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from roost import building, collect, fingerprint, index, interpreter, inventory, locks, marker, recall, waiting
from roost.environment import Environment
from roost.errors import RoostError, VanishedError
from roost.fingerprint import State
from roost.marker import Marker
from roost.store import Store
from roost.waiting import Wait

RESTARTS = 5  # after somebody removed `.roost` under our feet
LOOKS = 5  # at the marker, for one try of the lock that takes twenty times as long; builders need each core
TRIES = 3  # after an input changed during a build


class Request(NamedTuple):
    """What a door asks for."""

    start: str
    """A folder inside the project."""
    env: str
    python: str | None
    timeout: float
    """Seconds that all waits together may take."""
    label: str
    """What others read of us while they wait."""
    refresh: bool = False
    """Build anew, even if there is a valid venv."""


class Answer(NamedTuple):
    """The answer to the one question: is there a valid marker for what the disk says now?"""

    store: Store
    state: State | None
    """None before an interpreter was chosen, which happens under the build lock."""
    marker: Marker | None
    reason: str
    """Why there is no valid marker."""
    watched: str
    """The file that changes when another process answers the question."""


class Held(NamedTuple):
    """A venv with a lease on it."""

    store: Store
    state: State
    marker: Marker
    lease: int


def acquire(request: Request) -> Environment:
    """Return the environment that `request` asks for, whole and leased; build it where nobody has.

    Raises:
        RoostError: and then nothing is leased. Its kind says what happened.
    """
    wait = Wait(request.timeout)
    for _ in range(RESTARTS):
        with contextlib.suppress(VanishedError):
            held = _acquire(request, wait)
            if wait.waited:
                wait.end()
                held.store.log(
                    "wait",
                    environment=request.env,
                    command=request.label,
                    seconds=round(wait.waited, 3),
                    holder=wait.holder,
                )
            held = _vouch(request, held)
            _point_first(held)
            _write_index(request, held)
            return Environment(request.env, held.marker.venv, held.lease)
    message = f"`.roost` of the project around `{request.start}` was removed {RESTARTS} times meanwhile: start again"
    raise RoostError(message)


def _acquire(request: Request, wait: Wait) -> Held:
    while True:
        answer = ask(request)  # rule 4: without any lock
        if not request.refresh and (held := lease(answer)):
            return held
        with build_lock(request, answer, wait) as lock:
            if lock:
                return _ask_again(request, lock, wait)


def ask(request: Request, *, choose: bool = False) -> Answer:
    """Look for a valid marker, never trusting the index. With `choose`, decide on an interpreter where none is."""
    draft = fingerprint.draft(request.start, request.env, request.python)
    store = Store(draft.project.root)
    store.check()
    record = store.python(index.key(request.env, request.python))
    chosen, before = interpreter.recorded(record, draft.request, draft.inputs)
    if chosen is None and choose:
        with store.guarded():
            interpreter.record(record, draft.request, interpreter.choose(draft.project, draft.request, before))
        chosen, _ = interpreter.recorded(record, draft.request, draft.inputs)
    if chosen is None:
        return Answer(store, None, None, "no Python was chosen yet", record)
    state = draft.with_interpreter(chosen)
    valid, reason = marker.check(store, state)
    if valid and valid.boot != index.boot() and (damage := inventory.damage(valid.venv)):
        valid, reason = None, f"{damage} since the machine started anew"
    return Answer(store, state, valid, reason, f"{store.env(state.fingerprint)}/complete")


def lease(answer: Answer) -> Held | None:
    """Take a lease on the venv of a valid marker, then look again (rule 5); None when it is gone by then."""
    if answer.marker is None or answer.state is None:
        return None
    with answer.store.guarded():
        descriptor = locks.try_lease(f"{answer.marker.venv}.lease", answer.marker.lease)
    if descriptor is None:
        return None
    if marker.check(answer.store, answer.state)[0] != answer.marker:
        os.close(descriptor)
        return None
    return Held(answer.store, answer.state, answer.marker, descriptor)


@contextlib.contextmanager
def build_lock(request: Request, answer: Answer, wait: Wait) -> Iterator[locks.BuildLock | None]:
    """Take the build lock; yield None instead when another process answered the question meanwhile."""
    store = answer.store
    store.prepare()
    seen = index.signature(answer.watched)
    lock = locks.BuildLock(store.lock)
    looks = 0
    with store.guarded():
        while not lock.try_take(waiting.record(request.label)):
            building.refuse_nested(store)
            looks = min(looks + 1, LOOKS)
            for _ in range(looks):
                wait.pause("the build lock", store.lock)
                if index.signature(answer.watched) != seen:
                    yield None
                    return
    wait.end()
    try:
        yield lock
    finally:
        lock.release()
        store.empty_trash()


def _ask_again(request: Request, lock: locks.BuildLock, wait: Wait) -> Held:
    """Ask under the build lock; build only if still needed (rules 3 and 9)."""
    culprit = None
    for tried in range(TRIES):
        answer = ask(request, choose=True)
        store, state = answer.store, answer.state
        if (tried or not request.refresh) and (held := lease(answer)):
            return held
        if state is None:
            raise VanishedError(answer.watched)
        reason = f"`{culprit}` changed during the build" if culprit else answer.reason
        building.await_orphans(store, wait)
        if os.environ.get("ROOST_RESTORED") == "1" and not request.refresh:
            with store.guarded():
                adopted, reason = building.adopt(store, state, reason)
            if adopted:
                return Held(store, state, *adopted)
        with store.guarded(), building.attempt(store, state, request.label) as made:
            failure = building.build(store, state, made, reason, refresh=request.refresh)
            culprit = moved(request, state)
            if culprit:
                if failure is None:
                    building.forgo(made)
                continue
            if not (lock.intact() and made.intact()):
                raise VanishedError(made.venv.path)
            if failure:
                raise RoostError(failure)
            done = building.publish(store, state, made)
            collect.collect(store, state.settings.keep)
            return Held(store, state, done, made.lease)
    message = f"`{culprit}` changed during each of {TRIES} builds: start again when nothing writes it"
    raise RoostError(message)


def moved(request: Request, state: State) -> str | None:
    """Return the input that is not what `state` was read from, or None (rule 3).

    An edit and its undo leave the fingerprint as it was, but not the ctime; a file that a glob matches now leaves the
    signatures as they were, but not the fingerprint.
    """
    if moved := state.inputs.moved():
        return moved
    now = ask(request).state
    if now is None:
        return state.interpreter.path
    changed = [name for name in now.parts.keys() | state.parts.keys() if now.parts.get(name) != state.parts.get(name)]
    return min(changed, default=None)


def _vouch(request: Request, held: Held) -> Held:
    """Note in the marker that its venv came whole through a start of the machine. Best effort, as `_write_index` is."""
    if held.marker.boot == index.boot():
        return held
    path = f"{held.store.env(held.state.fingerprint)}/complete"
    lock = locks.BuildLock(held.store.lock)
    with contextlib.suppress(OSError, RoostError):
        if lock.try_take(waiting.record(request.label)):
            try:
                if marker.load(path)[0] == held.marker:
                    vouched = held.marker._replace(boot=index.boot())
                    marker.publish(path, vouched)
                    return held._replace(marker=vouched)
            finally:
                lock.release()
    return held


def _point_first(held: Held) -> None:
    """Let `current` lead to the first venv there is: here, since a builder may be killed once its marker is written."""
    env, link = held.state.settings.env, held.state.settings.link
    with contextlib.suppress(OSError):  # a read-only checkout
        if env not in held.store.pointed():
            held.store.point(env, held.marker.venv, link)


def _write_index(request: Request, held: Held) -> None:
    """Spare the next start all hashing. Best effort: a read-only checkout has none, and works."""
    found, state = held.marker, held.state
    # The folder itself, since its ctime tells of a chmod: `hooks/roost-run` cannot look at its mode (rule 8).
    marked = f"{held.store.env(state.fingerprint)}/complete"
    name = index.key(request.env, request.python)
    files = [held.store.root, marked, f"{found.venv}/pyvenv.cfg", *found.folders, held.store.python(name)]
    seen = {path: index.signature(path) for path in files}
    seen |= state.inputs.folders | state.inputs.signatures
    if (
        any("\n" in path or index.BREAK in path for path in seen)
        or state.inputs.variables
        or marker.check(held.store, state)[0] != found
    ):
        return
    head = [
        index.FORMAT,
        f"project {state.project.root}",
        f"venv {found.venv}",
        f"lease {found.lease}",
        f"boot {index.boot()}",
        *(f"member {path}" for path in state.project.members),
        *([f"link {state.settings.link}"] if state.settings.link else []),
    ]
    expected = [f"{sign} {path}" for path, sign in seen.items() if sign != index.ABSENT]
    text = "\n".join([*head, index.BREAK, *seen, index.BREAK, *expected, index.BREAK, ""])
    with contextlib.suppress(OSError):
        path = held.store.index(name)
        index.write(path, text, state.inputs.youngest)
        recall.write(f"{path}:{state.fingerprint}", text, state.inputs.contents(), state.inputs.youngest)
