"""A soak: for a while many processes start sessions, build, kill, clean, switch the inputs and break things by hand.

    python -m tests.lib.soak PROJECT SECONDS SEED [WORKERS]

PROJECT was made by `prepare`. Prints what was done and found as JSON. What a worker does follows from the seed and its
number alone; when it does it, from the machine. Violations are found in two ways that share nothing but the list of
what was broken by hand: by the probe that every session runs (`tests/lib/soak_probe.py`), and from outside, by a watcher
that reads `/proc` and by the notes and the flock of the build backend (`tests/lib/soak_watch.py`). What they saw is judged
when all is over (`tests/lib/soak_judge.py`).
"""

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lib import soak_judge
from tests.lib.nox_sessions import NOX
from tests.lib.processes import PATIENCE, ROOST, ROOST_RUN, UV, finish, start, wait_for
from tests.lib.soak_project import BRIEF, INPUTS, LONG, STATES, base_of
from tests.lib.soak_watch import Watcher

WORKERS = 5
SIGNALS = (*[signal.SIGKILL] * 3, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP)
# What a worker may do, and how often it does.
ACTS = {
    "session": 26,
    "long": 8,
    "burst": 8,
    "killed": 12,
    "sync": 5,
    "refresh": 4,
    "clean": 4,
    "clean_all": 7,
    "look": 3,
    "switch": 10,
    "switch_in_build": 5,
    "there_and_back": 3,
    "touch": 2,
    "nox": 3,
    "nox_own": 3,
    "install": 2,
    "delete_venv": 2,
    "delete_lease": 2,
    "wipe": 1,
}


class Worker:
    """One process of those that do something all the time."""

    def __init__(self, root: Path, seed: str, number: int) -> None:
        """Be the worker `number` of a soak with this seed."""
        self.root = root
        self.base = base_of(root)
        self.store = root / ".roost"
        self.name = f"{seed}-{number}"
        self.count = 0
        self.longs: list[Started] = []
        self.acts = (self.base / "acts" / self.name).open("w")
        self.env = dict(os.environ) | {"ROOST_TIMEOUT": "60"}

    def run(self, end: float) -> None:
        """Do one thing after the other until `end`."""
        while time.monotonic() < end:
            self.count += 1
            chance = random.Random(f"{self.name}/{self.count}")
            act = chance.choices(list(ACTS), list(ACTS.values()))[0]
            getattr(self, act)(chance)
            self._end_long(1)
        self._end_long(0)

    def _end_long(self, left: int) -> None:
        """Wait for the long sessions, but for the youngest."""
        while len(self.longs) > left:
            self.longs.pop(0).end()

    def note(self, kind: str, begin: float, **fields: Any) -> None:
        """Write down what was done."""
        line = {"kind": kind, "by": f"{self.name}/{self.count}", "begin": begin, "end": time.monotonic(), **fields}
        self.acts.write(f"{json.dumps(line)}\n")
        self.acts.flush()

    def start(self, door: str, words: "list[str | Path]", **fields: Any) -> "Started":
        """Start a command in the project."""
        return Started(self, door, words, fields)

    def probe(self, chance: random.Random, door: str = "", number: int = 0, most: float = 0.4) -> "Started":
        """Start a session with the probe, of `most` seconds, by `door` or by any of the fast ones."""
        door = door or chance.choice(("roost run", "roost-run"))
        out = self.base / "probes" / f"{self.name}-{self.count}-{number}"
        words: list[str | Path] = [self.base / "soak_probe.py", out, str(round(chance.uniform(0, most), 3))]
        command: dict[str, list[str | Path]] = {
            "roost run": [ROOST, "run", "python", *words],
            "roost-run": [ROOST_RUN, "python", *words],
            "nox": [NOX, "-s", "probe", "--", *words],
            "nox own": [NOX, "-s", "own", "--", *words],
        }
        return self.start(door, command[door], probe=out.name)

    # What a worker may do.

    def session(self, chance: random.Random) -> None:
        """Run the probe."""
        self.probe(chance).end()

    def long(self, chance: random.Random) -> None:
        """Start the probe, and go on while it runs."""
        self.longs.append(self.probe(chance, most=3.0))

    def burst(self, chance: random.Random) -> None:
        """Run several at once."""
        for one in [self.probe(chance, number=number) for number in range(4)]:
            one.end()

    def nox(self, chance: random.Random) -> None:
        """Run the probe in a nox session."""
        self.probe(chance, "nox").end()

    def nox_own(self, chance: random.Random) -> None:
        """Run the probe in a nox session that installs something."""
        self.probe(chance, "nox own").end()

    def killed(self, chance: random.Random) -> None:
        """Start a session or a build, and send a signal to it, or to all that it started."""
        signum, whole_group, moment = chance.choice(SIGNALS), chance.random() < 0.4, chance.uniform(0, 0.8)
        if chance.random() < 0.3:
            one = self.probe(chance)
        else:
            begun = self._backends()
            one = self.start("refresh", [ROOST, "sync", "--refresh"])
            if chance.random() < 0.6:  # in the midst of a build, whose backend goes on for long
                self._slow(LONG)
                end, moment = time.monotonic() + 3, moment / 8
                while self._backends() == begun and time.monotonic() < end:
                    time.sleep(0.01)
                self._slow(BRIEF)
        time.sleep(moment)
        one.signal(signum, whole_group=whole_group)
        if signum == signal.SIGSTOP:
            time.sleep(0.3)
            one.signal(signal.SIGCONT, whole_group=whole_group)
        one.end()
        if chance.random() < 0.5:
            self.refresh(chance)

    def _slow(self, seconds: str) -> None:
        new = self.base / f"slow-{self.name}"
        new.write_text(seconds)
        new.rename(self.root / "slow.txt")

    def _backends(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return (self.root / "builds.log").read_text().count("begin")
        return 0

    def sync(self, chance: random.Random) -> None:
        """Sync."""
        del chance
        self.start("sync", [ROOST, "sync"]).end()

    def refresh(self, chance: random.Random) -> None:
        """Build again."""
        del chance
        self.start("refresh", [ROOST, "sync", "--refresh"]).end()

    def clean(self, chance: random.Random) -> None:
        """Remove what is neither kept nor in use, of venvs that all look old."""
        del chance
        self._clean()

    def clean_all(self, chance: random.Random) -> None:
        """Remove all that is not in use; with the link gone that spares one."""
        if chance.random() < 0.5:
            (self.store / ".venv/default").unlink(missing_ok=True)
        self._clean("--all")

    def _clean(self, *words: str) -> None:
        self.start("clean", [sys.executable, self.base / "clean.py", "clean", *words]).end()

    def look(self, chance: random.Random) -> None:
        """Ask for what there is."""
        words = chance.choice((["status", "--json"], ["why"], ["log"], ["status"]))
        self.start("look", [ROOST, *words]).end()

    def switch(self, chance: random.Random) -> None:
        """Turn to another state, file by file."""
        with self._inputs():
            self._turn(chance.choice(list(STATES)), in_place=chance.random() < 0.5)

    def switch_in_build(self, chance: random.Random) -> None:
        """Turn to another state while one's own build is under way."""
        one = self.start("refresh", [ROOST, "sync", "--refresh"])
        time.sleep(chance.uniform(0.1, 0.6))
        self.switch(chance)
        one.end()

    def there_and_back(self, chance: random.Random) -> None:
        """Turn to another state, as a stash does, and back at once or soon."""
        with self._inputs() as before:
            self._turn(chance.choice(list(STATES)), in_place=True)
            time.sleep(chance.choice((0, 0.1)))
            self._turn(before, in_place=True)

    def touch(self, chance: random.Random) -> None:
        """Write an input again, unchanged."""
        begin = time.monotonic()
        with self._inputs():
            os.utime(self.root / chance.choice(INPUTS))
        self.note("touch", begin)

    @contextlib.contextmanager
    def _inputs(self) -> Iterator[str]:
        """Yield the state that the inputs are in, which no other thread changes meanwhile."""
        with (self.base / "state").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file.read()

    def _turn(self, state: str, *, in_place: bool) -> None:
        begin = time.monotonic()
        for name in INPUTS:
            new = self.base / "states" / state / name
            if in_place:
                (self.root / name).write_bytes(new.read_bytes())
            else:
                shutil.copy(new, self.base / name)
                (self.base / name).rename(self.root / name)
        (self.base / "state").write_text(state)
        self.note("switch", begin, state=state)

    def install(self, chance: random.Random) -> None:
        """Install into the venv of a session of one's own."""
        package = chance.choice(("cherry", "apple==1.0", "apple==2.0"))
        begin = time.monotonic()
        words = ["--no-index", "--find-links", (self.base / "wheels").read_text(), "--no-cache", package]
        one = self.start("install", [ROOST, "run", "python", self.base / "install.py", UV, "pip", "install", *words])
        self.note("install", begin, venv=one.end().partition("\n")[0])

    def delete_venv(self, chance: random.Random) -> None:
        """Delete a venv, even if processes run in it or build it."""
        begin, found = time.monotonic(), [path for path in self.store.glob(".venv/.v2/envs/*/venv-*") if path.is_dir()]
        if found:
            venv = sorted(found)[int(chance.random() * len(found))]
            complete = self._is_complete(venv)
            shutil.rmtree(venv, ignore_errors=True)
            self.note("delete_venv", begin, venv=str(venv), complete=complete)

    def _is_complete(self, venv: Path) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads((venv.parent / "complete").read_text())["venv"] == str(venv))
        return False

    def delete_lease(self, chance: random.Random) -> None:
        """Delete the lease file of a venv."""
        begin, found = time.monotonic(), sorted(self.store.glob(".venv/.v2/envs/*/venv-*.lease"))
        if found:
            lease = found[int(chance.random() * len(found))]
            lease.unlink(missing_ok=True)
            self.note("delete_lease", begin, venv=str(lease).removesuffix(".lease"))

    def wipe(self, chance: random.Random) -> None:
        """Delete everything."""
        begin = time.monotonic()
        doomed = self.store
        if chance.random() < 0.5:
            doomed = self.base / f"wiped-{self.name}-{self.count}"
            with contextlib.suppress(OSError):
                self.store.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
        self.note("wipe", begin)


class Started:
    """A command that a worker started."""

    def __init__(self, worker: Worker, door: str, words: "list[str | Path]", fields: dict[str, Any]) -> None:
        """Start it in a process group of its own."""
        self.worker = worker
        self.fields = fields | {"door": door, "signal": 0}
        self.begin = time.monotonic()
        self.child = start(words, cwd=worker.root, env=worker.env, start_new_session=True)

    def signal(self, signum: int, *, whole_group: bool) -> None:
        """Send it a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            if self.child.poll() is None:
                (os.killpg if whole_group else os.kill)(self.child.pid, signum)
                self.fields["signal"] = int(signum)

    def end(self) -> str:
        """Wait for its end, write it down, and return what it printed."""
        status, out, err = finish(self.child)
        self.worker.note("command", self.begin, status=status, err=err[-3000:], out=out[-300:], **self.fields)
        return out


def storm(root: Path, seconds: float, seed: str, workers: int) -> Watcher:
    """Let the workers do what they do for `seconds`, and watch them; return what was seen."""
    words = [sys.executable, "-m", "tests.lib.soak", "--worker", str(root), str(seconds), seed]
    watcher = Watcher(root / ".roost", base_of(root) / "soak_probe.py")
    running = [subprocess.Popen([*words, str(number)]) for number in range(workers)]
    end = time.monotonic() + seconds + PATIENCE
    while any(child.poll() is None for child in running) and time.monotonic() < end:
        watcher.look()
        time.sleep(0.03)
    for number, child in enumerate(running):
        if child.poll() != 0:
            child.kill()
            watcher.report(f"the worker {number} ended with {child.poll()}")
    wait_for(lambda: not watcher.leases(), "the last installer")
    return watcher


def final(root: Path, seed: str) -> None:
    """After it all: every state starts, and what is collected then leaves nothing behind."""
    worker = Worker(root, f"{seed}-final", 0)
    for state in STATES:
        with worker._inputs():
            worker._turn(state, in_place=True)
        for door in ("roost run", "roost-run"):
            worker.count += 1
            worker.probe(random.Random(0), door).end()
    then = time.time() - 7200
    for folder, folders, files in os.walk(worker.store):
        for name in [*files, *folders]:
            os.utime(f"{folder}/{name}", (then, then), follow_symlinks=False)
        folders[:] = [name for name in folders if not name.startswith("venv-")]
    worker.start("clean", [ROOST, "clean", "--all"]).end()


def main(words: list[str]) -> None:
    """Be one worker, or all of it."""
    if words[0] == "--worker":
        worker = Worker(Path(words[1]), words[3], int(words[4]))
        worker.run(time.monotonic() + float(words[2]))
        return
    root, seconds, seed = Path(words[0]), float(words[1]), words[2]
    began = time.monotonic()
    watcher = storm(root, seconds, seed, int(words[3]) if words[3:] else WORKERS)
    final(root, seed)
    print(json.dumps(soak_judge.judge(root, began, watcher)._asdict()))


if __name__ == "__main__":
    main(sys.argv[1:])
