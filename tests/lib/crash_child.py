"""A process that forks others, to each of which something happens at its k-th step; looks at what is left, and goes on.

    python -m tests.lib.crash_child PROJECT SCENARIO FIRST STRIDE KIND WHAT

What happens is `crash`, where it ends on the spot, or `wipe`, where somebody deletes `.roost` at that moment. Takes
every STRIDE-th step from FIRST on, and prints what it found as JSON. A step is an audit event, or a call of one
of the operating system's functions, outside of imports; with the KIND `changes` only what changes something on disk or
starts and ends a process: between two of those every crash leaves the same behind.
"""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from roost import protocol, warm
from roost.console import holders, waiting
from roost.errors import RoostError
from roost.nox import session_venv
from roost.store import collection, links, venvs
from roost.store.store import Store
from roost.system import locks
from roost.warm import Selection
from tests.lib import integrity

DEAD = 77
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "fcntl.flock")
_CALLS = ("write", "pwrite", "fsync", "fork_exec", "waitpid", "flush")
_QUIET = ("fspath", "getpid", "geteuid", "_path_normpath", "WIFSTOPPED", "waitstatus_to_exitcode", "fstat")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STATES = {False: "apple-1.0", True: "apple-2.0"}
SESSION = ".nox/one"
EXTRA = "extra-1.0"
"""The distribution that the session installs."""


class Steps:
    """Counts the steps of this process, and lets something happen at the one that is asked for."""

    def __init__(self, last: int, happens: Callable[[], None], *, everything: bool) -> None:
        """Count from here on; nothing `happens` while `last` is 0."""
        self.count = 0
        self.last = last
        self.happens = happens
        self.everything = everything
        self.pid = os.getpid()
        self._inside = False
        sys.addaudithook(self._audit)
        sys.setprofile(self._profile)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            counts = self.everything or bool(isinstance(args[2], int) and args[2] & _WRITING)
        else:
            counts = event in _CHANGES or (
                self.everything and event.startswith(("os.", "fcntl.", "shutil.", "subprocess."))
            )
        if counts:
            self._step(sys._getframe(1))

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event != "c_call":
            return
        module = getattr(arg, "__module__", None) or type(getattr(arg, "__self__", None)).__module__
        if module not in ("posix", "fcntl", "_posixsubprocess", "_io"):
            return
        name = arg.__name__
        if (name in _CALLS and (module, name) != ("_io", "write")) or (
            self.everything and module != "_io" and name not in _QUIET
        ):
            self._step(frame)

    def _step(self, frame: "FrameType | None") -> None:
        if self._inside or os.getpid() != self.pid:
            return
        self._inside = True
        while frame is not None:
            if "importlib" in frame.f_code.co_filename or frame.f_globals.get("__name__") == "roost.console.messages":
                self._inside = False
                return
            frame = frame.f_back
        self.count += 1
        if self.count == self.last:
            self.happens()
        self._inside = False


def request(root: Path, *, refresh: bool = False, session: str = "", name: str = "") -> protocol.Request:
    """Return the request that all of these processes make."""
    return protocol.Request(str(root), Selection(), 20, "crash", refresh, session, name)


class Trial:
    """One project, and what processes do in it until they crash."""

    def __init__(self, root: Path) -> None:
        """Name it."""
        self.root = root
        self.store = root / ".roost"
        self.second = False

    def swap(self) -> None:
        """Turn to the project's other state, of two."""
        self.second = not self.second
        for name in ("pyproject.toml", "uv.lock"):
            shutil.copy(self.root / ("states/2" if self.second else "states/1") / name, self.root / name)

    def acquire(self) -> None:
        """Acquire and let go; the venv must be exactly what the state asks for, and leased."""
        held = protocol.acquire(request(self.root))
        try:
            found = integrity.faults(Path(held.marker.venv), {STATES[self.second]})
            found += unleased(held.marker.venv)
        finally:
            os.close(held.lease_descriptor)
        if found:
            raise AssertionError(found)

    def start(self, *, refresh: bool = False) -> None:
        """Acquire and let go, whatever it is."""
        os.close(protocol.acquire(request(self.root, refresh=refresh)).lease_descriptor)

    def unmark(self) -> None:
        """Let no venv count, of neither state: the next start has to build."""
        for path in self.store.glob(".venv/.v2/envs/*/complete"):
            path.unlink()

    def age(self) -> None:
        """Let everything look as if it had lain there for two hours."""
        then = time.time() - 7200
        for folder, folders, files in os.walk(self.store, topdown=True):
            for name in [*files, *folders]:
                os.utime(f"{folder}/{name}", (then, then), follow_symlinks=False)
            folders[:] = [name for name in folders if not name.startswith("venv-")]

    def clean(self) -> None:
        """Be `roost clean`."""
        store = Store(str(self.root))
        store.prepare()
        lock = locks.BuildLock(store.lock)
        with store.guarded():
            if not lock.try_take(holders.record("clean")):
                message = "the build lock is held"  # or was removed between its opening and its flock
                raise RoostError(message)
            try:
                collection.collect(store, 1)
            finally:
                lock.release()
        venvs.empty_trash(store)

    # Each scenario: what comes before, and the steps that end at the k-th.

    def cold(self) -> Callable[[], None]:
        """Build where nothing is."""
        shutil.rmtree(self.store, ignore_errors=True)
        return self.start

    def rebuild(self) -> Callable[[], None]:
        """Build another state, and collect the old one."""
        self.acquire()
        for path in self.store.glob(".venv/.v2/envs/*/complete"):
            if integrity.faults(Path(json.loads(path.read_text())["venv"]), {STATES[self.second]}):
                shutil.rmtree(path.parent)
        (self.store / ".venv/default").unlink()
        self.age()
        self.swap()
        return self.start

    def refresh(self) -> Callable[[], None]:
        """Build a second venv for the same fingerprint."""
        return lambda: self.start(refresh=True)

    def lease(self) -> Callable[[], None]:
        """Lease what is there, and write the index."""
        for path in self.store.glob(".venv/.v2/index/*"):
            path.unlink()
        return self.start

    def heal(self) -> Callable[[], None]:
        """Build after a builder that was killed, whose attempt has to go first."""
        store = Store(str(self.root))
        made = venvs.create(store, "0" * 16, holders.record("dead"))
        (Path(made.venv.path) / "half").mkdir()
        os.close(made.lease_descriptor)
        self.unmark()
        return self.start

    def collect(self) -> Callable[[], None]:
        """Clean, with an old venv to remove and deleted ones in the trash."""
        self.swap()
        self.acquire()
        self.swap()
        self.acquire()
        self.age()
        return self.clean

    def sync(self) -> Callable[[], None]:
        """Point `.roost/.venv/default` and `.venv` at the venv."""
        for link in (self.root / ".venv", self.store / ".venv/default"):
            link.unlink(missing_ok=True)
        store = Store(str(self.root))
        venv = json.loads(next(self.store.glob(".venv/.v2/envs/*/complete")).read_text())["venv"]

        def point() -> None:
            with store.guarded():
                links.point(str(self.root), "default", venv, ".venv")

        return point

    def wait(self) -> Callable[[], None]:
        """Wait for a builder, which lets go after three polls."""
        self.unmark()

        def wait() -> None:
            try:
                held = os.open(self.store / ".venv/.lock", os.O_RDWR)
            except FileNotFoundError:  # somebody deleted it: there is nothing to wait for
                return
            assert locks.try_lock(held, exclusive=True)
            polls = []
            pause = waiting.Wait.pause

            def counted(
                self: waiting.Wait, what: str, path: str, describe: Callable[[str], str] = holders.of_lock
            ) -> None:
                polls.append(path)
                pause(self, what, path, describe)
                if len(polls) == 3:
                    os.close(held)

            waiting.Wait.pause = counted  # type: ignore[method-assign]
            self.start()

        return wait

    def own(self) -> Callable[[], None]:
        """Make a nox session's own venv and install into it twice, as `roost.nox` does: nothing, then something."""

        def make() -> None:
            own = session_venv.make(request(self.root, session=SESSION, name=venvs.random_name()))
            with contextlib.suppress(OSError):  # `roost.nox` reports it
                own.begin()
                own.complete()
                own.begin()
                install_extra(Path(own.path))
                own.complete()

        return make

    def reuse_own(self) -> list[str]:
        """Return what is wrong with the session's venvs. A venv that a marker names must be complete and usable.

        A clean-up must leave the venv that is in use, also when it looks old.
        """
        marker = self.store / ".venv/.v2/envs" / warm.session_folder(str(self.root), SESSION) / "complete"
        named = json.loads(marker.read_text())["venv"] if marker.exists() else None
        own = session_venv.reuse(request(self.root, session=SESSION))
        if own is None:
            return [] if named is None else [f"{named} is complete, and the session does not reuse it"]
        try:
            found = [] if own.path == named else [f"the session uses {own.path}, and its marker names {named}"]
            self.age()
            self.clean()
            before = {STATES[self.second]}
            faults = [integrity.faults(Path(own.path), installed) for installed in (before, before | {EXTRA})]
            return [*found, *(min(faults, key=len)), *unleased(own.path)]
        finally:
            os.close(own._held.lease_descriptor)


def install_extra(venv: Path) -> None:
    """Install `EXTRA` into `venv`, its RECORD first, so that half of it is a fault."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).rstrip(b"=").decode()
    for site_packages in venv.glob("lib/python3*/site-packages"):
        (site_packages / f"{EXTRA}.dist-info").mkdir()
        (site_packages / f"{EXTRA}.dist-info/RECORD").write_text(f"extra.py,sha256={digest},0\n")
        (site_packages / "extra.py").touch()


def unleased(venv: str) -> list[str]:
    """Return what is wrong with the lease of `venv`, which another descriptor must hold."""
    with open(f"{venv}.lease") as file:
        return [f"{venv} is not leased"] if locks.try_lock(file.fileno(), exclusive=True) else []


SCENARIOS = ("cold", "rebuild", "refresh", "lease", "heal", "collect", "sync", "wait", "own")


def crash() -> None:
    """End here and now."""
    os._exit(DEAD)


def in_child(work: Callable[[], None], last: int, happens: Callable[[], None], *, everything: bool) -> tuple[int, int]:
    """Fork a process that does `work`, and let it happen at the step `last`; return its status and number of steps.

    It may end with an error of roost's, but with no other.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        status = 1
        try:
            steps = Steps(last, happens, everything=everything)
            with contextlib.suppress(RoostError):
                work()
            sys.setprofile(None)
            os.write(writer, b"%d" % steps.count)
            status = 0
        except BaseException:  # noqa: BLE001 - said in the parent
            sys.setprofile(None)
            os.write(writer, f"-1 {traceback.format_exc()}".encode()[-4000:])
        finally:
            os._exit(status)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    text = os.read(reader, 4096)
    os.close(reader)
    if text.startswith(b"-1"):
        raise AssertionError(text.decode())
    return os.waitstatus_to_exitcode(status), int(text or 0)


def after(trial: Trial, scenario: str) -> list[str]:
    """Go on after a crash; return what is wrong."""
    found = integrity.of_markers(trial.store)
    try:
        trial.acquire()
        found += integrity.of_markers(trial.store)
        found += trial.reuse_own() if scenario == "own" else []
        if not (trial.store / ".venv/default").is_symlink():
            found.append("`.roost/.venv/default` is missing")
        trial.age()
        trial.clean()
        found += integrity.leftovers(trial.store)
        trial.acquire()
    except Exception as error:  # noqa: BLE001 - it is what went wrong
        found.append(repr(error))
    return found


def main(root: str, scenario: str, first: str, stride: str, kind: str, what: str) -> None:
    """Print how many steps were tried, and each fault with its step."""
    trial = Trial(Path(root))
    happens = crash if what == "crash" else lambda: shutil.rmtree(trial.store, ignore_errors=True)
    trial.swap()
    trial.acquire()
    trial.swap()
    trial.acquire()
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - roost says what it builds
    tried, faults, step, count = 0, [], int(first), 0
    while True:
        try:
            work = getattr(trial, scenario)()
            status, count = in_child(work, step, happens, everything=kind == "all")
        except AssertionError as error:  # an earlier one left what is not whole, or this one ended with a traceback
            faults.append(f"step {step} of {scenario}: {error}")
            break
        if status != DEAD and count < step:
            break
        tried += 1
        faults += [f"step {step} of {scenario}: {fault}" for fault in after(trial, scenario)]
        step += int(stride)
    print(json.dumps({"tried": tried, "steps": count, "faults": faults}))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main(*sys.argv[1:])
