"""Convert the Markdown in `docs/` to HTML: `python -m tools.site [FOLDER]`.

A broken link, a missing picture, and a page that cannot be reached from the front page are errors.
"""

import html
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BESIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]  # checked, not part of the site
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{up}style.css">
<nav><a href="{up}index.html">roost</a>{nav}</nav>
<main>
{body}</main>
</html>
"""
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: light-dark(#1f5fb0, #8ab8f5) }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0; display: flex; flex-wrap: wrap }
nav { padding: 1.5rem; min-width: 11rem; display: flex; flex-direction: column; gap: .4rem }
nav a:first-child { font-weight: 700 }
main { padding: 1rem 1.5rem 4rem; max-width: 54rem; flex: 1; min-width: 0; overflow-wrap: anywhere }
a { color: var(--link) }
pre, code { font: 14px/1.45 ui-monospace, monospace }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; border-radius: 6px }
:not(pre) > code { background: var(--soft); padding: .1em .3em; border-radius: 4px }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top }
thead:not(:has(th:not(:empty))) { display: none }
img { max-width: 100% }
"""


class Page:
    """One file of Markdown, parsed."""

    def __init__(self, path: Path) -> None:
        """Read and parse it, and give each heading its anchor, as GitHub does."""
        self.path = path
        self.parser = MarkdownIt("commonmark").enable("table")
        self.tokens = self.parser.parse(path.read_text(encoding="utf-8"))
        self.anchors: list[str] = []
        self.title = path.stem
        for opening, content in zip(self.tokens, self.tokens[1:], strict=False):
            if opening.type == "heading_open":
                anchor = slug(_text(content))
                count = sum(re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", other) is not None for other in self.anchors)
                self.anchors.append(f"{anchor}-{count}" if count else anchor)
                opening.attrSet("id", self.anchors[-1])
                if opening.tag == "h1":
                    self.title = _text(content)

    def links(self) -> Iterator[tuple[Token, str, str]]:
        """Yield each link and picture: its token, the name of the attribute, and the target."""
        for token in _all(self.tokens):
            name = {"link_open": "href", "image": "src"}.get(token.type)
            if name:
                yield token, name, str(token.attrGet(name))

    def render(self) -> str:
        """Return the body as HTML."""
        return str(self.parser.renderer.render(self.tokens, self.parser.options, {}))


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or [])


def _text(token: Token) -> str:
    return "".join(child.content for child in token.children or [])


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def faults(pages: dict[Path, Page], docs: Path) -> list[str]:
    """Return a line for each broken link in `pages`. The pages in `docs` are the site."""
    found = []
    for path, page in pages.items():
        for _, _, target in page.links():
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = (path.parent / name).resolve() if name else path
            where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
            if path.is_relative_to(docs) and not there.is_relative_to(docs):
                found.append(f"{where}: `{target}` is outside the site")
            elif not there.exists():
                found.append(f"{where}: `{target}` does not exist")
            elif anchor and (there not in pages or anchor not in pages[there].anchors):
                found.append(f"{where}: `{target}` names a heading that does not exist")
    return found


def unreached(pages: dict[Path, Page], start: Path) -> list[str]:
    """Return a line for each page that cannot be reached by links from `start`."""
    seen, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path in pages and path not in seen:
            seen.add(path)
            waiting += [(path.parent / to.partition("#")[0]).resolve() for _, _, to in pages[path].links()]
    return [f"{path.name}: no page links to it" for path in sorted(pages.keys() - seen - set(BESIDE))]


def build(docs: Path, target: Path, beside: Sequence[Path] = ()) -> list[str]:
    """Write the site of the Markdown files in `docs` to `target`. Returns the errors; with any, writes nothing."""
    pages = {path: Page(path) for path in [*sorted(docs.rglob("*.md")), *beside]}
    wrong = faults(pages, docs) + unreached(pages, docs / "index.md")
    if wrong:
        return wrong
    index = pages[docs / "index.md"]
    chapters = [(_label(index, token), to) for token, _, to in index.links() if to.endswith(".md") and ":" not in to]
    for path in (path for path in pages if path.is_relative_to(docs)):
        _write(pages[path], path.relative_to(docs), target, chapters)
    for picture in docs.glob("*.svg"):
        shutil.copy(picture, target)
    (target / "style.css").write_text(STYLE)
    return []


def _label(page: Page, link: Token) -> str:
    tokens = list(_all(page.tokens))
    return tokens[next(number for number, token in enumerate(tokens) if token is link) + 1].content


def _write(page: Page, inside: Path, target: Path, chapters: Sequence[tuple[str, str]]) -> None:
    up = "../" * (len(inside.parts) - 1)
    nav = "".join(f'<a href="{up}{_as_html(to)}">{html.escape(label)}</a>' for label, to in chapters)
    for token, name, to in page.links():
        token.attrSet(name, _as_html(to))
    path = target / _as_html(str(inside))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PAGE.format(title=html.escape(page.title), up=up, nav=nav, body=page.render()), encoding="utf-8")


def _as_html(target: str) -> str:
    """Return the target of a link in the site; the README of a folder is its index."""
    if re.match(r"[a-z]+:", target):
        return target
    name, mark, anchor = target.partition("#")
    folder, base = os.path.split(name)
    base = "index.md" if base == "README.md" else base
    return os.path.join(folder, re.sub(r"\.md$", ".html", base)) + mark + anchor


def main(words: Sequence[str]) -> int:
    """Build the site into the folder in `words`, else into `_site`. Returns the exit status."""
    target = Path(words[0] if words else ROOT / "_site")
    wrong = build(DOCS, target, BESIDE)
    for line in wrong:
        print(line, file=sys.stderr)  # noqa: T201 - what it is for
    if not wrong:
        print(f"{target}/index.html")  # noqa: T201 - what it is for
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
