"""Keys of selections, which name their files in the store: the reader of `Selection.key`, which no warm start needs."""

from typing import Any
from urllib.parse import unquote

from roost.warm import Selection, take_option


def parse(key: str) -> Selection | None:
    """Return the selection with this `key`, or None where the key has only a hash of its options."""
    name, _, python = key.partition("@")
    env, *parts = name.split("+")
    selected: dict[str, Any] = {"python": unquote(python) or None}
    known = all(take_option(selected, [f"--{unquote(part)}"]) for part in parts)
    return Selection(unquote(env), **selected) if known else None
