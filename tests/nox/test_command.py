"""`roost nox`: for noxfiles that know nothing of roost."""

import os
import sys

import pytest

from tests.lib.nox_sessions import HEAD, NOX, PREFIX, nox, session, write_noxfile
from tests.lib.projects import Project

UNAWARE = "import nox\n"


def test_noxfile_that_knows_nothing_of_roost_runs_in_the_shared_venv(built: Project) -> None:
    write_noxfile(built, session("tests", "print(session.venv_backend, session.posargs)", PREFIX), UNAWARE)
    got = built.roost("nox", "-s", "tests", "--", "-k", "--env")
    assert got.returncode == 0, got.stderr
    assert sorted(got.stdout.splitlines()) == sorted(["roost ['-k', '--env']", str(built.venvs()[0])])


@pytest.mark.parametrize(
    "words",
    [
        (),
        pytest.param(("-db", "roost"), marks=pytest.mark.slow),
        pytest.param(("--default-venv-backend=roost",), marks=pytest.mark.slow),
    ],
)
def test_default_gives_way_to_what_a_session_asks_for(built: Project, words: tuple[str, ...]) -> None:
    show = "print(session.venv_backend)"
    head = f"{UNAWARE}nox.options.default_venv_backend = 'uv'\n"
    write_noxfile(built, session("first", show) + session("second", show, options='venv_backend="none"'), head)
    assert built.roost("nox", *words).stdout.split() == ["roost", "none"]


@pytest.mark.parametrize(
    "words",
    [
        ("-fb", "roost"),
        pytest.param(("--force-venv-backend", "roost"), marks=pytest.mark.slow),
        pytest.param(("--force-venv-backend=roost",), marks=pytest.mark.slow),
    ],
)
def test_force_does_not(built: Project, words: tuple[str, ...]) -> None:
    write_noxfile(built, session("tests", "print(session.venv_backend)", options='venv_backend="uv"'), UNAWARE)
    assert built.roost("nox", *words).stdout == "roost\n"


def test_other_backends_are_left_to_nox(project: Project) -> None:
    write_noxfile(project, session("tests", "print(session.venv_backend)"), UNAWARE)
    assert project.roost("nox", "-fb", "none").stdout == "none\n"
    assert project.roost("nox", "-db", "none").stdout == "none\n"
    assert project.roost("nox", "--no-venv").stdout == "none\n"
    assert not project.store.exists()


def test_exit_status_and_help_are_those_of_nox(built: Project) -> None:
    write_noxfile(built, session("tests", "session.run('python', '-c', 'raise SystemExit(3)')"), UNAWARE)
    assert built.roost("nox").returncode == nox(built, "--no-venv").returncode == 1
    assert built.roost("nox", "--nonsense").returncode == 2
    shown = built.roost("nox", "--help").stdout
    assert shown.startswith("The backend `roost` is the default here")
    assert "--no-venv" in shown
    assert "* tests" in built.roost("nox", "--list").stdout


@pytest.mark.usefixtures("parallel_nox")
@pytest.mark.parametrize(
    "words",
    [
        ("-j", "2"),
        pytest.param(("-j2",), marks=pytest.mark.slow),
        pytest.param(("--parallel=2",), marks=pytest.mark.slow),
    ],
)
@pytest.mark.normally(words=[("-j", "2"), ("--parallel=2",)])
def test_parallel_sessions_need_a_noxfile_that_registers_the_backend(built: Project, words: tuple[str, ...]) -> None:
    sessions = session("first", PREFIX) + session("second", PREFIX)
    write_noxfile(built, sessions, UNAWARE)
    got = built.roost("nox", *words)
    assert got.returncode == 2
    assert got.stderr.startswith("roost: nox starts parallel sessions as separate processes")
    assert "add `import roost.nox` to `noxfile.py`" in got.stderr
    write_noxfile(built, sessions, "import nox\nimport roost.nox\n")
    got = built.roost("nox", *words, "--allow-parallel")
    assert got.returncode == 0, got.stderr
    assert got.stdout.count(f"{built.venvs()[0]}\n") == 2
    got = built.roost("nox", *words, "-fb", "roost")
    assert got.returncode == 2
    assert 'leave out `-j`, or give the sessions `venv_backend="roost"`' in got.stderr


@pytest.mark.usefixtures("parallel_nox")
def test_parallel_of_the_noxfile_or_a_variable_is_no_way_around_that(built: Project) -> None:
    """Else a child would run on another backend, silently."""
    write_noxfile(
        built,
        session("first", "print(session.venv_backend)", options='venv_backend="uv"'),
        f"{UNAWARE}nox.options.parallel = 2\n",
    )
    assert built.roost("nox", "-fb", "roost").stdout == "roost\n"
    got = built.roost("nox", env=dict(os.environ) | {"NOX_PARALLEL": "2"})
    assert got.returncode == 2


def script(*dependencies: str, rest: str = UNAWARE, more: str = "") -> str:
    """Return the head of a noxfile with inline metadata."""
    return f"# /// script\n# dependencies = {list(dependencies)}\n{more}# ///\n{rest}"


@pytest.mark.parametrize(
    "head",
    [
        script("nox>=2025.2.9"),
        pytest.param(script("nox", more="# requires-python = '>=3.11'\n"), marks=pytest.mark.slow),
        pytest.param(script("nox", "roost", rest=HEAD), marks=pytest.mark.slow),
    ],
)
def test_inline_metadata_that_is_satisfied_changes_nothing(built: Project, head: str) -> None:
    write_noxfile(built, session("tests", PREFIX), head)
    got = built.roost("nox")
    assert (got.returncode, got.stdout) == (0, f"{built.venvs()[0]}\n"), got.stderr


@pytest.mark.slow
def test_inline_metadata_that_is_not_satisfied_is_refused(project: Project) -> None:
    """Else nox would start itself again, in an environment without roost."""
    write_noxfile(project, session("tests", PREFIX), script("nox", "not-there"))
    got = project.roost("nox")
    assert got.returncode == 125
    assert got.stderr.startswith("roost: nox would start again in an environment without roost")
    assert "(`nox`, `not-there`): install that next to roost, pass `--script-mode none`" in got.stderr
    assert not project.venvs()
    for words, more in ((("--script-mode", "none"), {}), ((), {"NOX_SCRIPT_MODE": "none"})):
        got = project.roost("nox", *words, env=dict(os.environ) | more)
        assert (got.returncode, got.stdout) == (0, f"{project.venvs()[0]}\n"), got.stderr


SHOWN = f"""session.run({sys.executable!r}, "-c", "import os; print([v for v in sorted(os.environ) if v in ('NOX_DEFAULT_VENV_BACKEND', 'NOX_PARALLEL')])", external=True)"""


@pytest.mark.slow
def test_sessions_do_not_get_the_variables_that_roost_sets(built: Project) -> None:
    """A nox inside a session, as in nox's own tests, would refuse the backend."""
    nested = f'session.run({NOX!r}, "-f", "nested.py", "-s", "inner", external=True)'
    built.file(
        "nested.py", UNAWARE + session("inner", "print('inner', session.venv_backend)", options="venv_backend='none'")
    )
    write_noxfile(
        built, session("tests", SHOWN, nested) + session("other", SHOWN, options="venv_backend='none'"), UNAWARE
    )
    got = built.roost("nox")
    assert got.returncode == 0, got.stderr
    assert [line for line in got.stdout.splitlines() if "nox >" not in line] == ["[]", "inner none", "[]"]
    own = {"NOX_PARALLEL": "1", "NOX_DEFAULT_VENV_BACKEND": "uv"}
    got = built.roost("nox", "-s", "other", env=dict(os.environ) | own)
    assert (got.returncode, got.stdout) == (0, f"{sorted(own)}\n"), got.stderr


@pytest.mark.usefixtures("parallel_nox")
@pytest.mark.parametrize("how", [("-j", "2"), pytest.param((), marks=pytest.mark.slow)])
def test_parallel_sessions_do_not_get_them_either(built: Project, how: tuple[str, ...]) -> None:
    head = "import nox\nimport roost.nox\n" + ("" if how else "nox.options.parallel = 2\n")
    sessions = "".join(session(name, SHOWN, options="allow_parallel=True") for name in ("first", "second"))
    write_noxfile(built, sessions, head)
    got = built.roost("nox", *how)
    assert got.returncode == 0, got.stderr
    assert got.stdout.count("[]\n") == 2
    assert len(built.venvs()) == 1


def test_interrupt_that_a_command_handled_ends_no_later_session(built: Project) -> None:
    """A terminal sends Ctrl-C to the whole group, and nox continues if its command then succeeds."""
    code = "import os, signal, sys; signal.signal(2, lambda *_: sys.exit()); os.killpg(0, 2); signal.pause()"
    first = session("first", f"session.run('python', '-c', {code!r})")
    second = session("second", "session.install('cherry')")  # into a venv of its own, which is built
    write_noxfile(built, first + second, UNAWARE)
    got = built.roost("nox", start_new_session=True)
    assert got.returncode == 0, got.stderr


def test_roost_does_without_nox(built: Project) -> None:
    got = built.roost("nox", env=dict(os.environ) | {"PYTHONPATH": str(_without_nox(built))})
    assert got.returncode == 125
    assert got.stderr == "roost: nox is not installed next to roost: `pip install nox`\n"
    got = built.roost("--version", env=dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"})
    modules = {line.rpartition("|")[2].strip() for line in got.stderr.splitlines() if line.startswith("import time:")}
    assert not {name for name in modules if name == "nox" or name.startswith(("nox.", "roost.nox."))}


def _without_nox(project: Project) -> str:
    folder = project.root.parent / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'nox':\n"
        "            raise ModuleNotFoundError('No module named nox', name='nox')\n"
        "sys.meta_path.insert(0, Without())\n"
    )
    return str(folder)
