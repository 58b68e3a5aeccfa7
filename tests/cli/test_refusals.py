"""What bad input gets: one clear sentence, nothing run, nothing lost."""

import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.processes import ROOST, ROOST_RUN, UV, run
from tests.lib.projects import Project, refused
from tests.lib.variants import slow_after
from tests.lib.wheels import make_wheel


def in_roost(line: str) -> Callable[[Project], None]:
    """Return what writes `line` into `[tool.roost]`."""
    return lambda project: project.edit("pyproject.toml", "[tool.roost]\n", f"[tool.roost]\n{line}\n")


def replaced(old: str, new: str) -> Callable[[Project], None]:
    """Return what replaces `old` by `new` in `pyproject.toml`."""
    return lambda project: project.edit("pyproject.toml", old, new)


def written(name: str, text: str) -> Callable[[Project], object]:
    """Return what writes the file `name`."""
    return lambda project: project.file(name, text)


@pytest.fixture
def ready(session_folder: Path, wheels: Path) -> Project:
    """Provide a project whose environment is there: one for all tests here, its files as they were at first.

    That every test finds the environment ready shows again that the ones before lost nothing.
    """
    made = Project(session_folder / "refusals" / "project", wheels)
    first = not made.store.exists()
    if first:
        made.write(dependencies=["apple"], groups={"dev": ["banana"]})
        made.lock()
        shutil.copytree(made.root, session_folder / "refusals.orig")
    for entry in made.root.iterdir():
        if entry != made.store:
            entry.unlink()
    shutil.copytree(session_folder / "refusals.orig", made.root, dirs_exist_ok=True)
    got = made.python("pass")
    assert (got.returncode, bool(got.stderr)) == (0, first), got.stderr
    return made


KEYS = ", ".join(
    "python groups extras packages lock installer requirements project command inputs ignore-tables link keep compile-bytecode envs".split()
)

SETTINGS = [
    (
        "nearest key",
        in_roost("group = []"),
        "unknown key `group` in `[tool.roost]` of `{file}`: did you mean `groups`?",
    ),
    ("no near key", in_roost("zzz = 1"), f"unknown key `zzz` in `[tool.roost]` of `{{file}}`: valid are {KEYS}"),
    (
        "key of an environment",
        in_roost("envs.docs.group = []"),
        "unknown key `group` in `[tool.roost.envs.docs]` of `{file}`: did you mean `groups`?",
    ),
    (
        "key for the top alone",
        in_roost("envs.docs.keep = 3"),
        "unknown key `keep` in `[tool.roost.envs.docs]` of `{file}`",
    ),
    ("text for a list", in_roost('groups = "dev"'), "`tool.roost.groups` in `{file}` must be a list of strings"),
    ("numbers in a list", in_roost("extras = [1]"), "`tool.roost.extras` in `{file}` must be a list of strings"),
    (
        "number for a version",
        in_roost("python = 3.12"),
        "`tool.roost.python` in `{file}` must be a string such as `3.12`",
    ),
    (
        "unknown installer",
        in_roost('installer = "pip"'),
        "`tool.roost.installer` in `{file}` must be one of `auto`, `uv`, `pylock`, `requirements`, `poetry`, `pdm`, ",
    ),
    (
        "link to elsewhere",
        in_roost('link = "venv"'),
        '`tool.roost.link` in `{file}` must be `false`, `".venv"` or `"file"`',
    ),
    (
        "link that is true",
        in_roost("link = true"),
        '`tool.roost.link` in `{file}` must be `false`, `".venv"` or `"file"`',
    ),
    ("keep nothing", in_roost("keep = 0"), "`tool.roost.keep` in `{file}` must be a whole number, at least 1"),
    ("keep true", in_roost("keep = true"), "`tool.roost.keep` in `{file}` must be a whole number, at least 1"),
    (
        "text for a switch",
        in_roost('compile-bytecode = "no"'),
        "`tool.roost.compile-bytecode` in `{file}` must be `true` or `false`",
    ),
    ("environments in a list", in_roost("envs = []"), "`tool.roost.envs` in `{file}` must be a table of tables"),
    ("environment that is text", in_roost('envs.docs = "x"'), "`tool.roost.envs.docs` in `{file}` must be a table"),
    (
        "environment with a slash",
        in_roost('envs."a/b".groups = []'),
        "`tool.roost.envs.a/b` in `{file}` is not a valid name for an",
    ),
    (
        "environments that differ in case",
        in_roost("envs.docs.groups = []\nenvs.Docs.groups = []"),
        "`tool.roost.envs.Docs` in `{file}` and the environment `docs` differ only in case, and some file systems take "
        "that for one name: rename one",
    ),
    (
        "environment like the default one",
        in_roost("envs.Default.groups = []"),
        "`tool.roost.envs.Default` in `{file}` and the environment `default` differ only in case",
    ),
    ("roost no table", replaced("[tool.roost]\n", "[tool]\nroost = 1\n"), "`tool.roost` in `{file}` must be a table"),
    (
        "unknown group",
        in_roost('groups = ["dev", "docs"]'),
        "there is no dependency group `docs` in `{file}`: it has `dev`",
    ),
    ("unknown extra", in_roost('extras = ["fast"]'), "there is no extra `fast` in `{file}`: it has none"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "sentence"), [case[1:] for case in SETTINGS], ids=[case[0] for case in SETTINGS])
def test_wrong_setting_is_named_with_what_would_be_valid(
    ready: Project, change: Callable[[Project], object], sentence: str
) -> None:
    change(ready)
    assert sentence.format(file=ready.root / "pyproject.toml") in refused(ready)


FOREIGN = [
    ("project a number", lambda project: project.file("pyproject.toml", "project = 3\n"), "`project` in"),
    (
        "groups a number",
        lambda project: project.file("pyproject.toml", "dependency-groups = 3\n"),
        "`dependency-groups` in",
    ),
    ("group a number", replaced('dev = ["banana"]', "dev = 3"), "`dependency-groups.dev` in"),
    (
        "extras a number",
        replaced("dependencies =", "optional-dependencies = 3\ndependencies ="),
        "`project.optional-dependencies` in",
    ),
    ("old group a number", replaced("[tool.uv]", "[tool.uv]\ndev-dependencies = 3"), "`tool.uv.dev-dependencies` in"),
    ("members a number", replaced("[tool.uv]", "[tool.uv]\nworkspace.members = 3"), "`tool.uv.workspace.members` in"),
    ("members numbers", replaced("[tool.uv]", "[tool.uv]\nworkspace.members = [3]"), "`tool.uv.workspace.members` in"),
    (
        "default groups a number",
        replaced("[tool.uv]", "[tool.uv]\ndefault-groups = [3]"),
        "`tool.uv.default-groups` in",
    ),
]


@pytest.mark.parametrize(
    ("change", "sentence"), slow_after(3, [case[1:] for case in FOREIGN]), ids=[case[0] for case in FOREIGN]
)
def test_wrong_type_in_a_table_of_others_is_named(
    ready: Project, change: Callable[[Project], object], sentence: str
) -> None:
    change(ready)
    said = refused(ready)
    assert sentence in said
    assert " must be " in said


@pytest.mark.parametrize("package", slow_after(1, ["[{source = {editable = 3}}]", "3", "[3]", "[{source = 3}]"]))
def test_lock_file_with_wrong_types_is_for_uv_to_refuse(ready: Project, package: str) -> None:
    ready.file("uv.lock", f"version = 1\npackage = {package}\n")
    assert "Failed to parse `uv.lock`" in refused(ready)


def test_unknown_environment_is_named_with_those_that_exist(ready: Project) -> None:
    in_roost("envs.docs.groups = []")(ready)
    for name in ("doc", "../default", "a\nb", "x" * 300):
        said = refused(ready, "--env", name)
        shown = name.replace("\n", "\n  ")
        assert f"there is no environment `{shown}` in `{ready.root}/pyproject.toml`: it has `default`, `docs`" in said


def test_no_project_above(tmp_path: Path) -> None:
    for command in ([ROOST, "run", "python"], [ROOST, "sync"], [ROOST, "clean"], [ROOST, "key"], [ROOST_RUN, "python"]):
        got = run(command)
        assert (got.returncode, got.stdout) == (125, "")
        here = tmp_path / "work"
        assert got.stderr == (
            f"roost: no `pyproject.toml` in `{here}` or above it: go into a project, or name one with `--project`\n"
        )


def test_toml_that_does_not_parse_is_named_with_its_line(ready: Project) -> None:
    ready.file("pyproject.toml", '[project]\nname = "x"\nversion = \n')
    said = refused(ready)
    assert f"`{ready.root}/pyproject.toml` is not valid TOML: " in said
    assert "line 3" in said
    ready.root.joinpath("pyproject.toml").write_bytes(b'[project]\nname = "\xff"\n')
    assert f"`{ready.root}/pyproject.toml` is not valid TOML: " in refused(ready)
    ready.file("pyproject.toml", "a = " + "[" * 100_000)
    assert f"`{ready.root}/pyproject.toml` is not valid TOML: " in refused(ready)


def test_lock_file_that_does_not_parse_is_named(ready: Project) -> None:
    ready.file("uv.lock", "version = 1\n[[package]\n")
    said = refused(ready)
    assert f"`{ready.root}/uv.lock` is not valid TOML: " in said
    assert "line 2" in said


def test_lock_file_out_of_date_is_reported_and_not_changed(ready: Project) -> None:
    lock = (ready.root / "uv.lock").read_bytes()
    ready.edit("pyproject.toml", '["banana"]', '["cherry"]')
    said = refused(ready)
    cure = 'run `roost uv lock`, or install it as it is with `--frozen`, `UV_FROZEN=1` or `lock = "frozen"`'
    assert f"`{ready.root}/uv.lock` does not fit `pyproject.toml` any more: {cure}\n" in said
    assert (ready.root / "uv.lock").read_bytes() == lock
    assert refused(ready) == said  # nothing of it is kept


def test_project_that_says_nothing_of_what_to_install(ready: Project) -> None:
    (ready.root / "uv.lock").unlink()
    ready.file("pyproject.toml", "[tool.ruff]\n")
    assert (
        f"`{ready.root}/pyproject.toml` has no `[project]` and no `[dependency-groups]`, and there is no `uv.lock`"
        in refused(ready)
    )


def test_no_interpreter_that_satisfies_the_request(ready: Project) -> None:
    """Each source of a request comes before the next; the one that asks is named."""
    file = ready.root / "pyproject.toml"
    sources = [
        (replaced('">=3.11"', '">=3.97"'), ">=3.97", f"`project.requires-python` in `{file}`"),
        (written(".python-version", "# pinned\n\n3.98  # here\n3.11\n"), "3.98", f"`{ready.root}/.python-version`"),
        (in_roost('python = "3.99"'), "3.99", f"`tool.roost.python` in `{file}`"),
    ]
    for change, text, source in sources:
        change(ready)
        said = refused(ready)
        assert f"no Python satisfies `{text}` ({source}): `roost uv python install {shlex.quote(text)}`" in said
    assert "no Python satisfies `3.96` (--python)" in refused(ready, "--python", "3.96")


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "/bin/sh",
        "./run-me",
        "run-me",
        "..",
        "~/python",
        "",
        "\n",
        "python",
        "3.11; touch ran",
        "3.11\x00",
        "-h",
        "--help",
        "\xff",
    ],
)
def test_python_version_file_that_holds_no_version_is_refused(ready: Project, text: str) -> None:
    """A name or a path would be run by uv, from a file that the repository brings."""
    script = ready.file("run-me", "#!/bin/sh\ntouch ran\n")
    script.chmod(0o755)
    ready.file(".python-version", text)
    env = dict(os.environ) | {"PATH": f"{ready.root}:{os.environ['PATH']}"}
    said = refused(ready, env=env)
    assert f"`{ready.root}/.python-version`: `" in said
    assert "is not a version specifier; write one such as `3.12`" in said


def test_python_setting_that_is_no_version_is_refused(ready: Project) -> None:
    in_roost('python = "./run-me"')(ready)
    assert "`tool.roost.python` in" in refused(ready)


def test_python_version_file_above_the_project_is_never_asked(project: Project) -> None:
    """Uv would read it where nothing else asks for a Python, and run the program that it names."""
    script = project.root.parent / "run-me"
    script.write_text('#!/bin/sh\ntouch ran\nexec python3 "$@"\n')
    script.chmod(0o755)
    (project.root.parent / ".python-version").write_text(f"{script}\n")
    (project.root / "uv.lock").unlink()
    project.edit("pyproject.toml", 'requires-python = ">=3.11"\n', "")
    got = project.python("pass")
    assert got.returncode == 0, got.stderr
    assert not list(project.root.parent.rglob("ran"))


def test_installer_that_fails_is_shown_and_its_attempt_removed(ready: Project) -> None:
    (ready.root / "uv.lock").unlink()
    ready.edit("pyproject.toml", '["apple"]', '["durian"]')
    failures = len(ready.journal("failure"))
    said = refused(ready)
    assert f"the environment `default` of `{ready.root}` could not be built with uv:\n  " in said
    assert "durian was not found" in said
    assert "Creating" not in said
    assert "Using" not in said
    assert len(ready.journal("failure")) == failures + 1
    why = ready.journal("failure")[-1]["why"]
    assert why
    assert why in said
    assert ready.roost("log").stdout.splitlines()[-1].endswith(f": {why}")
    assert list((ready.store / ".venv/.v2/trash").iterdir()) == []
    assert len(list(ready.store.glob(".venv/.v2/envs/*"))) == 1


@pytest.mark.parametrize("failing", slow_after(1, ["sync", "pip", "venv"]))
def test_installer_that_fails_without_a_word_has_failed(ready: Project, tmp_path: Path, failing: str) -> None:
    """As where the disk has no room for what it would say."""
    package = tmp_path / "path/uv"
    package.mkdir(parents=True)
    script = package / "uv"
    script.write_text(f'#!/bin/sh\nfor word; do [ "$word" != {failing} ] || exit 1; done\nexec {UV} "$@"\n')
    script.chmod(0o755)
    (package / "__init__.py").write_text(f"find_uv_bin = lambda: {str(script)!r}\n")
    if failing != "sync":
        (ready.root / "uv.lock").unlink()
    ready.edit("pyproject.toml", '["apple"]', '["apple", "banana"]')
    if failing == "sync":
        ready.lock()
    said = refused(ready, env=dict(os.environ) | {"PYTHONPATH": str(package.parent)})
    assert "could not be built with uv: it failed and printed nothing" in said
    assert ready.journal("failure")[-1]["why"] == "it failed and printed nothing"


def test_package_that_cannot_start_python_fails_the_health_check(ready: Project, tmp_path: Path) -> None:
    wheels = tmp_path / "more"
    wheels.mkdir()
    make_wheel(wheels, "elder", "1.0", files={"elder.pth": "import os; os._exit(3)\n"})
    (ready.root / "uv.lock").unlink()
    ready.edit("pyproject.toml", "find-links = [", f'find-links = ["{wheels}", ')
    ready.edit("pyproject.toml", '["apple"]', '["elder"]')
    in_roost("compile-bytecode = false")(ready)  # uv would wait a minute for a Python that never compiles
    assert "its Python does not start (status 3)" in refused(ready)


def test_command_that_the_environment_lacks(ready: Project) -> None:
    said = refused(ready, command=("mypy", "--strict"), status=127)
    assert (
        f"`mypy` is not in the environment `default`: add the package that brings it to the "
        f"group `dev` in `{ready.root}/pyproject.toml`, then `roost uv lock`\n"
    ) in said
    said = refused(ready, "--external", command=("no-such-command",), status=127)
    assert "`no-such-command` is not in the environment" in said
    for name in ("", ".", ".."):
        assert f"`{name}` is not in the environment" in refused(ready, command=(name,), status=127)
    assert f"there is no `./nothing` in `{ready.root}`" in refused(ready, command=("./nothing",), status=127)


def test_command_that_cannot_be_executed(ready: Project) -> None:
    plain = ready.file("plain.sh", "#!/bin/sh\ntouch ran\n")
    assert f"`{plain}` cannot be run: Permission denied\n" in refused(ready, command=("./plain.sh",), status=126)
    lost = ready.file("lost.sh", "#!/no/such/interpreter\n")
    lost.chmod(0o755)
    assert f"`{lost}` cannot be run: the interpreter in its first line does not exist\n" in refused(
        ready, command=("./lost.sh",), status=126
    )
    bare = ready.file("bare.sh", "touch ran\n")
    bare.chmod(0o755)
    assert f"`{bare}` cannot be run: Exec format error\n" in refused(ready, command=("./bare.sh",), status=126)
    assert "cannot be run: Permission denied\n" in refused(ready, command=("./.roost",), status=126)
