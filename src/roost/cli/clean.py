"""`roost clean`: remove the venvs that are neither used nor kept."""

import os
import shutil

import click

from roost import warm
from roost.bytecode.cache import Cache
from roost.cli import options, output
from roost.console import holders, messages
from roost.errors import RoostError, UsageError
from roost.inputs import interpreter, settings
from roost.inputs.project import Project
from roost.store import collection, venvs
from roost.store.store import Store
from roost.system import locks


@click.command(
    short_help="Remove the venvs that are neither used nor kept.",
    epilog="""\b
Examples:
  roost clean          what is neither used nor kept
  roost clean --all    also the newest ones
  roost clean --all --force    also those used within the hour
  roost clean --cache  the bytecode of all projects""",
)
@click.option("--all", "every", is_flag=True, help="Also the newest ones, which `keep` would spare.")
@click.option("--force", is_flag=True, help="With `--all`: also what was used within the hour.")
@click.option("--cache", is_flag=True, help="Instead the bytecode cache, which all projects of the user share.")
@options.project
def clean(every: bool, force: bool, cache: bool, project: str) -> None:
    """Remove the venvs that are not in use, were not used within the hour, and are not kept.

    With `--all --force`, only what is in use stays, and the targets of the environments' links in `.roost/.venv`.
    """
    if force and not every:
        raise UsageError("`--force` needs `--all`")
    if cache:
        _empty_cache()
        return
    found = Project.at(project)
    store = Store(found.root)
    store.check()
    if not os.path.isdir(store.root):
        messages.step(f"there is nothing to remove in `{found.root}`")
        return
    store.prepare()
    with store.guarded():
        verdicts = _collect(
            store, 0 if every else settings.read(found, warm.Selection()).keep, 0 if force else collection.RECENT
        )
    venvs.empty_trash(store)
    if not verdicts:
        messages.step(f"there is nothing to remove in `{found.root}`")
    for verdict in verdicts:
        path = verdict.venv.path
        output.result(f"kept {path}: {verdict.keeps}" if verdict.keeps else f"removed {path}", 2)


def _empty_cache() -> None:
    """Remove all bytecode from the cache, and what is known of interpreters. Venvs keep theirs."""
    cache = Cache()
    if fault := cache.fault():
        raise RoostError(f"the bytecode cache was not emptied: {fault}; remove it, or set `ROOST_CACHE_DIR`")
    usage = cache.usage()
    cache.shrink(0)
    shutil.rmtree(interpreter.cached_answers(), ignore_errors=True)
    output.result(f"removed {usage.entries} entries, {output.mib(usage.bytes)}, from {cache.root}", 2)


def _collect(store: Store, keep: int, recent: float) -> list[collection.Verdict]:
    lock = locks.BuildLock(store.lock)
    if not lock.try_take(holders.record("roost clean")):
        raise RoostError(
            f"nothing was removed: the build lock is held by {holders.of_lock(store.lock)}; try again after that"
        )
    try:
        return collection.collect(store, keep, recent)
    finally:
        lock.release()
