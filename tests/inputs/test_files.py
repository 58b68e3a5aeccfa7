"""What an environment is made from: which edits count, and which do not."""

import os
from pathlib import Path

import pytest

from roost.inputs.files import Inputs
from tests.lib.projects import Project, builds, refused, start_until_indexed, starts_warm
from tests.lib.variants import slow_after

TABLES = [
    ("ruff", "[tool.ruff]\nline-length = 100\n", 0),
    ("mypy", "[tool.mypy]\nstrict = true\n", 0),
    ("pytest", "[tool.pytest.ini_options]\naddopts = '-q'\n", 0),
    ("comment", "# a comment\n\n", 0),
    ("unknown tool", "[tool.mine]\nx = 1\n", 1),
    ("setuptools", "[tool.setuptools]\nzip-safe = true\n", 1),
    ("uv's build settings", "[tool.hatch.build]\nx = 1\n", 1),
    ("unknown top table", "[mine]\nx = 1\n", 1),
]


@pytest.mark.slow
def test_tables_that_count_and_tables_that_do_not(ready: Project) -> None:
    whole = (ready.root / "pyproject.toml").read_text()
    for name, text, count in TABLES:
        ready.file("pyproject.toml", whole.replace("[tool.roost]\n", f"{text}[tool.roost]\n"))
        before = builds(ready)
        got = ready.python("import apple")
        assert got.returncode == 0, (name, got.stderr)
        assert builds(ready) == before + count, name
        assert bool(got.stderr) == bool(count), name
        ready.file("pyproject.toml", whole)
        start_until_indexed(ready)


def test_group_that_is_not_asked_for_does_not_count(project: Project) -> None:
    """Without a lock file, that is: a lock file holds all groups, and counts whole."""
    (project.root / "uv.lock").unlink()
    project.python("pass")
    project.edit("pyproject.toml", "[dependency-groups]\n", '[dependency-groups]\ndocs = ["cherry"]\n')
    assert project.python("pass").stderr == ""
    assert builds(project) == 1


def test_order_and_layout_do_not_count(ready: Project) -> None:
    text = (ready.root / "pyproject.toml").read_text()
    head, _, rest = text.partition("[tool.uv]")
    ready.file(
        "pyproject.toml", f"[tool.uv]{rest}\n\n# at the end\n{head}".replace('version = "1.0"', "version   =   '1.0'")
    )
    assert ready.python("pass").stderr == ""
    assert builds(ready) == 1


def test_dependencies_count(ready: Project) -> None:
    ready.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    ready.lock()
    got = ready.python("import apple; print(apple.VERSION)")
    assert got.stdout == "1.0\n"
    assert "changed: pyproject.toml [project] dependencies, uv.lock" in got.stderr
    assert builds(ready) == 2


def test_lock_file_alone_counts(ready: Project) -> None:
    text = (ready.root / "uv.lock").read_text()
    ready.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    ready.lock()
    other = (ready.root / "uv.lock").read_text()
    assert other != text
    ready.edit("pyproject.toml", '["apple<2"]', '["apple"]')
    ready.file("uv.lock", text.replace("revision = ", "revision =  "))
    got = ready.python("pass")
    assert "changed: uv.lock" in got.stderr
    assert builds(ready) == 2


def test_ignored_tables(ready: Project) -> None:
    ready.edit("pyproject.toml", "[tool.roost]\n", '[tool.mine]\nx = 1\n[tool.roost]\nignore-tables = ["tool.mine"]\n')
    assert ready.python("pass").stderr == ""
    ready.edit("pyproject.toml", "x = 1", "x = 2")
    assert ready.python("pass").stderr == ""
    assert builds(ready) == 1


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("keep = 5", 0),
        pytest.param("link = false", 0, marks=pytest.mark.slow),
        ("compile-bytecode = false", 1),
        pytest.param("groups = []", 1, marks=pytest.mark.slow),
    ],
)
def test_settings_that_count(ready: Project, line: str, count: int) -> None:
    ready.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\n{line}\n")
    assert ready.python("pass").returncode == 0
    assert builds(ready) == 1 + count


def test_bytecode_is_compiled_in_the_build(ready: Project) -> None:
    assert list(ready.venvs()[0].glob("lib/*/site-packages/apple/__pycache__/late.*.pyc"))


PATTERNS = [
    ("top", ["top"]),
    ("missing", []),
    ("./a//b.rs", ["a/b.rs"]),
    ("*", ["a", "top"]),
    ("a/*.rs", ["a/b.rs"]),
    ("a/?.r[rs]", ["a/b.rs"]),
    ("**/*.rs", ["a/b.rs", "a/c/d.rs"]),
    ("a/**/*.rs", ["a/b.rs", "a/c/d.rs"]),
    ("**/**/d.rs", ["a/c/d.rs"]),
    ("a/**", ["a/b.rs", "a/c", "a/c/d.rs", "a/loop"]),
    ("*/b.rs", ["a/b.rs"]),
    ("*/missing", []),
    (".*", [".hidden"]),
    (".hidden/*", [".hidden/e"]),
    ("a/loop/top", ["a/loop/top"]),
    ("a/*/top", ["a/loop/top"]),
    ("../beside", ["../beside"]),
    ("none/*", []),
]


@pytest.mark.parametrize(("pattern", "found"), PATTERNS)
def test_what_a_pattern_matches(tmp_path: Path, pattern: str, found: list[str]) -> None:
    """Names that begin with a dot are asked for by a dot, and `**` follows no links."""
    for name in ("beside", "root/top", "root/a/b.rs", "root/a/c/d.rs", "root/.hidden/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "root/a/loop").symlink_to("..")
    root = str(tmp_path / "root")
    assert sorted(set(Inputs().expand(root, pattern))) == [f"{root}/{name}" for name in found]


GLOBS = [
    ("Cargo.toml", "Cargo.toml"),
    ("rust/**/*.rs", "rust/a/b/new.rs"),
    ("rust/**", "rust/deep/new.txt"),
    ("*/new.rs", "rust/new.rs"),
    ("none/yet/*.rs", "none/yet/new.rs"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "name"), GLOBS)
@pytest.mark.normally(name=[GLOBS[1][1], GLOBS[4][1]])  # which files a pattern means is tested above
def test_glob_notices_a_file_that_comes_changes_and_goes(project: Project, pattern: str, name: str) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", f'[tool.roost]\ninputs = ["{pattern}"]\nkeep = 9\n')
    if "none" not in pattern:
        for folder in ("rust/a/b", "rust/deep"):
            (project.root / folder).mkdir(parents=True)
    assert project.python("pass").returncode == 0
    start_until_indexed(project)
    assert starts_warm(project)
    project.file(name, "1")
    assert project.python("pass").stderr.count("building") == 1
    start_until_indexed(project)
    project.file(name, "2")
    assert "changed: " + os.path.normpath(name) in project.python("pass").stderr
    start_until_indexed(project)
    project.file("rust/a/b/unrelated.md" if pattern != "rust/**" else "unrelated.md", "1")
    assert project.python("pass").stderr == ""
    start_until_indexed(project)
    (project.root / name).unlink()
    assert project.python("pass").stderr == ""  # back in the first state
    assert builds(project) == 3


REFUSED = [
    (
        "inputs = ['/etc/hosts']",
        "`/etc/hosts` in `inputs` of `{file}` does not name a file in the project: write a path from its folder",
    ),
    ("inputs = ['']", "`` in `inputs` of `{file}` does not name a file in the project"),
    ("inputs = ['..']", "`..` in `inputs` of `{file}` does not name a file in the project"),
    ("inputs = ['pipe']", "`{root}/pipe` is not a regular file, so no environment can be made from it"),
    ("inputs = ['p*']", "`{root}/pipe` is not a regular file, so no environment can be made from it"),
    (
        "inputs = ['folder']",
        "`{root}/folder` in `tool.roost.inputs` is a folder: `folder/**` matches the files",
    ),
    (
        "inputs = ['folder/']",
        "`{root}/folder` in `tool.roost.inputs` is a folder: `folder/**` matches the files",
    ),
    ("inputs = ['huge']", "`{root}/huge` is larger than 64 MiB, so no environment is made from it"),
    ("inputs = ['many/*']", "the pattern `many/*` matches more than 20000 paths in `{root}`: narrow it"),
]


@pytest.mark.slow
def test_input_that_no_environment_can_be_made_from(project: Project) -> None:
    os.mkfifo(project.root / "pipe")
    project.file("folder/file", "")
    with (project.root / "huge").open("wb") as file:
        file.truncate((64 << 20) + 1)
    for number in range(20_001):
        project.file(f"many/{number}", "")
    text = (project.root / "pyproject.toml").read_text()
    for line, sentence in REFUSED:
        project.file("pyproject.toml", text.replace("[tool.roost]\n", f"[tool.roost]\n{line}\n"))
        assert sentence.format(file=project.root / "pyproject.toml", root=project.root) in refused(project)


@pytest.mark.parametrize("name", slow_after(2, ["uv.lock", ".python-version", "pyproject.toml", "uv.toml", "setup.py"]))
def test_input_of_the_wrong_kind(project: Project, name: str) -> None:
    path = project.root / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert f"`{path}` is not a regular file, so no environment can be made from it" in refused(project)
    path.unlink()
    path.mkdir()
    assert f"`{path}` is not a regular file, so no environment can be made from it" in refused(project)
