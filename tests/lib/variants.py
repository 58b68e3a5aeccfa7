"""Parameters of which some are slow."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_after(count: int, values: Iterable[Any]) -> list[Any]:
    """Return `values` as parameters of a test; all but the first `count` are in the slow suite only."""
    return [
        value if number < count else pytest.param(*_parts(value), marks=pytest.mark.slow)
        for number, value in enumerate(values)
    ]


def _parts(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
