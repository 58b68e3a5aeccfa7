"""Collecting: which venvs may go, and their removal (rule 7). All of it under the build lock."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from roost import marker
from roost.marker import Marker
from roost.store import Store, Venv

RECENT = 3600.0  # seconds; nox closes descriptors in its children, so a lease can be gone before all that runs is


class Verdict(NamedTuple):
    """One venv, whether it is complete, and why it stays; None when it may go."""

    venv: Venv
    complete: bool
    keeps: str | None


def is_attempt(venv: Venv) -> bool:
    """Return whether `venv` was never finished: its lease still has the builder's record, and no marker names it."""
    try:
        unfinished = os.lstat(venv.lease).st_size > 0
    except OSError:
        return False
    return unfinished and _named(venv) is None


def _named(venv: Venv) -> Marker | None:
    found, _ = marker.load(f"{venv.folder}/complete")
    # By another path, too: a container has the project elsewhere, and its venvs beside the host's.
    return found if found is not None and found.venv.endswith(f"/{venv.fingerprint}/{venv.name}") else None


def judge(store: Store, keep: int) -> Iterator[Verdict]:
    """Yield what `collect` would do with each venv, were none of them in use."""
    found = {venv: _named(venv) for venv in store.venvs()}
    newest: dict[tuple[str, str], list[str]] = {}
    complete = [named for named in found.values() if named]
    for one in sorted(complete, key=lambda one: one.at, reverse=True):
        newest.setdefault(_kind(one), []).append(one.venv)
    pointed = store.pointed().values()
    for venv, named in found.items():
        age = time.time() - _last_used(venv)
        keeps = None
        if venv.path in pointed:
            keeps = "`current` leads to it"
        elif is_attempt(venv):
            pass  # whoever builds it holds its lease
        elif age < RECENT:
            keeps = f"used {max(age, 0) / 60:.0f} min ago, within the hour"
        elif named and named.venv in newest[_kind(named)][:keep]:
            keeps = f"one of the newest {keep} of `{named.environment}`"
        yield Verdict(venv, named is not None, keeps)


def _kind(named: Marker) -> tuple[str, str]:
    """Return what `keep` counts for: an environment and a Python, such as 3.12. A matrix must not push itself out."""
    return named.environment, named.python.rpartition(".")[0]


def _last_used(venv: Venv) -> float:
    # Where somebody deleted the lease file, nothing tells who runs there: an hour from its folder's last change.
    for path in (venv.lease, venv.folder):
        with contextlib.suppress(OSError):
            return os.lstat(path).st_mtime
    return 0.0


def collect(store: Store, keep: int) -> list[Verdict]:
    """Move what may go into `trash`; return a verdict for each venv, with None for those that went."""
    done = []
    for verdict in list(judge(store, keep)):
        if verdict.keeps is None:
            if store.remove(verdict.venv, marker=verdict.complete):
                store.log("removal", fingerprint=verdict.venv.fingerprint, venv=verdict.venv.name)
            else:
                verdict = verdict._replace(keeps="in use")  # noqa: PLW2901 - the same verdict, corrected
        done.append(verdict)
    store.sweep(time.time() - RECENT)
    return done
