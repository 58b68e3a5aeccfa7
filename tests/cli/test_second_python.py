"""A second Python of one environment: it is new, and no change of the first."""

import pytest

from tests.lib.nox_sessions import OTHER_FOLDER, OTHER_PYTHON, with_other_python
from tests.lib.projects import Project


@pytest.mark.slow
@pytest.mark.skipif(not OTHER_FOLDER, reason="there is one Python only")
def test_second_python_is_announced_as_the_first_one_for_it(plain: Project) -> None:
    assert plain.python("pass").stderr.splitlines()[0].endswith(": the first one")
    got = plain.run("--python", OTHER_PYTHON, "python", "-c", "pass", env=with_other_python())
    assert got.stderr.splitlines()[0].endswith(f": the first one for Python {OTHER_PYTHON}")
    plain.write(dependencies=["apple"], groups={"dev": ["banana", "cherry"]})
    got = plain.run("--python", OTHER_PYTHON, "python", "-c", "pass", env=with_other_python())
    assert ": changed: pyproject.toml [dependency-groups] dev" in got.stderr


def test_environment_that_was_never_built_is_shown_with_its_command(plain: Project) -> None:
    plain.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\n[tool.roost.envs.docs]\ngroups = []\n")
    assert plain.python("pass").returncode == 0
    assert "docs     missing   not built yet: `roost sync --env docs`\n" in plain.roost("status").stdout
    assert plain.roost("why", "--env", "docs").stdout == "`docs` is not built yet: `roost sync --env docs`\n"
