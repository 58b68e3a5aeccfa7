"""The protocol as a model, and a search through all its interleavings.

A state is what lies on disk, who holds which lock, and how far each process is. `moves` yields every state that may
come next, with the function of roost's that the step stands for. Left out is what the safety does not rest on: time (any
wait may take any time), `keep` and the hour (a removal may hit any venv), and what is inside a file.

A rule of the protocol can be left out (`without`): then a property must break, or the rule would not be needed.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

NONE = -1
RULES = {
    "1 never changed": "a build of another state goes into the venv that is there",
    "2 never built in twice": "an attempt that was left is taken over",
    "3 marker last": "the marker is written before the installer runs",
    "3 inputs still equal": "inputs are not compared after the build",
    "3 also the ctime": "only the meaning of the inputs is compared after the build",
    "3 locks still ours": "the lock and lease files are not looked at before the marker is written",
    "4 asked again": "a process that gets the build lock builds",
    "5 looked again": "a lease is taken, and nothing looked at after that",
    "6 as long as what runs": "the lease ends when the command begins",
    "7 lease for removal": "a removal does not take the lease",
    "7 build lock for removal": "a removal does not take the build lock",
    "8 never unlocked": "a builder that does not get the lock goes on without it",
    "8 lock at its path": "the lock's inode is not looked at after the flock",
    "9 one build lock": "each state has a lock of its own",
    "9 orphans awaited": "no process waits for the installers of killed builders",
    "9 installer holds the lease": "an installer does not inherit its attempt's lease",
    "9 record in the lease": "an attempt is not distinguished from a superseded venv",
    "10 nested refused": "a build that calls roost waits for itself",
}


class Process(NamedTuple):
    """A process: `run` makes sure of a venv and runs in it, `clean` removes one, `nested` is called by a build."""

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


class Model:
    """The moves of the protocol, perhaps without one of its rules."""

    def __init__(self, without: str = "") -> None:
        """Leave out the rule called `without`."""
        assert not without or without in RULES
        self.without = without

    def moves(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield each next state with the function that leads there.

        Raises:
            BrokenError: a property would not hold there.
        """
        for number, process in enumerate(world.processes):
            step = getattr(self, f"_{process.at}", None)
            if step:
                for name, after in step(world, number, process):
                    yield f"{number}: {name}", after
            if world.crashes and process.at not in ("dead", "done", "idle"):
                changed = _with(world, number, Process(process.kind, "dead"))
                yield f"{number}: SIGKILL", changed._replace(crashes=world.crashes - 1)
        yield from self._installers(world)
        if world.edits:
            other = "B" if world.input == "A" else "A"
            yield "an edit", world._replace(input=other, edition=world.edition + 1, edits=world.edits - 1)
        if world.wipes:
            yield "rm -rf .roost", _wiped(world)
        for number in {venv for venv in world.markers if world.drifts and venv != NONE}:
            yield "pip install", _changed(world._replace(drifts=0), number, drifted=True)

    # Asking and leasing

    def _ask(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        process = process._replace(state=world.input, edition=world.edition, venv=NONE, tries=0, split=False)
        venv = _valid(world, process.state)
        at = "lease_open" if venv != NONE else "lock_open"
        yield "protocol.ask", _with(world, number, process._replace(venv=venv, at=at))

    def _lease_open(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        there = world.venvs[process.venv].lease_file
        yield "locks.take_lease: open", _with(world, number, process._replace(at="lease_flock" if there else "ask"))

    def _lease_flock(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        """The descriptor leads to the file, also when that has no name any more."""
        held = any(other.exclusive and other.venv == process.venv for other in world.processes)
        there = world.venvs[process.venv].lease_file or self.without == "5 looked again"
        if held or not there:
            yield "locks.take_lease: flock", _with(world, number, process._replace(at="ask"))
            return
        at = "start" if self.without == "5 looked again" else "look"
        yield "locks.take_lease: flock", _with(world, number, process._replace(lease=True, at=at))

    def _look(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if _valid(world, process.state) == process.venv:
            yield "protocol.lease", _with(world, number, process._replace(at="start"))
        else:
            yield "protocol.lease", _with(world, number, process._replace(lease=False, at="ask"))

    def _start(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        _check_session(world, process, "starts in")
        lease = self.without != "6 as long as what runs"
        yield "run.start", _with(world, number, process._replace(at="run", lease=lease, edition=NONE))

    def _run(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        yield "the command ends", _with(world, number, Process(process.kind, "done"))

    # The build lock

    def _lock_open(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if self.without == "9 one build lock" and process.state == "B":  # a lock of its own: a number of its own
            yield "BuildLock.try_take: open", _with(world, number, process._replace(lock=99, at="lock_flock"))
            return
        if world.lock == NONE:
            world = world._replace(lock=world.locks, locks=world.locks + 1)
        yield "BuildLock.try_take: open", _with(world, number, process._replace(lock=world.lock, at="lock_flock"))

    def _lock_flock(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        next_ = {"clean": "pick", "run": "ask_again", "nested": "ask_again"}[process.kind]
        if process.kind == "clean" and self.without == "7 build lock for removal":
            yield "(no lock)", _with(world, number, process._replace(at=next_))
            return
        if any(other.locked and other.lock == process.lock for other in world.processes):
            if process.kind == "nested" and self.without != "10 nested refused":
                yield "build.refuse_nested", _with(world, number, Process(process.kind, "done"))
            elif process.kind == "clean":
                yield "clean._collect: held", _with(world, number, Process(process.kind, "done"))
            elif self.without == "8 never unlocked":
                yield "(goes on unlocked)", _with(world, number, process._replace(at=next_))
            elif _valid(world, process.state) != NONE:
                yield "protocol.build_lock: answered", _with(world, number, process._replace(at="ask"))
            return
        at_path = process.lock in (world.lock, 99) or self.without == "8 lock at its path"
        after = process._replace(locked=True, at=next_) if at_path else process._replace(at="lock_open")
        yield "BuildLock.try_take: flock", _with(world, number, after)

    def _ask_again(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        process = process._replace(state=world.input, edition=world.edition, venv=NONE)
        venv = _valid(world, process.state)
        if venv != NONE and self.without != "4 asked again":
            held = any(other.exclusive and other.venv == venv for other in world.processes)
            after = process._replace(venv=venv, lease=not held, locked=False, at="ask" if held else "look")
        else:
            after = process._replace(at="orphans")
        yield "protocol._build_if_needed", _with(world, number, after)

    # Building

    def _orphans(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if self.without not in ("9 orphans awaited", "9 record in the lease"):
            for venv in _attempts(world):
                if not _leased(world, venv, self.without):
                    if self.without != "2 never built in twice":
                        world = _changed(world, venv, place="gone", lease_file=False)
                else:
                    if process.kind == "nested" and self.without != "10 nested refused":
                        yield "build.refuse_nested", _with(world, number, Process(process.kind, "done"))
                    return  # wait
        yield "build.await_orphans", _with(world, number, process._replace(at="new"))

    def _new(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        left = [venv for venv in _attempts(world) if world.venvs[venv].state == process.state]
        other = world.markers[_index("B" if process.state == "A" else "A")]
        if self.without == "2 never built in twice" and left:
            after = _changed(world, left[0], place="there", content="mixed" if world.venvs[left[0]].content else "")
            yield "(takes over)", _with(after, number, process._replace(venv=left[0], lease=True, at="install"))
        elif self.without == "1 never changed" and other != NONE and world.venvs[other].place == "there":
            moved = _changed(world, other, state=process.state)
            markers = tuple(NONE if venv == other else venv for venv in world.markers)
            after = moved._replace(markers=(markers[0], markers[1]))
            yield "(in place)", _with(after, number, process._replace(venv=other, lease=True, at="install"))
        else:
            after = world._replace(venvs=(*world.venvs, Venv(process.state)))
            process = process._replace(venv=len(world.venvs), lease=True, at="make")
            yield "venvs.create: the lease file", _with(after, number, process)

    def _make(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if not world.venvs[process.venv].lease_file:
            yield "VanishedError", _restart(world, number, process)
            return
        early = self.without == "3 marker last"
        world = _changed(world, process.venv, place="there", record=not early)
        world = _published(world, process) if early else world
        yield "venvs.create: the folder", _with(world, number, process._replace(at="install"))

    def _install(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        valid = _valid(world, process.state)
        if valid not in (NONE, process.venv) and not process.split:
            text = f"{process.state} is built although it is there"
            raise BrokenError(text)
        running = [venv for venv in world.venvs if venv.installer and not venv.lost]
        if running and not process.split:
            text = "two builds meet in the source tree"
            raise BrokenError(text)
        old = world.venvs[process.venv].content
        content = "mixed" if old == "mixed" else "half"
        world = _changed(world, process.venv, installer="begun", content=content)
        world = _changed(world, process.venv, lost=process.split)
        for nested, other in enumerate(world.processes):
            if other.at == "idle":
                world = _with(world, nested, other._replace(at="ask"))
        yield "build._install", _with(world, number, process._replace(at="installing"))

    def _installing(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if world.venvs[process.venv].installer == "":
            yield "processes.run ends", _with(world, number, process._replace(at="compare"))

    def _installers(self, world: World) -> Iterator[tuple[str, World]]:
        """What installers do, also those that outlive their builder."""
        for number, venv in enumerate(world.venvs):
            if venv.installer == "begun":
                yield "the installer reads", _changed(world, number, installer=world.input)
            elif venv.installer and all(one.kind != "nested" or one.at in ("done", "dead") for one in world.processes):
                mixed = "mixed" if venv.content == "mixed" else venv.installer
                yield "the installer ends", _changed(world, number, installer="", content=mixed)

    def _compare(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        moved = (process.state, process.edition) != (world.input, world.edition)
        if self.without == "3 inputs still equal":
            moved = False
        elif self.without == "3 also the ctime":
            moved = process.state != world.input
        if not moved:
            yield "protocol.changed_input", _with(world, number, process._replace(at="intact"))
            return
        world = _changed(world, process.venv, place="gone", lease_file=False)
        after = process._replace(tries=process.tries + 1, lease=False, venv=NONE)
        after = after._replace(at="ask_again") if after.tries < 2 else Process(process.kind, "done")
        yield "protocol.changed_input", _with(world, number, after)

    def _intact(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        ours = process.lock in (world.lock, 99) and world.venvs[process.venv].lease_file
        if ours or self.without == "3 locks still ours":
            yield "BuildLock.is_current", _with(world, number, process._replace(at="empty"))
        else:
            yield "VanishedError", _restart(world, number, process)

    def _empty(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        world = _changed(world, process.venv, record=False)
        yield "locks.write_record", _with(world, number, process._replace(at="publish"))

    def _publish(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        content = world.venvs[process.venv].content
        if content != process.state:
            text = f"a marker of {process.state} names a venv made from {content}"
            raise BrokenError(text)
        world = _published(world, process)
        yield "marker.publish", _with(world, number, process._replace(at="start", locked=False))

    # Removal

    def _pick(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        yield "collection.collect: nothing to remove", _with(world, number, Process(process.kind, "done"))
        for number_of_venv, venv in enumerate(world.venvs):
            if venv.lease_file and not (venv.record and number_of_venv not in world.markers):
                named = world.markers[_index(venv.state)] == number_of_venv
                after = process._replace(venv=number_of_venv, at="remove" if named else "remove_unnamed")
                yield "collection.examine", _with(world, number, after)

    def _remove(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        named = process.at == "remove" and world.venvs[process.venv].lease_file
        if self.without != "7 lease for removal":
            held = any(other.exclusive and other.venv == process.venv for other in world.processes)
            if held or _leased(world, process.venv, self.without):
                yield "venvs.remove: flock", _with(world, number, Process(process.kind, "done"))
                return
        after = process._replace(exclusive=True, at="unname" if named else "trash")
        yield "venvs.remove: flock", _with(world, number, after)

    _remove_unnamed = _remove

    def _unname(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        state = world.venvs[process.venv].state
        if not world.venvs[process.venv].lease_file:  # wiped: the folder's descriptor leads nowhere any more
            yield "VanishedError", _with(world, number, Process(process.kind, "done"))
            return
        if _valid(world, state) not in (NONE, process.venv):
            text = "a removal takes the marker of another venv"
            raise BrokenError(text)
        after = _with(_marked(world, state, NONE), number, process._replace(at="trash"))
        yield "venvs.remove: the marker", after

    def _trash(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if any(other.lease and other.venv == process.venv and other.at == "run" for other in world.processes):
            text = "a leased venv is removed"
            raise BrokenError(text)
        world = _changed(world, process.venv, place="gone")
        yield "venvs.remove: rename", _with(world, number, process._replace(at="unlink"))

    def _unlink(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        world = _changed(world, process.venv, lease_file=False)
        yield "venvs.remove: the lease file", _with(world, number, Process(process.kind, "done"))


def _index(state: str) -> int:
    return "AB".index(state)


def _with(world: World, number: int, process: Process) -> World:
    processes = list(world.processes)
    processes[number] = process
    return world._replace(processes=tuple(processes))


def _changed(world: World, number: int, **fields: object) -> World:
    venvs = list(world.venvs)
    venvs[number] = venvs[number]._replace(**fields)  # type: ignore[arg-type]
    return world._replace(venvs=tuple(venvs))


def _marked(world: World, state: str, venv: int) -> World:
    markers = list(world.markers)
    markers[_index(state)] = venv
    return world._replace(markers=(markers[0], markers[1]))


def _published(world: World, process: Process) -> World:
    return _marked(world, process.state, process.venv)


def _restart(world: World, number: int, process: Process) -> World:
    """A VanishedError: let go of everything, and start over."""
    return _with(world, number, Process(process.kind, "ask"))


def _wiped(world: World) -> World:
    venvs = tuple(venv._replace(place="gone", lease_file=False, lost=bool(venv.installer)) for venv in world.venvs)
    looked = ("start", "run", "empty", "publish")
    processes = tuple(one._replace(excused=one.at in looked, split=one.locked) for one in world.processes)
    return world._replace(venvs=venvs, processes=processes, markers=(NONE, NONE), lock=NONE, wipes=world.wipes - 1)


def _valid(world: World, state: str) -> int:
    """Return the venv that a valid marker names (`marker.check`), or NONE."""
    venv = world.markers[_index(state)]
    if venv == NONE:
        return NONE
    there = world.venvs[venv].lease_file and world.venvs[venv].place == "there" and not world.venvs[venv].drifted
    return venv if there else NONE


def _attempts(world: World) -> list[int]:
    """Return the venvs whose lease has the builder's record and that no marker names (`collection.is_attempt`)."""
    return [
        number
        for number, venv in enumerate(world.venvs)
        if venv.lease_file and venv.record and number not in world.markers
    ]


def _leased(world: World, number: int, without: str) -> bool:
    inherited = bool(world.venvs[number].installer) and without != "9 installer holds the lease"
    return inherited or any(one.lease and one.venv == number for one in world.processes)


def _check_session(world: World, process: Process, what: str) -> None:
    if process.at in ("start", "run") and process.venv != NONE and not process.excused:
        venv = world.venvs[process.venv]
        if (venv.place, venv.content, venv.installer) != ("there", process.state, ""):
            text = f"a session for {process.state} {what} a venv that is {venv.place}, made from {venv.content or '-'}"
            raise BrokenError(text)


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
                        _check_session(after, process, "runs in")
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
    return World(processes, **budget)  # type: ignore[arg-type]
