"""The measured project: forty real distributions, and the states that it changes between."""

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench import Bench

# With their requirements these are 40 distributions; the report shows the current number.
DISTRIBUTIONS = """
    attrs babel blinker cachetools certifi charset-normalizer click colorama distlib docutils filelock flask idna
    imagesize iniconfig itsdangerous jinja2 markdown-it-py markupsafe mdurl mypy-extensions networkx packaging pathspec
    platformdirs pluggy pygments pyparsing pytest python-dateutil pytz requests rich ruff six snowballstemmer
    sortedcontainers urllib3 werkzeug
""".split()
# Ten that differ on another branch: it lacks the first two, and has these versions of the others.
REMOVED = ["babel", "networkx"]
OTHERWISE = """
    attrs<25 click<8.2 docutils<0.22 filelock<3.19 packaging<25 platformdirs<4.4 pyparsing<3.2 rich<14
""".split()
# With their requirements some 190 distributions, like those that a web framework is developed with.
LARGE = """
    starlette<0.51 pydantic typing-extensions annotated-doc fastapi-cli[standard] httpx jinja2 python-multipart
    itsdangerous pyyaml ujson orjson email-validator uvicorn[standard] pydantic-settings pydantic-extra-types playwright
    prek black cairosvg griffe-typingdoc griffe-warnings-deprecated jieba markdown-include-variants mdx-include
    mkdocs-macros-plugin mkdocs-material mkdocs-redirects mkdocstrings[python] pillow python-slugify typer ruff
    anyio[trio] coverage dirty-equals flask inline-snapshot mypy pwdlib[argon2] pyjwt pytest<9 pytest-codspeed sqlmodel
    strawberry-graphql<1 types-orjson types-ujson gitpython pydantic-ai==0.4.10 pygithub
""".split()
FEW = "click docutils pluggy requests ruff".split()
LOT = """
import contextlib, importlib, importlib.metadata
for name in sorted(importlib.metadata.packages_distributions()):
    if name.isidentifier() and not name.startswith("_"):
        with contextlib.suppress(BaseException):
            importlib.import_module(name)
            print("import", name)
"""


class Recipe(NamedTuple):
    """What the project is made of."""

    dependencies: list[str]
    other: list[str]
    """The dependencies on another branch."""
    added: str
    """One more dependency."""
    tool: str = "ruff"
    """A command that one of them brings, and that starts fast."""
    tables: str = ""
    """More lines for `pyproject.toml`."""


def recipe(*, few: bool) -> Recipe:
    """Return the recipe of the full benchmark, or one with few distributions."""
    if few:
        return Recipe(FEW, ["click<8.2", *FEW[2:]], "iniconfig")
    changed = {item.partition("<")[0] for item in OTHERWISE} | set(REMOVED)
    return Recipe(DISTRIBUTIONS, [*(name for name in DISTRIBUTIONS if name not in changed), *OTHERWISE], "tabulate")


class State(NamedTuple):
    """The files that an environment is made from."""

    project: str
    lock: str

    def write(self, folder: Path) -> None:
        """Write this state into the project in `folder`."""
        (folder / "pyproject.toml").write_text(self.project)
        (folder / "uv.lock").write_text(self.lock)


def _pins(state: State) -> set[tuple[str, str]]:
    return {(item["name"], item["version"]) for item in tomllib.loads(state.lock)["package"]}


class Workshop:
    """Makes projects on a bench."""

    def __init__(self, bench: Bench, made_of: Recipe, *, starts: int = 12) -> None:
        """Lock the states, and find out what can be imported in the first one; `starts` is how many start at once."""
        self.bench = bench
        self.recipe = made_of
        self.starts = starts
        self.state = self._locked("state", made_of.dependencies)
        self.other = self._locked("other", made_of.other)
        self.more = self._locked("more", [*made_of.dependencies, made_of.added])
        self.differences = len({name for name, _ in _pins(self.state) ^ _pins(self.other)})
        folder = bench.work / "state"
        bench.do(bench.path("uv"), "sync", "--quiet", "--locked", folder=folder)
        self.lot = bench.do(folder / ".venv/bin/python", "-I", "-c", LOT)
        self.distributions = len(list((folder / ".venv/lib").glob("python*/site-packages/*.dist-info")))

    def _locked(self, name: str, dependencies: Sequence[str]) -> State:
        folder = self.bench.work / name
        folder.mkdir()
        return self.locked(folder, dependencies)

    def locked(self, folder: Path, dependencies: Sequence[str]) -> State:
        """Let the project in `folder` have these dependencies, and lock them."""
        quoted = ", ".join(f'"{item}"' for item in dependencies)
        lines = ["[project]", 'name = "bench"', 'version = "1.0"', 'requires-python = ">=3.11"']
        text = "\n".join([*lines, f"dependencies = [{quoted}]", self.recipe.tables, ""])
        (folder / "pyproject.toml").write_text(text)
        (folder / ".python-version").write_text(f"{sys.version_info.major}.{sys.version_info.minor}\n")
        self.bench.do(self.bench.path("uv"), "lock", "--quiet", folder=folder)
        return State(text, (folder / "uv.lock").read_text())

    def project(self, name: str) -> Path:
        """Make a project of the first state; return its folder. It has no environment yet."""
        folder = self.bench.work / f"project-{name}"
        folder.mkdir()
        self.state.write(folder)
        (folder / ".python-version").write_text(f"{sys.version_info.major}.{sys.version_info.minor}\n")
        (folder / "lot.py").write_text(self.lot)
        return folder
