"""The bytecode cache: shared by all projects, and never a reason for a build to fail or for code to be wrong."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.bytecode.cache import Cache
from tests.lib.nox_sessions import OTHER_PYTHON, with_other_python
from tests.lib.processes import ROOST, UV, all_at_once, finish, run
from tests.lib.projects import Project
from tests.lib.venvs import site_packages
from tests.lib.wheels import make_wheel

LOADED = """
import importlib.util, pathlib, py_compile, sys
for source in sorted(pathlib.Path(sys.prefix, "lib").rglob("*.py")):
    name = source.relative_to(sys.prefix)
    path = pathlib.Path(importlib.util.cache_from_source(source))
    if not path.exists():
        print("not compiled:", name)
        continue
    data, look = path.read_bytes(), source.stat()
    expected = importlib.util.MAGIC_NUMBER + bytes(4)
    for number in (int(look.st_mtime), look.st_size):
        expected += number.to_bytes(4, "little")
    if data[:16] != expected:
        print("not valid:", name)
"""


@pytest.fixture(autouse=True)
def cache(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the folder of roost's caches, and an own cache of uv's, which tests edit."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return own_cache


def another(project: Project, name: str) -> Project:
    """Return a copy of a project, without its environments: another checkout."""
    made = Project(project.root.parent / name, project.wheels)
    for file in ("pyproject.toml", "uv.lock"):
        shutil.copy(project.root / file, made.root)
    return made


def built(project: Project, *words: str) -> Path:
    """Build with `roost sync`, which starts no session, and return the venv. Its bytecode must be complete."""
    got = project.roost("sync", *words)
    assert got.returncode == 0, got.stderr
    venv = Path(got.stdout.strip())
    assert run([venv / "bin/python", "-I", "-c", LOADED]).stdout == ""
    return venv


def bytecode(venv: Path, name: str) -> Path:
    """Return the bytecode of a module such as `apple/later`."""
    package, _, module = name.partition("/")
    (found,) = (site_packages(venv) / package / "__pycache__").glob(f"{module}.*.pyc")
    return found


def files(cache: Path) -> list[Path]:
    """Return the bytecode in the cache."""
    return sorted(path for path in cache.glob("bytecode-v1/entries/*/*") if path.name.isdecimal())


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


def version(venv: Path) -> str:
    """Return what a session in a venv loads as `apple.later`."""
    return run([venv / "bin/python", "-c", "import apple.later; print(apple.later.VERSION)"]).stdout.strip()


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


def test_copied_sources_get_copied_bytecode_with_their_time(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = built(project)
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    second = built(another(project, "second"))
    old, new = (bytecode(venv, "apple/later").read_bytes() for venv in (first, second))
    assert old[16:] == new[16:]
    assert str(first).encode() in new  # it was not compiled again


def truncate(cache: Path) -> None:
    for path in files(cache):
        os.truncate(path, 20)


def delete_some(cache: Path) -> None:
    for path in files(cache)[::2]:
        path.unlink()


def spoil_lists(cache: Path) -> None:
    for number, path in enumerate(cache.glob("bytecode-v1/entries/*/modules")):
        path.write_text(["", "[", '["", "", 1]\n[[1, 2, 3]]', '["", "", 1]\n[null, 7]', "null\nnull"][number % 5])


def lose_content(cache: Path) -> None:
    """After a power cut, files may have their size and no content."""
    for path in files(cache):
        path.write_bytes(bytes(path.stat().st_size))
    for path in cache.glob("bytecode-v1/entries/*/modules"):
        first, _, rest = path.read_text().partition("\n")
        path.write_text(json.dumps(["another boot", *json.loads(first)[1:]]) + "\n" + rest)


def make_writable_by_others(cache: Path) -> None:
    (cache / "bytecode-v1").chmod(0o777)


def replace_by_files(cache: Path) -> None:
    for path in cache.glob("bytecode-v1/entries/*"):
        shutil.rmtree(path)
        path.write_text("")


def replace_by_a_link(cache: Path) -> None:
    cache.rename(cache.with_name("elsewhere"))
    cache.symlink_to(cache.with_name("elsewhere"))


def spoil_answers(cache: Path) -> None:
    for path in cache.glob("interpreters-v1/*"):
        path.write_text('["", "1 2 3", "/bin/sh", "", "", "", "", ""]')


FAULTS: list[Callable[[Path], None]] = [
    truncate, delete_some, spoil_lists, lose_content, make_writable_by_others, replace_by_files, replace_by_a_link,
    spoil_answers, shutil.rmtree,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.paired("fault", "compiled")
def test_a_damaged_cache_costs_only_time(
    project: Project, cache: Path, fault: Callable[[Path], None], *, compiled: bool
) -> None:
    """The next venv has all its bytecode, and works; so does the one after it."""
    first = built(project)
    if not compiled:
        shutil.rmtree(first)  # else the damage is in its links as well
    fault(cache)
    for name in ("second", "third"):
        assert version(built(another(project, name))) == "2.0"


def test_cache_of_another_user_is_not_used(project: Project, cache: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    built(project)
    os.chown(cache / "bytecode-v1/entries", 12345, 12345)
    before = [(path, path.stat().st_nlink) for path in files(cache)]
    second = another(project, "second")
    got = second.roost("sync")
    assert got.returncode == 0
    assert (
        f"warning: the bytecode cache is not used: `{cache}/bytecode-v1/entries` belongs to another user" in got.stderr
    )
    assert [(path, path.stat().st_nlink) for path in files(cache)] == before
    assert run([f"{got.stdout.strip()}/bin/python", "-I", "-c", LOADED]).stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["/proc/roost", "/dev/full", "/dev/shm/roost-tests"])
def test_cache_that_cannot_be_written_or_is_on_another_disk(
    project: Project, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if not os.path.isdir(os.path.dirname(place)):
        pytest.skip(f"there is no `{os.path.dirname(place)}`")
    place += str(os.getpid()) if place.startswith("/dev/shm") else ""
    monkeypatch.setenv("ROOST_CACHE_DIR", place)
    try:
        first, second = built(project), built(another(project, "second"))
        assert (version(first), version(second)) == ("2.0", "2.0")
        assert not bytecode(first, "apple/later").samefile(bytecode(second, "apple/later"))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_full_disk_below_the_cache(project: Project, cache: Path) -> None:
    """What does not fit is not kept, and nothing half-written is used."""
    if os.geteuid() != 0 or run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", _made(cache)]).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        cache.chmod(0o700)
        assert version(built(project)) == "2.0"
        assert version(built(another(project, "second"))) == "2.0"
    finally:
        assert run(["umount", cache]).returncode == 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


CRASH = """
import os, sys
from roost.bytecode.cache import Cache, Module
cache, key, source = Cache(), sys.argv[1], sys.argv[2]
look = os.stat(source)
modules = [Module(look.st_size, look.st_mtime_ns, look.st_ino, look.st_size)] * 3
cache.prepare()
if sys.argv[3] == "again":
    cache.add(key, modules, [source] * 3)
step = 0
while True:
    step += 1
    pid = os.fork()
    if pid == 0:
        left = step
        def hook(event, arguments):
            global left
            writes = event == "open" and arguments[2] and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes or event in ("os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "shutil.rmtree"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), 9)
        sys.addaudithook(hook)
        cache.add(key, modules, [source] * 3)
        cache.shrink(10**9)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    found = cache.read(key)
    assert found is None or found == modules, step
    if status == 0:
        assert found == modules
        print(step)
        break
    assert status == 9
"""


@pytest.mark.parametrize("before", ["first", "again"])
def test_sigkill_at_every_step_of_writing(tmp_path: Path, cache: Path, before: str) -> None:
    """An entry is there with all its bytecode, or not at all. What a killed process left is removed after an hour."""
    source = tmp_path / "bytecode"
    source.write_bytes(b"x" * 100)
    got = run([sys.executable, "-c", CRASH, "a" * 40, source, before])
    assert got.returncode == 0, got.stderr
    assert int(got.stdout) > 6
    left = list(cache.glob("bytecode-v1/entries/.*"))
    assert left
    for path in cache.glob("bytecode-v1/entries/.*"):
        for inner in (*path.iterdir(), path):
            os.utime(inner, (0, 0))
    Cache().shrink(10**9)
    assert [path.name for path in cache.glob("bytecode-v1/*/*")] == ["a" * 40]


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
    assert all(path.read_bytes()[4:8] == bytes(4) for path in files(cache))


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
    before = files(cache)
    for path in project.venvs()[0].rglob("*.pyc"):
        path.unlink()
    assert project.python("import apple.later, banana.later").returncode == 0
    assert files(cache) == before


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
    size = sum(path.stat().st_size for path in files(cache))
    assert report == {"path": f"{cache}/bytecode-v1", "entries": count, "bytes": size, "limit": 2_000_000_000}
    assert f", {cache}/bytecode-v1" in project.roost("status").stdout.replace("\n", " ")
    assert f"new venvs link their bytecode from `{cache}/bytecode-v1`" in project.roost("doctor").stdout
    said = project.roost("clean", "--cache", cwd=project.root.parent).stdout
    assert said == f"removed {count} entries, 0.0 MiB, from {cache}/bytecode-v1\n"
    assert files(cache) == []
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
