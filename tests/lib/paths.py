"""Where the repository is."""

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
LIB = TESTS / "lib"
REPOSITORY = TESTS.parent
