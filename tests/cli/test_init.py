"""`roost init`: shown, written, used, and taken back."""

import os
import sysconfig
from pathlib import Path

import pytest

from tests.lib.git_hooks import PRE_COMMIT, HookedProject, git
from tests.lib.nox_sessions import PREFIX, nox, session
from tests.lib.processes import run
from tests.lib.projects import Project
from tests.lib.wheels import make_wheel

CONFIGURATION = """\
# Ours
repos:
- repo: local
  hooks:
  - id: whole # all of it
    name: whole
    entry: uv run python -c "import sys; print(sys.prefix)"
    language: script
    verbose: true
    pass_filenames: false
"""


def texts(project: Project) -> dict[str, str]:
    """Return the files of a project by name, without `.roost` and `.git`."""
    paths = (path for path in project.root.rglob("*") if path.is_file())
    names = {str(path.relative_to(project.root)): path for path in paths}
    return {name: path.read_text() for name, path in names.items() if not name.startswith((".roost", ".git", ".nox"))}


def tool(wheels: Path, name: str) -> None:
    """Make a wheel with the command `name`, which prints the venv that it runs in."""
    code = "import sys\ndef main(): print(sys.prefix)\n"
    points = f"[console_scripts]\n{name} = {name}.run:main\n"
    make_wheel(wheels, name, "1.0", files={f"{name}/run.py": code, f"{name}-1.0.dist-info/entry_points.txt": points})


def test_first_as_a_diff_then_written_then_taken_back(plain: Project) -> None:
    plain.file(".pre-commit-config.yaml", CONFIGURATION)
    plain.file("noxfile.py", f"import nox\n\n\n{session('tests', PREFIX)}")
    before = texts(plain)
    shown = plain.roost("init")
    assert (shown.returncode, texts(plain), plain.store.exists()) == (0, before, False), shown.stderr
    assert "\n+    language: system\n" in shown.stdout
    assert shown.stderr.endswith("roost: nothing was changed yet: `roost init --write`\n")
    got = plain.roost("init", "--write")
    assert (got.returncode, got.stdout) == (0, "changed .pre-commit-config.yaml\nchanged noxfile.py\n"), got.stderr
    patched = run(["git", "apply", "-R", "-"], cwd=plain.root, stdin=None, input=shown.stdout)
    assert (patched.returncode, texts(plain)) == (0, before), patched.stderr
    run(["git", "apply", "-"], cwd=plain.root, stdin=None, input=shown.stdout, check=True)
    again = plain.roost("init")
    assert (again.stdout, again.stderr.splitlines()[-1]) == ("", NOTHING)
    undone = plain.roost("init", "--undo")
    assert (undone.returncode, undone.stdout) == (0, "restored noxfile.py\nrestored .pre-commit-config.yaml\n")
    assert texts(plain) == before
    got = plain.roost("init", "--undo")
    assert (got.returncode, "nothing to undo" in got.stderr) == (125, True)


NOTHING = (
    "roost: there is nothing to change: no noxfile lacks roost, and no local hook starts a tool with "
    "`uv run`, `poetry run`, `pdm run` or from `.venv/bin`"
)
OTHERS = """\
repos:
- repo: https://example.org/mirrors-mypy
  rev: v1
  hooks:
  - {id: mypy, additional_dependencies: [attrs]}
- repo: local
  hooks:
  - {id: tests, name: tests, entry: python -m pytest, language: system}
"""


def test_other_hooks_stay_and_the_message_says_which_commands_change(plain: Project) -> None:
    plain.file(".pre-commit-config.yaml", OTHERS)
    got = plain.roost("init", "--write")
    assert (got.returncode, got.stdout, got.stderr) == (0, "", f"{NOTHING}\n")


@pytest.mark.slow
def test_converted_hooks_and_sessions_run_in_the_shared_venv(
    hooked: HookedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}")
    hooked.file(".pre-commit-config.yaml", CONFIGURATION)
    hooked.file("noxfile.py", f"import nox\n\n\n{session('tests', PREFIX)}")
    assert hooked.roost("init", "--write").returncode == 0
    git("add", "--all", cwd=hooked.root)
    hooked.install(PRE_COMMIT)
    got = hooked.commit()
    (venv,) = hooked.venvs()
    assert (got.returncode, str(venv) in got.stdout.splitlines()) == (0, True), got.stdout
    assert nox(hooked).stdout == f"{venv}\n"


def test_edits_made_since_survive_the_undo(plain: Project) -> None:
    plain.file("lefthook.yml", "a:\n  run: uv run mypy\nb:\n  run: uv run mypy\n")
    plain.file(".husky/pre-commit", "uv run mypy\n").chmod(0o755)
    plain.roost("init", "--write")
    plain.edit("lefthook.yml", "b:\n", "# new\nb:\n")
    plain.file(".husky/pre-commit", "exec roost-run mypy\n").chmod(0o755)
    got = plain.roost("init", "--undo")
    assert (plain.root / "lefthook.yml").read_text() == "a:\n  run: uv run mypy\n# new\nb:\n  run: uv run mypy\n"
    assert (plain.root / ".husky/pre-commit").read_text() == "exec roost-run mypy\n"
    assert got.returncode == 125
    assert "roost: warning: `.husky/pre-commit` was edited since, so it stays" in got.stderr
    plain.file(".husky/pre-commit", "roost-run mypy\n")
    assert plain.roost("init", "--undo").returncode == 0
    assert (plain.root / ".husky/pre-commit").read_text() == "uv run mypy\n"
    assert os.stat(plain.root / ".husky/pre-commit").st_mode & 0o777 == 0o755


def test_groups_that_have_the_tools_of_the_hooks(plain: Project, wheels: Path) -> None:
    tool(wheels, "typer9")
    plain.write(groups={"dev": ["banana"], "typing": ["typer9"], "docs": ["apple"]})
    plain.edit("pyproject.toml", "[tool.roost]\n", "")
    plain.file("prek.toml", "[[repos]]\nhooks = [{ language = 'system', entry = 'uv run typer9' }]\n")
    got = plain.roost("init", "--write")
    assert '`typer9` is in `typing`, so `groups = ["dev", "typing"]` goes into `[tool.roost]`' in got.stderr
    assert (plain.root / "pyproject.toml").read_text().endswith('\n[tool.roost]\ngroups = ["dev", "typing"]\n')
    assert plain.run("typer9").returncode == 0
    plain.roost("init", "--undo")
    plain.edit("pyproject.toml", "[tool.uv]", "[tool.roost] # ours\nkeep = 2\n[tool.uv]")
    plain.roost("init", "--write")
    assert '[tool.roost] # ours\ngroups = ["dev", "typing"]\nkeep = 2\n' in (plain.root / "pyproject.toml").read_text()
    plain.edit("pyproject.toml", '"dev", "typing"', '"dev"')
    said = plain.roost("init").stderr
    assert f"`typer9` is in `typing`: add that to `groups` in `[tool.roost]` of `{plain.root}/pyproject.toml`" in said


def test_requirements_files_that_have_the_tools(plain: Project, wheels: Path) -> None:
    tool(wheels, "typer9")
    plain.write()
    plain.file("requirements-tests.txt", f"--no-index\n--find-links {wheels}\ntyper9\n")
    plain.file(".husky/pre-push", "uv run typer9\nuv run melon\n")
    got = plain.roost("init", "--write")
    assert '`requirements = ["requirements-tests.txt"]` goes into `[tool.roost]`' in got.stderr
    assert "no dependency group and no requirements file lists `melon`: add it to one" in got.stderr
    assert plain.run("typer9").returncode == 0


def test_project_of_the_time_before_pyproject(tmp_path: Path, wheels: Path) -> None:
    project = Project(tmp_path / "work/old", wheels)
    project.file("requirements.txt", f"--no-index\n--find-links {wheels}\napple\n")
    project.file("noxfile.py", "import nox\n")
    assert project.roost("init", "--write").returncode == 0
    assert project.python("import apple").returncode == 0
    assert project.roost("init", "--undo").returncode == 0
    assert not (project.root / "pyproject.toml").exists()


def test_configuration_at_the_top_of_a_repository_with_several_projects(plain: Project) -> None:
    top = plain.root.parent
    run(["git", "init", "-q", top], check=True)
    config = "repos:\n- repo: local\n  hooks:\n" + "".join(
        f"  - {{id: {name}, name: x, entry: uv run {options}mypy, language: system}}\n"
        for name, options in (("a", ""), ("b", "--project project "))
    )
    (top / ".pre-commit-config.yaml").write_text(config)
    got = plain.roost("init", "--write")
    assert got.stdout == "changed ../.pre-commit-config.yaml\n"
    assert (top / ".pre-commit-config.yaml").read_text() == config.replace("uv run --project", "roost run --project")
    assert plain.roost("init", "--undo").returncode == 0
    assert (top / ".pre-commit-config.yaml").read_text() == config


def test_noxfile_with_inline_metadata_gets_no_name_that_no_index_knows(plain: Project) -> None:
    """The roost of the tests is installed from this folder."""
    plain.file("noxfile.py", '# /// script\n# dependencies = ["nox"]\n# ///\nimport nox\n')
    got = plain.roost("init")
    assert '+# dependencies = ["roost"' not in got.stdout
    assert "+    import roost.nox\n" in got.stdout
    assert "has inline metadata: add roost to its dependencies, with the URL you have it from" in got.stderr


def test_what_cannot_be_read_stays_and_is_named(plain: Project) -> None:
    plain.file("noxfile.py", "import nox\ndef (:\n")
    (plain.root / "lefthook.yml").write_bytes(b"a:\n  run: uv run \xff\n")
    got = plain.roost("init")
    assert (got.returncode, got.stdout) == (0, "")
    assert f"`{plain.root}/noxfile.py` stays: " in got.stderr
