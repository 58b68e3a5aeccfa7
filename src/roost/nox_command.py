"""What a session's command would change: installers are told from all else, by their words."""

import glob
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from roost import process

# What each tool changes the active venv with. `uv run` syncs before it runs.
_VERBS = {
    "flit": {"install"},
    "maturin": {"develop"},
    "pdm": {"add", "install", "remove", "sync", "update"},
    "pip": {"install", "uninstall"},
    "pipenv": {"install", "sync", "uninstall", "update"},
    "poetry": {"add", "install", "remove", "sync", "update"},
    "setup.py": {"develop", "install"},
    "uv": {"add", "remove", "run", "sync"},
    "uv pip": {"install", "sync", "uninstall"},
}
_READING = {"check", "freeze", "list", "show"}  # what `uv pip` answers for a venv without pip
_ANEW = ("--exclude-newer", "--no-binary", "--resolution")  # may mean other files than those that satisfy by version
_WITH_VALUE = {"--allow-insecure-host", "--cache-dir", "--color", "--config-file", "--directory", "--project", "-C"}


class Change(NamedTuple):
    """A command of an installer, as it is to be run."""

    args: list[str]
    options: dict[str, Any]
    """Those of nox's `Session._run`."""
    words: str
    """What it is called in messages, such as `pip install six`."""
    changes: bool
    """Whether it changes a venv."""
    requirements: list[str] | None
    """What follows `pip install`; None where a venv that has it by version does not do, and for anything else."""
    builds: bool
    """Whether a folder is to be installed, which is built where it lies."""


def read(args: Sequence[Any], options: dict[str, Any], venv: str, bin_folder: str) -> Change | None:
    """Return what the command `args` of a session is as a change, or None when it is no installer's.

    `venv` is the venv of the session's own, which may not exist yet, and `bin_folder` that of the venv it runs in.
    """
    words = [os.fspath(word) for word in args]
    found = _tool(words, bin_folder)
    if found is None:
        return None
    tool, verb, rest = found
    changes = verb in _VERBS[tool]
    command, env = words, {}
    if tool == "pip" and (changes or verb in _READING) and not _keeps_pip(options, bin_folder):
        command = [_uv(), "pip", verb, *_without_asking(rest)]
        env["UV_PYTHON"] = f"{venv if changes else os.path.dirname(bin_folder)}/bin/python"
        options = options | {"external": True}
    elif tool.startswith("uv"):
        if words[0] == "uv" and shutil.which("uv", path=os.pathsep.join([bin_folder, *os.get_exec_path()])) is None:
            command, options = [process.find_uv(), *words[1:]], options | {"external": True}
        if changes:
            env |= {"UV_PYTHON": f"{venv}/bin/python", "UV_PROJECT_ENVIRONMENT": venv}
    elif not changes:
        return None
    options = options | {"env": env | dict(options.get("env") or {})}
    requirements = rest if verb == "install" and tool in ("pip", "uv pip") else None
    builds = any(map(_folder, requirements or []))
    if any(word.startswith(_ANEW) for word in requirements or []):
        # nox's own backends start from nothing, and uv keeps what is there already.
        command, requirements = [*command, "--reinstall"], None
    return Change(command, options, f"{tool} {verb} {' '.join(rest)}".strip(), changes, requirements, builds)


def _tool(words: Sequence[str], bin_folder: str) -> tuple[str, str, list[str]] | None:
    """Return the tool, its verb and the words after that; None where another Python's venv or no tool is meant."""
    program, rest = words[0], list(words[1:])
    name = os.path.basename(program)
    elsewhere = "/" in program and os.path.dirname(os.path.abspath(program)) != bin_folder
    if name.startswith("python") and not elsewhere:
        name, rest = _module(rest)
    elif name.startswith(("pip", "python")) and elsewhere:
        return None
    name = "pip" if re.fullmatch(r"pip[\d.]*", name) else name
    verbs = _skip_options(rest)
    if name == "uv" and verbs[:1] == ["pip"]:
        name, verbs = "uv pip", _skip_options(verbs[1:])
    return (name, verbs[0], verbs[1:]) if name in _VERBS and verbs else None


def _module(words: list[str]) -> tuple[str, list[str]]:
    """Return what Python runs with `words`, the name of a module or of a script, and what that gets."""
    while words and words[0].startswith("-"):
        word, words = words[0], words[1:]
        if re.fullmatch(r"-[a-zA-Z]*m", word):
            break
        if found := re.fullmatch(r"-[a-zA-Z]*m(\w+)", word):
            return found[1], words
        if word in ("-W", "-X"):
            words = words[1:]
        elif word == "-c":
            return "", []
    return (os.path.basename(words[0]), words[1:]) if words else ("", [])


def _folder(word: str) -> str | None:
    """Return the folder that a word after `pip install` names, also as `-e.` or with extras, or None."""
    path = re.sub(r"^(--editable=|-e|file://)", "", word).partition("[")[0]
    return path if os.path.isdir(path) else None


def _skip_options(words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in _WITH_VALUE else words[1:]
    return words


def _keeps_pip(options: Mapping[str, Any], bin_folder: str) -> bool:
    """Return whether a command that names pip is to be run by pip: not nox's own, and only where there is a pip."""
    return options.get("external") != "error" and os.path.exists(f"{bin_folder}/pip")


def _without_asking(words: list[str]) -> list[str]:
    """Return `words` of pip's without those that keep it from asking: uv never asks, and does not know them."""
    return [word for word in words if word not in ("-y", "--yes", "--no-input")]


def _uv() -> str:
    """Return how to start the uv that was installed along with roost: by its name where that leads to it."""
    found = process.find_uv()
    return "uv" if shutil.which("uv") == found else found


def satisfied(venv: str, change: Change) -> bool:
    """Return whether everything that `change` installs is in `venv` already; uv's dry run is the judge."""
    requirements = _by_name(venv, change.requirements or [])
    if requirements is None:
        return False
    more = {name: value for name, value in change.options["env"].items() if value is not None and name != "UV_PYTHON"}
    command = [process.find_uv(), "pip", "install", "--dry-run", "--python", f"{venv}/bin/python", *requirements]
    status, output = process.run(command, env=process.for_installer(os.environ, **more), cwd=os.getcwd())
    return status == 0 and "Would make no changes" in output


def _by_name(venv: str, words: list[str]) -> list[str] | None:
    """Return `words` with each editable that `venv` has as its name, which uv's dry run would always reinstall.

    None where a folder is asked for that `venv` does not have as an editable: that is built, so not there.
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
        elif _folder(word):
            return None
        if path is None:
            found.append(word)
            continue
        folder, bracket, extras = path.partition("[")
        name = _editables(venv).get(os.path.realpath(folder.removeprefix("file://")))
        if name is None:
            return None
        found.append(f"{name}{bracket}{extras}")
    return found


def _editables(venv: str) -> dict[str, str]:
    """Return the names of the projects that `venv` has as editables, by their folders (PEP 610)."""
    found = {}
    for path in glob.glob(f"{glob.escape(venv)}/lib/python*/site-packages/*.dist-info/direct_url.json"):
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content.get("dir_info", {}).get("editable"):
            folder = os.path.realpath(_from_uri(content["url"]))
            found[folder] = os.path.basename(os.path.dirname(path)).partition("-")[0]
    return found


def _from_uri(uri: str) -> str:
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - only with an editable

    return unquote(urlsplit(uri).path)
