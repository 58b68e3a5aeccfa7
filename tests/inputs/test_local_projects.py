"""What uv's `cache-keys`, roost's `inputs` and the build backends name: which files and variables count, and how."""

import os
import shutil
from pathlib import Path

import pytest

from roost.errors import RoostError
from roost.inputs.files import COUNT_LIMIT, Inputs
from tests.lib.packages import InputParts, installed, package, said, uv_table
from tests.lib.processes import run
from tests.lib.projects import Project, builds, refused, start_until_indexed, starts_warm


@pytest.fixture
def built(tmp_path: Path, wheels: Path) -> Project:
    """Provide a project with a build of its own and no lock file."""
    made = Project(tmp_path / "work" / "project", wheels)
    package(made, ".", more=uv_table(made))
    return made


def keys(project: Project, text: str) -> None:
    """Let uv's `cache-keys` be `text`."""
    package(project, ".", more=uv_table(project, f"cache-keys = {text}"))


def log(project: Project, folder: str = ".") -> int:
    """Return how often the backend in `folder` ran."""
    return len((project.root / folder / "builds.log").read_text().splitlines())


@pytest.mark.parametrize("entry", ["'rust/**/*.{rs,toml}'", "{file = 'rust/**/*.{rs,toml}'}", "{file = 'rust/a/b.rs'}"])
def test_file_keys(built: Project, entry: str) -> None:
    built.file("rust/a/b.rs", "1")
    keys(built, f"[{entry}]")
    before = InputParts(built)
    built.file("rust/a/b.rs", "2")
    assert before.changed() == ["rust/a/b.rs"]
    built.file("rust/a/b.md", "1")
    assert before.changed() == ["rust/a/b.rs"]
    (built.root / "rust/a/b.rs").unlink()
    assert "rust/a/b.rs" in before.changed()


def test_file_of_a_key_is_built_again(built: Project) -> None:
    built.file("lib.rs", "1")
    keys(built, "[{file = '*.rs'}, {file = 'pyproject.toml'}]")
    said(built)
    start_until_indexed(built)
    assert starts_warm(built)
    before = log(built)
    built.file("lib.rs", "2")
    assert "changed: lib.rs\n" in said(built)
    assert said(built) == ""
    assert log(built) == before + 1  # not taken from uv's cache


def test_dir_key_is_about_the_folder_and_not_what_is_in_it(built: Project) -> None:
    keys(built, "[{dir = 'generated'}, {file = 'pyproject.toml'}]")
    before = InputParts(built)
    (built.root / "generated").mkdir()
    assert before.changed() == [". [tool.uv] cache-keys generated"]
    then = InputParts(built)
    built.file("generated/file", "")
    assert then.changed() == []
    shutil.rmtree(built.root / "generated")
    assert (before.changed(), then.changed()) == ([], [". [tool.uv] cache-keys generated"])
    assert installed(built) == "project 1.0"  # uv has nothing against it


@pytest.mark.slow
def test_env_key_is_the_value_that_the_build_gets_and_is_never_written_down(built: Project) -> None:
    keys(built, "[{env = 'BUILT_WITH'}, {file = 'pyproject.toml'}]")
    show = "import importlib.metadata as m; print(m.distribution('project').read_text('built.txt'))"
    venvs = set()
    for value in ("secret-one", "secret-two", "secret-one", "x"):
        env = dict(os.environ) | {"BUILT_WITH": value}
        got = built.python(f"{show}; import sys; print(sys.prefix)", env=env)
        assert got.returncode == 0, got.stderr
        assert got.stdout.splitlines()[0] == value
        assert "secret" not in got.stderr
        venvs.add(got.stdout.splitlines()[1])
    assert len(venvs) == builds(built) == 3
    # A link of a venv leads to the interpreter, whose binary may contain this word on its own.
    files = [path for path in built.store.rglob("*") if path.is_file() and not path.is_symlink()]
    inside = [path for path in files if "dist-info" not in str(path)]
    assert any(path.name == "journal" for path in inside)
    assert not [path for path in inside if b"secret" in path.read_bytes()]
    got = built.python(show, env=dict(os.environ) | {"BUILT_WITH": "three"})
    assert "changed: environment variable BUILT_WITH" in got.stderr


def test_git_key_does_not_count(built: Project) -> None:
    """Each commit would be another environment."""
    keys(built, "[{git = {commit = true, tags = true}}]")
    before = InputParts(built)
    for words in ("init -q", "add -A", "commit -q -m x"):
        assert run(["git", *words.split()], cwd=built.root).returncode == 0
    assert before.changed() == []


@pytest.mark.parametrize(
    "entry", ["'folder'", "{file = 'folder'}", "{file = 'folder/*'}", "{file = 'no'}", "{dir = 'no'}"]
)
def test_keys_that_lead_to_no_file_are_passed_over(built: Project, entry: str) -> None:
    (built.root / "folder/deeper").mkdir(parents=True)
    keys(built, f"[{entry}]")
    assert InputParts(built).changed() == []


def test_keys_that_lead_to_no_file_are_passed_over_by_uv_too(built: Project) -> None:
    (built.root / "folder/deeper").mkdir(parents=True)
    keys(built, "['folder', {file = 'folder/*'}, {file = 'no'}, {dir = 'no'}]")
    assert installed(built) == "project 1.0"


def test_key_outside_of_the_project(built: Project, tmp_path: Path) -> None:
    for path in (str(tmp_path / "outside.txt"), "../beside.txt"):
        keys(built, f"['{path}']")
        before = InputParts(built)
        (built.root / path).write_text("")
        assert os.path.relpath(built.root / path, built.root) in before.changed()


def test_keys_of_the_wrong_type_are_for_uv_to_refuse(built: Project) -> None:
    keys(built, "[3, {file = 3}, {nonsense = 'x'}]")
    assert "cache-keys" in refused(built)


@pytest.mark.slow
def test_edit_of_a_file_that_cache_keys_leave_out_is_built_again(built: Project) -> None:
    """Uv looks at nothing else where `cache-keys` are given, and would take the build of before."""
    keys(built, "[{file = 'other.txt'}]")
    built.lock()  # `uv pip install` builds what it is given by path each time
    assert installed(built) == "project 1.0"
    before = log(built)
    built.edit("pyproject.toml", "version = '1.0'", "version = '1.0'\ndescription = 'new'")
    assert installed(built) == "project 1.0"
    assert log(built) == before + 1


def test_keys_of_a_member_count(built: Project) -> None:
    package(built, "packages/red", more="[tool.uv]\ncache-keys = [{file = 'lib.rs'}, {file = 'pyproject.toml'}]\n")
    package(built, ".", more=uv_table(built, "workspace.members = ['packages/*']"))
    before = InputParts(built)
    built.file("packages/red/lib.rs", "1")
    assert "packages/red/lib.rs" in before.changed()


@pytest.mark.slow
def test_inputs_of_a_member_are_built_again(built: Project) -> None:
    """Uv knows nothing of roost's inputs, so it must not take the build of before, of any package."""
    package(built, "packages/red")
    built.file("packages/red/lib.rs", "1")
    table = "[tool.roost]\ninputs = ['packages/red/lib.rs']\n"
    package(built, ".", more=uv_table(built, "workspace.members = ['packages/*']") + table)
    built.lock()  # `uv pip install` builds what it is given by path each time
    said(built)
    before = log(built, "packages/red")
    built.file("packages/red/lib.rs", "2")
    assert "changed: packages/red/lib.rs\n" in said(built)
    assert log(built, "packages/red") == before + 1


FILES = {
    "version": ("[tool.setuptools.dynamic]\nversion = {file = ['one.txt']}\n", True),
    "requirements": ("[tool.setuptools.dynamic]\ndependencies = {file = 'one.txt'}\n", True),
    "extra": ("[tool.setuptools.dynamic.optional-dependencies]\nx = {file = ['one.txt']}\n", True),
    "hatch's hook": ("[tool.hatch.metadata.hooks.requirements_txt]\nfiles = ['one.txt']\n", True),
    "readme": ("[tool.setuptools.dynamic]\nreadme = {file = ['one.txt']}\n", False),
}


@pytest.mark.parametrize(("table", "counts"), FILES.values(), ids=list(FILES))
def test_files_that_a_backend_is_told_to_read(built: Project, table: str, counts: bool) -> None:
    built.file("pyproject.toml", f"[project]\nname = 'project'\n{table}")
    before = InputParts(built)
    for text in ("apple\n", "banana\n"):
        built.file("one.txt", text)
        assert before.changed() == (["one.txt"] if counts else [])


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("maturin", "Cargo.toml"),
        ("mesonpy", "meson.build"),
        ("mesonpy", "meson_options.txt"),
        ("scikit_build_core.build", "CMakeLists.txt"),
    ],
)
def test_files_that_a_backend_takes_metadata_from(built: Project, backend: str, name: str) -> None:
    built.file("pyproject.toml", f"[project]\nname = 'project'\n[build-system]\nbuild-backend = '{backend}'\n")
    before = InputParts(built)
    built.file(name, "1")
    assert before.changed() == [name]


def test_crate_that_lies_elsewhere(built: Project) -> None:
    built.file("pyproject.toml", "[project]\nname = 'project'\n[tool.maturin]\nmanifest-path = 'rust/Cargo.toml'\n")
    before = InputParts(built)
    built.file("rust/Cargo.toml", "[package]\n")
    built.file("rust/Cargo.lock", "")
    assert before.changed() == ["rust/Cargo.lock", "rust/Cargo.toml"]


def test_files_that_setup_cfg_names(built: Project) -> None:
    cfg = "[metadata]\nlong_description = file: readme.md\n[options]\ninstall_requires = file: one.txt, two.txt\n"
    built.file("setup.cfg", cfg)
    before = InputParts(built)
    built.file("two.txt", "apple\n")
    built.file("readme.md", "new\n")
    assert before.changed() == ["two.txt"]


MANY = 1000  # files; 101 ways to each of them


def test_glob_that_matches_a_hundred_thousand_files(built: Project) -> None:
    """Through links it takes a thousand files to be that many. roost gives up long before it saw them all."""
    for number in range(MANY):
        built.file(f"many/0/{number}", "")
    for number in range(1, 101):
        (built.root / f"many/{number}").symlink_to("0")
    package(built, ".", more=uv_table(built) + "[tool.roost]\ninputs = ['many/*/*']\n")
    found = f"the pattern `many/*/*` matches more than {COUNT_LIMIT} paths in `{built.root}`: narrow it"
    assert found in refused(built)
    inputs = Inputs()
    with pytest.raises(RoostError, match="matches more than"):
        list(inputs.expand(str(built.root), "many/*/*"))
    assert len(inputs.folders) < 30  # of 102


def test_glob_through_too_many_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is looked at by every warm start, so they are bounded, also where nothing in them matches."""
    monkeypatch.setattr("roost.inputs.files.COUNT_LIMIT", 20)
    for number in range(21):
        (tmp_path / f"deep/{number}").mkdir(parents=True)
    with pytest.raises(RoostError, match=r"the pattern `\*\*/x` leads through more than 20 folders, such as `"):
        list(Inputs().expand(str(tmp_path), "**/x"))


def test_braces_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(RoostError, match="matches more than"):
        list(Inputs().expand(str(tmp_path), "{a,b}" * 40))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.{rs,toml}", ["a.rs", "a.toml"]),
        ("{b/,}*.rs", ["a.rs", "b/a.rs"]),
        ("{a,{b/a,c}}.rs", ["a.rs", "b/a.rs"]),
        ("{a}.rs", ["a.rs"]),
        ("{a.rs", []),
    ],
)
def test_alternatives_in_braces(tmp_path: Path, pattern: str, found: list[str]) -> None:
    for name in ("a.rs", "a.toml", "b/a.rs"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(set(Inputs().expand(str(tmp_path), pattern))) == [f"{tmp_path}/{name}" for name in found]


@pytest.mark.parametrize("name", ["uv.lock", ".python-version", "uv.toml", "setup.cfg", "extra.txt"])
def test_file_that_cannot_be_read_is_named_with_the_cause(built: Project, name: str) -> None:
    """A link to itself cannot be read by anyone, not even by root."""
    package(built, ".", more=uv_table(built) + "[tool.roost]\ninputs = ['extra.txt']\n")
    (built.root / name).symlink_to(name)
    with pytest.raises(RoostError, match=f"^`{built.root}/{name}` cannot be read: Too many levels of symbolic links$"):
        InputParts(built)


def test_file_without_permission_is_refused(built: Project) -> None:
    built.file("uv.lock", "").chmod(0)
    if os.geteuid() == 0:
        pytest.skip("root may read everything; the test above breaks the open in another way")
    assert f"`{built.root}/uv.lock` cannot be read: Permission denied\n" in refused(built)
