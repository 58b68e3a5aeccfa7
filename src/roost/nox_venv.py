"""A session's own venv: made like the shared one, in nox's folder for the session, and then the session's alone.

In that folder lie, for each of them::

    venv-3fa9c2             the venv, under a random name: a path is never built in twice
    venv-3fa9c2.lock        flocked exclusively by the nox process whose session runs in it
    venv-3fa9c2.complete    its marker: the fingerprint and the boot it was made in; absent during an install

A second nox process that runs the same session at the same time makes another one, and waits for nothing but the build.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from typing import NamedTuple

from roost import building, index, locks, protocol
from roost.errors import RoostError
from roost.protocol import Request
from roost.store import Attempt, Venv
from roost.waiting import Wait


class Own(NamedTuple):
    """A venv of a session's own, locked until this process ends."""

    venv: str
    fingerprint: str

    def begin(self) -> None:
        """Let it count as incomplete: an install that is cut short must not be taken for a whole one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.venv}.complete")

    def complete(self) -> None:
        """Let it count as complete."""
        temporary = index.temporary(f"{self.venv}.complete")
        with open(temporary, "w", encoding="ascii") as file:
            file.write(_promise(self.fingerprint))
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, f"{self.venv}.complete")


def make(request: Request, venv: str, reason: str) -> Own:
    """Make `venv`, which nobody else knows, from the state that the shared venv is made from.

    Raises:
        RoostError: it cannot be built.
    """
    sweep(os.path.dirname(venv))
    descriptor = os.open(f"{venv}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if not locks.try_flock(descriptor, fcntl.LOCK_EX):  # a sweep that found it at once; it is not ours then
        message = f"`{venv}.lock` was taken by another nox: start again"
        raise RoostError(message)
    locks.out_of_the_way(descriptor)
    wait = Wait(request.timeout)
    culprit = None
    for _ in range(protocol.TRIES):
        fingerprint, culprit = _build(
            request, venv, wait, f"`{culprit}` changed during the build" if culprit else reason
        )
        if culprit is None:
            return Own(venv, fingerprint)
        shutil.rmtree(venv, ignore_errors=True)
    message = f"`{culprit}` changed during each of {protocol.TRIES} builds: start again when nothing writes it"
    raise RoostError(message)


def _build(request: Request, venv: str, wait: Wait, reason: str) -> tuple[str, str | None]:
    """Build once, under the build lock; return the fingerprint, and the input that changed meanwhile or None."""
    while True:
        with protocol.build_lock(request, protocol.ask(request), wait) as lock:
            if lock is None:  # another process built the shared venv anew: look again
                continue
            answer = protocol.ask(request, choose=True)
            store, state = answer.store, answer.state
            if state is None:
                message = f"`{answer.watched}` was removed meanwhile: start again"
                raise RoostError(message)
            building.await_orphans(store, wait)
            with store.guarded(), building.attempt(store, state, request.label) as stand_in:
                # The installer inherits the lease of an empty attempt in the store: whoever builds next waits for it,
                # should it outlive us (rule 9).
                made = Attempt(Venv(state.fingerprint, *os.path.split(venv)), stand_in.lease)
                failure = building.build(store, state, made, reason)
                culprit = protocol.moved(request, state)
                if failure and not culprit:
                    raise RoostError(failure)
                if failure is None:
                    building.forgo(stand_in)
                return state.fingerprint, culprit


@contextlib.contextmanager
def building_in_tree(request: Request) -> Iterator[None]:
    """Hold the build lock: what is installed now is built in the source tree, where no two builds may meet (rule 9)."""
    wait = Wait(request.timeout)
    while True:
        answer = protocol.ask(request)
        with protocol.build_lock(request, answer, wait) as lock:
            if lock is not None:
                building.await_orphans(answer.store, wait)
                yield
                return


def reuse(folder: str, fingerprint: str) -> Own | None:
    """Lock and return the newest complete venv in `folder` that is for `fingerprint` and in nobody's use, or None."""
    for venv in sorted(_venvs(folder), key=_made, reverse=True):
        if _made(venv) and (descriptor := _take(venv)) is not None:
            if _is_complete(venv, fingerprint):
                locks.out_of_the_way(descriptor)
                return Own(venv, fingerprint)
            os.close(descriptor)
    return None


def _promise(fingerprint: str) -> str:
    # What lies on the disk after a power cut may be there and empty; such a venv is soon made again.
    return f"{fingerprint} {index.boot()}"


def _is_complete(venv: str, fingerprint: str) -> bool:
    try:
        with open(f"{venv}.complete", encoding="ascii", errors="replace") as file:
            return file.read() == _promise(fingerprint) and os.path.exists(f"{venv}/bin/python")
    except FileNotFoundError:
        return False


def sweep(folder: str) -> None:
    """Remove the venvs in `folder` that no nox process has locked."""
    for venv in _venvs(folder):
        descriptor = _take(venv)
        if descriptor is not None:
            Own(venv, "").begin()
            shutil.rmtree(venv, ignore_errors=True)
            for path in _half_written(venv):
                os.unlink(path)
            if not os.path.lexists(venv):
                os.unlink(f"{venv}.lock")
            os.close(descriptor)
    if os.path.isdir(folder):
        for venv in _without_lock(folder):
            shutil.rmtree(venv, ignore_errors=True)


def _without_lock(folder: str) -> list[str]:
    """Return what the installer of a killed builder went on writing into a venv that had been swept."""
    # Of one that is being made, the lock is there first.
    found = [entry.path for entry in os.scandir(folder) if entry.name.startswith("venv-") and entry.is_dir()]
    return [venv for venv in found if not os.path.lexists(f"{venv}.lock")]


def _half_written(venv: str) -> list[str]:
    """Return the temporary files beside `venv` of a process that was killed before it renamed them."""
    folder, name = os.path.split(venv)
    return [f"{folder}/{other}" for other in os.listdir(folder) if other.startswith(f".{name}.")]


def _venvs(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    found = (name.removesuffix(".lock") for name in names if name.endswith(".lock"))
    return [f"{folder}/{name}" for name in found if name.startswith("venv-")]


def _made(venv: str) -> float:
    """Return when `venv` was complete, 0 when it is not."""
    try:
        return os.stat(f"{venv}.complete").st_mtime
    except OSError:
        return 0.0


def _take(venv: str) -> int | None:
    """Take the lock of `venv` without waiting; return its descriptor, or None while another process has it."""
    path = f"{venv}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if locks.try_flock(descriptor, fcntl.LOCK_EX) and locks.is_at(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None
