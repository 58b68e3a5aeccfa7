"""`roost clean`: remove the venvs that are neither used nor kept."""

import os

import click

from roost import warm
from roost.cli import options, output
from roost.console import holders, messages
from roost.errors import RoostError
from roost.inputs import settings
from roost.inputs.project import Project
from roost.store import collection, venvs
from roost.store.store import Store
from roost.system import locks

EPILOG = """\b
Examples:
  roost clean          what is neither used nor kept
  roost clean --all    what is not used"""


@click.command(short_help="Remove the venvs that are neither used nor kept.", epilog=EPILOG)
@click.option("--all", "every", is_flag=True, help="Also the newest ones, which `keep` would spare.")
@options.project
def clean(every: bool, project: str) -> None:
    """Remove the venvs that are not in use, were not used within the hour, and are not kept."""
    found = Project.at(project)
    store = Store(found.root)
    store.check()
    if not os.path.isdir(store.root):
        messages.step(f"there is nothing to remove in `{found.root}`")
        return
    store.prepare()
    with store.guarded():
        verdicts = _collect(store, 0 if every else settings.read(found, warm.Selection()).keep)
    venvs.empty_trash(store)
    if not verdicts:
        messages.step(f"there is nothing to remove in `{found.root}`")
    for verdict in verdicts:
        path = verdict.venv.path
        output.result(f"kept {path}: {verdict.keeps}" if verdict.keeps else f"removed {path}", 2)


def _collect(store: Store, keep: int) -> list[collection.Verdict]:
    lock = locks.BuildLock(store.lock)
    if not lock.try_take(holders.record("roost clean")):
        message = f"nothing was removed: the build lock is held by {holders.of_lock(store.lock)}; try again after that"
        raise RoostError(message)
    try:
        return collection.collect(store, keep)
    finally:
        lock.release()
