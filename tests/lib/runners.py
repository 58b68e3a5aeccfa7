"""What the tests of tox and of hatch share."""

import re

WARM = {
    *("roost.environment", "roost.errors", "roost.runners", "roost.runners.mentions", "roost.system"),
    *("roost.system.files", "roost.system.locks", "roost.system.paths", "roost.warm"),
}
"""The modules that a later start of a runner imports. Python does not print those that an entry point names."""


def imported(text: str) -> set[str]:
    """Return the modules of roost in what Python prints with `PYTHONPROFILEIMPORTTIME`."""
    return set(re.findall(r"^import time:.*\| +(roost\.\S+)$", text, re.MULTILINE))
