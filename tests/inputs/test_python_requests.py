"""The request for a Python: its forms, which interpreter satisfies it, and how long a choice stays."""

import os
import shlex
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from roost.inputs import interpreter
from tests.lib.nox_sessions import HERE_PYTHON, OTHER_FOLDER, OTHER_PYTHON, with_other_python
from tests.lib.processes import BASE_PYTHON, UV, run
from tests.lib.projects import Project, builds, refused
from tests.lib.variants import slow_after

needs_another_python = pytest.mark.skipif(not OTHER_PYTHON, reason="there is only one Python on this machine")

SPECIFIERS = [
    ("3.11.7", ">=3.11, <4", True),
    ("3.10.13", ">=3.11", False),
    ("4.0.0", "<4", False),
    ("3.11.7", "==3.11.*", True),
    ("3.12.0", "==3.11.*", False),
    ("3.11.7", "==3.11", False),
    ("3.11.0", "==3.11", True),
    ("3.12.1", "~=3.11", True),
    ("3.10.1", "~=3.11", False),
    ("3.12.1", "~=3.11.2", False),
    ("3.11.1", "~=3.11.2", False),
    ("3.11.7", "!=3.11.*", False),
    ("3.11.7", "!=3.11.6", True),
    ("3.11.7", ">3.11", True),
    ("3.11.0", ">3.11", False),
    ("3.11.7", "<=3.11", False),
    ("3.11.0", "<=3.11", True),
    ("3.11.7", "", True),
    ("3.14.0", ">=3.14.0rc1", True),
]


@pytest.mark.parametrize(("version", "specifiers", "expected"), SPECIFIERS)
def test_versions_that_specifiers_allow(version: str, specifiers: str, expected: bool) -> None:
    """As `packaging` says, but for a pre-release, which it compares and roost leaves to uv."""
    assert interpreter.satisfies(version, specifiers) == expected
    assert "rc" in specifiers or SpecifierSet(specifiers).contains(version) == expected


@needs_another_python
@pytest.mark.parametrize("lock", ["uv.lock", "pylock.toml", ""])
def test_python_that_the_project_does_not_allow_is_refused(plain: Project, lock: str) -> None:
    """Without a lock uv would install the dependencies for it without a word."""
    if lock:
        words = ["lock"] if lock == "uv.lock" else ["pip", "compile", "pyproject.toml", "-o", lock]
        run([UV, "--quiet", *words], cwd=plain.root, check=True)
    plain.edit("pyproject.toml", ">=3.11", f">=3.11,!={OTHER_PYTHON}.*")
    got = refused(plain, "--python", OTHER_PYTHON, env=with_other_python())
    where = f"`project.requires-python` in `{plain.root}/pyproject.toml`"
    assert f" does not satisfy `>=3.11,!={OTHER_PYTHON}.*` ({where}): pass another with `--python`" in got


VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
ASKED = ["{0}", ">={0},<={0}.99", "cpython@{0}", "cp{1}", "python{0}", "{path}", "./{link}"]


@pytest.mark.slow
@needs_another_python
def test_every_way_to_ask_for_one_python_leads_to_one_venv(project: Project) -> None:
    env = with_other_python()
    path = run([UV, "python", "find", "--system", "--no-project", OTHER_PYTHON], env=env).stdout.strip()
    prefixes = set()
    for text in ASKED:
        (project.root / "sub").mkdir(exist_ok=True)
        link = os.path.relpath(path, project.root / "sub")
        asked = text.format(OTHER_PYTHON, OTHER_PYTHON.replace(".", ""), path=path, link=link)
        got = project.run(
            "--python", asked, "python", "-c", "import sys; print(sys.prefix)", env=env, cwd=project.root / "sub"
        )
        assert got.returncode == 0, (asked, got.stderr)
        prefixes.add(got.stdout)
    assert len(prefixes) == builds(project) == 1


def test_path_of_a_python_is_taken_from_the_callers_folder(project: Project) -> None:
    """From another folder it is another Python, or none; an index that answers for one must not answer for the other."""
    for folder in ("one", "two"):
        (project.root / folder).mkdir()
    (project.root / "one/python").symlink_to(run([UV, "python", "find", "--system"]).stdout.strip())
    for _ in range(2):
        got = project.run("--python", "./python", "python", "-c", "pass", cwd=project.root / "one")
        assert got.returncode == 0, got.stderr
    got = project.run("--python", "./python", "python", "-c", "pass", cwd=project.root / "two")
    assert got.returncode == 125
    assert (
        f"no Python satisfies `{project.root}/two/python` (--python): name another, such as `3.12` (uv says"
        in got.stderr
    )


@pytest.mark.parametrize("asked", slow_after(2, ["3.99t", "pypy3.99", "graalpy@3.99", "3.99+debug", ">=3.99,<4"]))
def test_python_that_is_not_there_is_named_with_what_would_install_it(project: Project, asked: str) -> None:
    text = refused(project, "--python", asked)
    assert (
        f"no Python satisfies `{asked}` (--python): `roost uv python install {shlex.quote(asked)}`, or request" in text
    )


@needs_another_python
@pytest.mark.parametrize("place", ["one folder", pytest.param("two folders", marks=pytest.mark.slow)])
def test_chosen_python_stays_while_it_satisfies_the_next_requires_python_too(
    plain: Project, tmp_path: Path, place: str
) -> None:
    """Also beside a `python3` that uv would choose, as in `/usr/bin`."""
    first = with_other_python()
    later = dict(os.environ)
    if place == "one folder":
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "python3").symlink_to(BASE_PYTHON)
        (folder / f"python{OTHER_PYTHON}").symlink_to(f"{OTHER_FOLDER}/python{OTHER_PYTHON}")
        first = later = dict(os.environ) | {"PATH": f"{folder}:{os.environ['PATH']}"}
    plain.edit("pyproject.toml", ">=3.11", f"=={OTHER_PYTHON}.*")
    assert plain.python(VERSION, env=first).stdout == f"{OTHER_PYTHON}\n"
    plain.edit("pyproject.toml", f"=={OTHER_PYTHON}.*", ">=3.11")
    assert plain.python(VERSION, env=later).stdout == f"{OTHER_PYTHON}\n"
    plain.edit("pyproject.toml", ">=3.11", f"=={HERE_PYTHON}.*")
    assert plain.python(VERSION, env=later).stdout == f"{HERE_PYTHON}\n"


@needs_another_python
@pytest.mark.parametrize("pin", slow_after(1, [".python-version", "setting"]))
@pytest.mark.parametrize("first", ["pinned", "main"])
@pytest.mark.paired("pin", "first")
def test_python_that_a_branch_pins_is_not_that_of_other_branches(project: Project, pin: str, first: str) -> None:
    """Each branch gets its own Python, and its venv again after a switch, whichever was checked out first."""
    main = (project.root / "pyproject.toml").read_text()
    states = {"pinned": OTHER_PYTHON, "main": HERE_PYTHON}
    found: dict[str, set[str]] = {"pinned": set(), "main": set()}
    order = [first, "main" if first == "pinned" else "pinned"]
    for name in order * 2:
        pinned = name == "pinned"
        if pin == "setting":
            setting = f"[tool.roost]\npython = '{OTHER_PYTHON}'\n"
            project.file("pyproject.toml", main.replace("[tool.roost]\n", setting) if pinned else main)
        elif pinned:
            project.file(".python-version", f"{OTHER_PYTHON}\n")
        else:
            (project.root / ".python-version").unlink(missing_ok=True)
        got = project.python(f"{VERSION}; print(sys.prefix)", env=with_other_python())
        version, prefix = got.stdout.split()
        assert version == states[name], got.stderr
        found[name].add(prefix)
    assert {name: len(prefixes) for name, prefixes in found.items()} == {"pinned": 1, "main": 1}
    assert builds(project) == 2
