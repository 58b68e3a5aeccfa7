"""The protocol as a model. `tests/lib/model_search.py` searches through all its interleavings.

A state is what lies on disk, who holds which lock, and how far each process is. `moves` yields every state that may
come next, with the function of roost's that the step stands for. Left out is what the safety does not rest on: time (any
wait may take any time), `keep` and the hour (a removal may hit any venv), and what is inside a file.

A rule of the protocol can be left out (`without`): then a property must break, or the rule would not be needed.
"""

from collections.abc import Iterator

from tests.lib.model_world import (
    NONE,
    BrokenError,
    Process,
    Venv,
    World,
    attempts_in,
    check_session,
    index_of,
    is_leased,
    restarted,
    valid_venv,
    with_marker,
    with_process,
    with_published,
    with_venv,
    without_store,
)

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
                changed = with_process(world, number, Process(process.kind, "dead"))
                yield f"{number}: SIGKILL", changed._replace(crashes=world.crashes - 1)
        yield from self._installers(world)
        if world.edits:
            other = "B" if world.input == "A" else "A"
            yield "an edit", world._replace(input=other, edition=world.edition + 1, edits=world.edits - 1)
        if world.wipes:
            yield "rm -rf .roost", without_store(world)
        for number in {venv for venv in world.markers if world.drifts and venv != NONE}:
            yield "pip install", with_venv(world._replace(drifts=0), number, drifted=True)

    # Asking and leasing

    def _ask(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        process = process._replace(state=world.input, edition=world.edition, venv=NONE, tries=0, split=False)
        venv = valid_venv(world, process.state)
        at = "lease_open" if venv != NONE else "lock_open"
        yield "protocol.ask", with_process(world, number, process._replace(venv=venv, at=at))

    def _lease_open(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        there = world.venvs[process.venv].lease_file
        yield (
            "locks.take_lease: open",
            with_process(world, number, process._replace(at="lease_flock" if there else "ask")),
        )

    def _lease_flock(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        """The descriptor leads to the file, also when that has no name any more."""
        held = any(other.exclusive and other.venv == process.venv for other in world.processes)
        there = world.venvs[process.venv].lease_file or self.without == "5 looked again"
        if held or not there:
            yield "locks.take_lease: flock", with_process(world, number, process._replace(at="ask"))
            return
        at = "start" if self.without == "5 looked again" else "look"
        yield "locks.take_lease: flock", with_process(world, number, process._replace(lease=True, at=at))

    def _look(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if valid_venv(world, process.state) == process.venv:
            yield "protocol.lease", with_process(world, number, process._replace(at="start"))
        else:
            yield "protocol.lease", with_process(world, number, process._replace(lease=False, at="ask"))

    def _start(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        check_session(world, process, "starts in")
        lease = self.without != "6 as long as what runs"
        yield "run.start", with_process(world, number, process._replace(at="run", lease=lease, edition=NONE))

    def _run(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        yield "the command ends", with_process(world, number, Process(process.kind, "done"))

    # The build lock

    def _lock_open(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if self.without == "9 one build lock" and process.state == "B":  # a lock of its own: a number of its own
            yield "BuildLock.try_take: open", with_process(world, number, process._replace(lock=99, at="lock_flock"))
            return
        if world.lock == NONE:
            world = world._replace(lock=world.locks, locks=world.locks + 1)
        yield (
            "BuildLock.try_take: open",
            with_process(world, number, process._replace(lock=world.lock, at="lock_flock")),
        )

    def _lock_flock(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        next_ = {"clean": "pick", "run": "ask_again", "nested": "ask_again"}[process.kind]
        if process.kind == "clean" and self.without == "7 build lock for removal":
            yield "(no lock)", with_process(world, number, process._replace(at=next_))
            return
        if any(other.locked and other.lock == process.lock for other in world.processes):
            if process.kind == "nested" and self.without != "10 nested refused":
                yield "build.refuse_nested", with_process(world, number, Process(process.kind, "done"))
            elif process.kind == "clean":
                yield "clean._collect: held", with_process(world, number, Process(process.kind, "done"))
            elif self.without == "8 never unlocked":
                yield "(goes on unlocked)", with_process(world, number, process._replace(at=next_))
            elif valid_venv(world, process.state) != NONE:
                yield "protocol.build_lock: answered", with_process(world, number, process._replace(at="ask"))
            return
        at_path = process.lock in (world.lock, 99) or self.without == "8 lock at its path"
        after = process._replace(locked=True, at=next_) if at_path else process._replace(at="lock_open")
        yield "BuildLock.try_take: flock", with_process(world, number, after)

    def _ask_again(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        process = process._replace(state=world.input, edition=world.edition, venv=NONE)
        venv = valid_venv(world, process.state)
        if venv != NONE and self.without != "4 asked again":
            held = any(other.exclusive and other.venv == venv for other in world.processes)
            after = process._replace(venv=venv, lease=not held, locked=False, at="ask" if held else "look")
        else:
            after = process._replace(at="orphans")
        yield "protocol._build_if_needed", with_process(world, number, after)

    # Building

    def _orphans(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if self.without not in ("9 orphans awaited", "9 record in the lease"):
            for venv in attempts_in(world):
                if not is_leased(world, venv, self.without):
                    if self.without != "2 never built in twice":
                        world = with_venv(world, venv, place="gone", lease_file=False)
                else:
                    if process.kind == "nested" and self.without != "10 nested refused":
                        yield "build.refuse_nested", with_process(world, number, Process(process.kind, "done"))
                    return  # wait
        yield "build.await_orphans", with_process(world, number, process._replace(at="new"))

    def _new(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        left = [venv for venv in attempts_in(world) if world.venvs[venv].state == process.state]
        other = world.markers[index_of("B" if process.state == "A" else "A")]
        if self.without == "2 never built in twice" and left:
            after = with_venv(world, left[0], place="there", content="mixed" if world.venvs[left[0]].content else "")
            yield "(takes over)", with_process(after, number, process._replace(venv=left[0], lease=True, at="install"))
        elif self.without == "1 never changed" and other != NONE and world.venvs[other].place == "there":
            moved = with_venv(world, other, state=process.state)
            markers = tuple(NONE if venv == other else venv for venv in world.markers)
            after = moved._replace(markers=(markers[0], markers[1]))
            yield "(in place)", with_process(after, number, process._replace(venv=other, lease=True, at="install"))
        else:
            after = world._replace(venvs=(*world.venvs, Venv(process.state)))
            process = process._replace(venv=len(world.venvs), lease=True, at="make")
            yield "venvs.create: the lease file", with_process(after, number, process)

    def _make(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if not world.venvs[process.venv].lease_file:
            yield "VanishedError", restarted(world, number, process)
            return
        early = self.without == "3 marker last"
        world = with_venv(world, process.venv, place="there", record=not early)
        world = with_published(world, process) if early else world
        yield "venvs.create: the folder", with_process(world, number, process._replace(at="install"))

    def _install(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        valid = valid_venv(world, process.state)
        if valid not in (NONE, process.venv) and not process.split:
            text = f"{process.state} is built although it is there"
            raise BrokenError(text)
        running = [venv for venv in world.venvs if venv.installer and not venv.lost]
        if running and not process.split:
            text = "two builds meet in the source tree"
            raise BrokenError(text)
        old = world.venvs[process.venv].content
        content = "mixed" if old == "mixed" else "half"
        world = with_venv(world, process.venv, installer="begun", content=content)
        world = with_venv(world, process.venv, lost=process.split)
        for nested, other in enumerate(world.processes):
            if other.at == "idle":
                world = with_process(world, nested, other._replace(at="ask"))
        yield "build._install", with_process(world, number, process._replace(at="installing"))

    def _installing(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if world.venvs[process.venv].installer == "":
            yield "processes.run ends", with_process(world, number, process._replace(at="compare"))

    def _installers(self, world: World) -> Iterator[tuple[str, World]]:
        """What installers do, also those that outlive their builder."""
        for number, venv in enumerate(world.venvs):
            if venv.installer == "begun":
                yield "the installer reads", with_venv(world, number, installer=world.input)
            elif venv.installer and all(one.kind != "nested" or one.at in ("done", "dead") for one in world.processes):
                mixed = "mixed" if venv.content == "mixed" else venv.installer
                yield "the installer ends", with_venv(world, number, installer="", content=mixed)

    def _compare(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        moved = (process.state, process.edition) != (world.input, world.edition)
        if self.without == "3 inputs still equal":
            moved = False
        elif self.without == "3 also the ctime":
            moved = process.state != world.input
        if not moved:
            yield "protocol.changed_input", with_process(world, number, process._replace(at="intact"))
            return
        world = with_venv(world, process.venv, place="gone", lease_file=False)
        after = process._replace(tries=process.tries + 1, lease=False, venv=NONE)
        after = after._replace(at="ask_again") if after.tries < 2 else Process(process.kind, "done")
        yield "protocol.changed_input", with_process(world, number, after)

    def _intact(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        ours = process.lock in (world.lock, 99) and world.venvs[process.venv].lease_file
        if ours or self.without == "3 locks still ours":
            yield "BuildLock.is_current", with_process(world, number, process._replace(at="empty"))
        else:
            yield "VanishedError", restarted(world, number, process)

    def _empty(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        world = with_venv(world, process.venv, record=False)
        yield "locks.write_record", with_process(world, number, process._replace(at="publish"))

    def _publish(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        content = world.venvs[process.venv].content
        if content != process.state:
            text = f"a marker of {process.state} names a venv made from {content}"
            raise BrokenError(text)
        world = with_published(world, process)
        yield "marker.publish", with_process(world, number, process._replace(at="start", locked=False))

    # Removal

    def _pick(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        yield "collection.collect: nothing to remove", with_process(world, number, Process(process.kind, "done"))
        for number_of_venv, venv in enumerate(world.venvs):
            if venv.lease_file and not (venv.record and number_of_venv not in world.markers):
                named = world.markers[index_of(venv.state)] == number_of_venv
                after = process._replace(venv=number_of_venv, at="remove" if named else "remove_unnamed")
                yield "collection.examine", with_process(world, number, after)

    def _remove(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        named = process.at == "remove" and world.venvs[process.venv].lease_file
        if self.without != "7 lease for removal":
            held = any(other.exclusive and other.venv == process.venv for other in world.processes)
            if held or is_leased(world, process.venv, self.without):
                yield "venvs.remove: flock", with_process(world, number, Process(process.kind, "done"))
                return
        after = process._replace(exclusive=True, at="unname" if named else "trash")
        yield "venvs.remove: flock", with_process(world, number, after)

    _remove_unnamed = _remove

    def _unname(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        state = world.venvs[process.venv].state
        if not world.venvs[process.venv].lease_file:  # wiped: the folder's descriptor leads nowhere any more
            yield "VanishedError", with_process(world, number, Process(process.kind, "done"))
            return
        if valid_venv(world, state) not in (NONE, process.venv):
            text = "a removal takes the marker of another venv"
            raise BrokenError(text)
        after = with_process(with_marker(world, state, NONE), number, process._replace(at="trash"))
        yield "venvs.remove: the marker", after

    def _trash(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        if any(other.lease and other.venv == process.venv and other.at == "run" for other in world.processes):
            text = "a leased venv is removed"
            raise BrokenError(text)
        world = with_venv(world, process.venv, place="gone")
        yield "venvs.remove: rename", with_process(world, number, process._replace(at="unlink"))

    def _unlink(self, world: World, number: int, process: Process) -> Iterator[tuple[str, World]]:
        world = with_venv(world, process.venv, lease_file=False)
        yield "venvs.remove: the lease file", with_process(world, number, Process(process.kind, "done"))
