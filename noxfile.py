"""The project's own sessions. All of them share one environment for each Python, through roost's own backend."""

import re
import tomllib
from pathlib import Path

import nox

import roost.nox  # noqa: F401 - registers the backend

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "roost"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.11", "3.12", "3.13"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style, with everything on."""
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


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
    """Run the core's tests with the lowest versions of the dependencies that are promised to work."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["nox"]]
    session.install(*(re.sub(r">=", "==", requirement) for requirement in wanted))
    session.run("pytest", "tests/test_run.py", "tests/test_concurrency.py", "tests/test_nox.py", *session.posargs)


@nox.session
def benchmark(session: nox.Session) -> None:
    """Measure a warm start against `uv run`."""
    session.run("python", "benchmarks/warm.py", *session.posargs)
