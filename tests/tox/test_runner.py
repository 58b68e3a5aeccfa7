"""The tox runner, as users of tox see it."""

import json
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lib.nox_sessions import HERE_PYTHON, OTHER_FOLDER, OTHER_PYTHON, digest
from tests.lib.processes import ROOST, all_at_once, finish, run
from tests.lib.projects import Project, SlowProject, start_until_indexed
from tests.lib.runners import WARM, imported

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    import subprocess

TOX = os.path.join(sysconfig.get_path("scripts"), "tox")
PREFIX = "python -c 'import sys; print(\"in\", sys.prefix)'"
FRUIT = "python -c \"import importlib.util as u; print([n for n in ('apple', 'banana', 'cherry') if u.find_spec(n)])\""


def write_tox(project: Project, **envs: str) -> None:
    """Write `tox.ini` with the runner `roost` and the body of each environment."""
    text = f"[tox]\nenv_list = {','.join(envs)}\n[testenv]\nrunner = roost\nskip_install = true\n"
    project.file("tox.ini", text + "".join(f"[testenv:{name}]\n{body}\n" for name, body in envs.items()))


def tox(project: Project, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run real tox in the project; pip finds the wheels of the tests."""
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project.wheels)} | dict(options.pop("env", os.environ))
    return run([TOX, *words], cwd=project.root, env=env, **options)


def places(text: str) -> list[str]:
    """Return the prefixes that the commands printed."""
    return [line[3:] for line in text.splitlines() if line.startswith("in ")]


def test_environments_share_the_venv_that_roost_run_uses(project: Project) -> None:
    write_tox(
        project,
        one=f"dependency_groups = dev\ncommands = {PREFIX}",
        two=f"deps =\n  apple>=1\n  banana\ncommands = {PREFIX}",
        three=f"commands = {PREFIX}",
    )
    got = tox(project)
    assert got.returncode == 0, got.stdout + got.stderr
    (shared,) = project.venvs()
    assert places(got.stdout) == [str(shared)] * 3
    assert project.python("import sys; print(sys.prefix)").stdout == f"{shared}\n"
    assert len(project.journal("build")) == 1
    assert not list((project.root / ".tox").glob("*/bin"))


def test_later_start_imports_what_a_warm_start_needs(project: Project) -> None:
    write_tox(project, one=f"deps = apple\ncommands = {PREFIX}")
    start_until_indexed(project)
    assert tox(project).returncode == 0
    got = tox(project, env=dict(os.environ) | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert imported(got.stderr) == WARM | {"roost.runners.shared"}


def test_folder_named_like_a_group_or_a_package_is_no_requirement(project: Project) -> None:
    for name in ("dev", "apple"):
        (project.root / name).mkdir()
    write_tox(project, one=f"dependency_groups = dev\ndeps = apple\ncommands = {PREFIX}")
    got = tox(project)
    assert places(got.stdout) == [str(project.venvs()[0])], got.stdout + got.stderr


def test_environment_that_asks_for_more_gets_its_own(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost.envs.bare]\ngroups = []\n[tool.roost]")
    write_tox(
        project, one=f"roost_env = bare\ndeps = banana\ncommands =\n  {FRUIT}\n  {PREFIX}", two=f"commands = {FRUIT}"
    )
    got = tox(project)
    assert got.returncode == 0, got.stdout + got.stderr
    assert "['banana']\n" in got.stdout
    assert "['apple', 'banana']\n" in got.stdout
    assert places(got.stdout) == [str(project.root / ".tox/one")]
    why = "roost: `one` gets a venv of its own: the environment `bare` lacks `banana==1.0`\n"
    assert why in got.stderr
    assert "gets a venv of its own" not in tox(project).stderr


@pytest.mark.parametrize("deps", ["cherry>=1", "-r more.txt"])
def test_package_that_the_lock_file_lacks_needs_no_shared_venv(project: Project, deps: str) -> None:
    project.file("more.txt", "apple\ncherry\n")
    write_tox(project, one=f"deps = {deps}\ncommands = {PREFIX}")
    got = tox(project)
    why = "roost: `one` gets a venv of its own: `cherry` is not in the lock file of the environment `default`\n"
    assert why in got.stderr, got.stdout + got.stderr
    assert places(got.stdout) == [str(project.root / ".tox/one")]
    assert places(tox(project).stdout) == places(got.stdout)
    assert project.all_venvs() == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("skip_install = false\npackage = wheel", "`package = wheel` installs what gets built"),
        ("system_site_packages = true", "`system_site_packages` is set"),
        ("commands_pre = python -m pip install banana", "`pip install` in `commands_pre`"),
        ("install_command = pip install -c old.txt {packages}", "`install_command` is set"),
        ("constraints = old.txt", "`constraints` is set"),
        ("pip_pre = true", "`pip_pre` is set"),
        ("set_env =\n  A = 1\n  PIP_CONSTRAINT = old.txt", "`PIP_CONSTRAINT` in `set_env`"),
        ("setenv = UV_RESOLUTION = lowest", "`UV_RESOLUTION` in `setenv`"),
    ],
)
def test_reason_for_a_venv_of_its_own(project: Project, body: str, why: str) -> None:
    project.file("old.txt", "apple<2\n")
    write_tox(project, one=f"{body}\ncommands = {PREFIX}")
    got = tox(project, "run", "--notest")
    assert f"roost: `one` gets a venv of its own: {why}\n" in got.stderr, got.stdout + got.stderr
    assert project.venvs() == []


def test_settings_in_toml_are_read_like_those_in_ini(project: Project) -> None:
    body = 'commands = [["python", "-m", "pip", "install", "banana"]]\nconstraints = ""\nextra_setup_commands = []\n'
    project.file("tox.toml", f'[env_run_base]\nrunner = "roost"\nskip_install = true\n[env.one]\n{body}')
    got = tox(project, "run", "--notest", "-e", "one")
    assert "roost: `one` gets a venv of its own: `pip install` in `commands`\n" in got.stderr, got.stdout + got.stderr


def test_extra_that_does_not_exist_is_left_to_tox(slow_project: SlowProject) -> None:
    slow_project.file("slow.txt", "0")
    write_tox(slow_project, one=f"skip_install = false\nextras = none\ncommands = {PREFIX}")
    got = tox(slow_project)
    why = f"the environment `default` lacks the extra `none` of `{slow_project.root}`\n"
    assert f"roost: `one` gets a venv of its own: {why}" in got.stderr, got.stdout + got.stderr
    assert got.returncode == 0 or "extras not found" in got.stdout  # tox 4.22 installs the project without it
    assert not any(str(venv) in got.stdout for venv in slow_project.venvs())


def test_command_that_would_change_the_shared_venv_fails_in_words(project: Project) -> None:
    """The setting names it through another section, so it is seen only when it runs."""
    project.file(
        "tox.ini",
        "[tox]\nenv_list = one\n[testenv]\nrunner = roost\nskip_install = true\nallowlist_externals = uv\ncommands = {[more]words}\n"
        "[more]\nwords = uv pip install cherry\n",
    )
    project.python("pass")
    before = digest(project.venvs()[0])
    got = tox(project, "run", "-e", "one")
    assert got.returncode != 0
    assert "roost: `uv pip install cherry` would change the shared venv: list it in `deps` of `one`" in got.stdout
    assert digest(project.venvs()[0]) == before


def test_editable_of_the_project_is_the_one_that_is_there(slow_project: SlowProject) -> None:
    slow_project.file("slow.txt", "0")
    slow_project.file("tox.ini", f"[tox]\nenv_list = one,two\n[testenv]\nrunner = roost\ncommands = {PREFIX}\n")
    got = tox(slow_project)
    assert got.returncode == 0, got.stdout + got.stderr
    assert places(got.stdout) == [str(slow_project.venvs()[0])] * 2
    assert sum(what == "begin" for _, _, what in slow_project.builds()) == 1


def test_runner_on_the_command_line_and_recreate(project: Project) -> None:
    project.file("tox.ini", f"[tox]\nenv_list = one\n[testenv]\nskip_install = true\ncommands = {PREFIX}\n")
    for words in (("run", "--runner", "roost"), ("run", "--runner", "roost", "-r"), ("run", "--runner", "roost")):
        got = tox(project, *words, "-e", "one")
        assert places(got.stdout) == [str(project.venvs()[0])], got.stdout + got.stderr
    assert len(project.journal("build")) == 1


def test_variables_and_substitutions_name_the_shared_venv(project: Project) -> None:
    code = 'python -c \'import os; print(os.environ["WHERE"], os.environ["VIRTUAL_ENV"])\''
    write_tox(project, one=f"set_env =\n  WHERE = {{env_bin_dir}}\ncommands =\n  {code}\n  {{env_python}} --version")
    got = tox(project)
    venv = project.venvs()[0]
    assert f"{venv}/bin {venv}\n" in got.stdout, got.stdout + got.stderr
    assert f"{venv.name}/bin/python --version" in got.stdout


def test_config_and_list_build_nothing(project: Project) -> None:
    write_tox(project, one=f"commands = {{env_python}} {PREFIX}")
    for words in (("config", "-e", "one"), ("list",)):
        assert tox(project, *words).returncode == 0
    assert project.all_venvs() == []


def test_other_environment_of_the_project(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]", "[tool.roost.envs.bare]\ngroups = []\n[tool.roost]")
    write_tox(project, one=f"roost_env = bare\ncommands = {FRUIT}", two="roost_env = none\ncommands = python")
    got = tox(project, "run", "-e", "one")
    assert "['apple']\n" in got.stdout, got.stdout + got.stderr
    got = tox(project, "run", "-e", "two")
    assert got.returncode != 0
    assert "no environment `none`" in got.stdout, got.stdout


def test_list_of_packages_in_the_report(project: Project) -> None:
    write_tox(project, one="commands = python --version")
    assert tox(project, "run", "--result-json", "report.json").returncode == 0
    report = json.loads((project.root / "report.json").read_text())
    assert "apple==2.0" in report["testenvs"]["one"]["installed_packages"]


@pytest.mark.skipif(not OTHER_PYTHON, reason="there is only one Python on this machine")
def test_one_venv_for_each_python_and_a_missing_one_is_skipped(project: Project) -> None:
    write_tox(
        project,
        **dict.fromkeys(
            (f"py{HERE_PYTHON.replace('.', '')}", f"py{OTHER_PYTHON.replace('.', '')}-a"), f"commands = {PREFIX}"
        ),
        py399=f"commands = {PREFIX}",
    )
    env = dict(os.environ) | {"PATH": f"{os.environ['PATH']}{os.pathsep}{OTHER_FOLDER}", "UV_PYTHON_DOWNLOADS": "never"}
    got = tox(project, "run", "--skip-missing-interpreters", "true", env=env)
    assert got.returncode == 0, got.stdout + got.stderr
    assert "py399: SKIP" in got.stdout
    assert len(set(places(got.stdout))) == len(project.venvs()) == 2
    got = tox(project, "run", "-e", "py399", env=env)
    assert re.search("could not find python interpreter .*py399", got.stdout)  # the words differ between versions
    assert got.returncode != 0


def test_many_at_once_on_a_cold_checkout(slow_project: SlowProject, tmp_path: Path) -> None:
    slow_project.file("slow.txt", "0.2")
    body = f"[testenv]\nrunner = roost\ncommands = {PREFIX}\n"
    slow_project.file("tox.ini", f"[tox]\nenv_list = a,b,c\n{body}")
    slow_project.file(
        "noxfile.py",
        "import nox, roost.nox\n@nox.session(venv_backend='roost')\n"
        "def one(session): session.run('python', '-c', 'import sys; print(\"in\", sys.prefix)')\n",
    )
    nox = TOX.removesuffix("tox") + "nox"
    launch = [
        [TOX, "run-parallel", "--parallel-live"],
        [TOX, "run", "--workdir", str(tmp_path / "second")],
        [nox],
        [ROOST, "run", "python", "-c", "import sys; print('in', sys.prefix)"],
    ]  # fmt: skip
    children = all_at_once(4, tmp_path, lambda number: launch[number], cwd=slow_project.root)
    ended = [finish(child) for child in children]
    assert [status for status, _, _ in ended] == [0] * 4, ended
    found = [place for _, out, _ in ended for place in places(out)]
    assert found == [str(slow_project.venvs()[0])] * 8
    assert len(slow_project.journal("build")) == 1
    assert slow_project.overlaps() == []


def test_tox_that_is_too_old_names_the_version(project: Project, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "sitecustomize.py").write_text("import tox.version\ntox.version.version = '4.11.3'\n")
    write_tox(project, one="commands = python")
    got = tox(project, env=dict(os.environ) | {"PYTHONPATH": str(old)})
    assert got.returncode != 0
    assert "the runner `roost` needs tox 4.22, this is 4.11.3: `pip install 'tox>=4.22'`" in got.stdout + got.stderr
    assert not project.store.exists()


def test_selection_of_python_by_name() -> None:
    from roost.tox import as_request  # noqa: PLC0415 - tox is slow to import

    names = ["py312", "3.12", "python3.12", "py3", "py313t", "pypy310", "/usr/bin/python3", "cpython3.11"]
    assert [as_request(name) for name in names] == [
        "3.12", "3.12", "3.12", "3", "3.13t", "pypy3.10", "/usr/bin/python3", "3.11",
    ]  # fmt: skip
    assert sys.executable == as_request(sys.executable)
    assert shutil.which(TOX)
