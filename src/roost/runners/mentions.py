"""Whether a text contains a command that installs something, or a variable that changes what gets installed.

It costs little, since every warm start asks.
"""

import contextlib
import re

INSTALLERS = tuple("conda ensurepip flit hatch mamba maturin micromamba pdm pip pipenv poetry setup.py uv".split())
_INSTALLER = (
    r"\b(conda|flit|hatch|maturin|pdm|pip[\d.]*|pipenv|poetry|uv)\b[^\n]*\b(add|install|remove|run|sync|uninstall)\b"
    r"|\bensurepip\b|\bsetup\.py\b"
)
_VARIABLE = r"\b(?:PIP|UV)_\w*(?:BINARY|CONSTRAINT|EXCLUDE|OVERRIDE|PRE\b|PRERELEASE|RESOLUTION)\w*"


def installer(text: str) -> str:
    """Return the first such command in `text`, or an empty string."""
    if not any(name in text for name in INSTALLERS):  # most texts; the pattern takes 3 ms to compile
        return ""
    found = re.search(_INSTALLER, text)
    return found[0] if found else ""


def refusal(command: str, venv: str) -> str:
    """Return that `command` would change the shared `venv`, or an empty string."""
    if installer(command):
        import shlex  # noqa: PLC0415 - not without an installer

        from roost.runners import install_commands  # noqa: PLC0415 - as above
        from roost.system import paths  # noqa: PLC0415 - as above

        with contextlib.suppress(ValueError):  # the shell reports it
            change = install_commands.read(shlex.split(command), {}, venv, paths.scripts(venv))
            return f"`{change.words}` would change the shared venv" if change and change.changes else ""
    return ""


def variable(text: str) -> str:
    """Return the first variable in `text` by which pip or uv select other versions, or an empty string."""
    if "PIP_" not in text and "UV_" not in text:
        return ""
    found = re.search(_VARIABLE, text)
    return found[0] if found else ""
