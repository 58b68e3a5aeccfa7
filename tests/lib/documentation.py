"""The pages of the documentation, and the code blocks in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.lib.paths import REPOSITORY
from tools import site

DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *site.BESIDE])


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    words: list[str]
    text: str

    def __str__(self) -> str:
        """Say where it is."""
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def blocks(*kinds: str) -> Iterator[Block]:
    """Yield the blocks of all pages in a language of `kinds`."""
    for path in PAGES:
        for token in site.Page(path).tokens:
            words = token.info.split()
            if token.type == "fence" and words[:1] and words[0] in kinds:
                yield Block(path, (token.map or [0])[0] + 1, words, token.content)
