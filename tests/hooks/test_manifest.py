"""`.pre-commit-hooks.yaml`: what it says, what pre-commit makes of it, and what each ready-made hook runs."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from pre_commit.clientlib import load_config, load_manifest

from tests.lib.git_hooks import COMMIT_STAGES, PRE_COMMIT, PREK, TOOLS, HookedProject, git
from tests.lib.paths import REPOSITORY
from tests.lib.processes import ROOST_RUN, UV, run
from tests.lib.projects import Project
from tests.lib.wheels import make_wheel

MANIFEST = REPOSITORY / ".pre-commit-hooks.yaml"
BOTH = pytest.mark.parametrize("program", [PRE_COMMIT, PREK], ids=["pre-commit", "prek"])


@pytest.fixture(scope="module")
def hooks() -> dict[str, dict[str, Any]]:
    """Provide the hooks by id, with what pre-commit fills in."""
    return {hook["id"]: hook for hook in load_manifest(str(MANIFEST))}


@BOTH
@pytest.mark.normally(program=[PRE_COMMIT])
def test_validators_accept_the_manifest(program: Path) -> None:
    got = run([program, "validate-manifest", MANIFEST])
    assert got.returncode == 0, got.stderr


def test_every_hook_says_its_language_version_and_stages(hooks: dict[str, dict[str, Any]]) -> None:
    assert hooks.keys() == {"run", "nox", "sync", *TOOLS}
    for name, hook in hooks.items():
        assert (hook["language"], hook["minimum_pre_commit_version"]) == ("python", "3.2.0"), name
        assert hook["require_serial"], name
        expected = ["post-checkout", "post-merge", "post-rewrite"] if name == "sync" else COMMIT_STAGES
        assert hook["stages"] == expected, name
        assert hook["pass_filenames"] is (name == "pylint"), name


def test_configurations_of_the_page_are_valid_and_name_hooks_that_there_are(
    hooks: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs/hooks.md").read_text()
    blocks = [
        block for block in re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if "repos:" in block
    ]
    assert blocks
    for block in blocks:
        path = tmp_path / "config.yaml"
        path.write_text(block)
        named = [hook["id"] for repo in load_config(str(path))["repos"] for hook in repo["hooks"]]
        assert set(named) <= hooks.keys()


@BOTH
@pytest.mark.normally(program=[PREK])
def test_args_reach_each_tool_and_only_pylint_gets_filenames(
    hooked: HookedProject, program: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    for command in TOOLS.values():
        name = command[0].replace("-", "_")
        late = f"import sys\ndef main():\n    print('>', {command[0]!r}, *sys.argv[1:])\n"
        script = f"[console_scripts]\n{command[0]} = {name}.late:main\n"
        files = {f"{name}/late.py": f"VERSION = '1.0'\n{late}", f"{name}-1.0.dist-info/entry_points.txt": script}
        make_wheel(folder, name, "1.0", files=files)
    hooked.wheels = folder
    hooked.write(groups={"dev": [command[0] for command in TOOLS.values()]})
    hooked.lock()
    hooked.hooks(*(f"{{id: {name}, args: [--strict, a b], verbose: true}}" for name in TOOLS))
    hooked.install(program)
    hooked.change()
    hooked.git("add", "--all")
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    seen = [line for line in got.stdout.splitlines() if line.startswith("> ")]
    expected = [" ".join([">", *command, "--strict a b"]).replace(" . ", " ") for command in TOOLS.values()]
    expected[list(TOOLS).index("pylint")] += " module.py"
    assert seen == expected


@BOTH
@pytest.mark.normally(program=[PREK])
def test_options_before_two_dashes_choose_the_project(hooked: HookedProject, program: Path) -> None:
    """Without the dashes they are the tool's: pyright and ty have a `--project` of their own."""
    tool = "import os, sys\ndef main(): print('>', *sys.argv[1:], os.path.basename(os.getcwd()), sys.prefix)\n"
    files = {
        "ty/late.py": f"VERSION = '1.0'\n{tool}",
        "ty-1.0.dist-info/entry_points.txt": "[console_scripts]\nty = ty.late:main\n",
    }
    make_wheel(hooked.wheels, "ty", "1.0", files=files)
    parts = [Project(hooked.root / name, hooked.wheels) for name in ("back", "front")]
    for part in parts:
        part.write(groups={"dev": ["ty"]}, roost="[tool.roost.envs.other]\nextras = []")
        part.lock()
    options = ["--project, back, --, --strict", "--directory, front, --env=other, --"]
    hooked.hooks(*(f"{{id: ty, args: [{words}], verbose: true}}" for words in options))
    hooked.install(program)
    hooked.change()
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    seen = [line for line in got.stdout.splitlines() if line.startswith("> ")]
    assert seen == [
        f"> check --strict project {parts[0].venvs()[0]}",
        f"> check front {parts[1].venvs()[0]}",
    ]
    own = run([ROOST_RUN, "--hook", "ty", "check", "--project", "x"], cwd=parts[0].root)
    assert own.stdout == f"> check --project x back {parts[0].venvs()[0]}\n"


@BOTH
@pytest.mark.normally(program=[PREK])
def test_tool_that_the_environment_lacks_is_one_sentence(hooked: HookedProject, program: Path) -> None:
    """No other mypy runs instead: there is one on PATH, as there is on most machines."""
    hooked.hooks("{id: mypy}")
    hooked.install(program)
    hooked.change()
    got = hooked.commit(env=dict(os.environ) | {"PATH": f"{PRE_COMMIT.parent}:{os.environ['PATH']}"})
    assert got.returncode == 1
    assert "exit code: 127" in got.stdout
    last = got.stdout.strip().splitlines()[-1]
    assert last.startswith("roost: `mypy` is not in the environment `default`: add the package")
    assert f"to the group `dev` in `{hooked.root}/pyproject.toml`, then `uv lock`" in last


@BOTH
@pytest.mark.normally(program=[PREK])
def test_tool_hooks_run_before_a_push_and_not_after_a_checkout(hooked: HookedProject, program: Path) -> None:
    hooked.hooks("{id: run, args: [python, -c, 'print(\"the hook ran\")'], verbose: true}")
    hooked.install(program, "post-checkout", "pre-push", "post-merge", "post-rewrite")
    hooked.git("commit", "--quiet", "--message", "Hooks")
    got = run(["git", "checkout", "-b", "side"], cwd=hooked.root)
    assert "the hook ran" not in got.stdout + got.stderr
    away = hooked.root.parent / "away.git"
    git("init", "--quiet", "--bare", away, cwd=hooked.root.parent)
    got = run(["git", "push", away, "side"], cwd=hooked.root)
    assert "the hook ran" in got.stdout + got.stderr


@BOTH
@pytest.mark.normally(program=[PREK])
def test_lock_file_that_changes_starts_a_type_checker(hooked: HookedProject, program: Path) -> None:
    """A new version of a dependency breaks types without any change of the project's own code."""
    hooked.hooks("{id: mypy}")
    hooked.install(program)
    for requirement in ("apple<2", "apple"):  # the lock file stays at the older one
        hooked.write(dependencies=[requirement])
        hooked.lock()
    hooked.git("add", "--all")
    hooked.git("commit", "--quiet", "--no-verify", "--message", "Old")
    run([UV, "lock", "--upgrade", "--quiet"], cwd=hooked.root, check=True)
    hooked.git("add", "--all")
    assert hooked.git("diff", "--cached", "--name-only") == "uv.lock\n"
    assert "`mypy` is not in the environment" in hooked.commit().stdout


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PREK])
def test_nox_sessions_run_in_the_projects_environment(hooked: HookedProject, program: Path) -> None:
    """Nox comes with the hook; the project brings neither nox nor roost."""
    lines = ["import nox", "@nox.session", "def taste(session): session.run('python', '-c', 'import apple, banana')"]
    hooked.file("noxfile.py", "\n".join([*lines, "@nox.session", "def never(session): session.error('no')", ""]))
    hooked.hooks("{id: nox, args: [-s, taste], verbose: true}")
    hooked.install(program)
    hooked.git("add", "--all")
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    assert "Session taste was successful" in got.stdout
    assert "never" not in got.stdout
    assert len(hooked.journal("build")) == 1
