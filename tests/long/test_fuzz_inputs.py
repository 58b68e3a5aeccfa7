"""Whatever the files of a project may hold: they are understood, or one sentence says why not. Nothing hangs.

They have any value at each of the keys that roost looks at, or any text.
"""

import contextlib
import shutil
from pathlib import Path

import pytest
from hypothesis import strategies as st

from roost import state as states
from roost.cli import run as run_command
from roost.console import waiting
from roost.errors import RoostError
from roost.inputs import interpreter, local_projects, requirements_txt, settings
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.store import marker
from roost.warm import Selection
from tests.lib.fuzzing import TEXTS, changed, fuzz, toml

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
PYTHON = interpreter.Interpreter("/python", "cpython", "3.11.0", "build", "bytecode", "file")


def understand(root: str) -> None:
    """Do with the project in `root` all that is done before an installer is called."""
    for env in ("default", "docs"):
        try:
            state = states.draft(root, Selection(env)).with_interpreter(PYTHON)
            assert len(state.fingerprint) == 16
            assert state.inputs.changed() == []
            marker.locked(state)
        except RoostError:
            continue


@st.composite
def pairs(draw: st.DrawFn, keys: list[str]) -> str:
    """Return some of `keys` with values, as lines of TOML; one that does not fit to those before is left out."""
    chosen: list[str] = []
    for key in draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True)):
        if not any(f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.") for other in chosen):
            chosen.append(key)
    return "".join(f"{key} = {toml(draw(VALUES))}\n" for key in chosen)


def test_tables_of_a_project(tmp_path: Path, soak: float) -> None:
    root = tmp_path / "work/fuzzed"
    root.mkdir()

    def check(text: str) -> None:
        (root / "pyproject.toml").write_text(text, encoding="utf-8", errors="replace")
        understand(str(root))

    base = '[project]\nname = "fuzzed"\nversion = "1"\ndependencies = []\n'
    fuzz(soak, pairs(KEYS), check)
    fuzz(soak, changed(base.encode() * 2).map(lambda data: data.decode(errors="replace")), check)
    fuzz(soak, st.text(), check)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_file(tmp_path: Path, soak: float, name: str) -> None:
    root = tmp_path / "work/fuzzed"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "fuzzed"\nversion = "1"\n')

    def check(text: str) -> None:
        tables = text.replace("package.", "[[package]]\n", 1).replace("packages.", "[[packages]]\n", 1)
        for content in (text, tables):
            (root / name).write_text(content, encoding="utf-8", errors="replace")
            understand(str(root))

    fuzz(soak, pairs(LOCKS[name].split()) | st.text(), check)


def test_requirement_files(tmp_path: Path, soak: float) -> None:
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
            "\\\n",
            "#",
            "\0",
            "\x0c",
            "\u2028",
            "[x]",
            " ;",
            "https://",
            "'",
            "\ufeff",
            "x" * 300,
        ]
    )
    lines = st.lists(st.lists(words | TEXTS, max_size=5).map("".join), max_size=4).map("\n".join)

    def check(text: str) -> None:
        (root / "r.txt").write_text(text, encoding="utf-8", errors="replace")
        understand(str(root))
        with contextlib.suppress(RoostError):
            inputs = Inputs()
            requirements_txt.follow(Project.at(str(root), inputs), inputs, ["r.txt"])

    check("-r\0")
    fuzz(soak, lines, check)


BEGINNINGS = ("cp", "py", "pp", "gr", "gp", ">", "<", "==", "~=", "!=", "@")


def test_request_for_a_python(tmp_path: Path, soak: float) -> None:
    """What is let through is nothing that uv would take for a program or a path."""
    root = tmp_path / "work/fuzzed"
    root.mkdir()
    words = st.sampled_from(
        ["3", ".", "11", ">=", "<", "~=", ",", " ", "cpython", "cp", "@", "-", "t", "rc1", "*", "#", "\n", "/", "x"]
    )
    found = Project(str(root), {}, ())

    def check(text: str) -> None:
        (root / ".python-version").write_text(text, encoding="utf-8", errors="replace")
        try:
            asked = interpreter.request(found, settings.read(found, Selection()), None, Inputs())
        except RoostError:
            return
        assert asked.text[0].isdigit() or asked.text.startswith(BEGINNINGS)
        assert not set(asked.text) & set("/\\\n\0")

    fuzz(soak, st.lists(words, max_size=9).map("".join) | TEXTS, check)


def test_patterns(tmp_path: Path, soak: float) -> None:
    """Nothing but paths below the folder, or next to it where the pattern says so; and no link is followed by `**`."""
    root = tmp_path / "work/fuzzed"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/c.rs").touch()
    (root / "a/loop").symlink_to("..")
    parts = st.sampled_from(
        [
            "**",
            "*",
            "a",
            "b",
            "?",
            "[a-c]",
            "[",
            "[!",
            "]",
            ".",
            "..",
            "",
            "*.rs",
            "loop",
            "\0",
            "x" * 300,
            "{a,b}",
            "{",
            "{,}" * 20,
            "}",
        ]
    )

    def check(pattern: str) -> None:
        inputs = Inputs()
        with contextlib.suppress(RoostError):
            for path in inputs.expand(str(root), pattern):
                assert f"{path}/".startswith(f"{root}/") or ".." in pattern
        inputs.changed()

    deep = root / "/".join("d" * 200)
    deep.mkdir(parents=True)
    for pattern in ("\0/**", "a/" * 3000 + "b", "**/*/" * 12 + "none", "{,}" * 40):
        check(pattern)
    shutil.rmtree(root / "d")
    fuzz(soak, st.lists(parts | NAMES, max_size=4).map("/".join), check)


def test_words_of_a_command_line(soak: float) -> None:
    words = st.sampled_from(
        ["--env", "--python=", "--project", "--directory=.", "--external", "--", "-q", "--quiet", "-h", "", "="]
    )
    fuzz(soak, st.lists(words | TEXTS, max_size=6), run_command.parse)


def test_bound_on_a_wait(soak: float) -> None:
    def check(text: str) -> None:
        with contextlib.suppress(RoostError):
            assert 0 <= waiting.timeout(text) < float("inf")

    fuzz(soak, st.floats().map(str) | TEXTS, check)


def test_folders_that_a_project_names(tmp_path: Path, soak: float) -> None:
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
            found = local_projects.followed(Project.at(str(roots[0]), inputs), inputs)
            assert len(found) == len(set(found))

    fuzz(soak, st.lists(paths | NAMES, max_size=4), check)
