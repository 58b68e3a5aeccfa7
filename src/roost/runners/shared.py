"""The shared venvs of one process: tox and hatch run many environments, some of them at the same time."""

import threading

from roost import environment
from roost.environment import Environment
from roost.warm import Selection

_leased: dict[str, Environment] = {}
"""The venvs that were used. Their leases end with the process, since the runners close descriptors in children."""
_one_at_a_time = threading.Lock()  # a process would take itself for a build that it waits for


def acquire(start: str, selection: Selection, label: str) -> Environment:
    """Return the environment that `selection` describes, of the project around `start`, leased until this process ends.

    Raises:
        RoostError: there is no such environment, it cannot be built, or the wait timed out.
    """
    with _one_at_a_time:
        found = environment.acquire(start, selection=selection, label=label)
        if found.venv in _leased:
            found.close()
        return _leased.setdefault(found.venv, found)
