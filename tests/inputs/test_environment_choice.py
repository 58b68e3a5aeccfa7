"""How an environment is chosen: by an option, else by a variable, the same at every door."""

import os

import pytest

import roost
from roost.errors import RoostError
from tests.lib.nox_sessions import PREFIX, nox, session, write_noxfile
from tests.lib.processes import ROOST_RUN, run
from tests.lib.projects import Project, builds

DOORS = [
    ["run", "python", "-c", "import sys; print(sys.prefix)"],
    ["sync"],
    ["key"],
    ["why"],
    ["hook", "sync", "post-merge"],
]


@pytest.mark.slow
def test_variable_chooses_the_environment_at_every_door(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []\n")
    write_noxfile(project, session("one", 'session.run("python", "-c", "import sys; print(sys.prefix)")'))
    bare = project.roost("sync", "--env", "bare").stdout
    key = project.roost("key", "--env", "bare").stdout
    monkeypatch.setenv("ROOST_ENV", "bare")
    assert [project.roost(*door).stdout for door in DOORS[:3]] == [bare, bare, key]
    assert run([ROOST_RUN, *DOORS[0][1:]], cwd=project.root).stdout == bare
    assert "`bare` is ready" in project.roost("why").stdout
    assert nox(project).stdout == bare
    with roost.acquire(project.root) as environment:
        assert (environment.name, f"{environment.venv}\n") == ("bare", bare)
    assert builds(project) == 1
    assert project.roost("run", "--env", "default", *DOORS[0][1:]).stdout not in ("", bare)
    with roost.acquire(project.root, env="default") as environment:
        assert environment.name == "default"
    monkeypatch.setenv("ROOST_ENV", "")
    assert project.roost("sync").stdout != bare
    monkeypatch.setenv("ROOST_ENV", "fruit")
    sentence = f"there is no environment `fruit` in `{project.root}/pyproject.toml`: it has `bare`, `default`"
    for door in DOORS:
        assert sentence in project.roost(*door).stderr
    assert sentence in run([ROOST_RUN, "python"], cwd=project.root).stderr
    assert sentence in nox(project).stderr
    with pytest.raises(RoostError, match="there is no environment `fruit`"):
        roost.acquire(project.root)


@pytest.mark.slow
def test_option_comes_before_the_variable_at_every_door(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []\n")
    body = session("one", PREFIX, options="venv_params=['--env', 'bare']") + session("two", PREFIX)
    write_noxfile(project, body)
    monkeypatch.setenv("ROOST_ENV", "default")
    bare = project.roost("sync", "--env", "bare").stdout
    assert project.roost("run", "--env", "bare", *DOORS[0][1:]).stdout == bare
    assert "`bare` is ready" in project.roost("why", "--env", "bare").stdout
    assert not (project.store / ".venv/default").is_symlink()
    key = project.roost("key", "--env", "bare").stdout
    assert f"/{key.strip()}/" in bare
    monkeypatch.setenv("ROOST_ENV", "bare")
    assert project.roost("key", "--env", "default").stdout != key
    default = project.roost("sync", "--env", "default").stdout
    assert nox(project).stdout == bare * 2
    monkeypatch.setenv("ROOST_ENV", "default")
    assert nox(project).stdout == bare + default


@pytest.mark.parametrize("way", ["option", "variable"])
def test_hook_syncs_the_environment_that_it_is_told(project: Project, way: str) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.bare]\ngroups = []\n")
    run(["git", "init", "--quiet"], cwd=project.root, check=True)
    option = ["--env", "bare"] if way == "option" else []
    env = dict(os.environ) | {"ROOST_ENV": "default" if way == "option" else "bare"}
    got = project.roost("hook", "sync", *option, "post-merge", env=env)
    assert "building `bare`" in got.stderr
    assert project.links() == ["bare"]
