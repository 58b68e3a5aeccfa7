"""Paths that are longer than one file name."""

import sys
from pathlib import Path

from tests.lib.processes import BASE_PYTHON
from tests.lib.projects import Project, builds


def test_python_with_a_long_path(project: Project, tmp_path: Path) -> None:
    """The path is part of the name of a file; one of 280 letters is too long for that."""
    folder = tmp_path / ("d" * 140) / ("e" * 140)
    folder.mkdir(parents=True)
    (folder / "python3").symlink_to(BASE_PYTHON)
    for _ in range(2):
        got = project.run("--python", str(folder / "python3"), "python", "-c", "import sys; print(sys.version_info[1])")
        assert (got.returncode, got.stdout) == (0, f"{sys.version_info.minor}\n"), got.stderr
    assert got.stderr == ""
    assert builds(project) == 1
