"""Whether a text may contain a command that installs something. It imports little, since every warm start asks."""

import re

_INSTALLER = re.compile(
    r"\b(conda|flit|hatch|maturin|pdm|pip[\d.]*|pipenv|poetry|uv)\b[^\n]*\b(add|install|remove|run|sync|uninstall)\b"
    r"|\bensurepip\b|\bsetup\.py\b"
)


def installer(text: str) -> str:
    """Return the first such command in `text`, or an empty string."""
    found = _INSTALLER.search(text)
    return found[0] if found else ""
