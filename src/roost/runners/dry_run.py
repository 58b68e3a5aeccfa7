"""What a venv lacks of what a command would install, decided by `uv pip install --dry-run`."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from roost.inputs.groups import normalize
from roost.runners.install_commands import EDITABLE, folder_in
from roost.system import paths, processes


def lacking(venv: str, words: Sequence[str], cwd: str, env: Mapping[str, str | None] | None = None) -> str:
    """Return what `venv` lacks of what `pip install WORDS` in the folder `cwd` would install, or an empty string.

    `env` has variables for uv.
    """
    requirements = _by_name(venv, words, cwd)
    if isinstance(requirements, str):
        return requirements
    own = {name: value for name, value in (env or {}).items() if value is not None and name != "UV_PYTHON"}
    command = [processes.find_uv(), "pip", "install", "--dry-run", "--python", paths.python(venv), *requirements]
    got = processes.query(command, cwd=cwd, env=own)
    if got.status == 0 and "Would make no changes" in got.output:
        return ""
    added = re.findall(r"^ \+ (\S+)", got.output, re.MULTILINE)
    return ", ".join(f"`{name}`" for name in added) or "something that it installs"


def installed(venv: str) -> list[str]:
    """Return the packages in `venv`, as `pip freeze` prints them."""
    command = [processes.find_uv(), "pip", "freeze", "--python", paths.python(venv)]
    return processes.query(command, cwd=os.getcwd()).stdout.splitlines()


def _by_name(venv: str, words: Sequence[str], cwd: str) -> list[str] | str:
    """Return `words` with the name of each editable that `venv` has in place of its path.

    uv's dry run would always reinstall the path, and does not mention an extra that does not exist. Returns a text
    about a folder that `venv` does not have as an editable, or about such an extra.
    """
    found: list[str] = []
    for before, word in pairwise(["", *words]):
        if word in ("-q", "--quiet", *EDITABLE):
            continue
        if before not in EDITABLE and not word.startswith(("--editable=", "-e")):
            if folder_in(word):
                return f"`{word}`"
            found.append(word)
            continue
        folder, bracket, listed = word.removeprefix("--editable=").removeprefix("-e").partition("[")
        info = _editables(venv).get(paths.real(os.path.join(cwd, folder.removeprefix("file://"))))
        if info is None:
            return f"`{folder}` as an editable"
        extras = filter(None, map(str.strip, listed.rstrip("]").split(",")))
        if unknown := next((extra for extra in extras if normalize(extra) not in _extras(info)), ""):
            return f"the extra `{unknown}` of `{folder}`"
        found.append(f"{info.name.partition('-')[0]}{bracket}{listed}")
    return found


def _extras(info: Path) -> set[str]:
    """Return the extras of the distribution with the folder `info`."""
    text = (info / "METADATA").read_text(encoding="utf-8", errors="replace")
    return {normalize(name) for name in re.findall(r"^Provides-Extra:\s*(\S+)", text, re.MULTILINE)}


def _editables(venv: str) -> dict[str, Path]:
    """Return the `*.dist-info` of each project that `venv` has as an editable, by the project's folder (PEP 610)."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - they take longer than the dry run
    from urllib.request import url2pathname  # noqa: PLC0415

    found = {}
    for site_packages in paths.site_packages(venv):
        for path in Path(site_packages).glob("*.dist-info/direct_url.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.get("dir_info", {}).get("editable"):
                found[paths.real(url2pathname(urlsplit(content["url"]).path))] = path.parent
    return found
