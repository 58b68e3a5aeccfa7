"""The shared venvs of one process: tox and hatch run many environments, some of them at the same time."""

import threading
from collections.abc import Sequence

from roost import environment
from roost.environment import Environment
from roost.errors import NotSharedError
from roost.warm import Selection

_leased: dict[str, Environment] = {}
"""The venvs that were used. Their leases end with the process, since the runners close descriptors in children."""
_one_at_a_time = threading.Lock()  # a process would take itself for a build that it waits for


def acquire(start: str, selection: Selection, label: str, words: Sequence[str]) -> Environment:
    """Return the environment that `selection` describes, of the project around `start`, leased until this process ends.

    It is not built for what `pip install WORDS` installs if its lock file does not list that.

    Raises:
        NotSharedError: there is no venv yet, and the lock file does not list what `words` name.
        RoostError: there is no such environment, it cannot be built, or the wait timed out.
    """
    with _one_at_a_time:
        found = environment.find(start, selection) or _acquire(start, selection, label, words)
        if found.venv in _leased:
            found.close()
        return _leased.setdefault(found.venv, found)


def check(shared: Environment, words: Sequence[str], folder: str) -> None:
    """Check that `shared` has everything that `pip install WORDS` in `folder` would install.

    Raises:
        NotSharedError: it lacks something.
    """
    from roost.runners import dry_run  # noqa: PLC0415 - not on a warm start

    if lacks := dry_run.lacking(shared.venv, words, folder):
        raise NotSharedError(f"the environment `{shared.name}` lacks {lacks}")


def _acquire(start: str, selection: Selection, label: str, words: Sequence[str]) -> Environment:
    from roost.runners import unbuilt  # noqa: PLC0415 - not on a warm start

    if name := unbuilt.missing(start, selection, words):
        raise NotSharedError(f"`{name}` is not in the lock file of the environment `{selection.name}`")
    return environment.acquire(start, selection=selection, label=label)
