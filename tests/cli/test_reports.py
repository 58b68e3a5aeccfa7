"""`roost status`, `why`, `log` and `doctor`: what they say, to people and to programs."""

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lib.processes import ROOST, all_at_once, finish, run, start, wait_for
from tests.lib.projects import Project, SlowProject
from tests.lib.wheels import make_wheel


def _json(project: Project, *words: str) -> Any:
    got = project.roost(*words, "--json")
    assert got.stderr == ""
    return json.loads(got.stdout)


def _status(project: Project, env: str = "default") -> tuple[str, str]:
    found = next(one for one in _json(project, "status")["environments"] if one["environment"] == env)
    return found["status"], found["reason"]


def test_status_of_each_kind(project: Project) -> None:
    assert _status(project) == ("missing", "not built yet: `roost sync`")
    assert not project.store.exists()  # it only looks
    project.python("pass")
    assert _status(project) == ("ready", "")
    project.write(dependencies=["apple"], groups={"dev": ["banana", "cherry"]})
    project.lock()
    assert _status(project) == ("stale", "changed: pyproject.toml [dependency-groups] dev, uv.lock")
    project.python("pass")
    shutil.rmtree(next(project.complete()[-1].glob("lib/python*/site-packages/apple")))
    both = [_status(project)]
    project.write(dependencies=["apple"], groups={"dev": ["banana"]})
    project.lock()
    both.append(_status(project))
    assert sorted(word for word, _ in both) == ["drifted", "ready"]
    assert any(re.fullmatch("`apple` was removed from `venv-[a-z0-9]{6}`", reason) for _, reason in both)


def test_status_names_who_builds(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        word, reason = _status(slow_project)
    assert word == "building"
    assert reason.startswith(f"by pid {builder.pid} (`roost run python`) since ")
    assert finish(builder)[0] == 0


def test_status_names_who_runs(built: Project) -> None:
    """The session, and not what it starts."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], close_fds=False)"
    built.python("pass")
    session = start([ROOST, "run", "python", "-c", code], cwd=built.root, stdin=subprocess.PIPE)
    wait_for(lambda: len(_children(session.pid)) == 1, "the session's child")
    (venv,) = _json(built, "status")["venvs"]
    text = built.roost("status").stdout
    session.communicate("\n")
    (user,) = venv["users"]
    assert user["pid"] == session.pid
    assert user["command"].startswith("python -c import subprocess")
    assert venv["keeps"] == "in use"
    assert f"  pid {session.pid} since " in text
    assert "  kept: in use\n" in text
    assert _json(built, "status")["venvs"][0]["users"] == []


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_status_counts_packages_and_bytes_once(built: Project) -> None:
    (venv,) = _json(built, "status")["venvs"]
    assert venv["packages"] == 2
    assert venv["environment"] == "default"
    assert venv["complete"] is True
    disk = int(run(["du", "-s", "--block-size=1", built.complete()[0]]).stdout.split()[0])
    folders = sum(
        path.stat().st_blocks * 512
        for path in built.complete()[0].rglob("*")
        if path.is_dir() and not path.is_symlink()
    )
    own = built.complete()[0].stat().st_blocks * 512
    assert venv["bytes"] == disk - folders - own


def test_status_in_a_pipe_fits_and_has_no_colour(built: Project) -> None:
    got = built.roost("status").stdout
    assert "\x1b" not in got
    head, empty, name, path, build, disk, used, kept, *_ = got.splitlines()
    venv = built.complete()[0]
    assert head == f"default  ready     {venv.name}"
    assert empty == ""
    assert re.fullmatch(rf"{venv.name}  default, Python 3\.\d+\.\d+, 2 packages, \d+\.\d MiB", name)
    assert path == f"  {venv.relative_to(built.root)}"
    assert re.fullmatch(r"  built \d{4}-\d\d-\d\d \d\d:\d\d:\d\d in \d+\.\d s by uv \(uv\.lock\)", build)
    linked = r"linked with others: \d\.\d MiB uv's cache, \d\.\d MiB the bytecode cache"
    assert re.fullmatch(rf"  disk: \d\.\d MiB its own, {linked}", disk)
    assert re.fullmatch(r"  last used \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", used)
    assert kept == "  kept: it is the target of a link in `.roost/.venv`"


@pytest.mark.slow
def test_status_distinguishes_a_superseded_venv_from_what_a_killed_build_left(slow_project: SlowProject) -> None:
    slow_project.file("slow.txt", "0")
    slow_project.roost("sync")
    slow_project.roost("sync", "--refresh")
    with slow_project.in_build("sync", "--refresh") as builder:
        said = slow_project.roost("status").stdout
        assert said.count("  superseded by another venv for the same state\n") == 1
        assert said.count("  being built\n") == 1
        builder.kill()
        finish(builder)
    # Its installer's backend goes on without it.
    wait_for(lambda: "left by a build that was killed" in slow_project.roost("status").stdout, "its installer")
    found = [(venv["complete"], venv["attempt"]) for venv in _json(slow_project, "status")["venvs"]]
    assert sorted(found) == [(False, False), (False, True), (True, False)]


def test_status_knows_each_python_and_environment(project: Project) -> None:
    project.write(
        dependencies=["apple"],
        groups={"dev": [], "docs": ["cherry"]},
        roost="[tool.roost.envs.docs]\ngroups = ['docs']",
    )
    project.lock()
    project.run("--python", ">=3.11", "python", "-c", "pass")
    found = [(one["environment"], one["python"], one["status"]) for one in _json(project, "status")["environments"]]
    assert found == [("default", None, "missing"), ("docs", None, "missing"), ("default", ">=3.11", "ready")]


def test_why_says_parts_and_packages(project: Project, wheels: Path) -> None:
    got = project.roost("why")
    assert got.stdout == "`default` is not built yet: `roost sync`\n"
    project.python("pass")
    assert re.fullmatch(
        "`default` is ready: nothing changed since it was built [-0-9: ]{19}\n", project.roost("why").stdout
    )
    make_wheel(wheels, "fig", "1.0")
    project.write(dependencies=["apple<2"], groups={"dev": ["fig"]})
    project.lock()
    first, *rest = project.roost("why").stdout.splitlines()
    assert re.fullmatch("`default` changed since venv-[a-z0-9]{6} was built [-0-9: ]{19}:", first)
    assert rest == [
        "  pyproject.toml [dependency-groups] dev",
        "  pyproject.toml [project] dependencies",
        "  uv.lock",
        "    apple 2.0 → 1.0",
        "    + fig 1.0",
        "    - banana 1.0",
    ]
    found = _json(project, "why")
    assert found["packages"] == ["apple 2.0 → 1.0", "+ fig 1.0", "- banana 1.0"]
    assert found["ready"] is False


def test_first_lock_file_adds_no_packages_that_were_installed_before(project: Project) -> None:
    (project.root / "uv.lock").unlink()
    project.python("pass")
    project.lock()
    found = _json(project, "why")
    assert (found["parts"], found["packages"]) == (["uv.lock added"], [])
    assert "changed: uv.lock added\n" in project.python("pass").stderr
    (project.root / "uv.lock").unlink()
    assert _json(project, "why")["packages"] == []


@pytest.mark.slow
def test_why_after_a_build_says_what_that_changed(project: Project) -> None:
    project.python("pass")
    before = project.complete()[0].name
    was = {name: (project.root / name).read_text() for name in ("pyproject.toml", "uv.lock")}
    project.write(dependencies=["apple<2"], groups={"dev": ["cherry"]})
    project.lock()
    project.python("pass")  # within the same second, as it may be
    first, second, *rest = project.roost("why").stdout.splitlines()
    assert re.fullmatch("`default` is ready: nothing changed since it was built [-0-9: ]{19}", first)
    assert re.fullmatch(f"Changes in that build, since {before} was built [-0-9: ]{{19}}:", second)
    assert rest[-3:] == ["    apple 2.0 → 1.0", "    + cherry 1.0", "    - banana 1.0"]
    found = _json(project, "why")
    assert (found["ready"], found["parts"], found["packages"]) == (True, [], [])
    assert found["last_build"]["venv"] == before
    assert found["last_build"]["packages"] == ["apple 2.0 → 1.0", "+ cherry 1.0", "- banana 1.0"]
    for name, text in was.items():
        project.file(name, text)
    first, *rest = project.roost("why").stdout.splitlines()
    assert first.startswith("`default` is ready. It differs from ")
    assert rest[-3:] == ["    apple 1.0 → 2.0", "    + banana 1.0", "    - cherry 1.0"]


@pytest.mark.slow
def test_newest_is_newest_also_within_a_second_and_across_time_zones(project: Project) -> None:
    """By the instant, and not by the text of the stamp."""
    project.python("pass")
    (marker,) = project.store.glob(".venv/.v2/envs/*/complete")
    values = json.loads(marker.read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", values["built"])
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.mine]\nx = 1\n[tool.roost]\n")
    project.python("pass", env=dict(os.environ) | {"TZ": "Etc/GMT+9"})  # nine hours behind, so its text is smaller
    (name,) = {venv.name for venv in project.complete()} - {os.path.basename(values["venv"])}
    project.edit("pyproject.toml", "x = 1", "x = 2")
    assert project.roost("why").stdout.startswith(f"`default` changed since {name} was built ")


def test_why_shows_settings_and_interpreters_with_their_values(project: Project) -> None:
    project.python("pass")
    project.write(dependencies=["apple"], groups={"dev": ["banana"]}, roost="groups = []\ncompile-bytecode = false")
    got = project.roost("why").stdout
    assert "  setting compile-bytecode True → False\n" in got
    assert "  setting groups dev → none\n" in got


def test_log_says_who_built_and_who_waited(slow_project: SlowProject, tmp_path: Path) -> None:
    slow_project.file("slow.txt", "2")  # all start meanwhile, also on a busy machine
    children = all_at_once(4, tmp_path, lambda _: [ROOST, "run", "python", "-c", "pass"], cwd=slow_project.root)
    assert [finish(child)[0] for child in children] == [0] * 4
    lines = slow_project.roost("log").stdout.splitlines()
    (builder,) = [line.split()[3] for line in lines if " built `default` in " in line]
    waits = [line for line in lines if " waited " in line and f" for pid {builder} (`roost run python`) since " in line]
    assert len(waits) == 3, lines  # the builder may have waited, too, while another one tried the lock
    found = _json(slow_project, "log", "-n", "2")
    assert [row["event"] in ("build", "wait") for row in found["events"]] == [True, True]  # a waiter may write first


@pytest.mark.slow
def test_timeline_draws_the_last_fan_out(slow_project: SlowProject, tmp_path: Path) -> None:
    slow_project.file("slow.txt", "2")  # all start meanwhile, also on a busy machine
    children = all_at_once(3, tmp_path, lambda _: [ROOST, "run", "python", "-c", "pass"], cwd=slow_project.root)
    assert [finish(child)[0] for child in children] == [0] * 3
    picture = tmp_path / "out.svg"
    assert slow_project.roost("log", "--timeline", picture).returncode == 0
    tree = ET.parse(picture)  # noqa: S314 - we wrote it
    bars = list(tree.iter("{http://www.w3.org/2000/svg}g"))
    assert len(bars) == 3
    assert "1 built, 2 waited, 0 failed" in picture.read_text()


def test_timeline_of_a_time_span(project: Project, tmp_path: Path) -> None:
    project.python("pass")
    journal = project.store / ".venv/.v2/journal"
    (line,) = [json.loads(text) for text in journal.read_text().splitlines()]
    for hours in (1, 3):
        earlier = datetime.fromisoformat(line["at"]) - timedelta(hours=hours)
        journal.write_text(json.dumps(line | {"at": earlier.isoformat()}) + "\n" + journal.read_text())
    picture = tmp_path / "out.svg"
    for words, count in (([], 1), (["--since", "90"], 2), (["--since", "600"], 3)):
        project.roost("log", "--timeline", picture, *words)
        assert f"{count} built, 0 waited, 0 failed" in picture.read_text()


def test_timeline_of_nothing_and_to_nowhere(project: Project, tmp_path: Path) -> None:
    got = project.roost("log", "--timeline", tmp_path / "out.svg")
    assert (got.returncode, got.stderr) == (125, "roost: the journal has no build and no wait to draw\n")
    got = project.roost("log")
    assert (got.returncode, got.stdout, got.stderr) == (0, "", "roost: the journal is empty\n")
    project.python("pass")
    got = project.roost("log", "--timeline", tmp_path / "absent/out.svg")
    assert (got.returncode, got.stderr) == (
        2,
        f"roost: `--timeline {tmp_path}/absent/out.svg`: No such file or directory\n",
    )


def test_torn_journal_is_read_as_far_as_it_goes(project: Project) -> None:
    project.python("pass")
    with (project.store / ".venv/.v2/journal").open("a") as file:
        file.write('{"at": "2026-01-01T00:00:00+00:00", "eve\n[]\nnull\n{}\n')
    assert len(project.roost("log").stdout.splitlines()) == 1


def test_doctor_of_a_healthy_project(built: Project) -> None:
    got = built.roost("doctor")
    assert got.returncode == 0, got.stdout
    assert (
        "ok       flock works between processes: exclusive, shared, inherited over exec, released by SIGKILL"
        in got.stdout
    )
    assert "ok       renames, links and time stamps work" in got.stdout
    assert "error" not in got.stdout
    assert not list((built.store / ".venv/.v2").glob("doctor*"))


def test_doctor_without_flock(built: Project) -> None:
    if shutil.which("strace") is None:
        pytest.skip("`strace` is not installed")
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK", ROOST, "doctor", "--json"]
    got = run(command, cwd=built.root)
    assert got.returncode == 125
    (wrong,) = [one for one in json.loads(got.stdout)["findings"] if one["level"] == "error"]
    assert wrong["text"] == "flock does not work (No locks available)"


def test_doctor_finds_what_is_wrong(project: Project) -> None:
    run(["git", "init", "-q"], cwd=project.root, check=True)
    (project.root / ".venv").symlink_to(".roost/.venv/default")
    project.roost("run", "python", "-c", "pass")
    hook = project.root / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nroost-run pytest\n")
    text = project.roost("doctor").stdout
    assert f"warning  `{project.root}/.venv` is a link into `.roost`: " in text
    assert "ok       git hooks that call roost: pre-push" in text


def test_doctor_knows_hooks_of_frameworks(project: Project) -> None:
    run(["git", "init", "-q"], cwd=project.root, check=True)
    assert "ok       no git hook calls roost\n" in project.roost("doctor").stdout
    for path in (project.root / ".git/hooks").iterdir():
        path.unlink()
    project.file(".pre-commit-config.yaml", "repos: [{repo: local, hooks: [{id: mypy, entry: roost-run mypy}]}]\n")
    said = project.roost("doctor").stdout
    assert f"ok       `{project.root}/.pre-commit-config.yaml` has hooks that call roost\n" in said
    assert "warning  git has no hooks for this project, so they do not run: `pre-commit install`\n" in said
    project.file(".git/hooks/pre-commit", "#!/bin/sh\nexec pre-commit\n")
    assert "so they do not run" not in project.roost("doctor").stdout


def test_doctor_names_hooks_that_depend_on_a_venv(project: Project) -> None:
    run(["git", "init", "-q"], cwd=project.root, check=True)
    project.file(".lefthook.yaml", "pre-commit:\n  commands:\n    a:\n      run: .venv/bin/mypy\n")
    said = project.roost("doctor").stdout
    assert f"warning  `{project.root}/.lefthook.yaml` names a venv, which others may lack: `roost init`\n" in said
    project.roost("init", "--write")
    assert "names a venv" not in project.roost("doctor").stdout


def test_doctor_continues_after_a_pyproject_that_does_not_parse(project: Project) -> None:
    project.file("pyproject.toml", "[project\n")
    got = project.roost("doctor")
    assert got.returncode == 125
    assert got.stdout.startswith(f"error    `{project.root}/pyproject.toml` is not valid TOML")
    assert "ok       flock works between processes" in got.stdout


@pytest.mark.slow
def test_doctor_finds_a_package_that_was_edited_in_its_venv(project: Project) -> None:
    (venv,) = [Path(project.roost("sync").stdout.strip())]
    (module,) = venv.glob("lib/python*/site-packages/apple/__init__.py")
    text = module.read_text()
    module.unlink()  # a write would reach uv's cache
    module.write_text(f"{text}\nMORE = 1\n")
    said = project.roost("doctor").stdout
    assert re.search(
        r"warning  `.*apple/__init__.py` in `venv-\w+` changed since it was built for `default`: `roost sync", said
    )
    assert project.roost("sync", "--refresh").returncode == 0
    project.age()
    project.roost("clean", "--all")
    assert "changed since it was built" not in project.roost("doctor").stdout


def test_doctor_says_how_large_a_copy_is(built: Project) -> None:
    said = built.roost("doctor").stdout
    assert f"ok       uv links packages from its cache `{os.environ['UV_CACHE_DIR']}`: " in said
    said = built.roost("doctor", env=dict(os.environ) | {"UV_LINK_MODE": "copy"}).stdout
    assert re.search(r"warning  uv does not link packages .*, so each venv is a full copy \(0\.\d MiB\): unset", said)
    assert "ok       set in the environment: " in said
    assert "`UV_LINK_MODE=copy`" in said


def test_doctor_report_holds_no_secret(built: Project) -> None:
    secret = "hunter2"  # noqa: S105 - to be looked for
    env = dict(os.environ) | {"UV_INDEX_URL": f"https://me:{secret}@example.invalid/simple", "UV_PUBLISH_TOKEN": secret}
    for words in (["doctor"], ["doctor", "--json"]):
        got = built.roost(*words, env=env | {"HOME": str(built.root.parent)})
        assert got.returncode == 0
        assert secret not in got.stdout
        assert str(built.root.parent) not in got.stdout
        assert "~/project/.roost" in got.stdout


@pytest.mark.slow
def test_doctor_finds_leftovers_and_foreign_files(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        builder.kill()
        finish(builder)
    wait_for(lambda: slow_project.builds()[-1][2] == "end", "the end of what was left")
    wait_for(lambda: "1 unfinished builds" in slow_project.roost("doctor").stdout, "the leftover")
    if os.geteuid() == 0:
        os.chown(slow_project.store / ".venv/.lock", 65534, 65534)
        got = slow_project.roost("doctor")
        assert got.returncode == 125
        assert (
            f"error    `{slow_project.store}/.venv/.lock` belongs to another user: `sudo chown -R $USER " in got.stdout
        )
