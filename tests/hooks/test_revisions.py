"""roost's repository as pre-commit and prek take it: tried, updated, and at two revisions at once."""

from pathlib import Path

import pytest

from tests.lib.git_hooks import PRE_COMMIT, PREK, HookedProject
from tests.lib.processes import run

BOTH = pytest.mark.parametrize("program", [PRE_COMMIT, PREK], ids=["pre-commit", "prek"])
CODE = "import apple, sys; print(sys.prefix)"


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PREK])
def test_try_repo(hooked: HookedProject, program: Path) -> None:
    """It takes the manifest's own `args`, and with pylint these differ from the defaults."""
    got = run([program, "try-repo", hooked.frameworks.repository, "pylint", "--all-files"], cwd=hooked.root)
    assert "`pylint` is not in the environment `default`" in got.stdout, got.stdout + got.stderr
    assert len(hooked.complete()) == 1


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PRE_COMMIT])
def test_autoupdate_to_the_newest_tag(hooked: HookedProject, program: Path) -> None:
    hooked.hooks(f"{{id: run, args: [python, -c, '{CODE}'], verbose: true}}")
    hooked.install(program)
    hooked.change()
    assert hooked.commit().returncode == 0
    got = run([program, "autoupdate"], cwd=hooked.root)
    assert got.returncode == 0, got.stderr
    config = (hooked.root / ".pre-commit-config.yaml").read_text()
    assert "rev: v2.0" in config, got.stdout + got.stderr
    hooked.git("add", "--all")
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    assert len(hooked.journal("build")) == 1


@pytest.mark.slow
@BOTH
@pytest.mark.normally(program=[PREK])
def test_two_revisions_at_once_share_one_venv(hooked: HookedProject, program: Path) -> None:
    hook = f"{{id: run, args: [python, -c, '{CODE}'], verbose: true, priority: 1}}"
    other = f"- repo: {hooked.frameworks.repository}\n  rev: v2.0\n  hooks:\n  - {hook}"
    hooked.hooks(hook, more=other)
    hooked.install(program)
    hooked.change()
    got = hooked.commit()
    assert got.returncode == 0, got.stdout
    assert got.stdout.count(f"{hooked.venvs()[0]}\n") == 2
    assert len(hooked.journal("build")) == 1
