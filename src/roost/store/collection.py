"""Collection: which venvs can be removed, and their removal (rule 7). All of it under the build lock."""

import contextlib
import functools
import glob
import os
import shutil
import time
from collections.abc import Iterator
from typing import NamedTuple

from roost.store import journal, links, marker, references, venvs
from roost.store.marker import Marker
from roost.store.store import Store
from roost.store.venvs import Venv
from roost.system import locks, paths
from roost.system.folders import Folder

RECENT = 3600.0  # seconds; nox closes descriptors in its children, so a lease can end before everything that runs there
ABANDONED = 30 * 86400.0  # seconds after which a venv of another path of the checkout need not be kept


class Verdict(NamedTuple):
    """What collection does with one venv."""

    venv: Venv
    complete: bool
    keeps: str | None
    """Why it stays; None where it can be removed."""
    failed: bool = False
    """Whether it stays because its removal failed."""


def is_attempt(venv: Venv) -> bool:
    """Return whether `venv` is unfinished: its lease file has its builder's record, and no marker names it."""
    try:
        unfinished = os.lstat(venv.lease_file).st_size > 0
    except OSError:
        return False
    return unfinished and _marker(venv) is None


def _marker(venv: Venv) -> Marker | None:
    found, _ = marker.load(venv.marker)
    # Also by another path: a container may have the project elsewhere, and its venvs in the same folder as the host's.
    suffix = f"/{os.path.basename(venv.folder)}/{venv.name}"
    return found if found is not None and found.venv.endswith(suffix) else None


def examine(store: Store, keep: int, recent: float = RECENT) -> Iterator[Verdict]:
    """Yield a verdict for each venv, as if no process used any. What was used in the last `recent` seconds stays."""
    found = {venv: _marker(venv) for venv in venvs.all_in(store)}
    newest: dict[tuple[str, ...], list[str]] = {}
    for one in sorted((one for one in found.values() if one), key=lambda one: one.at, reverse=True):
        newest.setdefault(_kind(one), []).append(one.venv)
    linked = links.all_targets(store, selections=keep > 0)  # the link of a selection that was tried once stays
    in_hooks = functools.cache(lambda: references.named(store, references.git_hooks(store.project)))  # if it matters
    for venv, named in found.items():
        age = time.time() - _last_used(venv)
        other = _path(named) if named and _path(named) != store.project else ""
        count = min(keep, 1) if named and named.session else keep
        count = max(count, 1) if other else count  # `clean --all` is for this path
        keeps = None
        if other and age > ABANDONED:
            pass  # of a container that is gone, or of a project that moved
        elif venv.path in linked:
            keeps = "it is the target of a link in `.roost/.venv`"
        elif is_attempt(venv) or (named is None and os.path.basename(venv.folder).startswith("session-")):
            pass  # its builder, or the session that uses it, holds its lease; a session uses at most one venv again
        elif age < recent:
            keeps = f"used {max(age, 0) / 60:.0f} min ago, within the hour"
        elif named and named.venv in newest[_kind(named)][:count]:
            of = f"`{named.environment}`{f' in the session `{named.session}`' if named.session else ''}"
            of += f" under `{other}`" if other else ""
            keeps = f"one of the newest {count} of {of}" if count > 1 else f"the newest of {of}"
        elif named and venv.path in in_hooks():
            keeps = f"the git hook `{in_hooks()[venv.path]}` names it"
        yield Verdict(venv, named is not None, keeps)


def _kind(named: Marker) -> tuple[str, ...]:
    """Return the kind of venv of which `keep` are kept: each Python of a matrix is one, each nox session, each path."""
    return _path(named), named.environment, named.session, named.python.rpartition(".")[0]


def _path(named: Marker) -> str:
    return named.parts.get("project path", "")


def _last_used(venv: Venv) -> float:
    # Without a lease file its users are unknown: it stays for an hour after its folder last changed.
    for path in (venv.lease_file, venv.folder):
        with contextlib.suppress(OSError):
            return os.lstat(path).st_mtime
    return 0.0


def collect(store: Store, keep: int, recent: float = RECENT) -> list[Verdict]:
    """Move what can be removed into the trash. Returns a verdict for each venv; `keeps` is None for the removed ones.

    What was used in the last `recent` seconds stays. Best effort: a venv that cannot be moved stays, too.

    Raises:
        FileNotFoundError: the store was removed meanwhile.
    """
    done = [one if one.keeps else _remove(store, one) for one in list(examine(store, keep, recent))]
    with contextlib.suppress(OSError):
        venvs.sweep(store, time.time() - RECENT)
    remove_first_format(store)
    return done


def _remove(store: Store, verdict: Verdict) -> Verdict:
    """Remove the venv of `verdict`. Returns the verdict, corrected where the venv stays."""
    try:
        removed = venvs.remove(store, verdict.venv, marker=verdict.complete)
    except FileNotFoundError:
        raise
    except OSError as error:
        return verdict._replace(keeps=f"`{error.filename}` cannot be removed: {error.strerror}", failed=True)
    if not removed:
        return verdict._replace(keeps="in use")
    journal.write(store, "removal", fingerprint=os.path.basename(verdict.venv.folder), venv=verdict.venv.name)
    return verdict


def remove_first_format(store: Store) -> None:
    """Remove the files of roost 0.1.0, `.roost/v1`, `current` and `lock`, once no process uses a venv there.

    Best effort: what is in use, or is not what that version put there, stays.
    """
    old = f"{store.root}/v1"
    if not os.path.isdir(old) or os.path.islink(old):
        return
    with contextlib.ExitStack() as held, contextlib.suppress(OSError):
        for path in [f"{store.root}/lock", *paths.matching(f"{glob.escape(old)}/envs/*/*.lease")]:
            folder = held.enter_context(Folder(os.path.dirname(path)))
            if (lock := locks.claim(folder, os.path.basename(path))) is not None:
                held.callback(os.close, lock)
        for name in ("v1", "current"):
            shutil.rmtree(f"{store.root}/{name}", ignore_errors=True)
        os.unlink(f"{store.root}/lock")
