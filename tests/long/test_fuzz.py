"""Whatever a file of roost's own may hold: it is used, or there is a reason why not. Nothing hangs, nothing is a traceback.

The files are changed copies of real ones, and JSON of the right shape with anything in it.
"""

import contextlib
import json
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import strategies as st

from roost import state as states
from roost import warm
from roost.cli import hook, timeline
from roost.console.holders import Holder
from roost.errors import RoostError
from roost.inputs import interpreter
from roost.inputs.files import Inputs
from roost.nox import session_venv
from roost.protocol import Request
from roost.store import changes, collection, inventory, journal, marker, venvs
from roost.store.store import Store
from roost.warm import Selection
from tests.lib.fuzzing import DEEP, JSON, TEXTS, changed, dumped, fuzz, spoilt
from tests.lib.projects import Project, start_until_indexed


class Ready(NamedTuple):
    """A project with an environment, and what was in roost's files."""

    project: Project
    store: Store
    state: states.State
    venv: str
    marker: bytes
    indexed: bytes
    record: bytes
    inventory: bytes
    journal: bytes


@pytest.fixture
def ready(project: Project) -> Ready:
    """Provide a project with an environment."""
    project.write(dependencies=["apple"], roost="compile-bytecode = false")
    project.lock()
    start_until_indexed(project)
    root = str(project.root)
    store = Store(root)
    draft = states.draft(root, Selection())
    chosen = interpreter.recorded(store.python("default", draft.request.text), draft.request, draft.inputs)
    assert chosen is not None
    state = draft.with_interpreter(chosen)
    venv = str(project.venvs()[0])
    files = [store.marker(state.folder), f"{store.view}/index/default", store.python("default", draft.request.text)]
    files += [f"{venv}/{inventory.FILE}", f"{store.data}/journal"]
    return Ready(project, store, state, venv, *(Path(path).read_bytes() for path in files))


def test_index(ready: Ready, soak: float) -> None:
    """Either it is no index, or the venv that it leads to is the one there is.

    The latest index is checked, the index of the state, and both. A start needs one that is as it was written.
    """
    names = ("default", f"default:{ready.state.fingerprint}")
    lines = st.lists(TEXTS | st.sampled_from(ready.indexed.decode().split("\n")), max_size=30).map("\n".join)

    def check(data: bytes) -> None:
        for fuzzed in (names[:1], names[1:], names):
            for start in (ready.store.project, f"{ready.store.project}/none"):
                for name in names:
                    Path(f"{ready.store.view}/index/{name}").write_bytes(data if name in fuzzed else ready.indexed)
                found = warm.start(start, "default")
                assert found or names[0] in fuzzed
                if found:
                    os.close(found[1])
                    assert os.path.samefile(found[0].venv, ready.venv)

    data = changed(ready.indexed) | st.binary(max_size=200) | lines.map(lambda text: text.encode("utf-8", "replace"))
    fuzz(soak, data, check)


def test_marker(ready: Ready, soak: float) -> None:
    """Either there is a reason why it is none, or all that is done with one works."""
    path = Path(ready.store.marker(ready.state.folder))
    place = next(venvs.all_in(ready.store))

    def check(data: bytes) -> None:
        path.write_bytes(data)
        found, reason = marker.check(ready.store, ready.state)
        assert bool(found) != bool(reason)
        assert found is None or found.venv == ready.venv
        loaded, _ = marker.load(str(path))
        if loaded is not None:
            assert marker._of_another_state(loaded, ready.store, ready.state) or loaded.venv == ready.venv
            marker.drift(loaded)
            str(loaded.at + loaded.seconds)
            assert all(isinstance(text, str) for pair in changes.installed(loaded).items() for text in pair)
            changes.parts(loaded.parts, ready.state.parts)
            changes.packages(loaded.locked, {"apple": "1"})
        changes.summary(ready.store, ready.state)
        assert [verdict.venv for verdict in collection.examine(ready.store, 3)] == [place]
        collection.is_attempt(place)

    whole = json.loads(ready.marker)
    for name in ("\0", "\ud800", "x" * 300):
        check(dumped(whole | {"venv": f"{ready.store.folder(ready.state.folder)}/venv-{name}"}))
        check(dumped(whole | {"folders": {name: ["", []]}, "records": {name: ""}}))
    check(dumped(whole | {"built": "0001-01-01T00:00:00+23:59"}))
    fuzz(soak, spoilt(ready.marker), check)


def test_record_of_the_interpreter(ready: Ready, soak: float) -> None:
    path = Path(ready.store.python("default", ">=3.11"))
    asked = interpreter.PythonRequest(">=3.11", "the test")

    def check(data: bytes) -> None:
        path.write_bytes(data)
        inputs = Inputs()
        found = interpreter.recorded(str(path), asked, inputs)
        assert found is None or os.path.exists(found.path)
        assert all(isinstance(one, str) for one in found or ())
        str(found)

    check(b"[" * 30_000)
    for name in ("\0", "\ud800", "x" * 300):
        check(dumped([asked.text, "absent", name, "", "", "", ""]))
    fuzz(soak, spoilt(ready.record), check)


def test_inventory(ready: Ready, soak: float) -> None:
    path = Path(f"{ready.venv}/{inventory.FILE}")

    def check(data: bytes) -> None:
        for content in (data, zlib.compress(data)):
            path.write_bytes(content)
            fault = inventory.damage(ready.venv)
            assert fault is None or os.path.basename(ready.venv) in fault

    fuzz(soak, spoilt(zlib.decompress(ready.inventory)), check)


def test_record_of_a_distribution(ready: Ready, soak: float) -> None:
    """It comes from a wheel, which anyone may have written."""
    folder = next(Path(ready.venv).glob("lib/python3*/site-packages"))
    path = folder / "apple-2.0.dist-info/RECORD"
    original = path.read_bytes()
    path.unlink()  # it may be the one in uv's cache
    path.write_bytes(original)
    files = inventory.take(ready.venv)
    fields = (
        st.sampled_from(["apple/late.py", "apple/later.py", "sha256=x", "sha256=", "3", "²", "٣", "-1", "0"]) | TEXTS
    )
    rows = st.lists(st.lists(fields, min_size=2, max_size=4).map(",".join), max_size=5).map("\n".join)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(RoostError):
            inventory.edited(ready.venv, files, inventory.records(ready.venv))

    for size in ("\u00b2", "1" * 5000):
        check(f"apple/late.py,sha256=,{size}\n".encode())
    fuzz(soak, changed(original) | rows.map(lambda text: text.encode("utf-8", "surrogatepass")), check)


def test_journal(ready: Ready, soak: float) -> None:
    path = Path(f"{ready.store.data}/journal")
    line = json.loads(ready.journal.decode().splitlines()[0])
    ats = st.datetimes().map(str) | st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]) | JSON
    seconds = st.sampled_from([1e300, -1, float("inf"), float("nan"), 10**400, True]) | JSON
    values = st.fixed_dictionaries(
        {}, optional={"at": ats, "seconds": seconds, "pid": JSON, "event": JSON | st.just("wait")}
    )
    lines = st.lists(st.builds(lambda one: dumped(line | one), values), max_size=4).map(b"\n".join)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        events = list(journal.read(ready.store))
        for event in events:
            assert event.text()
        for chosen in (timeline.last_fan_out(events), timeline.last_minutes(events, 1e9)):
            assert not chosen or len(timeline.draw(chosen)) < 1 << 16

    for at in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00"):
        check(dumped(line | {"at": at, "event": "wait"}) + b"\n" + ready.journal)
    for number in (1e300, 10**400, float("nan")):
        check(dumped(line | {"seconds": number, "event": "wait"}))
    fuzz(soak, changed(ready.journal) | st.binary(max_size=200) | lines | DEEP.map(str.encode), check)


def test_holder_of_a_lock(ready: Ready, soak: float) -> None:
    path = Path(ready.store.lock)
    words = st.sampled_from(["pid", "host", "namespace", "command", "since"])
    lines = st.lists(st.builds("{} {}".format, words, TEXTS), max_size=8).map("\n".join)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        holder = Holder(str(path))
        said = str(holder)
        assert holder.pid >= 0
        assert "\n" not in said
        assert "\x1b" not in said

    check(b"pid \xc2\xb2")
    check(b"pid 7\nhost \x1b]0;x\x07\ncommand \x1b[2J\n")
    fuzz(soak, st.binary(max_size=200) | lines.map(lambda text: text.encode("utf-8", "replace")), check)


def test_marker_of_a_session_venv(ready: Ready, soak: float) -> None:
    """A session reuses its venv, or none; nothing else is removed with a marker that means nothing."""
    request = Request(ready.store.project, Selection(), 5.0, "a test", session=".nox/one", name="venv-aaaaaa")
    made = session_venv.make(request)
    made.complete()
    os.close(made._held.lease_descriptor)
    path = Path(ready.store.marker(warm.session_folder(ready.store.project, request.session)))
    original = path.read_bytes()

    def check(data: bytes) -> None:
        path.write_bytes(data)
        found = session_venv.reuse(request)
        if found is not None:
            os.close(found._held.lease_descriptor)
            assert found.path == made.path
        loaded, _ = marker.load(str(path))
        made.begin()
        assert path.exists() == (loaded is None or loaded.venv != made.path)
        assert len(list(collection.examine(ready.store, 3))) == 2

    check(original)
    check(dumped(json.loads(original) | {"session": ".nox/two"}))
    fuzz(soak, spoilt(original), check)


def test_hook_of_somebody(tmp_path: Path, soak: float) -> None:
    path = tmp_path / "post-merge"
    script = hook._script("post-merge", ".").encode("utf-8", "surrogateescape")

    def check(data: bytes) -> None:
        path.write_bytes(data)
        rest = data.partition(b"\n")[2]
        assert hook._is_own(str(path)) == (rest == script.partition(b"\n")[2])

    fuzz(soak, changed(script) | st.binary(max_size=200), check)
