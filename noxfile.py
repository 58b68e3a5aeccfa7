"""The project's own sessions. They share one environment for each Python, through roost's own backend."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import nox

import roost.nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = roost.nox.BACKEND
nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style, with everything on, and the order of imports between packages."""
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly, tests included."""
    session.run("mypy", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests on every supported Python that is present."""
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests of the core and the runners with the lowest versions that are promised to work."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    session.install(*(re.sub(r">=", "==", requirement) for requirement in wanted))
    session.run(
        "pytest", "tests/cli", "tests/protocol/test_concurrency.py", "tests/nox/test_backend.py", *session.posargs
    )
    session.run("pytest", "tests/tox/test_runner.py", "tests/hatch", *session.posargs)


@nox.session(venv_params=["--env", "docs"])
def docs(session: nox.Session) -> None:
    """Build the documentation into `_site`; a broken link is an error."""
    session.run("sphinx-build", "-q", "-W", "-c", "tools", "docs", "_site", *session.posargs)


@nox.session(venv_backend="uv")
def package(session: nox.Session) -> None:
    """Build the wheel and the sdist, look what is in them, and test the wheel where nothing of the source tree is."""
    out = Path(session.virtualenv.location, "dist")  # not `create_tmp`: the tests' projects would lie in this one
    session.run("uv", "build", "--quiet", "--clear", "--out-dir", str(out), external=True)
    (wheel,) = out.glob("*.whl")
    session.install("--group", "test", f"roost[nox] @ {wheel.absolute().as_uri()}")
    session.run("pytest", "tests/test_package.py", "tests/cli/test_run.py", "tests/nox", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Redraw the README's pictures from what roost prints and does here."""
    session.run("python", "-m", "tools.pictures")


@nox.session
def benchmark(session: nox.Session) -> None:
    """Measure roost and its peers, and write the results into `docs`."""
    session.run("python", "-m", "benchmarks", *session.posargs)
