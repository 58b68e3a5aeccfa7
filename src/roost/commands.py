"""The commands `roost clean` and `roost key`."""

import os

import click

from roost import collect, fingerprint, index, interpreter, locks, options, report, settings, waiting
from roost.errors import RoostError
from roost.inputs import Inputs
from roost.project import find
from roost.store import Store

CLEAN = """\b
Examples:
  roost clean          what is neither in use nor kept
  roost clean --all    what is not in use"""
KEY = """\b
Example:
  key=$(roost key)     the same for the same inputs, Python and path"""


@click.command(short_help="Remove the venvs that nobody uses or needs.", epilog=CLEAN)
@click.option("--all", "every", is_flag=True, help="Also the newest ones, which `keep` would spare.")
@options.project
def clean(every: bool, project: str) -> None:
    """Remove the venvs that are neither in use, nor used within the hour, nor kept."""
    found = find(os.path.realpath(project), Inputs())
    store = Store(found.root)
    store.check()
    if not os.path.isdir(store.root):
        report.step(f"there is nothing to remove in `{found.root}`")
        return
    store.prepare()
    lock = locks.BuildLock(store.lock)
    with store.guarded():
        if not lock.try_take(waiting.record("roost clean")):
            message = (
                f"nothing was removed: the build lock is held by {waiting.Holder(store.lock)}; try again after that"
            )
            raise RoostError(message)
        try:
            verdicts = collect.collect(store, 0 if every else settings.read(found, "default").keep)
        finally:
            lock.release()
    store.empty_trash()
    if not verdicts:
        report.step(f"there is nothing to remove in `{found.root}`")
    for verdict in verdicts:
        word = f"kept {verdict.venv.path}: {verdict.keeps}" if verdict.keeps else f"removed {verdict.venv.path}"
        report.result(word, 2)


@click.command(short_help="Print the fingerprint, as a cache key for CI.", epilog=KEY)
@options.env
@options.project
def key(env: str | None, project: str) -> None:
    """Print the fingerprint of the environment, as a cache key for CI. Builds nothing."""
    name = env or index.default_env()
    draft = fingerprint.draft(os.path.realpath(project), name, None)
    record = Store(draft.project.root).python(index.key(name, None))
    chosen, before = interpreter.recorded(record, draft.request, draft.inputs)
    report.value(draft.with_interpreter(chosen or interpreter.choose(draft.project, draft.request, before)).fingerprint)
