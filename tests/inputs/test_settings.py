"""`docs/configuration.md` says what the code does: keys, types, defaults, variables, the order of installers, inputs."""

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import pytest

from roost import state, warm
from roost.cli import commands as cli
from roost.console import waiting
from roost.errors import RoostError
from roost.inputs import settings
from roost.inputs.files import COUNT_LIMIT, Inputs
from roost.inputs.project import Project as FoundProject
from roost.installers.base import Installer
from roost.warm import Selection
from tests.lib.packages import InputParts
from tests.lib.paths import REPOSITORY
from tests.lib.projects import Project

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (REPOSITORY / "docs/configuration.md").read_text()
SECTIONS = dict(re.findall(r"^#{2,3} (.+)\n((?:(?!^#{2,3} )[\s\S])*)", PAGE, re.MULTILINE))
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
KEYS = list(settings._SHAPES)
FILE = re.compile(r"[\w./-]+\.(?:toml|lock|txt|py|cfg|md|rs|c|sh|whl|build|options|in)|Makefile")


def rows(section: str) -> list[list[str]]:
    """Return the cells of the table in a section, without its head."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(text: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


@pytest.fixture
def bare(tmp_path: Path, wheels: Path) -> Project:
    """Provide a project that says nothing."""
    made = Project(tmp_path / "work" / "project", wheels)
    made.file("pyproject.toml", "[project]\nname = 'project'\nversion = '1'\n")
    return made


def read(project: Project, env: str = "default") -> settings.Settings:
    return settings.read(FoundProject.at(str(project.root)), Selection(env))


OF_SELECTIONS = {"env", "name", "groups_given", "groups_added", "groups_removed", "only_groups"}


def test_every_key_has_a_section_and_nothing_else_has(bare: Project) -> None:
    start, end = PAGE.index("## Keys"), PAGE.index("## Named environments")
    assert re.findall(r"^### (.+)$", PAGE[start:end], re.MULTILINE) == KEYS
    found = read(bare)
    assert {key.replace("-", "_") for key in KEYS} - {"envs"} == set(found._fields) - OF_SELECTIONS


@pytest.mark.parametrize("key", KEYS)
def test_type_and_default_of_each_key(bare: Project, key: str) -> None:
    first = " ".join(SECTIONS[key].partition("```")[0].split())
    words = settings._SHAPES[key].words
    assert first.lower().startswith(f"{words};".lower()), first
    found = re.match(r"`([^`]+)`", first[len(words) + len("; default ") :])
    default = getattr(read(bare), key.replace("-", "_"), None)
    if found is None:
        assert default in (None, ()), first  # said in words
    elif key == "groups":
        assert found[1] == "default-groups"
        assert "uv's" in first
    else:
        value = tomllib.loads(f"x = {found[1]}")["x"]
        assert value == (list(default) if isinstance(default, tuple) else default or False)


def test_default_groups_are_those_of_uv_else_dev(bare: Project) -> None:
    assert "default uv's `default-groups`, else `dev` where there is such a group" in SECTIONS["groups"]
    text = (bare.root / "pyproject.toml").read_text()
    bare.file("pyproject.toml", f"{text}[dependency-groups]\ndev = []\nx = []\n")
    assert read(bare).groups == ("dev",)
    bare.file("pyproject.toml", f"{text}[dependency-groups]\ndev = []\nx = []\n[tool.uv]\ndefault-groups = ['x']\n")
    assert read(bare).groups == ("x",)


def test_kinds_of_installers_are_all_named() -> None:
    named = quoted(SECTIONS["installer"].partition(";")[0])
    assert tuple(named) == get_args(settings.Kind)
    used = {quoted(row[2])[0] for row in rows("Which installer")}
    assert used == set(get_args(settings.Kind)) - {"auto"}


def test_keys_of_an_environment_are_named() -> None:
    sentence = " ".join(SECTIONS["Named environments"].split()).partition("takes the keys ")[2].partition(".")[0]
    assert quoted(sentence) == [key for key in KEYS if key not in settings._OF_PROJECT]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_are_valid(bare: Project, number: int) -> None:
    """Each is read by the real reader, for each environment that it has; and it changes something."""
    tables = tomllib.loads(EXAMPLES[number])
    asked = [tables["tool"]["roost"], *tables["tool"]["roost"].get("envs", {}).values()]
    groups = {group: ["apple"] for table in asked for group in table.get("groups", ["dev"])}
    extras = {extra: ["apple"] for table in asked for extra in table.get("extras", [])}
    lines = ["[project]", "name = 'shop'", "version = '1'", "[project.optional-dependencies]"]
    lines += [f"{name} = {value}" for name, value in extras.items()]
    lines += ["[dependency-groups]", *(f"{name} = {value}" for name, value in groups.items())]
    nothing = "\n".join(lines) + "\n"
    bare.file("pyproject.toml", nothing)
    before = read(bare)
    bare.file("pyproject.toml", nothing + EXAMPLES[number])
    found = [read(bare, env) for env in settings.names(FoundProject.at(str(bare.root)))]
    assert found != [before]


def test_every_key_has_an_example() -> None:
    for key in KEYS:
        example = SECTIONS[key].partition("```toml\n")[2].partition("```")[0]
        assert key in tomllib.loads(example)["tool"]["roost"]


def test_example_that_is_wrong_would_be_noticed(bare: Project) -> None:
    bare.file("pyproject.toml", EXAMPLES[0].replace("python", "pythons"))
    with pytest.raises(RoostError, match="unknown key `pythons`"):
        read(bare)


@pytest.mark.parametrize("name", ["run", "sync", "status", "why", "key"])
def test_options_that_select_are_those_of_the_commands(name: str) -> None:
    table = {quoted(row[0])[0].split()[0]: quoted(row[0])[0].split()[1:] for row in rows("Options that select")}
    assert table.keys() == warm.OPTIONS.keys() | warm.SWITCHES.keys()
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command
    params = [param for param in command.params if isinstance(param, click.Option)]
    known = {option: param for param in params for option in param.opts if option in table}
    assert known.keys() == table.keys()
    for option, words in table.items():
        assert words == ([] if known[option].is_flag else [known[option].metavar]), option


def test_variables_are_those_that_the_code_reads() -> None:
    code = [*(REPOSITORY / "src/roost").rglob("*.py"), *(REPOSITORY / "hooks").iterdir()]
    found = {name for path in code for name in re.findall(r"(?<!\w)ROOST_[A-Z_]+", path.read_text())}
    table = {quoted(row[0])[0]: row for row in rows("Variables")}
    assert table.keys() == found
    assert table["ROOST_TIMEOUT"][2] == f"`{waiting.timeout():.0f}`"  # in a test it is not set
    for name, row in table.items():
        assert row[3] == "" if name == "ROOST_BUILDING" else quoted(row[3])[0].startswith(f"{name}=")


def test_limits_and_ignored_tables_are_those_of_the_code() -> None:
    assert f"At most {COUNT_LIMIT} paths" in SECTIONS["inputs"]
    listed = SECTIONS["Tables that do not count"].partition("adds to the list:")[2]
    assert quoted(listed) == sorted(state.IGNORED_TABLES)


def test_order_of_installers(bare: Project) -> None:
    """All that the table names is there at first; row by row what was chosen is taken away, and the next one is."""
    for name in ("uv.lock", "pylock.default.toml", "poetry.lock", "pdm.lock", "requirements.txt", "setup.py"):
        bare.file(name, "")
    keys = "[tool.roost]\nrequirements = ['requirements.txt']\ncommand = ['true']\n"
    text = (bare.root / "pyproject.toml").read_text() + keys
    bare.file("pyproject.toml", text)
    gone: list[Callable[[], object]] = [
        lambda: bare.edit("pyproject.toml", "requirements = ['requirements.txt']\n", ""),
        lambda: bare.edit("pyproject.toml", "command = ['true']\n", ""),
        *((bare.root / name).unlink for name in ("uv.lock", "pylock.default.toml", "poetry.lock", "pdm.lock")),
        lambda: bare.file("pyproject.toml", ""),
        (bare.root / "requirements.txt").unlink,
        (bare.root / "setup.py").unlink,
    ]
    table = rows("Which installer")
    assert len(table) == len(gone)
    for row, take_away in zip(table, gone, strict=True):
        assert read_and_choose(bare).kind == quoted(row[2])[0], row
        take_away()
    with pytest.raises(RoostError, match="list there what to install"):
        read_and_choose(bare)


def read_and_choose(project: Project) -> Installer:
    inputs = Inputs()
    found = FoundProject.at(str(project.root), inputs)
    return state.choose_installer(found, settings.read(found, Selection()), inputs)


PROJECT = "[project]\nname = 'project'\ndynamic = ['version']\n"
BUILT = PROJECT + "[build-system]\nbuild-backend = '{}'\n"
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "`uv.lock`": (
        PROJECT + "[tool.uv.workspace]\nmembers = ['packages/*']\n",
        {"uv.lock": "", "packages/red/pyproject.toml": ""},
    ),
    "`pylock.toml`": (PROJECT, {"pylock.toml": ""}),
    "requirement files": (
        PROJECT + "[tool.roost]\ninstaller = 'requirements'\n",
        {
            "requirements.txt": "-r more/base.txt\n-e ./lib\n",
            "more/base.txt": "-c pins.txt\n",
            "more/pins.txt": "",
            "lib/x": "",
        },
    ),
    "`poetry.lock`": ("[tool.poetry.dependencies]\nnear = {path = 'near'}\n", {"poetry.lock": "", "near/x": ""}),
    "`pdm.lock`": (PROJECT, {"pdm.lock": ""}),
    "`[project]` without a lock": (
        PROJECT + "[tool.uv.sources]\nnear = {path = 'near'}\nkiwi = {path = 'dist/kiwi-1.0-py3-none-any.whl'}\n",
        {"near/x": ""},
    ),
    "`command`": (
        PROJECT + "[tool.roost]\ninstaller = 'command'\ncommand = ['sh', 'deps.sh']\nrequirements = ['all.txt']\n",
        {"deps.sh": "", "all.txt": ""},
    ),
    "built by setuptools": (
        BUILT.format("setuptools.build_meta")
        + "[tool.setuptools.dynamic]\nversion = {attr = 'project.__version__'}\ndependencies = {file = 'deps.txt'}\n"
        + "readme = {file = 'readme.md'}\n",
        {"setup.cfg": "[options]\ninstall_requires = file: more.txt\n"},
    ),
    "built by hatchling": (
        BUILT.format("hatchling.build")
        + "[tool.hatch.version]\npath = 'src/project/__init__.py'\n[tool.hatch.metadata.hooks.requirements_txt]\nfiles = ['deps.txt']\n"
        + "[tool.hatch.build.hooks.custom]\n",
        {},
    ),
    "built by maturin": (BUILT.format("maturin"), {}),
    "built by meson-python": (BUILT.format("mesonpy"), {}),
    "built by scikit-build-core": (BUILT.format("scikit_build_core.build"), {}),
}


def changed(project: Project, name: str) -> str:
    """Return a content of the file `name` that is another than it has, and another in what counts of it."""
    if name.endswith(".whl"):
        return "not a wheel"
    path = project.root / name
    now = path.read_text() if path.exists() else ""
    if name.endswith("pyproject.toml"):
        return f"{now}[other]\n"
    return f"{now}# another\n" if not name.endswith("__init__.py") else f"{now}__version__ = '2'\n"


@pytest.mark.parametrize("kind", [row[0] for row in rows("What counts as an input")])
def test_files_of_each_kind_of_project_count_as_the_table_says(bare: Project, kind: str) -> None:
    (row,) = (row for row in rows("What counts as an input") if row[0] == kind)
    text, files = KINDS[kind]
    bare.file("pyproject.toml", text)
    for name, content in files.items():
        bare.file(name, content)
    counting, others = (FILE.findall(" ".join(quoted(cell))) for cell in row[1:])
    assert counting
    assert others
    for name in others:
        before = InputParts(bare)
        bare.file(name, changed(bare, name))
        assert before.changed() == [], name
        (bare.root / name).unlink()
    for name in counting:
        before = InputParts(bare)
        bare.file(name, changed(bare, name))
        assert name in before.changed(), name


def test_every_kind_of_project_has_its_row() -> None:
    assert [row[0] for row in rows("What counts as an input")] == list(KINDS)
