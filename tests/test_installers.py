"""Every installer that needs nothing but uv: cold, warm, changed, and warm again."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ROOST, UV, Project, all_at_once, finish, make_wheel, refused, run

MANY = 16
WHAT = (
    "import importlib.metadata as m; "
    "print(*sorted(f'{d.name} {d.version}' for d in m.distributions() if d.name not in ('pip', 'setuptools')))"
)
BACKEND = "[build-system]\nrequires = []\nbuild-backend = 'slow_backend'\nbackend-path = ['.']\n"


def installed(project: Project, *options: str) -> str:
    """Return what is in the environment, such as `apple 1.0 banana 1.0`."""
    got = project.roost("run", *options, "python", "-c", WHAT)
    assert got.returncode == 0, got.stderr
    return got.stdout.strip()


def said(project: Project, *options: str) -> str:
    """Return what roost said of a start that succeeded; nothing when it was warm."""
    got = project.roost("run", *options, "python", "-c", "pass")
    assert got.returncode == 0, got.stderr
    return got.stderr


def with_uv_lock(project: Project) -> None:
    project.lock()


def change_uv_lock(project: Project) -> None:
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    project.lock()


def without_lock(project: Project) -> None:
    del project


def change_pyproject(project: Project) -> None:
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')


def with_pylock(project: Project) -> None:
    command = [UV, "--quiet", "pip", "compile", "pyproject.toml", "--group", "dev", "-o", "pylock.toml"]
    run(command, cwd=project.root, check=True)


def change_pylock(project: Project) -> None:
    project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
    (project.root / "pylock.toml").unlink()
    with_pylock(project)


def with_requirements(project: Project) -> None:
    project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\nrequirements = ["requirements.txt"]\n')
    project.file("requirements.txt", "-r more/base.txt\nbanana\n")
    project.file("more/base.txt", "-c pins.txt\napple  # whichever\n")
    project.file("more/pins.txt", "apple<3\n")


def change_requirements(project: Project) -> None:
    project.edit("more/pins.txt", "<3", "<2")


def with_command(project: Project) -> None:
    words = f'["sh", "deps.sh", "{UV}", "apple<3", "banana"]'
    project.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\ncommand = {words}\n")
    project.file("deps.sh", 'uv="$1"; shift; exec "$uv" pip install "$@"\n')


def change_command(project: Project) -> None:
    project.edit("pyproject.toml", '"apple<3"', '"apple<2"')


KINDS = [
    ("uv (uv.lock)", with_uv_lock, change_uv_lock, "uv.lock"),
    ("uv (pyproject.toml, no uv.lock)", without_lock, change_pyproject, "pyproject.toml [project] dependencies"),
    ("pylock (pylock.toml)", with_pylock, change_pylock, "pylock.toml"),
    ("requirements (requirements.txt)", with_requirements, change_requirements, "more/pins.txt"),
    ("command (`command` in pyproject.toml)", with_command, change_command, "setting command"),
]


@pytest.fixture
def plain(tmp_path: Path, wheels: Path) -> Project:
    """Provide a project without a lock file that depends on `apple`, with `banana` in its group `dev`."""
    made = Project(tmp_path / "work" / "project", wheels)
    made.write(dependencies=["apple"], groups={"dev": ["banana"]})
    return made


@pytest.mark.parametrize(("kind", "prepare", "change", "part"), KINDS, ids=[case[0].split(" ")[0] for case in KINDS])
def test_cold_warm_changed_warm(
    plain: Project, kind: str, prepare: Callable[[Project], None], change: Callable[[Project], None], part: str
) -> None:
    prepare(plain)
    first = plain.python(WHAT)
    assert (first.returncode, first.stdout) == (0, "apple 2.0 banana 1.0\n"), first.stderr
    assert f"building `default` with {kind}, Python 3." in first.stderr
    assert said(plain) == ""
    change(plain)
    second = plain.python(WHAT)
    assert (second.returncode, second.stdout) == (0, "apple 1.0 banana 1.0\n"), second.stderr
    reasons = second.stderr.partition("changed: ")[2]
    assert part in reasons, second.stderr
    assert said(plain) == ""
    assert len(plain.journal("build")) == len(plain.complete()) == 2


@pytest.mark.parametrize(
    ("kind", "prepare"), [case[:2] for case in KINDS], ids=[case[0].split(" ")[0] for case in KINDS]
)
def test_sixteen_cold_starts_make_one_venv(
    plain: Project, kind: str, prepare: Callable[[Project], None], tmp_path: Path
) -> None:
    prepare(plain)
    launch = [ROOST, "run", "python", "-c", "import apple.late, banana.later, sys; print(sys.prefix)"]
    ended = [finish(child) for child in all_at_once(MANY, tmp_path, lambda _: launch, cwd=plain.root)]
    assert [status for status, _, _ in ended] == [0] * MANY, ended
    assert {out.strip() for _, out, _ in ended} == {str(path) for path in plain.venvs()}
    assert len(plain.journal("build")) == len(plain.venvs()) == 1
    assert sum(f"building `default` with {kind}" in err for _, _, err in ended) == 1


@pytest.mark.parametrize(
    ("kind", "prepare"), [case[:2] for case in KINDS], ids=[case[0].split(" ")[0] for case in KINDS]
)
def test_bytecode_is_compiled_in_the_build_unless_told_not_to(
    plain: Project, kind: str, prepare: Callable[[Project], None]
) -> None:
    prepare(plain)
    said(plain)
    assert list(plain.venvs()[0].rglob("apple/__pycache__/late.*.pyc")), kind
    plain.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\ncompile-bytecode = false\n")
    assert "changed: setting compile-bytecode" in said(plain)
    newest = max(plain.complete(), key=lambda path: path.stat().st_ctime)
    assert not list(newest.rglob("apple/__pycache__/later.*.pyc"))


def test_order_of_choice_and_what_is_said_of_two_locks(plain: Project) -> None:
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


def test_requirement_lines_of_every_kind(plain: Project, wheels: Path) -> None:
    """Hashes, continuations, markers, options with a space and without, a URL, `-e`, and a path."""
    import hashlib  # noqa: PLC0415 - only here

    digest = hashlib.sha256((wheels / "banana-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    shutil.copy(Path(__file__).parent / "slow_backend.py", plain.root)
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


def test_local_requirement_is_a_source(plain: Project) -> None:
    with_requirements(plain)
    backend = (Path(__file__).parent / "slow_backend.py").read_text().replace("project", "lib")
    plain.file("lib/slow_backend.py", backend)
    plain.file("lib/slow.txt", "0")
    plain.file("lib/pyproject.toml", f"[project]\nname = 'lib'\nversion = '1.0'\n{BACKEND}")
    plain.file("requirements.txt", "-e ./lib\n")
    assert "lib 1.0" in installed(plain)
    plain.file("lib/pyproject.toml", f"[project]\nname = 'lib'\nversion = '1.0'\ndependencies = ['apple']\n{BACKEND}")
    assert "changed: lib/pyproject.toml" in said(plain)
    plain.file("lib/setup.cfg", "[metadata]\n")
    assert "lib/setup.cfg" in said(plain)


REQUIREMENTS = [
    ("itself", {"requirements.txt": "-r requirements.txt\n"}, "`{root}/requirements.txt` includes itself: remove"),
    (
        "by another",
        {"requirements.txt": "-r b.txt\n", "b.txt": "-c requirements.txt\n"},
        "`{root}/requirements.txt` includes itself, by way of `{root}/b.txt`: remove",
    ),
    (
        "missing",
        {"requirements.txt": "-r nowhere.txt\n"},
        "`{root}/nowhere.txt`, which `{root}/requirements.txt` names, is not there: write it",
    ),
]


@pytest.mark.parametrize(("files", "sentence"), [case[1:] for case in REQUIREMENTS], ids=[c[0] for c in REQUIREMENTS])
def test_requirement_file_that_cannot_be_followed(plain: Project, files: dict[str, str], sentence: str) -> None:
    with_requirements(plain)
    for name, text in files.items():
        plain.file(name, text)
    assert sentence.format(root=plain.root) in refused(plain)


def test_requirement_file_that_two_include_is_read_once(plain: Project) -> None:
    with_requirements(plain)
    plain.file("requirements.txt", "-r a.txt\n-r b.txt\n")
    plain.file("a.txt", "-r common.txt\n")
    plain.file("b.txt", "-r common.txt\n")
    plain.file("common.txt", "apple\n")
    assert installed(plain) == "apple 2.0"


def test_requirement_file_on_a_server_is_refused_without_its_password(plain: Project) -> None:
    with_requirements(plain)
    plain.edit("pyproject.toml", '["requirements.txt"]', '["https://me:hush@example.invalid/r.txt"]')
    text = refused(plain)
    assert "names `https://example.invalid/r.txt`: a file on a server can change unseen" in text
    assert "hush" not in text


@pytest.mark.parametrize("kind", ["pylock", "requirements", "poetry", "pdm", "command"])
def test_installer_that_lacks_its_file_says_so(plain: Project, kind: str) -> None:
    plain.edit("pyproject.toml", "[tool.roost]\n", f'[tool.roost]\ninstaller = "{kind}"\n')
    file = "pylock.toml" if kind == "pylock" else "requirements.txt" if kind == "requirements" else f"{kind}.lock"
    wanted = (
        f"`tool.roost.command` in `{plain.root}/pyproject.toml` is empty"
        if kind == "command"
        else f"`tool.roost.installer` in `{plain.root}/pyproject.toml` is `{kind}`, and there is no `{file}` beside it"
    )
    assert wanted in refused(plain)


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


def test_pylock_brings_the_project_itself_where_it_is_not_in_the_lock(plain: Project) -> None:
    shutil.copy(Path(__file__).parent / "slow_backend.py", plain.root)
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


def test_required_version_of_uv_is_honoured(plain: Project) -> None:
    plain.edit("pyproject.toml", "no-index = true", 'no-index = true\nrequired-version = "==0.1.2"')
    assert "==0.1.2" in refused(plain)


def test_project_of_setup_py_alone(plain: Project) -> None:
    plain.file("pyproject.toml", f'[tool.uv]\nno-index = true\nfind-links = ["{plain.wheels}"]\n')
    plain.file("setup.py", "raise SystemExit('built by setup.py')\n")
    text = refused(plain)
    assert "with uv (its build, no uv.lock)" in text


def test_dynamic_dependencies_count_and_are_read_anew(plain: Project, wheels: Path) -> None:
    """Uv would take the build of before from its cache."""
    shutil.copy(Path(__file__).parent / "slow_backend.py", plain.root)
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
