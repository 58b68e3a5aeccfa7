"""The documentation: its links lead somewhere, its examples run, what it names in the source is there.

A block of `sh` is run, in order with the others of its page, by one bash in a project that has what the pages speak of;
`sh parse` marks one that needs a network, another machine or hours, and is only parsed. Of a block of `console` each
`$ ` line is run in a fresh checkout, and what is shown below it must be said, but for numbers and names made by chance.
`toml` is read as settings, `yaml` and `json` are parsed, `python` is compiled, and a noxfile is listed by nox.
"""

import ast
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from benchmarks import __main__ as benchmark
from benchmarks import results
from roost import protocol
from roost.cli import commands as cli
from roost.inputs import settings
from roost.inputs.project import Project as FoundProject
from roost.warm import Selection
from tests.lib import links
from tests.lib.documentation import PAGES, Block, blocks
from tests.lib.links import DOCS
from tests.lib.paths import REPOSITORY
from tests.lib.processes import ROOST, run
from tests.lib.projects import Project
from tests.lib.variants import slow_after
from tests.lib.wheels import make_wheel

TOOLS = {"mypy": "mypy", "pytest": "pytest", "ruff": "ruff", "attrs": "attrs", "sphinx": "sphinx-build"}
# The pages with commands; that of the first steps comes first.
EXAMPLES = sorted({block.page for block in blocks("sh")}, key=lambda page: (page.stem != "start", page))
GROUPS = {"dev": ["mypy", "pytest", "ruff"], "docs": ["sphinx"], "lint": [], "test": []}


@pytest.fixture(scope="session")
def tools(session_folder: Path) -> Path:
    """Provide wheels with commands of the names that the pages use."""
    folder = session_folder / "programs"
    folder.mkdir()
    for name, command in TOOLS.items():
        points = f"[console_scripts]\n{command} = {name}.late:main\n"
        make_wheel(folder, name, "1.0", files={f"{name}-1.0.dist-info/entry_points.txt": points})
    return folder


@pytest.fixture
def sample(tmp_path: Path, tools: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Provide the project that examples run in, and the surroundings of a user."""
    path = [os.path.dirname(ROOST), os.environ["PATH"]]
    own = {"UV_FIND_LINKS": str(tools), "UV_NO_INDEX": "1", "PATH": os.pathsep.join(path), "SHELL": "/bin/bash"}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    made = Project(tmp_path / "home/shop", tools)
    made.write(groups=GROUPS, roost="[tool.roost.envs.docs]\ngroups = ['docs']")
    made.file("src/shop.py", "")
    made.file(".gitignore", "/.roost\n")
    made.lock()
    run(["git", "init", "-q"], cwd=made.root, check=True)
    return made


def test_every_link_leads_somewhere() -> None:
    pages = {path: links.Page(path) for path in PAGES}
    assert links.faults(pages, DOCS) + links.unreached(pages, DOCS / "index.md") == []


def test_figures_of_the_readme_are_those_of_the_benchmarks_page() -> None:
    begin, end = benchmark.FIGURES
    figures = (REPOSITORY / "README.md").read_text().partition(begin)[2].partition(end)[0]
    rows = [line.split("|") for line in figures.splitlines()[3:]]
    quoted = [cell.strip() for row in rows for cell in row[2:-1]]
    assert len(quoted) == 3 * len(results.HEADLINE)
    assert set(quoted) <= set((DOCS / "benchmarks.md").read_text().split())


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text(
        "# A\n## The `x`: part\n## The x part\n[b](b.md#c) [c](c.md) ![](d.svg) [a](#a) [x](#the-x-part-1)\n[x](#y)\n[o](..)"
    )
    (tmp_path / "b.md").write_text("# B\n[back](index.md#the-x-part)")
    (tmp_path / "lost.md").write_text("# Lost\n[out](https://example.invalid/nothing)")
    pages = {path: links.Page(path) for path in sorted(tmp_path.glob("*.md"))}
    assert links.faults(pages, tmp_path) + links.unreached(pages, tmp_path / "index.md") == [
        "index.md: `b.md#c` names a heading that does not exist",
        "index.md: `c.md` does not exist",
        "index.md: `d.svg` does not exist",
        "index.md: `#y` names a heading that does not exist",
        "index.md: `..` is outside the site",
        "lost.md: no page links to it",
    ]


def _defined(path: Path) -> set[str]:
    """Return the names of what a module defines, methods as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_files_and_functions_that_pages_name_exist() -> None:
    """On the pages about the source, without those of superseded decisions; `file.py` stands for any."""
    tops = [REPOSITORY / "src/roost", REPOSITORY / "tests", REPOSITORY]
    pages = [DOCS / "protocol.md", DOCS / "trust.md", REPOSITORY / "CONTRIBUTING.md", *DOCS.glob("decisions/0*.md")]
    named = 0
    for path in pages:
        text = path.read_text()
        if "\nSuperseded by " in text:
            continue
        for file, name in re.findall(r"`(?!file\.py)((?:[a-z_]+/)*[a-z_]+\.py)(?:::?([\w.]+))?`", text):
            module = next((top / file for top in tops if (top / file).exists()), None)
            assert module, f"{path.name} names `{file}`"
            assert not name or name in _defined(module), f"{path.name} names `{file}:{name}`"
            named += 1
    assert named > 80


def test_decisions_are_numbered_without_gaps_and_listed_with_their_titles() -> None:
    listed = re.findall(r"^\| (\d+) \| \[(.+)\]\(([^)]+)\)", (DOCS / "decisions/README.md").read_text(), re.MULTILINE)
    pages = sorted(path.name for path in DOCS.glob("decisions/0*.md"))
    assert [name for _, _, name in listed] == pages
    for number, (count, title, name) in enumerate(listed, 1):
        assert (int(count), name[:5]) == (number, f"{number:04}-")
        assert (DOCS / "decisions" / name).read_text().startswith(f"# {number}. {title}\n")


def test_tree_in_contributing_lists_every_module() -> None:
    """Without `__init__.py` files that contain only a docstring."""
    tree = (REPOSITORY / "CONTRIBUTING.md").read_text().partition("```\nsrc/roost/\n")[2].partition("```")[0]
    listed, folder = [], ""
    for indent, name in re.findall(r"^( +)(\w+/|\w+\.py) ", tree, re.MULTILINE):
        if name.endswith("/"):
            folder = name
        else:
            listed.append(name if len(indent) == 2 else f"{folder}{name}")
    source = REPOSITORY / "src/roost"
    modules = [path for path in source.rglob("*.py") if path.name != "__init__.py" or path.read_text().count("\n") > 1]
    assert sorted(listed) == sorted(str(path.relative_to(source)) for path in modules)


def test_rules_have_the_same_titles_on_the_page_and_in_the_module() -> None:
    summary = " ".join((protocol.__doc__ or "").split())
    titles = re.findall(r"^### (\d+)\. (.+)$", (DOCS / "protocol.md").read_text(), re.MULTILINE)
    assert [number for number, _ in titles] == [str(number) for number in range(1, 11)]
    for number, title in titles:
        assert f"{number}. {title}." in summary


def test_what_pages_name_on_the_command_line_is_there() -> None:
    """Commands and their options, in the text as in the tables; what follows `roost nox` is nox's."""
    named = 0
    for path in PAGES:
        by_hand = path.read_text().partition("<!-- results: ")[0]  # the benchmark labels its rows with more words
        for words in re.findall(r"`(roost [^`\n]+)`", by_hand):
            command: Any = cli.cli
            for word in words.split()[1:]:
                if word in ("--", "nox"):
                    break
                if word.startswith("-"):
                    options = {name for param in command.params for name in param.opts} | {"-h", "--help", "--version"}
                    assert word.partition("=")[0] in options, f"{path.name}: `{words}`"
                elif isinstance(command, click.Group) and re.fullmatch("[a-z]+", word):
                    command = command.get_command(click.Context(command), word)
                    assert command, f"{path.name}: `{words}`"
                elif command.name == "run":
                    break
            named += 1
    assert named > 50


@pytest.mark.parametrize("block", [*blocks("toml")], ids=str)
def test_toml_is_valid(block: Block, tmp_path: Path) -> None:
    """As settings of a project that has the groups and extras which the block names, unless it has its own."""
    tables = tomllib.loads(block.text)
    top = tables.get("tool", {}).get("roost", {})
    named = [top, *top.get("envs", {}).values()]
    groups = {name for one in named for name in one.get("groups", ())}
    extras = {name for one in named for name in one.get("extras", ())}
    around = {
        "project": 'name = "shop"\nversion = "1"',
        "project.optional-dependencies": "\n".join(f"{name} = []" for name in extras),
        "dependency-groups": "\n".join(f"{name} = []" for name in groups),
    }
    text = "".join(f"[{name}]\n{lines}\n" for name, lines in around.items() if name.split(".")[0] not in tables)
    (tmp_path / "pyproject.toml").write_text(text + block.text)
    project = FoundProject.at(str(tmp_path))
    assert {settings.read(project, Selection(name)).env for name in settings.names(project)} == {
        "default",
        *top.get("envs", {}),
    }


@pytest.mark.parametrize("block", [*blocks("yaml", "json")], ids=str)
def test_yaml_and_json_are_valid(block: Block) -> None:
    if block.words[0] == "json":
        json.loads(block.text)
        return
    ours = {hook["id"] for hook in yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())}
    found = yaml.safe_load(block.text)
    for repository in found.get("repos", []) if isinstance(found, dict) else []:
        if repository["repo"].endswith("/roost"):
            assert {hook["id"] for hook in repository["hooks"]} <= ours


@pytest.mark.parametrize("block", [*blocks("python")], ids=str)
def test_python_is_valid(block: Block, sample: Project) -> None:
    compile(block.text, str(block), "exec")
    if "@nox.session" in block.text:
        sample.file("noxfile.py", block.text)
        got = run([Path(ROOST).parent / "nox", "--list"], cwd=sample.root)
        assert got.returncode == 0, got.stderr
    elif "import roost" in block.text:
        sample.file("example.py", block.text.replace("path/inside/the/project", "."))
        got = run([os.path.join(os.path.dirname(ROOST), "python"), "example.py"], cwd=sample.root)
        assert got.returncode == 0, got.stderr


def test_linter_with_its_default_rules_changes_no_example(tmp_path: Path) -> None:
    """A linter would remove an import that nothing uses, and the backend with it."""
    ruff = Path(ROOST).parent / "ruff"
    if not ruff.exists():
        pytest.skip("ruff is not installed here")
    (tmp_path / "noxfile.py").write_text((REPOSITORY / "noxfile.py").read_text())
    for number, block in enumerate(blocks("python")):
        (tmp_path / f"example{number}.py").write_text(block.text)
    got = run([ruff, "check", "--isolated", "--ignore=I", "--diff", tmp_path])
    assert got.returncode == 0, got.stdout


@pytest.mark.parametrize("page", slow_after(1, EXAMPLES), ids=lambda page: page.stem)
def test_commands_run(page: Path, sample: Project) -> None:
    script = ["set -e", "watch_file() { test -e $1; }  # direnv's"]
    for block in blocks("sh"):
        if block.page == page:
            got = run(["bash", "-n", "-c", block.text])
            assert got.returncode == 0, f"{block}: {got.stderr}"
            if "parse" not in block.words:
                script += [f"echo 'at line {block.line}' >&2", block.text]
    if len(script) > 2:
        sample.roost("run", "python", "-c", "pass")
        got = run(["bash", "-c", "\n".join(script)], cwd=sample.root)
        assert got.returncode == 0, got.stdout + got.stderr


def _gist(line: str) -> str:
    """Return a line of output without numbers, and names that chance makes."""
    line = re.sub(r"venv-[a-z0-9]{6}|[0-9a-f]{16}", "N", line)
    return re.sub(r"\d[\d.:]*", "N", line)


@pytest.mark.parametrize("block", [*blocks("console")], ids=str)
def test_what_a_console_block_shows_is_printed(block: Block, sample: Project) -> None:
    steps = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    assert steps
    for step in steps:
        command, _, shown = step.partition("\n")
        got = run(["bash", "-c", command], cwd=sample.root, stderr=subprocess.STDOUT)
        said = got.stdout.replace(str(sample.root.parent), "~")
        said = re.sub(r"^roost: built `.*\n", "", said, flags=re.MULTILINE)  # only of a build that took long
        assert [_gist(line) for line in said.splitlines()] == [_gist(line) for line in shown.splitlines()], command


def _documented(heading: str) -> dict[str, str]:
    """Return the fields in the table below a heading of the page about commands: name to type."""
    text = (DOCS / "commands.md").read_text().partition(f"## `{heading}`\n")[2].partition("\n## ")[0]
    found = {}
    for names, kind in re.findall(r"^\| (`.+?`) \| ([a-z ]*) \|", text, re.MULTILINE):
        parent = ""
        for name in re.findall("`([^`]+)`", names):
            full = f"{parent}{name}" if name.startswith(".") else name
            parent = full.rpartition(".")[0]
            found[full] = kind
    return {name: kind for name, kind in found.items() if kind}


def _fields(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of JSON: dotted name to type."""
    if name and not isinstance(value, dict):
        kinds = {bool: "bool", int: "int", float: "float", str: "str", list: "list", type(None): "null"}
        yield name, kinds[type(value)]
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict):
            yield from _fields(item, f"{name}[]")
    for key, item in value.items() if isinstance(value, dict) else []:
        yield from _fields(item, f"{name}.{key}" if name else key)


@pytest.mark.slow
def test_json_is_as_documented(sample: Project) -> None:
    sample.roost("run", "python", "-c", "pass")
    sample.edit("pyproject.toml", '"ruff"', '"attrs"')
    sample.lock()
    sample.roost("run", "--python", ">=3.11", "python", "-c", "pass")
    sample.roost("run", "python", "-c", "pass")
    for command in ("status", "why", "log", "doctor"):
        _check_json(command, sample.roost(command, "--json").stdout)


def _check_json(command: str, printed: str) -> None:
    documented = _documented(f"roost {command}")
    seen = set()
    for name, kind in _fields(json.loads(printed)):
        if name.startswith(("events[].", "venvs[].users[].", "last_build.")) and name not in documented:
            continue  # in words there
        assert kind in documented.get(name, "nothing").split(" or "), name
        seen.add(name)
    assert {name for name in documented if "object" not in documented[name]} == seen
