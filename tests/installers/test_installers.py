"""What each installer reads, in which order they are asked, and what they refuse."""

import os
import re
import shutil
from pathlib import Path

import pytest

import roost
from roost.errors import NoInterpreterError
from tests.lib.installer_kinds import BACKEND, installed, said, with_command, with_pylock, with_requirements
from tests.lib.paths import LIB
from tests.lib.processes import UV, run
from tests.lib.projects import Project, refused
from tests.lib.wheels import make_wheel


@pytest.mark.slow
def test_order_of_choice_and_the_message_about_two_locks(plain: Project) -> None:
    """Each file that is added comes before those that were there; the message names the loser."""
    plain.file("requirements.txt", "cherry\n")
    assert "with uv (pyproject.toml, no uv.lock)" in said(plain)
    with_pylock(plain)
    plain.file("poetry.lock", "")
    assert "with pylock (pylock.toml, before poetry.lock)" in said(plain)
    plain.lock()
    assert "with uv (uv.lock, before pylock.toml and poetry.lock)" in said(plain)
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["true"]\n')
    assert "with command (`command` in pyproject.toml)" in said(plain)
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\nrequirements = ["requirements.txt"]\n')
    assert "with requirements (requirements.txt)" in said(plain)
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ninstaller = "pylock"\n')
    assert said(plain) == ""  # the venv that was made from it before


def test_requirement_files_by_convention(plain: Project) -> None:
    plain.file("pyproject.toml", f'[tool.uv]\nno-index = true\nfind-links = ["{plain.wheels}"]\n')
    plain.file("requirements.txt", "apple\n")
    plain.file("dev-requirements.txt", "cherry\n")
    assert "with requirements (requirements.txt, dev-requirements.txt)" in said(plain)
    assert installed(plain) == "apple 2.0 cherry 1.0"
    plain.file("requirements-dev.txt", "banana\n")
    assert "changed: requirements-dev.txt" in said(plain)


@pytest.mark.slow
def test_requirement_lines_of_every_kind(plain: Project, wheels: Path) -> None:
    """Hashes, continuations, markers, options with a space and without, a URL, `-e`, and a path."""
    import hashlib  # noqa: PLC0415 - only here

    digest = hashlib.sha256((wheels / "banana-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    shutil.copy(LIB / "slow_backend.py", plain.root)
    plain.file("slow.txt", "0")
    plain.file("src/project.py", "")
    plain.edit("pyproject.toml", "[tool.roost]\n", f'{BACKEND}[tool.roost]\nrequirements = ["all.txt"]\n')
    plain.file("all.txt", "# all\n-r one.txt\n--requirement=two.txt\n-e .  # the project\n")
    plain.file("one.txt", f"banana==1.0 \\\n    --hash=sha256:{digest}\nnothing; python_version < '3'\n")
    plain.file("two.txt", f"--constraint three.txt\ncherry @ file://{wheels}/cherry-1.0-py3-none-any.whl\n")
    plain.file("three.txt", "apple==1.0\n")
    assert installed(plain) == "apple 1.0 banana 1.0 cherry 1.0 project 1.0"
    for name, old, new in (
        ("three.txt", "==1.0", "==2.0"),
        ("two.txt", "--constraint", "# more\n--constraint"),
        ("one.txt", "nothing", "nowhere"),
        ("all.txt", "# all", "# everything"),
    ):
        plain.edit(name, old, new)
        assert name in said(plain).partition("changed: ")[2]
        assert said(plain) == ""
    assert installed(plain) == "apple 2.0 banana 1.0 cherry 1.0 project 1.0"


def test_wrong_hash_is_refused(plain: Project) -> None:
    with_requirements(plain)
    plain.file("requirements.txt", f"banana==1.0 --hash=sha256:{'0' * 64}\n")
    assert "Hash mismatch" in refused(plain)


@pytest.mark.slow
def test_local_requirement_is_a_source(plain: Project) -> None:
    with_requirements(plain)
    backend = (LIB / "slow_backend.py").read_text().replace("project", "lib")
    plain.file("lib/slow_backend.py", backend)
    plain.file("lib/slow.txt", "0")
    plain.file("lib/pyproject.toml", f"[project]\nname = 'lib'\nversion = '1.0'\n{BACKEND}")
    plain.file("requirements.txt", "-e ./lib\n")
    assert "lib 1.0" in installed(plain)
    plain.file("lib/pyproject.toml", f"[project]\nname = 'lib'\nversion = '1.0'\ndependencies = ['apple']\n{BACKEND}")
    assert "changed: lib/pyproject.toml" in said(plain)
    plain.file("lib/setup.cfg", "[metadata]\n")
    assert "lib/setup.cfg" in said(plain)


@pytest.mark.parametrize("kind", ["pylock", "requirements", "poetry", "pdm", "command"])
def test_installer_that_lacks_its_file_says_so(plain: Project, kind: str) -> None:
    plain.edit("pyproject.toml", "[tool.roost]\n", f'[tool.roost]\ninstaller = "{kind}"\n')
    file = "pylock.toml" if kind == "pylock" else "requirements.txt" if kind == "requirements" else f"{kind}.lock"
    wanted = (
        f"`tool.roost.command` in `{plain.root}/pyproject.toml` is empty"
        if kind == "command"
        else f"`tool.roost.installer` in `{plain.root}/pyproject.toml` is `{kind}`, and there is no `{file}` next to it"
    )
    assert wanted in refused(plain)


@pytest.mark.slow
def test_pylock_of_one_environment(plain: Project) -> None:
    with_pylock(plain)
    plain.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.docs]\ngroups = []\n")
    assert "with pylock (pylock.toml)" in said(plain, "--env", "docs")
    (plain.root / "pylock.docs.toml").write_text((plain.root / "pylock.toml").read_text().replace("banana", "cherry"))
    text = (plain.root / "pylock.docs.toml").read_text()
    plain.file("pylock.docs.toml", re.sub(r", hashes = \{[^}]*\}", "", text))
    got = refused(plain, "--env", "docs")
    assert "pylock (pylock.docs.toml)" in got
    assert "pylock" not in said(plain).replace("pylock (pylock.toml)", "")


def test_pylock_of_a_newer_version_is_refused(plain: Project) -> None:
    with_pylock(plain)
    plain.edit("pylock.toml", 'lock-version = "1.0"', 'lock-version = "2.0"')
    assert "unsupported lock version (`2.0`" in refused(plain)


def test_lock_of_uv_of_a_newer_version_is_refused(plain: Project) -> None:
    plain.lock()
    plain.edit("uv.lock", "version = 1\n", "version = 99\n")
    assert "uses an unsupported schema version (v99" in refused(plain)


def test_pylock_brings_the_project_itself_where_it_is_not_in_the_lock(plain: Project) -> None:
    shutil.copy(LIB / "slow_backend.py", plain.root)
    plain.file("slow.txt", "0")
    plain.file("src/project.py", "HERE = 1\n")
    plain.edit("pyproject.toml", "[tool.roost]\n", f"{BACKEND}[tool.roost]\n")
    with_pylock(plain)
    assert installed(plain) == "apple 2.0 banana 1.0 project 1.0"
    assert plain.python("import project; print(project.__file__)").stdout.strip() == str(plain.root / "src/project.py")
    run([UV, "--quiet", "lock"], cwd=plain.root, check=True)
    command = [UV, "--quiet", "export", "--all-groups", "-o", "pylock.toml"]
    run(command, cwd=plain.root, check=True)
    (plain.root / "uv.lock").unlink()
    assert "editable = true" in (plain.root / "pylock.toml").read_text()
    assert installed(plain) == "apple 2.0 banana 1.0 project 1.0"


def test_pylock_that_was_not_made_for_a_group_is_refused(plain: Project) -> None:
    """Uv would leave it out without a word."""
    with_pylock(plain)
    plain.edit("pylock.toml", 'created-by = "uv"', 'created-by = "uv"\ndependency-groups = ["docs"]')
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ngroups = ["dev"]\n')
    assert f"`{plain.root}/pylock.toml` was not made for `dev`: its `dependency-groups` are `docs`" in refused(plain)


def test_command_gets_the_new_venv_and_the_root(plain: Project) -> None:
    script = "import json, os, sys; print(sys.prefix, file=open('seen', 'w')); open('seen', 'a').write(os.getcwd())"
    plain.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\ncommand = {['python', '-c', script]!r}\n")
    (plain.root / "sub").mkdir()
    env = dict(os.environ) | {"VIRTUAL_ENV": "/other", "GIT_DIR": "/git"}
    got = plain.run("python", "-c", "import sys; print(sys.prefix)", cwd=plain.root / "sub", env=env)
    assert (plain.root / "seen").read_text() == f"{got.stdout}{plain.root}"


def test_words_of_a_command_go_through_no_shell(plain: Project) -> None:
    words = ["python", "-c", "import sys; open('seen', 'w').write(repr(sys.argv[1:]))", "$HOME", "a b;touch ran", "*"]
    plain.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\ncommand = {words!r}\n")
    said(plain)
    assert (plain.root / "seen").read_text() == repr(words[3:])


def test_file_that_a_command_names_counts(plain: Project) -> None:
    with_command(plain)
    said(plain)
    plain.edit("deps.sh", "exec ", "exec  ")
    assert "changed: deps.sh" in said(plain)
    assert said(plain) == ""


def test_command_that_is_not_there_or_fails(plain: Project) -> None:
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["no-such-tool"]\n')
    file = f"{plain.root}/pyproject.toml"
    assert f"`no-such-tool`, which `tool.roost.command` in `{file}` names, is not on PATH" in refused(plain)
    plain.edit("pyproject.toml", '"no-such-tool"', '"./no-such-tool"')
    assert f"names, is not in `{plain.root}`" in refused(plain)
    plain.edit("pyproject.toml", '["./no-such-tool"]', '["sh", "-c", "echo oh no; exit 3"]')
    assert "`sh` ended with status 3: oh no" in refused(plain)


@pytest.mark.parametrize(("tool", "lock"), [("poetry", "poetry.lock"), ("pdm", "pdm.lock")])
def test_tool_that_is_not_on_path_is_named(
    plain: Project, tool: str, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One inside the project is none: the repository could bring it."""
    plain.file(lock, "")
    brought = plain.file(f"bin/{tool}", "#!/bin/sh\ntouch ran\n")
    brought.chmod(0o755)
    monkeypatch.setenv("PATH", f"{plain.root}/bin:{os.environ['PATH']}")
    text = refused(plain)
    assert f"`{lock}` in `{plain.root}` needs `{tool}`, which is not on PATH outside the project" in text
    assert f"`pipx install {tool}`" in text


@pytest.mark.parametrize("file", ["pyproject.toml", pytest.param("uv.toml", marks=pytest.mark.slow)])
def test_required_version_of_uv_is_honoured(plain: Project, file: str) -> None:
    """By whatever installer: roost runs uv for all of them. No Python is missing, so nox must not skip a session."""
    with_command(plain)
    if file == "uv.toml":
        plain.file(file, f'required-version = "==0.1.2"\nno-index = true\nfind-links = ["{plain.wheels}"]\n')
    else:
        plain.edit(file, "no-index = true", 'no-index = true\nrequired-version = "==0.1.2"')
    sentence = f"`{plain.root}` does not allow `{UV}`, which roost runs: `pip install 'uv==0.1.2'` next to roost"
    assert sentence in refused(plain)
    with pytest.raises(roost.RoostError) as caught:
        roost.acquire(plain.root)
    assert not isinstance(caught.value, NoInterpreterError)
    plain.edit(file, "==0.1.2", ">=0.1.2")
    assert installed(plain) == "apple 2.0 banana 1.0"


def test_settings_of_uv_that_it_cannot_read(plain: Project) -> None:
    plain.file("uv.toml", "index = 3\n")
    text = refused(plain)
    assert f"uv can't look for a Python in `{plain.root}`: Failed to parse: " in text
    assert "no Python satisfies" not in text


def test_project_of_setup_py_alone(plain: Project) -> None:
    plain.file("pyproject.toml", f'[tool.uv]\nno-index = true\nfind-links = ["{plain.wheels}"]\n')
    plain.file("setup.py", "raise SystemExit('built by setup.py')\n")
    text = refused(plain)
    assert "with uv (its build, no uv.lock)" in text


@pytest.mark.slow
def test_dynamic_dependencies_count_and_are_read_again(plain: Project, wheels: Path) -> None:
    """Uv would take the build of before from its cache."""
    shutil.copy(LIB / "slow_backend.py", plain.root)
    backend = (plain.root / "slow_backend.py").read_text()
    plain.file(
        "slow_backend.py",
        backend.replace("Requires-Dist: apple", 'Requires-Dist: " + (HERE / "deps.txt").read_text() + "'),
    )
    plain.file("slow.txt", "0")
    plain.file("src/project.py", "")
    plain.file(
        "pyproject.toml",
        "[project]\nname = 'project'\nversion = '1.0'\ndynamic = ['dependencies']\n"
        f"{BACKEND}[tool.setuptools.dynamic]\ndependencies = {{file = ['deps.txt']}}\n"
        f"[tool.uv]\nno-index = true\nfind-links = ['{wheels}']\n",
    )
    plain.file("deps.txt", "apple<2")
    assert installed(plain) == "apple 1.0 project 1.0"
    plain.file("deps.txt", "banana")
    assert "changed: deps.txt" in said(plain)
    assert installed(plain) == "banana 1.0 project 1.0"


def test_password_in_an_index_address_is_not_kept_nor_shown(plain: Project, tmp_path: Path) -> None:
    make_wheel(tmp_path, "unused", "1.0")
    with_requirements(plain)
    plain.file("requirements.txt", "--index-url http://me:hush@127.0.0.1:1/simple\napple==7\n")
    plain.edit("pyproject.toml", "no-index = true", "")
    text = refused(plain)
    assert "hush" not in text
    kept = [path for path in plain.store.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
    assert kept == []


@pytest.mark.slow
def test_options_for_groups_need_a_pylock_that_lists_them(plain: Project) -> None:
    extras = "[project.optional-dependencies]\nfast = ['cherry']"
    plain.write(groups={"dev": ["banana"], "docs": ["cherry"]}, roost="installer = 'pylock'", extra=extras)
    with_pylock(plain)
    for option, text in (
        ("--group=docs", "does not list the group `docs` in its `dependency-groups`"),
        ("--no-group=dev", "does not list the group `dev` in its `dependency-groups`"),
        ("--extra=fast", "does not list the extra `fast` in its `extras`"),
        ("--all-extras", "does not list the extra `fast` in its `extras`"),
        ("--only-group=docs", "`--only-group` is not possible with the installer `pylock` (pylock.toml)"),
        ("--package=project", "`--package` is not possible with the installer `pylock` (pylock.toml)"),
    ):
        got = plain.roost("key", option)
        assert (got.returncode, text in got.stderr) == (2, True), got.stderr
    plain.edit("pylock.toml", 'created-by = "uv"', 'created-by = "uv"\ndependency-groups = ["docs"]')
    assert plain.roost("run", "--group=docs", "--no-group=docs", "python", "-c", "pass").returncode == 0
