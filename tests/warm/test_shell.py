"""The warm start in shell: it does what the Python one does, or hands over to it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roost import warm as _warm_index
from tests.lib.indexes import JUNK
from tests.lib.processes import ROOST_RUN, run, start, wait_for
from tests.lib.projects import Project, start_until_indexed
from tests.lib.shells import SHELLS, Shell
from tests.lib.variants import slow_after

PROBE = "import os, sys; print(sys.prefix, sys.argv[1:], os.environ['VIRTUAL_ENV'], os.environ['PATH'].split(':')[0])"


@pytest.fixture(params=slow_after(1, SHELLS))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """Provide a `roost-run` for each shell that is there."""
    return Shell(tmp_path / "shell", SHELLS[request.param])


@pytest.fixture
def dash(tmp_path: Path) -> Shell:
    """Provide a `roost-run` for `/bin/sh`."""
    return Shell(tmp_path / "shell", "/bin/sh")


@pytest.fixture
def warm(session_folder: Path, wheels: Path) -> Project:
    """Provide a project that is answered by its index: one for all tests that change nothing else of it."""
    made = Project(session_folder / "warm/project", wheels)
    if not made.store.exists():
        made.write(dependencies=["apple"], groups={"dev": ["banana"]})
        made.lock()
    start_until_indexed(made)
    assert len(made.venvs()) == 1
    return made


def test_is_warm_and_becomes_the_command(warm: Project, shell: Shell) -> None:
    (warm.root / "deep/er").mkdir(parents=True, exist_ok=True)
    words = ["", "a b", "*", "$HOME", "'\"", "--", "-x", "two\nlines", "\\"]
    got = run([shell.script, "python", "-c", PROBE, *words], cwd=warm.root / "deep/er")
    assert got.returncode == 0, got.stderr
    venv = warm.venvs()[0]
    assert got.stdout == f"{venv} {words!r} {venv} {venv}/bin\n"
    assert got.stderr == ""
    assert not shell.handed_over()


def test_lease_lives_as_long_as_the_command(warm: Project, shell: Shell) -> None:
    session = start([shell.script, "python", "-c", "input()"], cwd=warm.root, stdin=subprocess.PIPE)
    wait_for(lambda: _command(session.pid).endswith("/python"), "the command")
    lease = next(warm.store.glob(".venv/.v2/envs/*/*.lease"))
    assert run(["flock", "-x", "-n", lease, "true"]).returncode == 1
    session.communicate("\n")
    assert session.returncode == 0
    assert not shell.handed_over()
    assert run(["flock", "-x", "-n", lease, "true"]).returncode == 0


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()


def _touch(path: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        found = next(project.root.glob(path))
        info = found.stat()
        found.write_bytes(found.read_bytes())
        os.utime(found, ns=(info.st_atime_ns, info.st_mtime_ns))  # the ctime tells

    return change


def _remove(path: str) -> Callable[[Project], None]:
    return lambda project: next(project.root.glob(path)).unlink()


def _add(path: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        folder, _, name = path.rpartition("/")
        (next(project.root.glob(folder)) if folder else project.root).joinpath(name).write_text("")

    return change


def _edit_index(old: str, new: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        index = project.store / ".venv/.v2/index/default"
        text = index.read_text()
        assert old in text
        index.write_text(text.replace(old, new, 1))

    return change


def _replace_lease(project: Project) -> None:
    lease = next(project.store.glob(".venv/.v2/envs/*/*.lease"))
    shutil.copy(lease, f"{lease}.new")
    os.replace(f"{lease}.new", lease)


def _link_roost(project: Project) -> None:
    project.store.rename(project.root / "elsewhere")
    project.store.symlink_to("elsewhere")


CHANGES: dict[str, Callable[[Project], object]] = {
    "pyproject.toml touched": _touch("pyproject.toml"),
    "lock file touched": _touch("uv.lock"),
    "lock file removed": _remove("uv.lock"),
    "absent input appears": _add("setup.cfg"),
    "project above appears": lambda project: (project.root.parent / "pyproject.toml").write_text(""),
    "marker removed": _remove(".roost/.venv/.v2/envs/*/complete"),
    "marker touched": _touch(".roost/.venv/.v2/envs/*/complete"),
    "pyvenv.cfg touched": _touch(".roost/.venv/.v2/envs/*/venv-*/pyvenv.cfg"),
    "package added": _add(".roost/.venv/.v2/envs/*/venv-*/lib/python*/site-packages/new.py"),
    "command added": _add(".roost/.venv/.v2/envs/*/venv-*/bin/new"),
    "lease removed": _remove(".roost/.venv/.v2/envs/*/*.lease"),
    "lease replaced": _replace_lease,
    "request for a Python appears": lambda project: project.file(".python-version", "3"),
    "folder of roost's is open to others": lambda project: project.store.chmod(0o777),
    "index of another boot": _edit_index("\nboot ", "\nboot x"),
    "index of another format": _edit_index("roost index 4\n", "roost index 0\n"),
    "index of another project": _edit_index("\nproject ", "\nproject /x"),
    "index with a paragraph too many": _edit_index("\n\t\n", "\n\t\nx\n\t\n"),
    "index removed": _remove(".roost/.venv/.v2/index/default"),
    ".roost is a link": _link_roost,
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changed_is_handed_over(project: Project, dash: Shell, change: str) -> None:
    """Also when the time stamp was put back: each of these files is compared, and compared for equality."""
    start_until_indexed(project)
    assert run([dash.script, "python", "-c", "pass"], cwd=project.root).returncode == 0
    assert not dash.handed_over()
    dash.only_note()
    CHANGES[change](project)
    run([dash.script, "python", "-c", "pass"], cwd=project.root)
    assert dash.handed_over()


@pytest.mark.parametrize(
    "env", [{"ROOST_DIR": "/nowhere"}, {"ROOST_ENV": "a/b"}, {"ROOST_ENV": "a b"}, {"ROOST_ENV": "$(id)"}, {"PATH": ""}]
)
def test_unusual_surroundings_are_handed_over(warm: Project, dash: Shell, env: dict[str, str]) -> None:
    dash.only_note()
    run([dash.script, "python", "-c", "pass"], cwd=warm.root, env=dict(os.environ) | env)
    assert dash.handed_over()


@pytest.mark.parametrize("words", [[], ["-h"], ["--env", "default", "python", "-V"], ["./here"], [""], ["absent"]])
def test_unusual_commands_are_handed_over(warm: Project, dash: Shell, words: list[str]) -> None:
    dash.only_note()
    run([dash.script, *words], cwd=warm.root)
    assert dash.handed_over()


@pytest.mark.parametrize("taken", [(7,), (7, 8), (6, 7, 8, 9)])
def test_descriptor_in_use_is_kept(warm: Project, shell: Shell, taken: tuple[int, ...]) -> None:
    """Another one holds the lease; where none is free, the start is handed over."""
    code = f"import os; print(*{{os.readlink(f'/proc/self/fd/{{number}}') for number in {taken}}})"
    child = ["/bin/sh", "-c", f'exec {" ".join(f"{number}<&0" for number in taken)}; exec "$@"', "sh"]
    got = run([*child, shell.script, "python", "-c", code], cwd=warm.root)
    assert got.stdout == "/dev/null\n"
    assert shell.handed_over() == (len(taken) == 4)


def test_nested_start_is_warm_too(warm: Project, shell: Shell) -> None:
    """It keeps the lease that it inherited, and needs no further descriptor, however deep."""
    script = str(shell.script)
    code = f"import os, signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL); os.execv({script!r}, "
    code += f"[{script!r}, 'python', '-c', {{}}])"
    innermost = "import os; print([n for n in range(3, 10) if os.path.exists(f'/proc/self/fd/{n}')])"
    for _ in range(6):
        innermost = code.format(repr(innermost))
    got = run([script, "python", "-c", innermost], cwd=warm.root)
    assert (got.stdout, got.stderr) == ("[7]\n", "")
    assert not shell.handed_over()


def test_start_that_is_handed_over_leaves_no_lease_on_the_old_venv(project: Project, shell: Shell) -> None:
    start_until_indexed(project)
    project.edit("pyproject.toml", "[tool.roost]", "[tool.mine]\nx = 1\n[tool.roost]")
    code = "import glob, os; print(*map(os.readlink, filter(os.path.exists, glob.glob('/proc/self/fd/*'))))"
    got = run([shell.script, "python", "-c", code], cwd=project.root)
    assert shell.handed_over()
    (leased,) = [path for path in got.stdout.split() if path.endswith(".lease")]
    new = max(project.venvs(), key=lambda venv: venv.stat().st_mtime_ns)
    assert leased == f"{new}.lease"


def test_index_of_another_environment_or_store_is_handed_over(warm: Project, dash: Shell) -> None:
    """Some file systems take `Docs` and `docs` for one name, and a store can be moved with its index."""
    dash.only_note()
    index = warm.store / ".venv/.v2/index/default"
    text = index.read_text()
    venv = str(warm.venvs()[0])
    outside = warm.root.parent / "elsewhere/envs/0123456789abcdef"
    for old, new in (
        ("\nname default\n", "\nname Default\n"),
        (f"\nvenv {venv}\n", f"\nvenv {outside}/venv-abcdef\n"),
        (f"\nvenv {venv}\n", f"\nvenv {warm.store}/.venv/.v2/envs/../../../../venv-abcdef\n"),
    ):
        assert old in text
        index.write_text(text.replace(old, new))
        run([dash.script, "python", "-c", "pass"], cwd=warm.root)
        assert dash.handed_over(), new
        assert _warm_index.load(str(warm.root), "default") is None, new
    index.write_text(text)
    assert _warm_index.load(str(warm.root), "default") is not None


def test_ignored_sigpipe_is_handed_over(warm: Project, dash: Shell) -> None:
    """A shell cannot take back what was ignored when it started; `roost run` can."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        run([dash.script, "python", "-c", "pass"], cwd=warm.root, restore_signals=False)
    finally:
        signal.signal(signal.SIGPIPE, before)
    assert dash.handed_over()


def test_lease_that_is_held_exclusively_is_handed_over(warm: Project, dash: Shell) -> None:
    dash.only_note()
    lease = next(warm.store.glob(".venv/.v2/envs/*/*.lease"))
    holder = start(["flock", "-x", lease, "cat"], stdin=subprocess.PIPE)
    wait_for(lambda: run(["flock", "-s", "-n", lease, "true"]).returncode == 1, "the holder")
    run([dash.script, "python", "-c", "pass"], cwd=warm.root)
    holder.communicate("")
    assert dash.handed_over()


def test_index_that_was_cut_short_is_handed_over(warm: Project, dash: Shell) -> None:
    """Wherever it was cut, and without a word from the shell."""
    dash.only_note()
    index = warm.store / ".venv/.v2/index/default"
    whole = index.read_bytes()
    for length in range(0, len(whole) - 1, 37):
        index.write_bytes(whole[:length])
        got = run([dash.script, "python", "-c", "pass"], cwd=warm.root)
        assert (got.returncode, got.stderr) == (0, "")
        assert dash.handed_over(), length


def test_index_that_is_junk_is_handed_over(warm: Project, shell: Shell) -> None:
    """But for null bytes, which shells drop: what is left of those is compared like any index."""
    shell.only_note()
    index = warm.store / ".venv/.v2/index/default"
    text = index.read_text()
    for what, change in JUNK.items():
        if "\0" not in change(text):
            index.write_text(change(text))
            assert run([shell.script, "python", "-c", "pass"], cwd=warm.root).stderr == ""
            assert shell.handed_over(), what


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["with space", 'it\'s "quoted"', "-n", "ünï", "$HOME `id` *", "back\\slash", "new\nline", "a\ttab"]
)
@pytest.mark.paired("shell", "name")
def test_unusual_project_paths(tmp_path: Path, wheels: Path, shell: Shell, name: str) -> None:
    project = Project(tmp_path / "work" / "odd" / name, wheels)
    project.write(dependencies=["apple"], name="odd")
    assert project.python("pass").returncode == 0
    project.python("pass")
    got = run([shell.script, "python", "-c", "import sys, apple; print(sys.prefix)"], cwd=project.root)
    assert got.returncode == 0, got.stderr
    assert got.stdout.rstrip("\n") == str(project.venvs()[0])
    assert shell.handed_over() == any(char in name for char in "\n\t")


def test_member_of_a_workspace_and_link_to_the_project(warm: Project, dash: Shell, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(warm.root)
    got = run([dash.script, "sh", "-c", "echo"], cwd=tmp_path / "link")
    assert dash.handed_over()  # there is no `sh` in the environment
    got = run(
        ["sh", "-c", f'cd "{tmp_path}/link" && "{dash.script}" python -c "import os; print(os.environ[\'PWD\'])"']
    )
    assert got.stdout.strip() == f"{tmp_path}/link"
    assert not dash.handed_over()


def test_starts_three_processes(warm: Project) -> None:
    """One each of cat, flock and stat, and then the command: that is the cost."""
    if shutil.which("strace") is None:
        pytest.skip("`strace` is not installed")
    got = run(["strace", "-f", "-qq", "-e", "trace=execve", ROOST_RUN, "python", "-c", "pass"], cwd=warm.root)
    started = [
        line.split('"')[1].rpartition("/")[2] for line in got.stderr.splitlines() if "execve(" in line and "= 0" in line
    ]
    assert started == ["roost-run", "cat", "flock", "stat", "python"]
