"""Whether a venv already has what a command would install, decided by `uv pip install --dry-run`."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from roost.runners.install_commands import folder_in
from roost.system import paths, processes
from roost.system.paths import real


def satisfies(venv: str, words: Sequence[str], cwd: str, env: Mapping[str, str | None] | None = None) -> bool:
    """Return whether `venv` has everything that `pip install WORDS` in the folder `cwd` would install.

    `env` has variables for uv.
    """
    requirements = _by_name(venv, list(words), cwd)
    if requirements is None:
        return False
    own = {name: value for name, value in (env or {}).items() if value is not None and name != "UV_PYTHON"}
    command = [processes.find_uv(), "pip", "install", "--dry-run", "--python", paths.python(venv), *requirements]
    got = processes.query(command, cwd=cwd, env=own)
    return got.status == 0 and "Would make no changes" in got.output


def installed(venv: str) -> list[str]:
    """Return the packages in `venv`, as `pip freeze` prints them."""
    command = [processes.find_uv(), "pip", "freeze", "--python", paths.python(venv)]
    return processes.query(command, cwd=os.getcwd()).stdout.splitlines()


def _by_name(venv: str, words: list[str], cwd: str) -> list[str] | None:
    """Return `words` with the name of each editable that `venv` has in place of its path.

    uv's dry run would always reinstall the path. Returns None for a folder that `venv` does not have as an editable.
    """
    found: list[str] = []
    rest = [word for word in words if word not in ("-q", "--quiet")]
    while rest:
        word = rest.pop(0)
        path = None
        if word in ("-e", "--editable") and rest:
            path = rest.pop(0)
        elif word.startswith(("--editable=", "-e")):
            path = word.removeprefix("--editable=").removeprefix("-e")
        elif folder_in(word):
            return None
        if path is None:
            found.append(word)
            continue
        folder, bracket, extras = path.partition("[")
        name = _editables(venv).get(real(os.path.join(cwd, folder.removeprefix("file://"))))
        if name is None:
            return None
        found.append(f"{name}{bracket}{extras}")
    return found


def _editables(venv: str) -> dict[str, str]:
    """Return the names of the projects that `venv` has as editables, by folder (PEP 610)."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - they take longer than the dry run
    from urllib.request import url2pathname  # noqa: PLC0415

    found = {}
    for site_packages in paths.site_packages(venv):
        for path in Path(site_packages).glob("*.dist-info/direct_url.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.get("dir_info", {}).get("editable"):
                folder = real(url2pathname(urlsplit(content["url"]).path))
                found[folder] = path.parent.name.partition("-")[0]
    return found
