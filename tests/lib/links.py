"""The links of the documentation: between its pages, to their headings, and to files of this repository."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.lib.paths import REPOSITORY

DOCS = REPOSITORY / "docs"
BESIDE = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]  # not part of the site


class Page:
    """One file of Markdown, parsed."""

    def __init__(self, path: Path) -> None:
        """Read and parse it, and list the anchors of its headings, as GitHub gives them."""
        self.tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
        self.anchors: list[str] = []
        for opening, content in zip(self.tokens, self.tokens[1:], strict=False):
            if opening.type == "heading_open":
                anchor = slug(_text(content))
                count = sum(re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", other) is not None for other in self.anchors)
                self.anchors.append(f"{anchor}-{count}" if count else anchor)

    def links(self) -> Iterator[str]:
        """Yield the target of each link and picture."""
        for token in _all(self.tokens):
            name = {"link_open": "href", "image": "src"}.get(token.type)
            if name:
                yield str(token.attrGet(name))


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
        for target in page.links():
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = (path.parent / name).resolve() if name else path
            where = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path.name
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
            waiting += [(path.parent / to.partition("#")[0]).resolve() for to in pages[path].links()]
    return [f"{path.name}: no page links to it" for path in sorted(pages.keys() - seen - set(BESIDE))]
