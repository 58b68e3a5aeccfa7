"""Draw the README's pictures from real output of roost: `python -m tools.pictures`.

Makes a project with real packages from the index in a temporary folder and starts roost in it. Draws a terminal with
the output (`docs/terminal.svg`), and sixteen cold starts at once (`docs/timeline.svg`).
"""

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

from tests.lib.processes import ROOST, UV
from tests.lib.terminals import in_terminal, screen

DOCS = Path(__file__).resolve().parent.parent / "docs"
SCRIPTS = sysconfig.get_path("scripts")
BASH = "/bin/bash"
COLUMNS = 100
PYPROJECT = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["attrs"]

[dependency-groups]
dev = ["mypy", "pytest", "ruff"]
"""
MORE = PYPROJECT.replace('"ruff"', '"ruff", "rich"')
SIXTEEN = ["mypy --version", "pytest --version", "ruff --version", "python -c 'import attrs'"] * 4
# A command, and what the picture shows after the prompt.
SCENES = [
    (
        "roost run mypy --version & sleep 0.3; roost run pytest --version; wait",
        "roost run mypy --version & roost run pytest --version",
    ),
    ("roost run ruff --version", "roost run ruff --version"),
    ("roost why", "uv add --dev rich --no-sync; roost why"),
    ("roost run pytest --version", "roost run pytest --version"),
    ("roost run pyright; true", "roost run pyright"),
]
LINE, CHARACTER, MARGIN, HEAD = 19, 8.0, 18, 34
STYLE = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13.3px;white-space:pre"
COLOURS = {"roost:": "#8ab8f5", "$": "#7fc98f", "ready": "#7fc98f", "stale": "#e3c46b"}


def terminal(scenes: list[tuple[str, list[str]]]) -> str:
    """Return the SVG of a terminal: what was typed, and the output."""
    lines = [line for typed, said in scenes for line in (f"$ {typed}", *said)]
    lines = [part for line in lines for part in _wrapped(line)]
    width = round(2 * MARGIN + COLUMNS * CHARACTER)
    height = HEAD + LINE * len(lines) + MARGIN
    rows = [_row(line, HEAD + LINE * number + 14) for number, line in enumerate(lines)]
    dots = [
        f'<circle cx="{MARGIN + 18 * number}" cy="17" r="5.5" fill="{colour}"/>'
        for number, colour in enumerate(("#ec6a5e", "#f4bf4f", "#61c554"))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            "<title>roost in a terminal</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#1d1f24"/>',
            *dots,
            f'<g style="{STYLE}" fill="#e6e6e3">',
            *rows,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _wrapped(line: str) -> Iterator[str]:
    while len(line) > COLUMNS:
        yield line[:COLUMNS]
        line = line[COLUMNS:]
    yield line


def _row(line: str, y: int) -> str:
    word = line.partition(" ")[0]
    colour = COLOURS.get(word)
    rest = line
    found = ""
    if colour:
        found, rest = f'<tspan fill="{colour}">{escape(word)}</tspan>', line[len(word) :]
    for status in ("ready", "stale"):
        rest = re.sub(rf"(?<=  ){status}(?=  )", f"\0{status}\1", rest)
    body = escape(rest)
    for status in ("ready", "stale"):
        body = body.replace(f"\0{status}\1", f'<tspan fill="{COLOURS[status]}">{status}</tspan>')
    return (
        f'<text x="{MARGIN}" y="{y}" xml:space="preserve" textLength="{len(line) * CHARACTER:.0f}">{found}{body}</text>'
    )


def _project(home: Path) -> tuple[Path, dict[str, str]]:
    """Make a project without an environment, and the variables of a user without a cache."""
    shop = home / "shop"
    shop.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ROOST_", "VIRTUAL_ENV"))}
    env |= {"HOME": str(home), "PATH": f"{SCRIPTS}{os.pathsep}{env['PATH']}", "UV_CACHE_DIR": str(home / "cache")}
    (shop / "pyproject.toml").write_text(PYPROJECT)
    subprocess.run([UV, "lock", "--quiet"], cwd=shop, env=env, check=True)
    return shop, env | {"TERM": "xterm-256color"}


def main() -> None:
    """Draw both pictures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        shop, env = _project(home)
        gate = "; ".join(f"roost run {command} >/dev/null &" for command in SIXTEEN).replace("&;", "&")
        subprocess.run([BASH, "-c", f"{gate} wait"], cwd=shop, env=env, check=True)
        subprocess.run([ROOST, "log", "--timeline", DOCS / "timeline.svg"], cwd=shop, env=env, check=True)
        shutil.rmtree(shop / ".roost")
        shutil.rmtree(home / "cache")
        scenes = []
        for command, typed in SCENES:
            if "uv add" in typed:
                (shop / "pyproject.toml").write_text(MORE)
                subprocess.run([UV, "lock", "--quiet"], cwd=shop, env=env, check=True)
            _, raw = in_terminal([BASH, "-c", command], shop, env, columns=COLUMNS)
            said = [line.rstrip().replace(str(home), "~") for line in screen(raw)]
            scenes.append((typed, said))
        (DOCS / "terminal.svg").write_text(terminal(scenes))


if __name__ == "__main__":
    main()
