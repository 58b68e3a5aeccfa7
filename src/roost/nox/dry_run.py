"""Whether a venv already has what a command would install, decided by `uv pip install --dry-run`."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from roost.nox.install_commands import Change, folder_in
from roost.system import paths, processes, variables
from roost.system.paths import real


def satisfies(venv: str, change: Change) -> bool:
    """Return whether `venv` has everything that `change` installs."""
    requirements = _by_name(venv, change.requirements or [])
    if requirements is None:
        return False
    own = {name: value for name, value in change.options["env"].items() if value is not None and name != "UV_PYTHON"}
    command = [processes.find_uv(), "pip", "install", "--dry-run", "--python", paths.python(venv), *requirements]
    got = processes.query(command, env=variables.for_installer(os.environ, **own), cwd=os.getcwd())
    return got.status == 0 and "Would make no changes" in got.output


def _by_name(venv: str, words: list[str]) -> list[str] | None:
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
        name = _editables(venv).get(real(folder.removeprefix("file://")))
        if name is None:
            return None
        found.append(f"{name}{bracket}{extras}")
    return found


def _editables(venv: str) -> dict[str, str]:
    """Return the names of the projects that `venv` has as editables, by folder (PEP 610)."""
    found = {}
    for site_packages in paths.site_packages(venv):
        for path in Path(site_packages).glob("*.dist-info/direct_url.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.get("dir_info", {}).get("editable"):
                folder = real(url2pathname(urlsplit(content["url"]).path))
                found[folder] = path.parent.name.partition("-")[0]
    return found
