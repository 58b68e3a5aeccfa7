"""Any sequence of what can be done to a store, against a small model of what should be there after it.

One process, one thing after the other: the soak (`tests/lib/soak.py`) has the races. Here everything is exact: whether the
next start builds, which venvs there are after a clean-up, where `current` leads. `--soak` takes that many seconds.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from roost import environment as environments
from roost import protocol, warm
from roost.console import holders
from roost.environment import Environment
from roost.store import collection, venvs
from roost.store.store import Store
from roost.system import locks
from roost.warm import Selection
from tests.lib import integrity
from tests.lib.wheels import make_wheel

STATES = {"red": "apple-1.0", "green": "apple-2.0", "blue": "cherry-1.0"}
KEEP = 1
INSTALL = 'cp -r "things/$(cat state.txt)/." "$VIRTUAL_ENV"/lib/python3*/site-packages/\n'
PYPROJECT = f"""
[project]
name = "project"
version = "1.0"
requires-python = ">=3.11"
[tool.roost]
installer = "command"
command = ["/bin/sh", "install.sh"]
inputs = ["state.txt"]
keep = {KEEP}
compile-bytecode = false
"""
which = st.sampled_from(sorted(STATES))


class Venv:
    """What the model knows of one venv."""

    def __init__(self, state: str, built: str) -> None:
        """Be one that was just built; without a time, one that was left half-built."""
        self.state = state
        self.built = built
        self.attempt = not built
        self.folder = self.lease = True
        self.drifted = self.old = False
        self.held = 0


class Machine(RuleBasedStateMachine):
    """A project, its store, and the model of it."""

    base: Path
    built = 0
    """How often any of them built."""

    def __init__(self) -> None:
        """Make a project that was never built."""
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=self.base)) / "project"
        self.root.mkdir()
        (self.root / "things").symlink_to(self.base / "things")
        (self.root / "pyproject.toml").write_text(PYPROJECT)
        (self.root / "install.sh").write_text(INSTALL)
        self.store = Store(str(self.root))
        self.venvs: dict[str, Venv] = {}
        self.markers: dict[str, str] = {}
        """State to the path of the venv that its marker names."""
        self.current = ""
        self.builds = 0
        """As the journal counts: since `.roost` was last made."""
        self.held: list[tuple[Environment, Venv]] = []
        self._turn("red")

    def teardown(self) -> None:
        """Let go of what is held."""
        for environment, _ in self.held:
            environment.close()
        shutil.rmtree(self.root.parent, ignore_errors=True)

    # The model.

    def _valid(self, state: str) -> bool:
        venv = self.venvs.get(self.markers.get(state, ""))
        return venv is not None and venv.folder and venv.lease and not venv.drifted

    def _changed(self, state: str) -> None:
        """A folder of a fingerprint changed: without its lease file, a venv in it counts as used just now."""
        for venv in self.venvs.values():
            if venv.state == state and not venv.lease:
                venv.old = False

    def _model_build(self, path: str) -> None:
        for name in [name for name, venv in self.venvs.items() if venv.attempt and venv.lease]:
            self._model_remove(name)
        built = json.loads((Path(path).parent / "complete").read_text())["built"]
        self.venvs[path] = Venv(self.state, built)
        self.venvs[path].held = 1  # by the builder
        self.markers[self.state] = path
        self._changed(self.state)
        self.builds += 1
        Machine.built += 1
        self._model_collect(KEEP)
        self.venvs[path].held = 0

    def _model_remove(self, path: str) -> None:
        venv = self.venvs.pop(path)
        if venv.lease and self.markers.get(venv.state) == path:
            del self.markers[venv.state]
        self._changed(venv.state)

    def _model_collect(self, keep: int) -> None:
        named = {path: self.venvs[path].built for path in self.markers.values() if path in self.venvs}
        gone = []  # all verdicts come before the first removal
        for path, venv in self.venvs.items():
            newer = sum(built > venv.built for built in named.values())
            not_older = sum(built >= venv.built for built in named.values())
            attempt = venv.attempt and venv.lease
            if path == self.current or venv.held > 0 or (not attempt and not venv.old):
                continue
            if not attempt and path in named and not_older <= keep:
                continue
            # Built within one second, which of them are the newest?
            either = not attempt and path in named and newer < keep < not_older
            if not (either and (os.path.exists(path) or os.path.exists(f"{path}.lease"))):
                gone.append(path)
        for path in gone:
            self._model_remove(path)

    def _model_start(self, environment: Environment, *, built: bool, warm: bool) -> Venv:
        if built:
            self._model_build(environment.venv)
        assert environment.venv == self.markers[self.state]
        venv = self.venvs[environment.venv]
        venv.old = False
        if not (warm or self.current):  # a warm start looks at nothing but the index
            self.current = environment.venv
        assert integrity.faults(environment.path, {STATES[self.state]}) == []
        return venv

    # What can be done.

    def _acquire(self, *, refresh: bool = False) -> tuple[Environment, Venv]:
        """Start as `roost run` does, and compare with the model whether that builds."""
        before, expected = len(self._journal()), refresh or not self._valid(self.state)
        found = None
        if not refresh:
            stale = warm.load(str(self.root), "default")
            if stale and stale.venv in self.venvs and self.venvs[stale.venv].lease:
                self.venvs[stale.venv].old = False  # a warm start leases before it looks
            found = environments.find(str(self.root), Selection())
        environment = found or environments.acquire(
            str(self.root), selection=Selection(), timeout=5.0, label="a test", refresh=refresh
        )
        assert len(self._journal()) - before == expected
        assert environment.built == expected
        return environment, self._model_start(environment, built=expected, warm=found is not None)

    @rule()
    def start(self) -> None:
        """Run something that ends at once."""
        self._acquire()[0].close()

    @rule()
    def refresh(self) -> None:
        """Build again."""
        self._acquire(refresh=True)[0].close()

    @rule()
    def sync(self) -> None:
        """Be `roost sync`."""
        environment, _ = self._acquire()
        assert environment.make_current() == (environment.venv != self.current)
        self.current = environment.venv
        environment.close()

    @rule()
    def hold(self) -> None:
        """Start something that goes on."""
        environment, venv = self._acquire()
        venv.held += 1
        self.held.append((environment, venv))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Let it end."""
        environment, venv = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        environment.close()
        venv.held -= 1

    def _turn(self, state: str) -> None:
        (self.root / "state.txt").write_text(state)
        self.state = state

    @rule(state=which)
    def switch(self, state: str) -> None:
        """Turn to another state."""
        self._turn(state)

    @rule(state=which)
    def there_and_back(self, state: str) -> None:
        """Turn to another state and back."""
        before = self.state
        self._turn(state)
        self._turn(before)

    @rule(how=st.sampled_from(["touch", "comment", "table"]))
    def change_nothing(self, how: str) -> None:
        """Change inputs in a way that means nothing."""
        if how == "touch":
            os.utime(self.root / "state.txt")
        else:
            text = {"comment": "# nothing", "table": f"\n[tool.ruff]\nline-length = {time.time_ns() % 99 + 1}"}[how]
            (self.root / "pyproject.toml").write_text(f"{PYPROJECT}{text}\n")

    @rule(every=st.booleans())
    def clean(self, every: bool) -> None:
        """Be `roost clean`."""
        keep = 0 if every else KEEP
        self.store.prepare()
        lock = locks.BuildLock(self.store.lock)
        assert lock.try_take("")
        collection.collect(self.store, keep)
        lock.release()
        venvs.empty_trash(self.store)
        self._model_collect(keep)

    @rule()
    def age(self) -> None:
        """Let two hours go by."""
        then = time.time() - 7200
        for path in self.root.glob(".roost/.venv/.v2/envs/*/venv-*.lease"):
            os.utime(path, (then, then))
        for path in self.root.glob(".roost/.venv/.v2/envs/*"):
            os.utime(path, (then, then))
        for venv in self.venvs.values():
            venv.old = True

    @rule()
    def killed_builder(self) -> None:
        """Leave a venv half-built."""
        state = protocol.ask(protocol.Request(str(self.root), Selection(), 5.0, "a test")).state
        if state is not None:
            self.store.prepare()
            made = venvs.create(self.store, state.fingerprint, holders.record("dead"))
            os.close(made.lease_descriptor)
            self.venvs[made.venv.path] = Venv(self.state, "")
            self._changed(self.state)

    # What somebody breaks by hand.

    def _pick(self, data: st.DataObject) -> tuple[str, Venv]:
        return data.draw(st.sampled_from(list(self.venvs.items())), label="venv")

    @precondition(lambda self: self.venvs)
    @rule(data=st.data())
    def delete_venv(self, data: st.DataObject) -> None:
        """Delete a venv."""
        path, venv = self._pick(data)
        if venv.folder:
            shutil.rmtree(path)
            venv.folder = False
            self._forget(path)
            self.current = "" if self.current == path else self.current

    @precondition(lambda self: self.venvs)
    @rule(data=st.data())
    def delete_lease(self, data: st.DataObject) -> None:
        """Delete a lease file: nothing tells any more who runs there."""
        path, venv = self._pick(data)
        if venv.lease:
            os.unlink(f"{path}.lease")
            venv.lease, venv.held = False, -1000
            self._forget(path)

    def _forget(self, path: str) -> None:
        venv = self.venvs[path]
        if not venv.folder and not venv.lease:
            del self.venvs[path]
        venv.held = venv.held if venv.lease else -1000
        self._changed(venv.state)

    @precondition(lambda self: self.venvs)
    @rule(data=st.data())
    def install(self, data: st.DataObject) -> None:
        """Install something into a venv."""
        path, venv = self._pick(data)
        for folder in Path(path).glob("lib/python3*/site-packages"):
            (folder / "stranger-1.0.dist-info").mkdir(exist_ok=True)
            venv.drifted = True

    @rule()
    def wipe(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root / ".roost", ignore_errors=True)
        self.venvs, self.markers, self.current, self.builds = {}, {}, "", 0

    # What must be so after each of them.

    def _journal(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            lines = (self.root / ".roost/.venv/.v2/journal").read_text().splitlines()
            return [line for line in lines if json.loads(line)["event"] == "build"]
        return []

    @invariant()
    def disk_is_as_the_model_says(self) -> None:
        """Compare."""
        found = {str(path) for path in self.root.glob(".roost/.venv/.v2/envs/*/venv-*")}
        expected = {path for path, venv in self.venvs.items() if venv.folder}
        expected |= {f"{path}.lease" for path, venv in self.venvs.items() if venv.lease}
        assert found == expected
        assert len(self._journal()) == self.builds
        assert list(self.root.glob(".roost/.venv/.v2/trash/*")) == []
        link = self.root / ".roost/.venv/default"
        assert (os.readlink(link) if link.exists() else "") == self.current


def test_store_is_as_the_model_says(tmp_path: Path, soak: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done to it."""
    for state, distribution in STATES.items():
        name, version = distribution.split("-")
        with zipfile.ZipFile(make_wheel(tmp_path, name, version)) as wheel:
            wheel.extractall(tmp_path / "things" / state)
    monkeypatch.setattr(Machine, "base", tmp_path, raising=False)
    settings = hypothesis.settings(
        max_examples=25 if soak else 10,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],  # shrinking takes minutes, in which nothing new is tried
        derandomize=not soak,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=True,
    )
    end = time.monotonic() + soak
    while True:
        run_state_machine_as_test(Machine, settings=settings)
        if time.monotonic() >= end:
            break
    assert Machine.built >= 12
    print(f"{Machine.built} builds")
