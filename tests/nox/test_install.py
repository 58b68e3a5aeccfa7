"""What a nox session installs: the shared venv stays as it is, whatever the session runs."""

import json
from pathlib import Path

import pytest

from tests.lib.nox_sessions import PREFIX, digest, nox, own_venvs, session, write_noxfile
from tests.lib.processes import UV, run
from tests.lib.projects import Project, SlowProject
from tests.lib.variants import slow_after
from tests.lib.wheels import make_wheel

SPECS = "import importlib.util as u; print([n for n in ('apple', 'banana', 'cherry') if u.find_spec(n)])"
FRUIT = f'session.run("python", "-c", "{SPECS}")'
WITHOUT = "['apple', 'banana']\n"
WITH = "['apple', 'banana', 'cherry']\n"


def _shared(project: Project) -> tuple[Path, dict[str, str]]:
    venv = Path(project.python("import sys; print(sys.prefix)").stdout.strip())
    return venv, digest(venv)


def test_install_of_what_is_missing_is_seen_by_this_session_alone(project: Project) -> None:
    shared, before = _shared(project)
    write_noxfile(
        project,
        session("first", "session.install('cherry')", FRUIT, "session.run('cherry')", PREFIX)
        + session("second", FRUIT, PREFIX),
    )
    got = nox(project)
    assert got.returncode == 0, got.stderr
    own = own_venvs(project, "first")
    assert got.stdout == f"{WITH}cherry 1.0\n{own[0]}\n{WITHOUT}{shared}\n"
    assert "nox > roost: `pip install cherry`: the session gets a venv of its own\n" in got.stderr
    assert digest(shared) == before
    assert own_venvs(project, "second") == []
    assert len(project.venvs()) == len(project.journal("build")) == 1


def test_install_of_what_is_there_is_one_line(built: Project) -> None:
    shared, before = _shared(built)
    write_noxfile(built, session("tests", "session.install('apple', 'banana>=1')", PREFIX))
    got = nox(built)
    assert got.stdout == f"{shared}\n"
    said = "nox > roost: `pip install apple banana>=1` has nothing to do: the environment `default` has all of it\n"
    assert got.stderr.count(said) == 1
    assert own_venvs(built, "tests") == []
    assert digest(shared) == before


def test_folder_named_like_a_package_is_no_requirement(project: Project) -> None:
    shared, _ = _shared(project)
    (project.root / "apple").mkdir()
    write_noxfile(project, session("tests", "session.install('apple')", PREFIX))
    assert nox(project).stdout == f"{shared}\n"


def test_install_of_another_version_gets_a_venv_of_its_own(built: Project) -> None:
    shared, before = _shared(built)
    show = 'session.run("python", "-c", "import apple; print(apple.VERSION)")'
    write_noxfile(built, session("tests", show, "session.install('apple<2')", show))
    assert nox(built).stdout == "2.0\n1.0\n"
    assert digest(shared) == before


@pytest.mark.parametrize(
    "line",
    slow_after(
        2,
        [
            "session.install('apple>=1', '--resolution=lowest-direct')",
            "session.env['UV_RESOLUTION'] = 'lowest'; session.install('apple>=1')",
            "session.install('apple>=1', env={'UV_RESOLUTION': 'lowest'})",
            "session.env['UV_CONSTRAINT'] = 'old.txt'; session.install('apple')",
        ],
    ),
)
def test_install_of_the_lowest_versions_does_not_settle_for_those_that_are_there(
    built: Project, tmp_path: Path, line: str
) -> None:
    old = tmp_path / "old.txt"
    old.write_text("apple<2\n")
    shared, before = _shared(built)
    show = 'session.run("python", "-c", "import apple; print(apple.VERSION)")'
    write_noxfile(built, session("tests", line.replace("old.txt", str(old)), show))
    got = nox(built)
    assert got.stdout == "1.0\n", got.stderr
    assert digest(shared) == before


@pytest.mark.slow
def test_editable_of_this_project_is_there_already(slow_project: SlowProject) -> None:
    slow_project.file("slow.txt", "0")
    shared, before = _shared(slow_project)
    builds = len(slow_project.builds())
    words = [
        "'-e', '.'",
        "'--editable=.'",
        f"'-e', {str(slow_project.root)!r}, 'apple'",
        "'-e.', '--no-deps'",
        "'-q', '-e', '.'",
    ]
    write_noxfile(slow_project, session("tests", *(f"session.install({word})" for word in words), PREFIX))
    got = nox(slow_project)
    assert got.stdout == f"{shared}\n", got.stderr
    assert got.stderr.count("has nothing to do") == len(words)
    assert len(slow_project.builds()) == builds
    assert digest(shared) == before


@pytest.mark.slow
def test_install_of_the_project_itself_is_no_editable(slow_project: SlowProject) -> None:
    """`.` installs what the build produces, not an editable."""
    slow_project.file("slow.txt", "0")
    shared, before = _shared(slow_project)
    write_noxfile(slow_project, session("tests", "session.install('.')", PREFIX))
    got = nox(slow_project)
    assert got.returncode == 0, got.stderr
    assert got.stdout == f"{own_venvs(slow_project, 'tests')[0]}\n"
    assert digest(shared) == before


def test_install_that_fails_is_a_failed_session_and_not_reused(built: Project) -> None:
    shared, before = _shared(built)
    write_noxfile(built, session("tests", "session.install('durian')"))
    got = nox(built)
    assert got.returncode == 1
    assert "Session tests failed." in got.stderr
    assert "Traceback" not in got.stderr
    assert digest(shared) == before
    write_noxfile(built, session("tests", "session.install('cherry')", FRUIT))
    assert nox(built, "-R").stdout == WITH


def test_property_of_the_session_follow_the_switch_and_location_stays(built: Project) -> None:
    show = "print(session.virtualenv.location, session.bin, session.env['VIRTUAL_ENV'])"
    write_noxfile(built, session("tests", show, "session.install('cherry')", show))
    got = nox(built)
    first, second = map(str.split, got.stdout.splitlines())
    own, shared = str(own_venvs(built, "tests")[0]), str(built.venvs()[0])
    assert first == [own, f"{shared}/bin", shared]
    assert second == [own, f"{own}/bin", own]


@pytest.mark.slow
def test_reuse_rules_of_nox(project: Project) -> None:
    write_noxfile(project, session("tests", "session.install('cherry')", FRUIT))
    assert nox(project).stdout == WITH
    first = own_venvs(project, "tests")
    assert len(first) == 1
    assert nox(project, "-r").stdout == WITH
    assert own_venvs(project, "tests") == first
    got = nox(project, "-R")
    assert (got.stdout, "pip install" in got.stderr) == (WITH, False)
    assert own_venvs(project, "tests") == first
    assert nox(project).stdout == WITH
    second = own_venvs(project, "tests")
    assert len(second) == 1
    assert second != first
    write_noxfile(project, session("tests", "session.install('cherry')", FRUIT, options="reuse_venv=True"))
    assert nox(project, "--no-install").stdout == WITH
    assert own_venvs(project, "tests") == second


@pytest.mark.slow
def test_venv_of_its_own_is_made_again_when_the_shared_state_changed(project: Project) -> None:
    show = 'session.run("python", "-c", "import apple, cherry; print(apple.VERSION)")'
    write_noxfile(project, session("tests", "session.install('cherry')", show))
    assert nox(project).stdout == "2.0\n"
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    project.lock()
    assert nox(project, "-R").stdout == "1.0\n"


@pytest.mark.slow
def test_damaged_venv_of_its_own_is_built_again_after_a_restart(project: Project) -> None:
    """A file that was written before a power cut may exist and be empty."""
    write_noxfile(project, session("tests", "session.install('cherry')", FRUIT))
    assert nox(project).stdout == WITH
    (before,) = own_venvs(project, "tests")
    marker = before.parent / "complete"
    fields = json.loads(marker.read_text())
    assert fields["boot"]
    marker.write_text(json.dumps(fields | {"boot": "00000000-1111-2222-3333-444444444444"}))
    assert nox(project, "-R").stdout == WITH
    assert own_venvs(project, "tests") == [before]
    module = next(before.glob("lib/python*/site-packages/cherry/later.py"))
    module.unlink()  # a write would go through the hard link into uv's cache, which all tests share
    module.write_text("")
    assert nox(project, "-R").stdout == WITH
    assert own_venvs(project, "tests") != [before]


def test_session_that_installs_nothing_more_loses_its_own_venv(project: Project) -> None:
    write_noxfile(project, session("tests", "session.install('cherry')", FRUIT))
    nox(project)
    write_noxfile(project, session("tests", FRUIT))
    assert nox(project).stdout == WITHOUT
    assert project.roost("clean").returncode == 0
    assert own_venvs(project, "tests") == []


def test_install_and_run_script(built: Project) -> None:
    built.file(
        "script.py", '# /// script\n# dependencies = ["cherry"]\n# ///\nimport apple, cherry\nprint(cherry.VERSION)\n'
    )
    shared, before = _shared(built)
    write_noxfile(built, session("tests", "session.install_and_run_script('script.py')"))
    got = nox(built)
    assert got.stdout == "1.0\n", got.stderr
    assert digest(shared) == before


BY_HAND = {
    "uv pip install": ("'uv', 'pip', 'install', 'cherry'", WITH),
    "uv pip uninstall": ("'uv', 'pip', 'uninstall', 'banana'", "['apple']\n"),
    "uv --quiet pip sync": ("'uv', '--quiet', 'pip', 'sync', 'requirements.txt'", "['cherry']\n"),
    "pip install": ("'pip', 'install', 'cherry'", WITH),
    "python -m pip install": ("'python', '-m', 'pip', 'install', 'cherry'", WITH),
    "uv --preview-features pylock pip install": (
        "'uv', '--preview-features', 'pylock', 'pip', 'install', 'cherry'",
        WITH,
    ),
    "python -m ensurepip": ("'python', '-m', 'ensurepip'", WITHOUT),
    "python -Im pip uninstall": ("'python', '-Im', 'pip', 'uninstall', '--yes', 'banana'", "['apple']\n"),
    "uv sync": ("'uv', 'sync', '--no-default-groups'", "['apple']\n"),
    "uv sync to the location": (
        "'uv', 'sync', '--no-default-groups', env={'UV_PROJECT_ENVIRONMENT': session.virtualenv.location}",
        "['apple']\n",
    ),
    "uv sync --active": ("'uv', 'sync', '--active', '--no-default-groups'", "['apple']\n"),
    "uv add": ("'uv', 'add', 'cherry'", WITH),
    "uv remove --active": ("'uv', 'remove', '--active', 'apple'", "['banana']\n"),
    "uv run": (
        "'uv', 'run', '--with', 'cherry', '--no-default-groups', 'python', '-c', 'import apple, cherry'",
        WITHOUT,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", BY_HAND)
@pytest.mark.parametrize("step", ["run", "run_install"])
@pytest.mark.paired("way", "step")
def test_installer_by_hand_leaves_the_shared_venv_as_it_was(project: Project, way: str, step: str) -> None:
    project.file("requirements.txt", "cherry\n")
    shared, before = _shared(project)
    words, expected = BY_HAND[way]
    write_noxfile(project, session("tests", f"session.{step}({words}, external=True)", FRUIT, PREFIX))
    got = nox(project)
    assert got.returncode == 0, got.stderr
    assert digest(shared) == before
    assert not (project.root / ".venv").exists()
    assert project.venvs() == [shared]
    fruit, prefix = got.stdout.splitlines()[-2:]
    assert (f"{fruit}\n", prefix) == (expected, str(own_venvs(project, "tests")[0]))


@pytest.mark.slow
def test_uv_in_the_shared_venv_is_no_way_to_change_it(project: Project, wheels: Path) -> None:
    """A dependency of the project brings one here, so it stands first on the session's PATH."""
    del wheels
    own = project.root.parent / "wheels"
    own.mkdir()
    for name, version in (("apple", "2.0"), ("banana", "1.0"), ("cherry", "1.0")):
        make_wheel(own, name, version)
    script = f'#!/bin/sh\nexec {UV} "$@"\n'
    make_wheel(own, "fig", "9.0", files={"fig-9.0.data/scripts/uv": script})
    project.wheels = own
    project.write(dependencies=["apple"], groups={"dev": ["banana", "fig"]})
    project.lock()
    shared, before = _shared(project)
    assert (shared / "bin/uv").exists()
    for words in ("session.install('cherry')", "session.run('uv', 'pip', 'install', 'cherry')"):
        write_noxfile(project, session("tests", words, FRUIT))
        got = nox(project)
        assert got.stdout.endswith(WITH), got.stderr
        assert digest(shared) == before


def test_reading_commands_need_no_venv_of_their_own(built: Project) -> None:
    shared, _ = _shared(built)
    write_noxfile(
        built,
        session("tests", "session.run('python', '-m', 'pip', 'list')", "session.run('uv', 'pip', 'list')", PREFIX),
    )
    got = nox(built)
    assert got.returncode == 0, got.stderr
    assert got.stdout.count("banana") == 2
    assert got.stdout.splitlines()[-1] == str(shared)


@pytest.mark.slow
def test_install_that_cannot_be_seen_leads_to_a_new_venv(project: Project) -> None:
    """An installer behind another program changes the shared venv; the next session does not run in it any more."""
    shared, _ = _shared(project)
    hidden = f"session.run('sh', '-c', '{UV} pip install --quiet cherry', external=True)"
    write_noxfile(project, session("first", hidden, FRUIT) + session("second", FRUIT, PREFIX))
    got = nox(project)
    first, second, prefix = got.stdout.splitlines()
    assert (f"{first}\n", f"{second}\n") == (WITH, WITHOUT)
    assert prefix != str(shared)
    assert f"`cherry 1.0` was added to `{shared.name}`" in got.stderr


def test_install_outside_of_the_environment_is_not_intercepted(built: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run([UV, "venv", "--quiet", other], check=True)
    install = f"session.run({UV!r}, 'pip', 'install', '--quiet', '--python', {str(other)!r}, 'cherry', external=True)"
    write_noxfile(built, session("tests", install))
    got = nox(built)
    assert got.returncode == 0, got.stderr
    assert list(other.glob("lib/python*/site-packages/cherry"))


def test_failed_build_of_an_own_venv_is_one_sentence(project: Project) -> None:
    _shared(project)
    spoil = "import os; os.environ['UV_CACHE_DIR'] = '/dev/null/nowhere'"
    write_noxfile(project, session("tests", spoil, "session.install('cherry')"))
    got = nox(project)
    assert got.returncode == 1
    assert "could not be built with uv" in got.stderr
    assert "Traceback" not in got.stderr
    assert project.roost("run", "python", "-c", "pass").returncode == 0
    assert len(project.venvs()) == 1
