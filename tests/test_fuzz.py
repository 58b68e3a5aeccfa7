"""Whatever a file that roost reads may hold: it is used, or there is a reason or a `RoostError` of one sentence.

Files of roost's own are changed copies of real ones, and JSON of the right shape with anything in it; those of a project
have any value at each of the keys that roost looks at, or any text.
"""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost import changes, collect, fingerprint, hooks, index, interpreter, inventory, journal, launch, marker, timeline
from roost.errors import RoostError
from roost.inputs import Inputs
from roost.installers import requirements, sources, versions
from roost.nox_venv import reuse
from roost.project import Project as Found
from roost.project import find
from roost.store import Store
from roost.waiting import Holder, checked
from tests.support import Project, settle

EXAMPLES = 40
PER_SECOND = 30  # of a soak, for each test

Fuzz = Callable[[st.SearchStrategy[Any], Callable[[Any], object]], None]


@pytest.fixture
def fuzz(soak: float) -> Fuzz:
    """Provide what calls a check with many values: the same ones each time, or with `--soak` others and more of them."""

    def run(values: st.SearchStrategy[Any], check: Callable[[Any], object]) -> None:
        @settings(
            max_examples=max(EXAMPLES, int(soak * PER_SECOND)),
            derandomize=not soak,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),  # files are slow, and large values are the point
        )
        @given(values)
        def with_each(value: Any) -> None:
            check(value)

        with_each()

    return run


class Ready(NamedTuple):
    """A project with an environment, and what was in roost's files."""

    project: Project
    store: Store
    state: fingerprint.State
    venv: str
    marker: bytes
    indexed: bytes
    record: bytes
    listing: bytes
    journal: bytes


@pytest.fixture
def ready(project: Project) -> Ready:
    """Provide a project with an environment."""
    project.write(dependencies=["apple"], roost="compile-bytecode = false")
    project.lock()
    settle(project)
    root = str(project.root)
    store = Store(root)
    draft = fingerprint.draft(root, "default", None)
    chosen, _ = interpreter.recorded(store.python("default"), draft.request, draft.inputs)
    assert chosen is not None
    state = draft.with_interpreter(chosen)
    venv = str(project.venvs()[0])
    files = [f"{store.env(state.fingerprint)}/complete", store.index("default"), store.python("default")]
    files += [f"{venv}/{inventory.FILE}", f"{store.v1}/journal"]
    return Ready(project, store, state, venv, *(Path(path).read_bytes() for path in files))


TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "\0", "a\0b", "../..", "/", "/dev/zero", "\ud800", "x" * 300, "²", "1" * 5000]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
DEEP = st.sampled_from(["[" * 30_000, '{"a":' * 30_000, "[" * 900 + "]" * 900])


def dumped(value: object) -> bytes:
    """Return JSON, also with what is no Unicode."""
    return json.dumps(value).encode()


@st.composite
def changed(draw: st.DrawFn, original: bytes) -> bytes:
    """Return `original` with some of it cut out, doubled, or replaced."""
    data = original
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + draw(st.sampled_from([0, 1, 8, 200, 10_000])))))
        new = draw(
            st.binary(max_size=12)
            | st.sampled_from(
                [b"", b"\0", b"\n", b"\n\n", b'"', b"-", b"9" * 30, b"\\u0000", b"\\ud800", data[begin:end] * 2]
            )
        )
        data = data[:begin] + new + data[end:]
    return data


def spoilt(original: bytes) -> st.SearchStrategy[bytes]:
    """Return changed copies of a JSON file: as text, and each of its values on its own; and anything else."""
    whole = json.loads(original)
    one = st.just(whole)
    if isinstance(whole, dict):
        one = st.builds(lambda key, value: whole | {key: value}, st.sampled_from(sorted(whole)), JSON)
    elif isinstance(whole, list):
        places = st.integers(0, len(whole) - 1)
        one = st.builds(lambda at, value: [*whole[:at], value, *whole[at + 1 :]], places, JSON)
    return changed(original) | st.binary(max_size=200) | (one | JSON).map(dumped) | DEEP.map(str.encode)


def test_index(ready: Ready, fuzz: Fuzz) -> None:
    """Either it is no index, or one that holds only where it says what it said."""
    path = Path(ready.store.index("default"))
    lines = st.lists(TEXTS | st.sampled_from(ready.indexed.decode().split("\n")), max_size=30).map("\n".join)
    before = index.Index(ready.indexed.decode())

    def check(data: bytes) -> None:
        path.write_bytes(data)
        for start in (ready.store.project, f"{ready.store.project}/none"):
            found = index.find(start, "default")
            if found is not None and found.holds():
                assert (found.project, found.boot) == (before.project, before.boot)
                assert found.expected in ("", *(before.expected,)) or set(found.paths) != set(before.paths)
        warm = index.warm(ready.store.project, "default")
        if warm is not None:
            os.close(warm[1])

    fuzz(
        changed(ready.indexed) | st.binary(max_size=200) | lines.map(lambda text: text.encode("utf-8", "replace")),
        check,
    )


def test_marker(ready: Ready, fuzz: Fuzz) -> None:
    """Either there is a reason why it is none, or all that is done with one works."""
    path = Path(f"{ready.store.env(ready.state.fingerprint)}/complete")
    place = next(ready.store.venvs())

    def check(data: bytes) -> None:
        path.write_bytes(data)
        found, reason = marker.check(ready.store, ready.state)
        assert bool(found) != bool(reason)
        assert found is None or found.venv == ready.venv
        loaded, _ = marker.load(str(path))
        if loaded is not None:
            assert marker.foreign(loaded, ready.store, ready.state) or loaded.venv == ready.venv
            marker.drift(loaded)
            str(loaded.at + loaded.seconds)
            assert all(isinstance(text, str) for pair in changes.installed(loaded).items() for text in pair)
            changes.parts(loaded.parts, ready.state.parts)
            changes.packages(loaded.locked, {"apple": "1"})
        changes.summary(ready.store, ready.state)
        assert [verdict.venv for verdict in collect.judge(ready.store, 3)] == [place]
        collect.is_attempt(place)

    fuzz(spoilt(ready.marker), check)


def test_record_of_the_interpreter(ready: Ready, fuzz: Fuzz) -> None:
    path = Path(ready.store.python("default"))
    asked = interpreter.Request(">=3.11", "the test")

    def check(data: bytes) -> None:
        path.write_bytes(data)
        inputs = Inputs()
        found, before = interpreter.recorded(str(path), asked, inputs)
        assert found is None or (found.path == before and os.path.exists(found.path))
        assert all(isinstance(one, str) for one in found or ())
        str(found)

    fuzz(spoilt(ready.record), check)


def test_inventory(ready: Ready, fuzz: Fuzz) -> None:
    path = Path(f"{ready.venv}/{inventory.FILE}")

    def check(data: bytes) -> None:
        path.write_bytes(data)
        fault = inventory.damage(ready.venv)
        assert fault is None or os.path.basename(ready.venv) in fault
        if fault is None:
            inventory.foreign(ready.venv, [])

    fuzz(spoilt(ready.listing), check)


def test_record_of_a_distribution(ready: Ready, fuzz: Fuzz) -> None:
    """Which comes out of a wheel, and so from anybody."""
    folder = next(Path(ready.venv).glob("lib/python3*/site-packages"))
    path = folder / "apple-2.0.dist-info/RECORD"
    original = path.read_bytes()
    path.unlink()  # it may be the one in uv's cache
    fields = (
        st.sampled_from(["apple/late.py", "apple/later.py", "sha256=x", "sha256=", "3", "²", "٣", "-1", "0"]) | TEXTS
    )
    rows = st.lists(st.lists(fields, min_size=2, max_size=4).map(",".join), max_size=5).map("\n".join)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(RoostError):
            inventory.edited([str(folder)])
        inventory.foreign(ready.venv, [str(folder)])

    fuzz(changed(original) | rows.map(lambda text: text.encode("utf-8", "surrogatepass")), check)


def test_journal(ready: Ready, fuzz: Fuzz) -> None:
    path = Path(f"{ready.store.v1}/journal")
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
            assert event.words()
        for chosen in (timeline.last_fan_out(events), timeline.last_minutes(events, 1e9)):
            assert not chosen or len(timeline.draw(chosen)) < 1 << 16

    fuzz(changed(ready.journal) | st.binary(max_size=200) | lines | DEEP.map(str.encode), check)


def test_holder_of_a_lock(ready: Ready, fuzz: Fuzz) -> None:
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

    fuzz(st.binary(max_size=200) | lines.map(lambda text: text.encode("utf-8", "replace")), check)


def test_marker_of_a_session_venv(tmp_path: Path, fuzz: Fuzz) -> None:
    folder = tmp_path / "session"
    (folder / "venv-aaaaaa/bin").mkdir(parents=True)
    (folder / "venv-aaaaaa.lock").touch()

    def check(data: bytes) -> None:
        (folder / "venv-aaaaaa.complete").write_bytes(data)
        assert reuse(str(folder), "0" * 16) is None

    fuzz(st.binary(max_size=200), check)


def test_hook_of_somebody(tmp_path: Path, fuzz: Fuzz) -> None:
    path = tmp_path / "post-merge"
    script = hooks._script("post-merge", ".").encode("utf-8", "surrogateescape")

    def check(data: bytes) -> None:
        path.write_bytes(data)
        assert hooks._is_own(str(path)) == (data == script or hooks._is_own(str(path)))

    fuzz(changed(script) | st.binary(max_size=200), check)


NAMES = st.text("abc.-_\n\0ü", min_size=1, max_size=6) | TEXTS
TOML = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=True) | NAMES | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
WORDS = st.sampled_from(
    [
        ".",
        "..",
        "apple",
        "apple>=1",
        "part @ file:///part",
        "file://localhost/${PROJECT_ROOT}/x",
        "-e .",
        "**/*",
        "[",
        "a/**",
        "/x",
    ]
)
VALUES = (
    TOML
    | st.lists(NAMES | WORDS, max_size=4)
    | WORDS
    | st.dictionaries(st.sampled_from(["path", "file", "attr"]), WORDS | TOML)
)


def toml(value: object) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char) if not 0xD800 <= ord(char) < 0xE000 else 63:08X}" for char in value) + '"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value).lower()


KEYS = """
project project.name project.version project.dependencies project.optional-dependencies project.dynamic
project.requires-python project.optional-dependencies.x dependency-groups dependency-groups.dev
build-system build-system.build-backend build-system.requires
tool tool.roost tool.roost.python tool.roost.groups tool.roost.extras tool.roost.installer tool.roost.requirements
tool.roost.command tool.roost.inputs tool.roost.ignore-tables tool.roost.link tool.roost.keep tool.roost.compile-bytecode
tool.roost.envs tool.roost.envs.docs tool.roost.envs.docs.groups
tool.uv tool.uv.package tool.uv.dev-dependencies tool.uv.default-groups tool.uv.workspace tool.uv.workspace.members
tool.uv.workspace.exclude tool.uv.sources tool.uv.sources.apple tool.uv.cache-keys
tool.poetry tool.poetry.dependencies tool.poetry.group tool.poetry.group.dev.dependencies tool.poetry.extras
tool.poetry.dev-dependencies tool.pdm tool.pdm.dev-dependencies tool.pdm.version tool.pdm.version.path
tool.setuptools tool.setuptools.dynamic tool.setuptools.dynamic.version tool.setuptools.dynamic.version.attr
tool.setuptools.dynamic.dependencies tool.setuptools.dynamic.optional-dependencies tool.setuptools.package-dir
tool.hatch tool.hatch.version tool.hatch.version.path tool.hatch.metadata.hooks.requirements_txt
tool.hatch.metadata.hooks.requirements_txt.files tool.flit tool.flit.module tool.flit.module.name
tool.scikit-build.metadata.version.input
""".split()
LOCKS = {
    "uv.lock": "version package package.name package.version package.source package.source.editable",
    "pylock.toml": "lock-version packages packages.name packages.directory packages.directory.path dependency-groups extras",
    "poetry.lock": "package package.name package.version package.source metadata",
    "pdm.lock": "package package.name package.version package.path metadata",
}
PYTHON = interpreter.Interpreter("/python", "cpython", "3.11.0", "build", "file")


def understand(root: str) -> None:
    """Do with the project in `root` all that is done before an installer is called."""
    for env in ("default", "docs"):
        try:
            state = fingerprint.draft(root, env, None).with_interpreter(PYTHON)
            assert len(state.fingerprint) == 16
            assert state.inputs.moved() is None
            changes.locked(state.inputs)
        except RoostError as error:
            assert str(error)  # noqa: PT017 - either outcome is right


@st.composite
def pairs(draw: st.DrawFn, keys: list[str]) -> str:
    """Return some of `keys` with values, as lines of TOML; one that does not fit to those before is left out."""
    chosen: list[str] = []
    for key in draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True)):
        if not any(f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.") for other in chosen):
            chosen.append(key)
    return "".join(f"{key} = {toml(draw(VALUES))}\n" for key in chosen)


def test_tables_of_a_project(tmp_path: Path, fuzz: Fuzz) -> None:
    root = tmp_path / "work/fuzzed"
    root.mkdir()

    def check(text: str) -> None:
        (root / "pyproject.toml").write_text(text, encoding="utf-8", errors="replace")
        understand(str(root))

    base = '[project]\nname = "fuzzed"\nversion = "1"\ndependencies = []\n'
    fuzz(pairs(KEYS), check)
    fuzz(changed(base.encode() * 2).map(lambda data: data.decode(errors="replace")), check)
    fuzz(st.text(), check)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_file(tmp_path: Path, fuzz: Fuzz, name: str) -> None:
    root = tmp_path / "work/fuzzed"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "fuzzed"\nversion = "1"\n')

    def check(text: str) -> None:
        tables = text.replace("package.", "[[package]]\n", 1).replace("packages.", "[[packages]]\n", 1)
        for content in (text, tables):
            (root / name).write_text(content, encoding="utf-8", errors="replace")
            understand(str(root))

    fuzz(pairs(LOCKS[name].split()) | st.text(), check)


def test_requirement_files(tmp_path: Path, fuzz: Fuzz) -> None:
    root = tmp_path / "work/fuzzed"
    root.mkdir()
    text = '[project]\nname = "fuzzed"\nversion = "1"\n[tool.roost]\nrequirements = ["r.txt"]\n'
    (root / "pyproject.toml").write_text(text)
    (root / "more.txt").write_text("-r r.txt\n")
    words = st.sampled_from(
        [
            "-r",
            "-c",
            "-e",
            "-rmore.txt",
            "--requirement=",
            "more.txt",
            "none.txt",
            " ",
            "=",
            ".",
            "..",
            "/",
            "file:",
            " @ file:",
            "a",
            *("\\\n", "#", "\0", "\x0c", "\u2028", "[x]", " ;", "https://", "'", "\ufeff", "x" * 300),
        ]
    )
    lines = st.lists(st.lists(words | TEXTS, max_size=5).map("".join), max_size=4).map("\n".join)

    def check(text: str) -> None:
        (root / "r.txt").write_text(text, encoding="utf-8", errors="replace")
        understand(str(root))
        with contextlib.suppress(RoostError):
            inputs = Inputs()
            requirements.follow(find(str(root), inputs), inputs, ["r.txt"])

    fuzz(lines, check)


def test_request_for_a_python(tmp_path: Path, fuzz: Fuzz) -> None:
    """What is let through is nothing that uv would take for a program or a path."""
    root = tmp_path / "work/fuzzed"
    root.mkdir()
    words = st.sampled_from(
        ["3", ".", "11", ">=", "<", "~=", ",", " ", "cpython", "cp", "@", "-", "t", "rc1", "*", "#", "\n", "/", "x"]
    )
    found = Found(str(root), {}, ())

    def check(text: str) -> None:
        (root / ".python-version").write_text(text, encoding="utf-8", errors="replace")
        try:
            asked = interpreter.request(found, settings_of(found), None, Inputs())
        except RoostError as error:
            assert "which is no version" in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert (
                asked.text[0].isdigit()
                or asked.text[:2] in ("cp", "py", "pp", "gr", "gp", ">=", "<=", "==", "~=", "!=")
                or (asked.text[0] in "<>@")
            )
            assert not set(asked.text) & set("/\\~\n\0")

    fuzz(st.lists(words, max_size=9).map("".join) | TEXTS, check)


def settings_of(found: Found) -> Any:
    """Return the settings of a project that has none."""
    from roost import settings as read_settings  # noqa: PLC0415 - hypothesis has a name like that, too

    return read_settings.read(found, "default")


def test_patterns(tmp_path: Path, fuzz: Fuzz) -> None:
    """Nothing but paths below the folder, or beside it where the pattern says so; and no link is followed by `**`."""
    root = tmp_path / "work/fuzzed"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/c.rs").touch()
    (root / "a/loop").symlink_to("..")
    parts = st.sampled_from(
        ["**", "*", "a", "b", "?", "[a-c]", "[", "[!", "]", ".", "..", "", "*.rs", "loop", "\0", "x" * 300]
    )

    def check(pattern: str) -> None:
        inputs = Inputs()
        with contextlib.suppress(RoostError):
            for path in inputs.expand(str(root), pattern):
                assert f"{path}/".startswith(f"{root}/") or ".." in pattern
        inputs.moved()

    fuzz(st.lists(parts | NAMES, max_size=4).map("/".join), check)


def test_file_that_tells_a_version(tmp_path: Path, fuzz: Fuzz) -> None:
    words = st.sampled_from(
        ["version", "__version__", "=", " ", "\n", "'1'", "\t", "VERSION", "_", "\r", "\0", ":", "#"]
    )
    (tmp_path / "setup.cfg").write_text("")

    def check(text: str) -> None:
        (tmp_path / "told.py").write_bytes(text.encode("utf-8", "replace"))
        tables = {"tool": {"hatch": {"version": {"path": "told.py"}}}}
        ((_, lines),) = versions.told(str(tmp_path), tables, Inputs())
        assert all("=" in line for line in filter(None, lines.split("\n")))

    fuzz(st.lists(words, max_size=12).map("".join), check)
    check("version" * 100_000)


def test_words_of_a_command_line(fuzz: Fuzz) -> None:
    words = st.sampled_from(
        ["--env", "--python=", "--project", "--directory=.", "--external", "--", "-q", "--quiet", "-h", "", "="]
    )
    fuzz(st.lists(words | TEXTS, max_size=6), launch.parse)


def test_bound_on_a_wait(fuzz: Fuzz) -> None:
    def check(text: str) -> None:
        with contextlib.suppress(RoostError):
            assert 0 <= checked(text, "ROOST_TIMEOUT") < float("inf")

    fuzz(st.floats().map(str) | TEXTS, check)


def test_folders_that_a_project_names(tmp_path: Path, fuzz: Fuzz) -> None:
    """Path dependencies lead from folder to folder; none is read twice, and none that is not there."""
    roots = [tmp_path / "work" / name for name in ("one", "two")]
    for root in roots:
        root.mkdir()
    paths = st.sampled_from([".", "..", "../one", "../two", "none", "/", "../one/../two", "\0", "x" * 300])

    def check(named: list[str]) -> None:
        for root in roots:
            entries = "".join(f"s{number} = {{path = {toml(path)}}}\n" for number, path in enumerate(named))
            (root / "pyproject.toml").write_text(f'[project]\nname = "p"\nversion = "1"\n[tool.uv.sources]\n{entries}')
        inputs = Inputs()
        with contextlib.suppress(RoostError):
            found = sources.followed(find(str(roots[0]), inputs), inputs)
            assert len(found) == len(set(found))

    fuzz(st.lists(paths | NAMES, max_size=4), check)
