"""States that were seen before: found again by the bytes of their inputs, and never against what the disk says."""

import functools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roost import warm
from roost.warm import earlier_states
from tests.lib.processes import ROOST_RUN, run
from tests.lib.projects import Project, builds, start_until_indexed, starts_warm

FILES = ("pyproject.toml", "uv.lock")
PREFIX = ["python", "-c", "import sys; print(sys.prefix)"]


class Branches:
    """A project with two states, A and B, each of them seen; it is in A."""

    def __init__(self, project: Project) -> None:
        """Build both."""
        self.project = project
        self.texts: dict[str, dict[str, str]] = {}
        self.venvs: dict[str, str] = {}
        for state, dependency in (("B", "apple<2"), ("A", "apple")):
            project.write(dependencies=[dependency])
            project.lock()
            self.texts[state] = {name: (project.root / name).read_text() for name in FILES}
            self.venvs[state] = project.run(*PREFIX).stdout.strip()
        assert self.venvs["A"] != self.venvs["B"]
        assert starts_warm(project)

    def switch(self, state: str) -> None:
        """Write the files again, with other inodes, as git does."""
        for name, text in self.texts[state].items():
            (self.project.root / name).unlink()
            self.project.file(name, text)
        time.sleep(0.03)  # git itself takes a while; the index is not written while an input is younger

    def past(self, state: str) -> Path:
        """Return the file that keeps `state`."""
        fingerprint = Path(self.venvs[state]).parent.name
        return self.project.store / f".venv/.v2/index/default:{fingerprint}"


@functools.cache
def _seen(folder: Path, wheels: Path) -> Branches:
    return Branches(Project(folder, wheels))


@pytest.fixture
def seen(session_folder: Path, wheels: Path) -> Iterator[Branches]:
    """Provide a project with two states, which all tests share: they may change its inputs, and no venv."""
    shared = _seen(session_folder / "work/branches", wheels)
    shared.switch("A")
    start_until_indexed(shared.project)
    yield shared
    assert builds(shared.project) == len(shared.project.complete()) == 2


@pytest.fixture
def branches(project: Project) -> Branches:
    """Provide a project with two states."""
    return Branches(project)


def way(project: Project, *words: str) -> str:
    """Return how far `roost WORDS` had to go: `index`, `earlier_states` or `protocol`."""
    env = dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"}
    said = project.roost(*words, env=env).stderr
    return next((name for name in ("protocol", "earlier_states") if f"{name}\n" in said), "index")


def test_switch_between_states_seen_before_reads_no_toml(seen: Branches) -> None:
    """There, and warm; back, and warm: whatever the time stamps are."""
    project = seen.project
    for state in "BABA":
        seen.switch(state)
        env = dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"}
        got = project.run(*PREFIX, env=env)
        assert got.stdout.strip() == seen.venvs[state]
        assert "roost.warm.earlier_states" in got.stderr
        assert not any(
            f" {name}\n" in got.stderr for name in ("roost.protocol", "tomli", "subprocess", "typing_extensions")
        )
        assert starts_warm(project)
    assert builds(project) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("sync",),
        pytest.param(("run", "true"), marks=pytest.mark.slow),
        pytest.param(("hook", "sync", "post-checkout", "a", "b", "1"), marks=pytest.mark.slow),
    ],
)
def test_commands_that_need_no_more(seen: Branches, words: tuple[str, ...]) -> None:
    seen.switch("B")
    assert way(seen.project, *words) == "earlier_states"


def test_shell_way_goes_through_it(seen: Branches) -> None:
    seen.switch("B")
    got = run([ROOST_RUN, *PREFIX], cwd=seen.project.root)
    assert (got.stdout.strip(), got.stderr) == (seen.venvs["B"], "")


def test_sync_and_hook_point_at_the_state(seen: Branches) -> None:
    project = seen.project
    current = project.store / ".venv/default"
    project.roost("sync")
    for state, words in (("B", ["sync"]), ("A", ["hook", "sync", "post-checkout", "a", "b", "1"])):
        seen.switch(state)
        got = project.roost(*words)
        assert str(current.readlink()) == seen.venvs[state]
        name = Path(seen.venvs[state]).name
        if words == ["sync"]:
            assert (got.stdout, got.stderr) == (f"{seen.venvs[state]}\n", "")
        else:
            assert got.stdout == ""
            assert got.stderr.startswith(f"roost: `default`: switched back to `{name}`, built 2")
            assert got.stderr.endswith(f": `{current}`\n")
        assert (project.roost(*words).stderr) == ""


def test_link_in_the_project_leads_there_too(project: Project) -> None:
    """Where something else is in its place, the long way says so."""
    project.write(dependencies=["apple"], roost='link = ".venv"')
    project.lock()
    venv = project.roost("sync").stdout.strip()
    start_until_indexed(project)
    project.roost("sync")
    assert (project.root / ".venv").resolve() == Path(venv)
    assert way(project, "sync") == "index"
    (project.root / ".venv").unlink()
    (project.root / ".venv").mkdir()
    got = project.roost("sync")
    assert (got.returncode, got.stdout) == (0, f"{venv}\n")
    assert got.stderr.startswith(f"roost: warning: `{project.root}/.venv` exists and was not made by roost")


def same_size(project: Project, state: dict[str, str]) -> None:
    """Change a number in the text, and nothing about the file's length."""
    text = state["pyproject.toml"]
    assert '"1.0"' in text
    project.file("pyproject.toml", text.replace('"1.0"', '"1.1"'))


def test_other_bytes_are_another_state(seen: Branches) -> None:
    project = seen.project
    seen.switch("B")
    same_size(project, seen.texts["B"])
    assert way(project, "key") != "protocol"
    assert project.run(*PREFIX).returncode != 0  # `uv.lock` does not fit any more: nothing ran
    assert builds(project) == 2


def drift(branches: Branches) -> None:
    """Install into the venv of B."""
    site = next(Path(branches.venvs["B"]).glob("lib/python*/site-packages"))
    (site / "banana.py").write_text("")
    (site / "banana-1.0.dist-info").mkdir()


def no_marker(branches: Branches) -> None:
    """Take away the marker of B."""
    (Path(branches.venvs["B"]).parent / "complete").unlink()


def no_lease(branches: Branches) -> None:
    """Replace the lease of B."""
    lease = Path(f"{branches.venvs['B']}.lease")
    other = lease.with_name("other")
    other.touch()
    other.rename(lease)  # not an `unlink` before: the new one could get the old one's inode


def other_boot(branches: Branches) -> None:
    """Make the index of B look like one from before a restart."""
    path = branches.past("B")
    path.write_text(path.read_text().replace("\nboot ", "\nboot 0"))


def no_python(branches: Branches) -> None:
    """Take away the records of which Python was chosen."""
    for record in branches.project.store.glob(".venv/.v2/python/*"):
        record.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("damage", [drift, no_marker, no_lease, other_boot, no_python])
def test_what_is_not_as_it_was_goes_the_long_way(branches: Branches, damage: Callable[[Branches], None]) -> None:
    damage(branches)
    branches.switch("B")
    project = branches.project
    assert way(project, "run", "true") == "protocol"
    got = project.python("import apple, sys; print(apple.VERSION); import banana")
    assert got.stdout == "1.0\n"
    assert "No module named 'banana'" in got.stderr
    assert builds(project) == (3 if damage in (drift, no_marker, no_lease) else 2)


def test_absent_file_that_came_is_noticed(branches: Branches) -> None:
    """No hash is kept of what was not there."""
    branches.switch("B")
    branches.project.file("setup.cfg", "[metadata]\n")
    assert way(branches.project, "run", "true") == "protocol"


def test_edit_between_look_and_lease_is_noticed(seen: Branches) -> None:
    """Rule 5, here too."""
    project = seen.project
    seen.switch("B")
    past = warm.load(str(project.root), seen.past("B").name)
    assert past is not None
    assert earlier_states._renew(past, {}) is not None
    same_size(project, seen.texts["B"])
    assert warm.lease(past) is None


@pytest.mark.slow
def test_edits_right_after_each_start_are_all_noticed(branches: Branches) -> None:
    """Without a pause: neither file is written for inputs so young that the next edit could hide in their stamp."""
    project = branches.project
    for turn in range(20):
        state = "BA"[turn % 2]
        for name, text in branches.texts[state].items():
            project.file(name, text)
        assert project.run(*PREFIX).stdout.strip() == branches.venvs[state]
    assert builds(project) == 2


JUNK: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "cut": lambda text: text[: len(text) // 2],
    "without hashes": lambda text: "\n\t\n".join([*text.split("\n\t\n")[:3], ""]),
    "other hashes": lambda text: text.replace("\n\t\n", "\n\t\n", 2)[:-90] + "0" * 60 + text[-30:],
    "another venv": lambda text: text.replace("\nvenv /", "\nvenv /x/"),
    "another project": lambda text: text.replace("\nproject /", "\nproject /x/"),
    "null bytes": lambda text: "\0" * len(text),
    "no fields": lambda _: "roost index 1\n\t\n\t\n\t\n\t\n",
}


@pytest.mark.slow
def test_file_that_is_junk_leads_nowhere(branches: Branches) -> None:
    project = branches.project
    for number, (what, change) in enumerate(JUNK.items()):
        state = "BA"[number % 2]
        start_until_indexed(project)
        branches.switch(state)
        path = branches.past(state)
        text = path.read_text()
        assert change(text) != text, what
        path.write_text(change(text))
        got = project.run(*PREFIX)
        assert (got.returncode, got.stdout.strip(), got.stderr) == (0, branches.venvs[state], ""), what
        time.sleep(0.03)
        project.python("pass")
        path.write_text(text)
    assert builds(project) == 2


@pytest.mark.slow
def test_unusual_things_in_its_place(branches: Branches) -> None:
    """A folder, a FIFO, a link: neither read nor waited for."""
    path = branches.past("B")
    for put in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        path.unlink()
        put(path)
        branches.switch("B")
        assert branches.project.run(*PREFIX).stdout.strip() == branches.venvs["B"]
        branches.switch("A")
        branches.project.python("pass")
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
            path.touch()


def test_input_that_became_a_fifo_is_not_waited_for(seen: Branches) -> None:
    path = seen.project.root / "uv.lock"
    seen.switch("B")
    path.unlink()
    os.mkfifo(path)
    got = seen.project.python("pass")
    assert (got.returncode, got.stderr.startswith(f"roost: `{path}` is not a regular file")) == (125, True)


@pytest.mark.slow
def test_clean_takes_it_along(branches: Branches) -> None:
    project = branches.project
    project.roost("sync")
    project.age()
    assert project.roost("clean", "--all").returncode == 0
    assert [path.name for path in (project.store / ".venv/.v2/index").glob("default:*")] == [branches.past("A").name]


@pytest.mark.slow
def test_other_environments_names_are_not_mixed_up(project: Project) -> None:
    """They share the beginning of a name, and neither takes the other's."""
    project.write(groups={"b": ["banana"]}, extra='[tool.roost.envs.d]\n[tool.roost.envs.d-e]\ngroups = ["b"]\n')
    project.lock()
    for env in ("d", "d-e"):
        assert project.roost("sync", "--env", env).returncode == 0
    start_until_indexed(project)
    found = {env: project.roost("sync", "--env", env).stdout for env in ("d", "d-e")}
    assert len(set(found.values())) == 2
    (project.root / "pyproject.toml").touch()
    time.sleep(0.03)
    assert {env: project.roost("sync", "--env", env).stdout for env in ("d", "d-e")} == found
