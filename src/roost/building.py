"""Building: one attempt at a venv, from an empty folder to a published marker. All of it under the build lock."""

import contextlib
import functools
import glob
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from roost import (
    changes,
    collect,
    first_start,
    index,
    interpreter,
    inventory,
    locks,
    marker,
    process,
    redact,
    report,
    waiting,
)
from roost.errors import RoostError
from roost.fingerprint import State
from roost.installers.base import Target
from roost.marker import Marker
from roost.store import Attempt, Store, Venv

GIST = 200  # characters of why a build failed, in the journal


def refuse_nested(store: Store) -> None:
    """Refuse at once to wait for a build that waits for us (rule 10).

    Raises:
        RoostError: this process is part of a build of the same project.
    """
    holder = waiting.Holder(store.lock)
    if os.environ.get(process.BUILDING) == store.root or (holder.here and holder.pid in process.ancestors(os.getpid())):
        message = (
            f"this command is part of the build of `{store.root}`, and needs an environment that is not built yet: "
            "call the tool without roost there"
        )
        raise RoostError(message)


def await_orphans(store: Store, wait: waiting.Wait) -> None:
    """Wait until no installer of an earlier attempt runs, and remove what it left (rule 9).

    An installer whose builder was killed may still write in the source tree. It inherited its attempt's lease, and the
    lease of an attempt says so: it holds the builder's record until just before the marker is written.

    Raises:
        WaitTimeoutError: it does not end.
        RoostError: this process is part of it.
    """
    with store.guarded():
        for venv in filter(collect.is_attempt, list(store.venvs())):
            while not store.remove(venv, marker=False):
                refuse_nested(store)  # such an installer may call roost, and would wait for itself
                wait.pause("the lease of a build that ended", venv.lease, waiting.left_running)
    wait.end()


@contextlib.contextmanager
def attempt(store: Store, state: State, label: str) -> Iterator[Attempt]:
    """Provide a new, empty attempt (rule 2); unless it gets published, it is gone afterwards."""
    made = store.new_attempt(state.fingerprint, waiting.record(label))
    made.label = label
    try:
        yield made
    finally:
        if not made.published:
            os.close(made.lease)
            with contextlib.suppress(OSError):
                _remove(store, made)


def _remove(store: Store, made: Attempt) -> None:
    """Remove an attempt; one whose installer is still on its way out stays for the next builder after a second."""
    end = time.monotonic() + waiting.SILENCE
    while not store.remove(made.venv, marker=False) and time.monotonic() < end:
        time.sleep(waiting.POLL)


def forgo(made: Attempt) -> None:
    """Let nobody wait for what the installer of `made` left running: it ended well, so that is no build any more."""
    locks.write_record(made.lease, "")


def build(store: Store, state: State, made: Attempt, reason: str, *, refresh: bool = False) -> str | None:
    """Fill the attempt and check its health; return why that failed, with what the installer printed, or None.

    With `refresh` nothing is taken that was built of local projects before.
    """
    env, chosen = state.settings.env, state.installer
    if reason == marker.NONE:
        reason = changes.summary(store, state, with_packages=True) or "the first one"
    why = reason or "because of `--refresh`"
    report.step(f"building `{env}` with {chosen.kind} ({chosen.reason}), {state.interpreter}: {why}")
    try:
        failure = _install(store, state, made, refresh=refresh)
        if failure is None:  # not "": a program can fail without a word, where the disk is too full for it
            failure = _finish(store, state, made)
    except RoostError as error:
        failure = str(error)
    except KeyboardInterrupt:
        report.step(f"the build of `{env}` was interrupted, its installer ended")
        raise
    if failure is None:
        return None
    said = redact.without_secrets(failure).strip() or "it failed and printed nothing"
    _log(store, "failure", state, made, why=_gist(said))
    break_ = "\n" if "\n" in said else " "  # its lines belong together
    return f"the environment `{env}` of `{state.project.root}` could not be built with {chosen.kind}:{break_}{said}"


def _install(store: Store, state: State, made: Attempt, *, refresh: bool) -> str | None:
    """Make the venv and let the installer fill it; return why that failed, or None."""
    venv = made.venv.path
    if state.installer.kind in ("uv", "pylock") and (reason := interpreter.refused(state.project, state.interpreter)):
        return reason

    def run(command: Sequence[str], **more: str) -> process.Completed:
        return _run(store, state, made, command, more)

    target = Target(state.project, state.settings, venv, state.interpreter.path, refresh)
    if not state.installer.makes_venv:
        command = [process.find_uv(), "venv", "--no-project", "--no-config", "--python", target.base]
        status, output = run([*command, f"--prompt={os.path.basename(state.project.root) or 'roost'}", venv])
        if status != 0:
            return output
    return state.installer.install(target, run)


def _run(
    store: Store,
    state: State,
    made: Attempt,
    command: Sequence[str],
    variables: Mapping[str, str],
    meanwhile: Callable[[], None] | None = None,
) -> process.Completed:
    """Run one step of the build, which holds the attempt's lease for as long as anything of it runs (rule 9)."""
    env = process.for_installer(os.environ, **{process.BUILDING: store.root}, **variables)
    watch = functools.partial(_show, state, made) if report.width() else None
    root, keep = state.project.root, [made.lease]
    try:
        done = process.run(command, env=env, cwd=root, log=made.open_log, watch=watch, meanwhile=meanwhile, keep=keep)
    finally:
        report.clear()
    return done._replace(output=process.legible(done.output))


def _show(state: State, made: Attempt, log: int) -> None:
    """Tell a person at a terminal how far a build is that takes more than a moment: phase, packages, time."""
    if made.seconds() < waiting.SILENCE:
        return
    phase = "compiling" if made.filled else f"installing with {state.installer.kind}"
    packages = len(glob.glob(f"{glob.escape(made.venv.path)}/lib/python*/site-packages/*.dist-info"))
    said = os.pread(log, 4096, max(os.fstat(log).st_size - 4096, 0)).decode(errors="replace")
    last = process.legible(said.strip()).rpartition("\n")[2].strip()
    report.live(f"{phase}, {packages} packages, {made.seconds():.0f} s{f': {last}' if last else ''}")


def _finish(store: Store, state: State, made: Attempt) -> str | None:
    """Check the venv's health, see to its bytecode and take its inventory; return what is wrong with it, or None."""
    warnings: list[str] = []

    def look() -> None:
        made.files = inventory.take(made.venv.path, bytecode=False)
        warnings.extend(inventory.edited(made.venv.path, made.files))

    donor = _donor(store, state) if state.settings.compile_bytecode else None
    if failure := _check_health(store, state, made, donor, look):
        return failure
    made.files |= inventory.take_bytecode(made.venv.path, made.files)
    for warning in warnings:
        report.warning(warning)
    return None


def _donor(store: Store, state: State) -> str:
    """Return the venv that a new one can take over bytecode from, or an empty text."""
    newest = changes.newest(store, state)
    if newest and (newest.boot == index.boot() or not inventory.damage(newest.venv)):
        return newest.venv
    return ""


def _check_health(
    store: Store, state: State, made: Attempt, donor: str | None = None, meanwhile: Callable[[], None] | None = None
) -> str | None:
    """Start the venv's Python as a session would; return what is wrong with it, or None.

    With a `donor`, which may be empty, it sees to the bytecode, too.
    """
    venv = made.venv.path
    made.filled = True
    # -I: nothing of the caller's; without -S, so that what the packages do at start-up is tried, too.
    command = [f"{venv}/bin/python", "-I", "-B", "-W", "ignore", first_start.__file__]
    status, output = _run(store, state, made, command if donor is None else [*command, donor], {}, meanwhile)
    try:
        prefix, version, made.folders = json.loads(output.strip().rpartition("\n")[2])
    except ValueError:
        return f"its Python does not start (status {status}): {output.strip()[-2000:]}"
    if os.path.realpath(prefix) != os.path.realpath(venv) or version != state.interpreter.version:
        return f"its Python is {version} in `{prefix}`, not {state.interpreter.version} in `{venv}`"
    return None


def publish(store: Store, state: State, made: Attempt) -> Marker:
    """Write the marker: from here on the venv is complete, and the lease that of a session."""
    before = changes.newest(store, state)
    inventory.write(made.venv.path, made.files)
    locks.write_record(made.lease, "")
    done = marker.describe(state, made, changes.locked(state))
    marker.publish(f"{made.venv.folder}/complete", done)
    made.published = True
    _log(store, "build", state, made)
    _tell(before, done)
    return done


def adopt(store: Store, state: State, reason: str) -> tuple[tuple[Marker, int] | None, str]:
    """Take over a venv that came out of a cache, which the user trusts: other inodes, but file for file what was built.

    Return its new marker and the lease on it, or None and why it is built anew.
    """
    found, _ = marker.load(f"{store.env(state.fingerprint)}/complete")
    if found is None or marker.foreign(found, store, state):
        return None, reason
    venv = Venv(state.fingerprint, *os.path.split(found.venv))
    if not os.path.exists(venv.lease):
        return None, reason
    lease = locks.try_lease(venv.lease, os.stat(venv.lease).st_ino)
    if lease is None:
        return None, reason
    made = Attempt(venv, lease)
    fault = inventory.damage(venv.path) or inventory.foreign(venv.path)
    if fault := fault or _check_health(store, state, made):
        os.close(lease)
        return None, fault
    done = marker.describe(state, made, found.locked)._replace(built=found.built, seconds=found.seconds)
    marker.publish(f"{venv.folder}/complete", done)
    store.log("restored", environment=state.settings.env, fingerprint=state.fingerprint, venv=venv.name)
    return (done, lease), ""


def _gist(said: str) -> str:
    """Return the line of what an installer `said` that tells most."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[0])[:GIST]


def _log(store: Store, event: str, state: State, made: Attempt, **more: str) -> None:
    store.log(
        event,
        environment=state.settings.env,
        command=made.label,
        fingerprint=state.fingerprint,
        venv=made.venv.name,
        seconds=made.seconds(),
        **more,
    )


def _tell(before: Marker | None, done: Marker) -> None:
    """Say what came of a build that took long enough to be noticed."""
    if done.seconds < waiting.SILENCE:
        return
    now = changes.installed(done)
    # What is locked was said when the build began.
    differs = changes.packages(changes.installed(before), now) if before and not done.locked else []
    what = f": {changes.shorten(differs, 3)}" if differs else ""
    report.step(f"built `{done.environment}` in {done.seconds:.1f} s, {len(now)} packages{what}")
