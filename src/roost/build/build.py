"""One build: an attempt at a venv, from an empty folder to a published marker. All of it under the build lock."""

import contextlib
import functools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from roost.build import excerpt
from roost.bytecode import provide
from roost.bytecode.cache import Cache
from roost.console import holders, messages, redact, waiting
from roost.errors import RoostError, VanishedError, check_interrupted
from roost.inputs import interpreter
from roost.installers.base import Target
from roost.state import State
from roost.store import changes, collection, inventory, journal, marker, venvs
from roost.store.marker import Marker
from roost.store.store import Store
from roost.store.venvs import Attempt, Venv
from roost.system import files, locks, paths, processes, variables
from roost.system.processes import Completed

_PROBE = os.path.join(os.path.dirname(__file__), "probe.py")  # a script for the venv's Python, not imported here
WHY_LIMIT = 200  # characters of the reason for a failed build, in the journal


def refuse_nested(store: Store) -> None:
    """Refuse at once to wait for a build that waits for this process (rule 10).

    Raises:
        RoostError: this process is part of a build of the same project.
    """
    holder = holders.Holder(store.lock)
    nested = holder.is_local and holder.pid in processes.ancestors(os.getpid())
    if nested or os.environ.get(variables.BUILDING) == store.root:
        raise RoostError(
            f"roost was called from its own build of `{store.root}`, and the environment is not built yet: "
            "run the tool directly"
        )


def await_orphans(store: Store, wait: waiting.Wait) -> None:
    """Wait until no installer of an earlier attempt runs, and remove its attempt (rule 9).

    An installer whose builder was killed may still write in the source tree. It inherited its attempt's lease. An
    attempt's lease file has the builder's record until just before the marker is written.

    Raises:
        WaitTimeoutError: it does not end in time.
        RoostError: this process is part of it.
    """
    with store.guarded():
        for venv in filter(collection.is_attempt, list(venvs.all_in(store))):
            while not venvs.remove(store, venv, marker=False):
                refuse_nested(store)  # such an installer may call roost, which would wait for itself
                wait.pause("the lease of a build that ended", venv.lease_file, holders.of_lease)
    wait.end()


@contextlib.contextmanager
def attempt(store: Store, state: State, label: str, name: str = "") -> Iterator[Attempt]:
    """Provide a new, empty attempt (rule 2). It is removed afterwards, unless it was published.

    `name` is that of a session's own venv, which only that session uses.
    """
    made = venvs.create(store, state.folder, holders.record(label), name=name, exclusive=bool(state.session))
    made.label = label
    try:
        yield made
    finally:
        if not made.published:
            leased = locks.is_at(made.lease_descriptor, made.venv.lease_file)
            os.close(made.lease_descriptor)
            named = marker.load(made.venv.marker)[0]  # an interrupt may come right after the rename of the marker
            if named is None or named.venv != made.venv.path:
                with contextlib.suppress(OSError):
                    (_remove if leased else venvs.discard)(store, made.venv)


def _remove(store: Store, venv: Venv) -> None:
    """Remove an attempt. One whose installer still runs after a second is left to the next builder."""
    end = time.monotonic() + waiting.SILENCE
    while not venvs.remove(store, venv, marker=False) and time.monotonic() < end:
        time.sleep(waiting.POLL)


def mark_installer_finished(made: Attempt) -> None:
    """Clear the attempt's record: its installer ended well, so no builder waits for a daemon that it left running."""
    locks.write_record(made.lease_descriptor, "")


def build(
    store: Store, state: State, made: Attempt, reason: str, *, refresh: bool = False, empty: bool = False
) -> str | None:
    """Fill the attempt and check its health. Returns None, or why that failed, with what matters of the output.

    `reason` is why it is built, for people. With `refresh`, local projects are built again. An `empty` venv is a folder
    that its session fills.

    Raises:
        VanishedError: it failed, and the venv was removed meanwhile.
    """
    env, chosen = state.settings.name, state.installer
    if state.session:
        reason = f"for the nox session `{state.session}`"
    elif reason == marker.NONE:
        reason = changes.first(store, state) or changes.summary(store, state, with_packages=True) or ""
    why = reason or "because of `--refresh`"
    what = "an empty venv" if empty else f"`{env}` with {chosen.kind} ({chosen.reason})"
    cache = provide.cache() if state.settings.compile_bytecode else None
    messages.step(f"building {what}, {state.interpreter}: {why}")
    try:
        failure = None if empty else _install(store, state, made, refresh=refresh)
        if failure is None and not empty:  # not "": on a full disk a program can fail without output
            failure = _finish(store, state, made, cache)
    except RoostError as error:
        failure = str(error)
    except KeyboardInterrupt:
        messages.step(f"the build of `{env}` was interrupted, and its installer ended")
        raise
    if failure is None:
        return None
    if not made.is_current():
        raise VanishedError(made.venv.path)
    text = redact.without_secrets(failure).strip() or "it failed and printed nothing"
    _log(store, "failure", state, made, why=excerpt.main_line(text)[:WHY_LIMIT])
    text = excerpt.shorten(text, made.venv)
    separator = "\n" if "\n" in text else " "  # several lines stay together
    return f"the environment `{env}` of `{state.project.root}` could not be built with {chosen.kind}:{separator}{text}"


def _install(store: Store, state: State, made: Attempt, *, refresh: bool) -> str | None:
    """Create the venv and let the installer fill it. Returns None, or why that failed."""
    venv = made.venv.path
    if state.installer.kind in ("uv", "pylock") and (reason := interpreter.refused(state.project, state.interpreter)):
        return reason

    def run(command: Sequence[str], **more: str) -> Completed:
        return _run(store, state, made, command, more)

    if not state.installer.makes_venv:
        status, output = run(creation(state, venv))
        if status != 0:
            return output
    target = Target(state.project, state.settings, venv, state.interpreter.real_path, refresh)
    return state.installer.install(target, run)


def creation(state: State, venv: str) -> list[str]:
    """Return the command that creates `venv` without packages.

    Raises:
        RoostError: there is no uv.
    """
    command = [processes.find_uv(), "venv", "--no-project", "--no-config", "--python", state.interpreter.real_path]
    return [*command, f"--prompt={os.path.basename(state.project.root) or 'roost'}", venv]


def _run(
    store: Store,
    state: State,
    made: Attempt,
    command: Sequence[str],
    more: Mapping[str, str],
    meanwhile: Callable[[], None] | None = None,
) -> Completed:
    """Run one step of the build, which holds the attempt's lease for as long as any of its processes runs (rule 9)."""
    env = variables.for_installer(os.environ, **{variables.BUILDING: store.root}, **more)
    watch = functools.partial(_show, state, made) if messages.width() else None
    try:
        done = processes.run(
            command,
            env=env,
            cwd=state.project.root,
            log=files.scratch(made.venv.path),
            watch=watch,
            meanwhile=meanwhile,
            keep=[made.lease_descriptor],
        )
    finally:
        messages.clear()
    return done._replace(output=processes.rendered(done.output))


def _show(state: State, made: Attempt, log: int) -> None:
    """Show the progress of a longer build on a terminal: phase, packages, time, and the last line of output."""
    if made.seconds() < waiting.SILENCE:
        return
    phase = "compiling" if made.installed else f"installing with {state.installer.kind}"
    names = (name for folder in paths.site_packages(made.venv.path) for name in os.listdir(folder))
    packages = sum(name.endswith(".dist-info") for name in names)
    if made.installed:  # what compiles prints nothing for people
        messages.live(f"{phase}, {packages} packages, {made.seconds():.0f} s")
        return
    tail = files.read_at(log, 4096, max(os.fstat(log).st_size - 4096, 0)).decode(errors="replace")
    last = processes.rendered(tail.strip()).rpartition("\n")[2].strip()
    messages.live(f"{phase}, {packages} packages, {made.seconds():.0f} s{f': {last}' if last else ''}")


def _finish(store: Store, state: State, made: Attempt, cache: Cache | None) -> str | None:
    """Check the venv's health, provide its bytecode and take its inventory. Returns what is wrong with it, or None."""
    venv = made.venv.path
    stats: provide.Stats = {}
    warnings: list[str] = []
    tag = state.interpreter.bytecode
    provider = provide.Provider(venv, cache, tag) if state.settings.compile_bytecode and tag else None

    def take_inventory(records: list[inventory.Record]) -> None:
        made.files = inventory.take(venv, stats)
        warnings.extend(inventory.edited(venv, made.files, records))

    def examine() -> None:
        records = inventory.records(venv)
        if provider is None:
            take_inventory(records)
            return
        with processes.forked(lambda: tuple(provider.link(records))) as linked:
            take_inventory(records)
            provider.take(records, provide.Linked(*linked()), made.files, stats)

    if failure := check_health(store, state, made, examine):
        return failure
    if provider:
        _compile(store, state, made, provider)
        made.files |= provider.files
    for warning in warnings:
        messages.warning(warning)
    return None


def _compile(store: Store, state: State, made: Attempt, provider: provide.Provider) -> None:
    """Compile what the cache lacks, and add it to the cache. A venv without bytecode works as well."""
    complete = True
    if provider.missing:
        jobs = f"{made.venv.path}/.roost-sources"
        files.write(jobs, json.dumps([f"{made.venv.path}/{path}" for path in provider.missing]))
        command = [paths.python(made.venv.path), "-I", "-S", "-B", "-W", "ignore", provide.COMPILER, jobs]
        _, output = _run(store, state, made, command, {})
        complete = processes.framed(output) == "true"
        files.remove(jobs)
    with contextlib.suppress(OSError):  # such as a full disk
        provider.add(complete=complete)


def check_health(store: Store, state: State, made: Attempt, meanwhile: Callable[[], None] | None = None) -> str | None:
    """Start the venv's Python as a session would. Returns what is wrong with it, or None.

    `meanwhile` is called while it runs.
    """
    venv = made.venv.path
    made.installed = True
    # -I: nothing of the caller's. No -S: what the packages do at start-up is part of the check.
    command = [paths.python(venv), "-I", "-B", "-W", "ignore", _PROBE]
    status, output = _run(store, state, made, command, {}, meanwhile)
    try:
        prefix, version, found = json.loads(processes.framed(output))
        made.folders = list(map(paths.slashed, found))
    except ValueError:
        return f"its Python does not start (status {status}): {output.strip()[-2000:]}"
    if paths.real(prefix) != paths.real(venv) or version != state.interpreter.version:
        return f"its Python is {version} in `{prefix}`, not {state.interpreter.version} in `{venv}`"
    return None


def publish(store: Store, state: State, made: Attempt) -> Marker:
    """Write the marker: from now on the venv is complete, and the lease is that of a session.

    A nox session's own venv gets its marker from the session, which changes it first.

    Raises:
        RoostError: it cannot be written.
        Interrupted: this process was interrupted.
    """
    check_interrupted()
    before, warning = changes.newest(store, state), None
    mark_installer_finished(made)
    done = marker.describe(state, made)
    if not state.session:
        inventory.write(made.venv.path, made.files)
        warning = marker.publish(made.venv.marker, done)
    made.published = True
    if warning:
        messages.warning(warning)
    _log(store, "build", state, made)
    _report(before, done)
    return done


def _log(store: Store, event: str, state: State, made: Attempt, **more: str) -> None:
    more |= {"session": state.session} if state.session else {}
    journal.write(
        store,
        event,
        environment=state.settings.name,
        command=made.label,
        fingerprint=state.fingerprint,
        venv=made.venv.name,
        seconds=made.seconds(),
        **more,
    )


def _report(before: Marker | None, done: Marker) -> None:
    """Print the result of a build that took long enough to be noticed."""
    if done.seconds < waiting.SILENCE:
        return
    now = changes.installed(done)
    # Changes from one lock file to another were printed when the build began.
    differences = []
    if before and not (before.locked and done.locked):
        differences = changes.packages(changes.installed(before), now)
    what = f": {changes.shorten(differences, 3)}" if differences else ""
    messages.step(f"built `{done.environment}` in {done.seconds:.1f} s, {len(now)} packages{what}")
