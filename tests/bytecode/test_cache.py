"""The bytecode cache: shared by all projects, and never a reason for a build to fail or for code to be wrong."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from roost.bytecode.cache import Cache
from tests.lib.bytecode import LOADED, another, built, bytecode, cached, version
from tests.lib.nox_sessions import OTHER_PYTHON, with_other_python
from tests.lib.processes import ROOST, UV, all_at_once, finish, run
from tests.lib.projects import Project
from tests.lib.venvs import site_packages
from tests.lib.wheels import make_wheel


def test_another_project_links_what_the_first_compiled(project: Project) -> None:
    first, second = built(project), built(another(project, "second"))
    for name in ("apple/later", "banana/late"):
        assert bytecode(first, name).samefile(bytecode(second, name))
        assert bytecode(first, name).stat().st_nlink == 3  # both venvs, and the cache


@pytest.mark.slow
@pytest.mark.skipif(not OTHER_PYTHON, reason="there is one Python alone")
def test_projects_of_two_pythons_and_worktrees_at_once(project: Project, tmp_path: Path, cache: Path) -> None:
    """All of them fill and use the cache at the same time."""
    projects = [another(project, f"tree-{number}") for number in range(6)]
    for made in projects[::2]:
        made.file(".python-version", f"{OTHER_PYTHON}\n")
    for _ in range(2):
        children = all_at_once(
            len(projects), tmp_path, lambda number: [ROOST, "sync", "--project", projects[number].root],
            env=with_other_python(),
        )  # fmt: skip
        ended = [finish(child) for child in children]
        assert [status for status, _, _ in ended] == [0] * len(projects), ended
        for _, out, _ in ended:
            assert run([f"{out.strip()}/bin/python", "-I", "-c", LOADED]).stdout == ""
        for made in projects:
            shutil.rmtree(made.store)
    assert len(list(cache.glob("interpreters-v1/*"))) == 2
    assert [path.name for path in cache.glob("bytecode-v1/*/.*")] == []


def replace_in(path: Path, old: str, new: str, *, keep_time: bool) -> None:
    """Edit a file in place, in all venvs and in uv's cache that link it."""
    before = path.stat()
    path.write_text(path.read_text().replace(old, new))
    then = before.st_mtime if keep_time else before.st_mtime + 2
    os.utime(path, (then, then))


@pytest.mark.slow
def test_source_that_was_edited_in_uvs_cache(project: Project) -> None:
    """The next venv gets the edit and its bytecode. The cache keeps only the bytecode of what was published."""
    first = built(project)
    replace_in(site_packages(first) / "apple/later.py", "2.0", "2.1", keep_time=False)
    second, third = built(another(project, "second")), built(another(project, "third"))
    assert (version(second), version(third)) == ("2.1", "2.1")
    assert bytecode(third, "apple/later").stat().st_nlink == 1
    assert bytecode(third, "apple/late").samefile(bytecode(first, "apple/late"))


def test_equal_names_and_sizes_with_other_content(project: Project) -> None:
    """A copy with the size and the second of the first, but another content: Python would load the first's bytecode."""
    first = built(project)
    look = (site_packages(first) / "apple/later.py").stat()
    second = another(project, "second")
    edit = f"sed -i s/2.0/2.1/ later.py && touch -d @{int(look.st_mtime)} later.py"
    install = f"{UV} pip install -q --no-index --find-links {project.wheels} apple==2.0"
    second.file("install.sh", f"{install} && cd $VIRTUAL_ENV/lib/python3.*/site-packages/apple && {edit}\n")
    second.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\ncommand = ['sh', 'install.sh']\n")
    venv = built(second)
    edited = (site_packages(venv) / "apple/later.py").stat()
    assert (edited.st_size, int(edited.st_mtime)) == (look.st_size, int(look.st_mtime))
    assert version(venv) == "2.1"


@pytest.mark.slow
def test_copied_sources_get_copied_bytecode_with_their_time(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = built(project)
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    second = built(another(project, "second"))
    old, new = (bytecode(venv, "apple/later").read_bytes() for venv in (first, second))
    assert old[16:] == new[16:]
    assert str(first).encode() in new  # it was not compiled again


@pytest.mark.slow
def test_clean_up_while_others_link(project: Project, tmp_path: Path) -> None:
    projects = [another(project, f"tree-{number}") for number in range(4)]
    built(project)

    def launch(number: int) -> list[str | Path]:
        if number % 2:
            return ["/bin/sh", "-c", f"for i in 1 2 3 4; do {ROOST} clean --cache || exit 1; done"]
        return [ROOST, "sync", "--project", projects[number // 2].root]

    ended = [finish(child) for child in all_at_once(8, tmp_path, launch, cwd=project.root)]
    assert [status for status, _, _ in ended] == [0] * 8, ended
    for _, out, _ in ended[::2]:
        assert run([f"{out.strip()}/bin/python", "-I", "-c", LOADED]).stdout == ""


@pytest.mark.parametrize("mode", ["CHECKED_HASH", pytest.param("UNCHECKED_HASH", marks=pytest.mark.slow)])
def test_bytecode_that_a_wheel_brings_stays(project: Project, tmp_path: Path, cache: Path, mode: str) -> None:
    """Also with a hash in place of the time. It is neither replaced nor kept in the cache."""
    code = f"import py_compile as p; p.compile('m.py', 'm.pyc', invalidation_mode=p.PycInvalidationMode.{mode})"
    (tmp_path / "m.py").write_text("x = 1\n")
    run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    compiled = (tmp_path / "m.pyc").read_bytes()
    project.file("m.pyc.hex", compiled.hex())
    tag = sys.implementation.cache_tag
    script = (
        "import sys, pathlib, os; p = next(pathlib.Path(os.environ['VIRTUAL_ENV']).glob('lib/python3*/site-packages'));"
        f"(p / 'm.py').write_text('x = 1\\n'); (p / '__pycache__').mkdir(exist_ok=True);"
        f"(p / '__pycache__/m.{tag}.pyc').write_bytes(bytes.fromhex(pathlib.Path('m.pyc.hex').read_text()))"
    )
    project.file("install.py", script)
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\ncommand = ['python', 'install.py']\n")
    assert project.roost("sync").returncode == 0
    (venv,) = project.venvs()
    assert (site_packages(venv) / f"__pycache__/m.{tag}.pyc").read_bytes() == compiled
    assert all(path.read_bytes()[4:8] == bytes(4) for path in cached(cache))


def test_source_date_epoch_changes_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, Python would write bytecode that each import checks by the hash of the source."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    built(project)


def test_nothing_is_touched_without_bytecode(project: Project, cache: Path) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\ncompile-bytecode = false\n")
    assert project.roost("sync").returncode == 0
    assert not (cache / "bytecode-v1").exists()


@pytest.mark.parametrize(
    "words", [["sync", "--no-cache"], pytest.param(["run", "--no-cache", "true"], marks=pytest.mark.slow)]
)
def test_no_cache(project: Project, cache: Path, words: list[str]) -> None:
    got = project.roost(*words)
    assert got.returncode in (0, 127), got.stderr
    assert len(project.venvs()) == 1
    assert list(site_packages(project.venvs()[0]).rglob("*.pyc"))
    assert not cache.exists()


def test_no_cache_is_for_one_build(project: Project) -> None:
    """The command does not inherit the option: a roost that it calls has its cache. It inherits the user's variable."""
    code = "import os; print(os.environ.get('ROOST_NO_CACHE'))"
    for env, expected in (({}, "None\n"), ({"ROOST_NO_CACHE": "yes"}, "yes\n")):
        got = project.run("--no-cache", "python", "-c", code, env=dict(os.environ) | env)
        assert (got.returncode, got.stdout) == (0, expected), got.stderr


def test_a_session_adds_nothing(project: Project, cache: Path) -> None:
    built(project)
    before = cached(cache)
    for path in project.venvs()[0].rglob("*.pyc"):
        path.unlink()
    assert project.python("import apple.later, banana.later").returncode == 0
    assert cached(cache) == before


@pytest.mark.slow
def test_limit_removes_the_entries_of_the_oldest_use(project: Project, cache: Path) -> None:
    """With one MB, and an entry that leaves space for one of the two others."""
    built(project)
    lists = sorted(cache.glob("bytecode-v1/entries/*/modules"))
    assert len(lists) == 2
    for age, path in enumerate(lists):
        os.utime(path, (age, age))
    kept = json.loads(lists[1].read_text().partition("\n")[0])[2]
    folder = project.root.parent / "large"
    folder.mkdir()
    make_wheel(folder, "large", "1.0", files={"large/data.py": f"x = {'y' * (1_000_000 - 2 * kept - 400)!r}\n"})
    second = another(project, "second")
    second.write(dependencies=["large"])
    second.edit("pyproject.toml", "find-links = [", f'find-links = ["{folder}", ')
    second.lock()
    got = second.roost("sync", env=os.environ | {"ROOST_CACHE_LIMIT": "1"})
    assert got.returncode == 0, got.stderr
    assert len(list(cache.glob("bytecode-v1/entries/*"))) == 2
    assert [path.exists() for path in lists] == [False, True]


@pytest.mark.slow
def test_commands_show_and_empty_the_cache(project: Project, cache: Path) -> None:
    first = built(project)
    report = json.loads(project.roost("status", "--json").stdout)["cache"]
    count = len(list(cache.glob("bytecode-v1/entries/*")))
    size = sum(path.stat().st_size for path in cached(cache))
    assert report == {"path": f"{cache}/bytecode-v1", "entries": count, "bytes": size, "limit": 2_000_000_000}
    assert f", {cache}/bytecode-v1" in project.roost("status").stdout.replace("\n", " ")
    assert f"new venvs link their bytecode from `{cache}/bytecode-v1`" in project.roost("doctor").stdout
    said = project.roost("clean", "--cache", cwd=project.root.parent).stdout
    assert said == f"removed {count} entries, 0.0 MiB, from {cache}/bytecode-v1\n"
    assert cached(cache) == []
    assert bytecode(first, "apple/later").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ROOST_CACHE_DIR", "cache", "`ROOST_CACHE_DIR` is `cache`: it must be an absolute path"),
        ("ROOST_CACHE_LIMIT", "2G", "`ROOST_CACHE_LIMIT` is `2G`: it must be a number of MB, such as `2000`"),
    ],
)
def test_wrong_variables(project: Project, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    got = project.roost("sync")
    assert (got.returncode, said in got.stderr) == (2, True), got.stderr


def test_place_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOST_CACHE_DIR")
    assert Cache().root == f"{os.environ['HOME']}/.cache/roost/bytecode-v1"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert Cache().root == f"{os.environ['HOME']}/.cache/roost/bytecode-v1"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert Cache().root == "/elsewhere/roost/bytecode-v1"
