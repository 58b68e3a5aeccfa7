"""A search through all interleavings of the model in `tests/lib/model.py`."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from tests.lib.model import Model
from tests.lib.model_world import BrokenError, Process, World, check_session


class Found(NamedTuple):
    """What a search found."""

    states: int
    steps: int
    """Interleavings of two steps: the edges between the states."""
    broken: str
    """The first broken property, or nothing."""
    way: list[str]
    """The steps that lead there."""
    at: set[str]
    """How far processes were: each step of the model that was taken."""


def search(model: Model, first: World, limit: int = 5_000_000) -> Found:
    """Go through every state that can be reached from `first`, the nearest first, until a property breaks."""
    before: dict[World, tuple[World, str] | None] = {first: None}
    waiting = deque([first])
    steps = 0
    at: set[str] = set()
    while waiting:
        world = waiting.popleft()
        at.update(process.at for process in world.processes)
        try:
            count = 0
            for name, after in model.moves(world):
                count += (name[0].isdigit() and "SIGKILL" not in name) or "installer" in name
                steps += 1
                canonical = _canonical(after)
                if canonical not in before:
                    before[canonical] = (world, name)
                    waiting.append(canonical)
                    for process in after.processes:
                        check_session(after, process, "runs in")
            if not count:
                _check_end(model, world)
        except BrokenError as error:
            return Found(len(before), steps, str(error), _way(before, world), at)
        assert len(before) < limit, "there are more states than this search can hold"
    return Found(len(before), steps, "", [], at)


def _canonical(world: World) -> World:
    """Return one for all states that differ only in which process is which."""
    return world._replace(processes=tuple(sorted(world.processes)))


def _check_end(model: Model, world: World) -> None:
    """Nothing can move any more: all have ended, and the next process gets a venv."""
    stuck = [process for process in world.processes if process.at not in ("done", "dead", "idle")]
    if stuck:
        text = f"deadlock: {stuck[0].kind} waits at `{stuck[0].at}` for ever"
        raise BrokenError(text)
    fresh = world._replace(processes=(Process("run", "ask"),), edits=0, wipes=0, crashes=0)
    for _ in range(100):
        if fresh.processes[0].at == "run":
            return
        after = next(model.moves(fresh), None)
        if after is None:
            break
        fresh = after[1]
    text = f"no process can build any more: the next process ends at `{fresh.processes[0].at}`"
    raise BrokenError(text)


def _way(before: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    found: list[str] = []
    here: World | None = world
    while here is not None and (link := before[here]):
        here, name = link
        found.append(name)
    return found[::-1]


def world(kinds: Iterable[str], **budget: int) -> World:
    """Return the first state: an empty disk, and processes of these kinds that have not begun.

    `budget` says how many `edits`, `wipes`, `crashes` and `drifts` there may be, at any moment.
    """
    starts = {"run": "ask", "clean": "lock_open", "nested": "idle"}
    processes = tuple(sorted(Process(kind, starts[kind]) for kind in kinds))
    return World(processes, **budget)  # type: ignore[arg-type] # fields by name
