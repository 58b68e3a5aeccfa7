"""A state of the model in `tests/lib/model.py`: what lies on disk, who holds which lock, how far each process is."""

from typing import NamedTuple

NONE = -1


class Process(NamedTuple):
    """A process: `run` acquires a venv and runs in it, `clean` removes one, `nested` is called by a build."""

    kind: str
    at: str
    state: str = ""
    """What it read of the inputs: `A` or `B`."""
    edition: int = NONE
    """The ctime of that."""
    venv: int = NONE
    lock: int = NONE
    """Inode of the lock file that it opened, or holds."""
    locked: bool = False
    lease: bool = False
    """Whether it holds the shared lease of `venv`."""
    exclusive: bool = False
    tries: int = 0
    excused: bool = False
    """Somebody wiped `.roost` after its last look."""
    split: bool = False
    """Somebody wiped `.roost` after it got the build lock."""


class Venv(NamedTuple):
    """A venv and its lease file, named by its place in the list, which is never used twice."""

    state: str
    """The fingerprint whose folder it lies in."""
    place: str = ""
    """`` not made yet, `there`, `gone`."""
    content: str = ""
    """What was installed; `half` until the installer ended, `mixed` when two wrote."""
    lease_file: bool = True
    record: bool = True
    installer: str = ""
    """What the installer that runs read of the inputs, `begun` before it did."""
    drifted: bool = False
    """Somebody installed into it."""
    lost: bool = False
    """It was under way when `.roost` was wiped."""


class World(NamedTuple):
    """One state of everything."""

    processes: tuple[Process, ...]
    venvs: tuple[Venv, ...] = ()
    markers: tuple[int, int] = (NONE, NONE)
    lock: int = NONE
    locks: int = 0
    """How many lock files there ever were."""
    input: str = "A"
    edition: int = 0
    edits: int = 0
    wipes: int = 0
    crashes: int = 0
    drifts: int = 0


class BrokenError(Exception):
    """A property does not hold."""


def index_of(state: str) -> int:
    """Return the place of `A` or `B` among the markers."""
    return "AB".index(state)


def with_process(world: World, number: int, process: Process) -> World:
    """Return `world` with another process of that number."""
    processes = list(world.processes)
    processes[number] = process
    return world._replace(processes=tuple(processes))


def with_venv(world: World, number: int, **fields: object) -> World:
    """Return `world` with other fields of that venv."""
    venvs = list(world.venvs)
    venvs[number] = venvs[number]._replace(**fields)  # type: ignore[arg-type] # fields by name
    return world._replace(venvs=tuple(venvs))


def with_marker(world: World, state: str, venv: int) -> World:
    """Return `world` with the marker of `state` naming `venv`."""
    markers = list(world.markers)
    markers[index_of(state)] = venv
    return world._replace(markers=(markers[0], markers[1]))


def with_published(world: World, process: Process) -> World:
    """Return `world` with the marker naming the venv of `process`."""
    return with_marker(world, process.state, process.venv)


def restarted(world: World, number: int, process: Process) -> World:
    """A VanishedError: let go of everything, and start over."""
    return with_process(world, number, Process(process.kind, "ask"))


def without_store(world: World) -> World:
    """Return `world` after `rm -rf .roost`."""
    venvs = tuple(venv._replace(place="gone", lease_file=False, lost=bool(venv.installer)) for venv in world.venvs)
    looked = ("start", "run", "empty", "publish")
    processes = tuple(one._replace(excused=one.at in looked, split=one.locked) for one in world.processes)
    return world._replace(venvs=venvs, processes=processes, markers=(NONE, NONE), lock=NONE, wipes=world.wipes - 1)


def valid_venv(world: World, state: str) -> int:
    """Return the venv that a valid marker names (`marker.check`), or NONE."""
    venv = world.markers[index_of(state)]
    if venv == NONE:
        return NONE
    there = world.venvs[venv].lease_file and world.venvs[venv].place == "there" and not world.venvs[venv].drifted
    return venv if there else NONE


def attempts_in(world: World) -> list[int]:
    """Return the venvs whose lease has the builder's record and that no marker names (`collection.is_attempt`)."""
    return [
        number
        for number, venv in enumerate(world.venvs)
        if venv.lease_file and venv.record and number not in world.markers
    ]


def is_leased(world: World, number: int, without: str) -> bool:
    """Return whether a process has a lease on that venv; `without` is the rule that is left out."""
    inherited = bool(world.venvs[number].installer) and without != "9 installer holds the lease"
    return inherited or any(one.lease and one.venv == number for one in world.processes)


def check_session(world: World, process: Process, what: str) -> None:
    """Raise `BrokenError` if `process` runs in a venv that is not whole, or begins to."""
    if process.at in ("start", "run") and process.venv != NONE and not process.excused:
        venv = world.venvs[process.venv]
        if (venv.place, venv.content, venv.installer) != ("there", process.state, ""):
            text = f"a session for {process.state} {what} a venv that is {venv.place}, made from {venv.content or '-'}"
            raise BrokenError(text)
