"""Commands of a session that install something: which venv they would change, and how they are run instead.

Commands of uv and pip are understood. Any other known installer gets the session a venv of its own, whatever it does.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from roost.errors import RoostError
from roost.inputs.files import Inputs
from roost.runners.mentions import INSTALLERS
from roost.system import paths, processes

# uv and pip: a command with one of these words changes the active venv. `uv run` syncs before it runs.
_CHANGING = {"add", "install", "remove", "run", "sync", "uninstall"}
_READING = {"check", "freeze", "list", "show"}  # pip's; `uv pip` answers them for a venv without pip
_OTHERS = {*INSTALLERS} - {"pip", "uv"}
EDITABLE = ("-e", "--editable")
_FILE = ("-r", "--requirement", "--requirements")
_IN_TREE = {"flit", "maturin", "setup.py"}  # they build the project in its source tree, whatever the command
_NO_SOURCE = {"conda", "ensurepip", "mamba", "micromamba"}  # they never build it
_INSTALLS = (["install"], ["sync"])
# These may select other files than those that satisfy by version; so may the variables of the same names.
_FRESH = ("--exclude-newer", "--no-binary", "--prerelease", "--resolution")
_FRESH_VARIABLES = tuple(f"UV_{option[2:].replace('-', '_').upper()}" for option in _FRESH)


class Change(NamedTuple):
    """A command of an installer, as it is run."""

    args: list[str]
    options: dict[str, Any]
    """The options of nox's `Session._run`."""
    words: str
    """The command in messages, such as `pip install six`."""
    changes: bool
    """Whether it changes a venv."""
    requirements: list[str] | None
    """What follows `pip install`; None for any other command, and where an installed version does not satisfy it."""
    builds: bool
    """Whether it installs a folder, which is built in place."""
    replaces: bool = False
    """Whether it leaves nothing in the venv but what it installs."""
    makes_venv: bool = False
    """Whether it creates a venv where there is none. One that names a Python may name that of the venv."""

    @property
    def needs_own(self) -> bool:
        """Whether it needs a venv of the session's own, whatever the shared venv has."""
        words = self.requirements or []
        # An editable may be there already. A folder that is none is built and installed as it is now.
        plain = [word for before, word in pairwise(["", *words]) if before not in EDITABLE]
        return self.requirements is None or any(map(_plain_folder, plain))


def read(args: Sequence[Any], options: dict[str, Any], venv: str, scripts: str) -> Change | None:
    """Return the command `args` of a session as a change, or None where it is not an installer's.

    `venv` is the venv of the session's own, which may not exist yet, and `scripts` the folder of the commands of the
    venv in which it runs.
    """
    command = [os.fspath(word) for word in args]
    tool, rest = _tool(command, scripts)
    if tool in _OTHERS:
        words = " ".join([tool, *rest[:1]])
        return Change(
            command,
            _with_env(options, _target(venv)),
            words,
            changes=True,
            requirements=None,
            builds=tool in _IN_TREE or (rest[:1] in _INSTALLS and tool not in _NO_SOURCE),
        )
    if tool == "pip":
        return _read_pip(command, rest, options, venv, scripts)
    if tool == "uv":
        return _read_uv(command, rest, options, venv, scripts)
    return None


def _read_pip(command: list[str], rest: list[str], options: dict[str, Any], venv: str, scripts: str) -> Change | None:
    verb = next((word for word in rest if word in _CHANGING | _READING), "")
    if not verb:
        return None
    before, after = rest[: rest.index(verb)], rest[rest.index(verb) + 1 :]
    changes = verb in _CHANGING
    if not _has_pip(options, scripts):
        # uv never asks for confirmation, and does not know these options.
        words = [word for word in (*before, *after) if word not in ("-y", "--yes", "--no-input")]
        python = paths.python(venv) if changes else f"{scripts}/{os.path.basename(paths.python(venv))}"
        command, options = [_uv(), "pip", verb, *words], _with_env({**options, "external": True}, {"UV_PYTHON": python})
    elif not changes:
        return None
    return _change("pip", verb, after, command, options)


def _read_uv(command: list[str], rest: list[str], options: dict[str, Any], venv: str, scripts: str) -> Change:
    if command[0] == "uv" and shutil.which("uv", path=os.pathsep.join([scripts, *os.get_exec_path()])) is None:
        command, options = [processes.find_uv(), *command[1:]], options | {"external": True}
    tool = "uv pip" if "pip" in rest else "uv"
    if tool == "uv pip":
        rest = rest[rest.index("pip") + 1 :]
    verb = next((word for word in rest if word in _CHANGING), "")
    after = rest[rest.index(verb) + 1 :] if verb else rest
    return _change(tool, verb, after, command, _with_env(options, _target(venv) if verb else {}))


def _change(tool: str, verb: str, after: list[str], command: list[str], options: dict[str, Any]) -> Change:
    changes = verb in _CHANGING
    requirements = after if verb == "install" and tool in ("pip", "uv pip") else None
    builds = _builds(requirements or [])
    if requirements is not None and _is_fresh(requirements, options.get("env") or {}):
        # nox's own backends start with an empty venv, and uv and pip keep what is installed.
        command, requirements = [*command, "--force-reinstall"], None
    replaces = verb == "sync" and "--inexact" not in after
    makes_venv = replaces and tool == "uv" and not any(word.startswith(("-p", "--python")) for word in after)
    words = " ".join(filter(None, [tool, verb, *after]))
    return Change(command, options, words, changes, requirements, builds, replaces, makes_venv)


def _is_fresh(words: Sequence[str], env: Mapping[str, str | None]) -> bool:
    options = any(word.startswith(_FRESH) or word == "--pre" for word in words)
    return options or any(text and name.startswith(_FRESH_VARIABLES) for name, text in env.items())


def _target(venv: str) -> dict[str, str]:
    return {"UV_PYTHON": paths.python(venv), "UV_PROJECT_ENVIRONMENT": venv}


def _with_env(options: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Return `options` with `env` below the variables that the noxfile sets."""
    return options | {"env": {**env, **(options.get("env") or {})}}


def _tool(command: Sequence[str], scripts: str) -> tuple[str, list[str]]:
    """Return the tool that `command` starts, and its words; an empty name for a program of another venv."""
    program, rest = command[0], list(command[1:])
    name = paths.stem(program)
    elsewhere = paths.is_path(program) and os.path.dirname(paths.absolute(program)) != scripts
    if elsewhere and name.startswith(("pip", "python")):
        return "", rest
    if name.startswith("python"):
        name, rest = _module(rest)
    return ("pip" if re.fullmatch(r"pip[\d.]*", name) else name), rest


def _module(words: list[str]) -> tuple[str, list[str]]:
    """Return the module or script that Python runs with `words`, and its words."""
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


def folder_in(word: str, *, editable: bool = False) -> str | None:
    """Return the folder that a word after `pip install` names, also as `-e.` or with extras, or None.

    As in pip, a word without a slash is the name of a package, unless it follows `-e`.
    """
    bare = re.sub(r"^(--editable=|-e|file://)", "", word)
    path = bare.partition("[")[0]
    named = editable or bare != word or path.startswith(".") or paths.is_path(path)
    return path if named and os.path.isdir(path) else None


def _plain_folder(word: str) -> bool:
    return not word.startswith("-") and folder_in(word) is not None


def _builds(words: Sequence[str]) -> bool:
    """Return whether the words after `pip install` name a folder, which is built in place, also in a `-r` file."""
    pairs = list(pairwise(["", *words]))
    if any(folder_in(word, editable=before in EDITABLE) for before, word in pairs):
        return True
    found = (re.fullmatch(r"(?:-r|--requirements?=)(.+)", word) for word in words)
    files = [word for before, word in pairs if before in _FILE] + [match[1] for match in found if match]
    if not files:
        return False
    from roost.inputs import requirements_txt  # noqa: PLC0415 - few sessions install from a file
    from roost.inputs.project import Project  # noqa: PLC0415 - as above

    with contextlib.suppress(RoostError):  # the installer reports it
        here = Project(paths.absolute("."), {}, ())
        return any(map(os.path.isdir, requirements_txt.follow(here, Inputs(), files).local))
    return False


def _has_pip(options: Mapping[str, Any], scripts: str) -> bool:
    """Return whether pip runs a command that names it: there is a pip, and nox itself did not call it."""
    return options.get("external") != "error" and os.path.exists(paths.program(f"{scripts}/pip"))


def _uv() -> str:
    """Return the command for the uv that was installed along with roost: its name, if that leads to it."""
    found = processes.find_uv()
    return "uv" if shutil.which("uv") == found else found
