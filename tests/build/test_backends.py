"""Real build backends, as far as the tests' own environment has them: their wheels are made from what is installed."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from tests.lib.nox_sessions import HERE_PYTHON, OTHER_PYTHON, with_other_python
from tests.lib.packages import installed, pack, package, said, uv_table
from tests.lib.paths import REPOSITORY
from tests.lib.processes import ROOST, all_at_once, finish
from tests.lib.projects import Project, builds, start_until_indexed, starts_warm
from tests.lib.wheels import make_wheel

BACKENDS = {
    "hatchling": (  # it always asks for `editables`, and does not use it with `dev-mode-dirs`
        "hatchling.build",
        "[tool.hatch.version]\npath = 'src/project/__init__.py'\n[tool.hatch.build]\ndev-mode-dirs = ['src']\n",
    ),
    "flit_core": ("flit_core.buildapi", ""),
    "pdm-backend": ("pdm.backend", "[tool.pdm.version]\nsource = 'file'\npath = 'src/project/__init__.py'\n"),
    "setuptools": (
        "setuptools.build_meta",
        "[tool.setuptools.dynamic]\nversion = {attr = 'project.__version__'}\n"
        "[tool.setuptools.packages.find]\nwhere = ['src']\n",
    ),
}


def test_environment_of_the_tests_has_every_backend() -> None:
    """So that where the tests have to pass, none of them is left out."""
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["dependency-groups"]
    asked = {re.split(r"[<>=]", item)[0].replace("-", "_") for item in groups["test"] if isinstance(item, str)}
    assert {name.replace("-", "_") for name in BACKENDS} <= asked


@pytest.fixture(params=BACKENDS)
def backed(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """Provide a project that is built by a real backend, with its version in a Python file."""
    name: str = request.param
    folder = tmp_path / "backend"
    folder.mkdir()
    try:
        pack(name, folder)
    except importlib.metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not in the environment of the tests, so there is nothing to make its wheel from")
    make_wheel(folder, "editables", "0.5")
    made = Project(tmp_path / "work" / "project", folder)
    backend, table = BACKENDS[name]
    text = f"[build-system]\nrequires = ['{name}']\nbuild-backend = '{backend}'\n[project]\nname = 'project'\n"
    dynamic = "['version', 'description']" if name == "flit_core" else "['version']"
    made.file("pyproject.toml", f"{text}dynamic = {dynamic}\nrequires-python = '>=3.11'\n{table}{uv_table(made)}")
    made.file("src/project/__init__.py", '"""A project."""\n__version__ = "1.0"\n')
    return made


def test_editable_build_goes_cold_warm_changed_warm(backed: Project) -> None:
    assert installed(backed) == "project 1.0"
    assert "/src/project/" in backed.python("import project; print(project.__file__)").stdout
    start_until_indexed(backed)
    assert starts_warm(backed)
    backed.edit("src/project/__init__.py", "1.0", "1.1")
    backed.edit("pyproject.toml", "[project]\n", "[tool.roost]\ninputs = ['src/project/__init__.py']\n[project]\n")
    assert "changed: " in said(backed)
    assert installed(backed) == "project 1.1"
    backed.edit("src/project/__init__.py", "1.1", "1.2")
    assert "changed: src/project/__init__.py" in said(backed)
    assert installed(backed) == "project 1.2"
    assert said(backed) == ""
    assert builds(backed) == 3


@pytest.mark.skipif(not OTHER_PYTHON, reason="there is only one Python on this machine")
def test_two_pythons_at_once_in_one_source_tree(backed: Project, tmp_path: Path) -> None:
    show = "import project, sys; print(sys.prefix, project.__version__)"
    pythons = [HERE_PYTHON, OTHER_PYTHON]
    launch = [["run", "--python", python, "python", "-c", show] for python in pythons * 2]
    env = with_other_python()
    ended = [
        finish(one) for one in all_at_once(4, tmp_path, lambda nth: [ROOST, *launch[nth]], cwd=backed.root, env=env)
    ]
    assert [status for status, _, _ in ended] == [0] * 4, ended
    assert len({out for _, out, _ in ended}) == builds(backed) == 2


def test_wheel_whose_record_leaves_itself_out_is_counted_as_complete(tmp_path: Path, wheels: Path) -> None:
    """As a small backend in the source tree may make one; uv completes such a `RECORD`, with a wrong size."""
    made = Project(tmp_path / "work" / "project", wheels)
    package(made, ".", more=uv_table(made))
    made.edit("plain_backend.py", '[*lines, f"{info}/RECORD,,\\n"]', "lines")
    assert "warning" not in said(made)
