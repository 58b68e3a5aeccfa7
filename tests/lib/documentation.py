"""The pages of the documentation, and the code blocks in them."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.lib.links import BESIDE, DOCS, Page
from tests.lib.paths import REPOSITORY

PAGES = sorted([*DOCS.rglob("*.md"), *BESIDE])


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
    """Yield the blocks of all pages that are in one of the languages `kinds`."""
    return (block for block in _all_blocks() if block.words[0] in kinds)


@cache
def _all_blocks() -> list[Block]:
    """Return all blocks with a language. Every worker of pytest needs them several times to collect the tests."""
    pages = [path for path in PAGES if "```" in path.read_text(encoding="utf-8")]  # only these take time to parse
    fences = ((path, token) for path in pages for token in Page(path).tokens if token.type == "fence")
    return [
        Block(path, (token.map or [0])[0] + 1, token.info.split(), token.content)
        for path, token in fences
        if token.info.split()
    ]
