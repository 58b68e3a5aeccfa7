"""Keys of selections, which name their files in the store: the reader of `Selection.key`, which no warm start needs."""

from typing import Any
from urllib.parse import unquote

from roost.warm import OPTIONS, SWITCHES, Selection, add_option


def parse(key: str) -> Selection | None:
    """Return the selection with this `key`, or None where the key has only a hash of its options."""
    name, _, python = key.partition("@")
    env, *parts = name.split("+")
    selected: dict[str, Any] = {"python": unquote(python) or None}
    for part in parts:
        field, equals, value = part.partition("=")
        if equals and f"--{field}" in OPTIONS:
            add_option(selected, f"--{field}", unquote(value))
        elif f"--{field}" in SWITCHES:
            selected[SWITCHES[f"--{field}"]] = True
        else:
            return None
    return Selection(unquote(env), **selected)
