"""The interpreter: which Python an environment is made with, chosen once and then kept.

A hook started by a GUI client has another PATH than a terminal. A choice made afresh each time would give each of them
a venv of its own, so the choice is written down, and holds while the request is the same and the file is.
"""

import hashlib
import json
import os
import re
from typing import NamedTuple

from roost import process
from roost.errors import NoInterpreterError, RoostError
from roost.index import ABSENT, open_own, signature, temporary
from roost.inputs import Inputs
from roost.project import Project, table
from roost.settings import Settings

_ASK = """
import json, sys, sysconfig
print(json.dumps([sys.implementation.name, "%d.%d.%d" % sys.version_info[:3], sys.version, sys.implementation.cache_tag,
                  sysconfig.get_platform(), getattr(sys, "abiflags", "")]))
"""
# What uv takes for a version request: 3, 3.12, 3.13t, 3.14rc1, >=3.11,<3.14, cpython@3.12, pypy3.10, cp312,
# cpython-3.12.4-linux-x86_64-gnu. Any other word is a program on PATH or a path to uv, and it would be run.
_NAMES = r"(?:cpython|cp|pypy|pp|graalpy|gp|pyodide)"
_VERSION = r"\d+(?:\.\d+){0,2}(?:(?:a|b|rc)\d+)?(?:t|d|td|\+freethreaded|\+debug)*"
_REQUEST = re.compile(
    rf"(?:{_NAMES}(?:[-@]?{_VERSION}(?:-[a-z0-9_]+){{0,3}})?|{_VERSION}"
    rf"|{_NAMES}?@?\s*(?:(?:>=|<=|==|~=|!=|>|<)\s*\d+(?:\.\d+|\.\*)*\s*(?:,\s*)?)+)",
    re.ASCII,
)
_CLAUSE = re.compile(r"(>=|<=|==|~=|!=|>|<)\s*(\d+(?:\.\d+)*)(\.\*)?(?=\s*(?:,|$))")
_REQUIRED = re.compile(r"Required uv version `([^`]*)`")


class Interpreter(NamedTuple):
    """A base interpreter, as the fingerprint and the marker tell it apart from others."""

    path: str
    implementation: str
    version: str
    build: str
    file: str
    """A hash of its content. A signature would differ between a host and a container over one checkout."""

    def __str__(self) -> str:
        """Return it as people say it."""
        name = {"cpython": "Python", "pypy": "PyPy", "graalpy": "GraalPy"}.get(self.implementation, self.implementation)
        return f"{name} {self.version}"


class Request(NamedTuple):
    """A request for a Python, and where it comes from."""

    text: str
    source: str


def request(project: Project, settings: Settings, explicit: str | None, inputs: Inputs) -> Request:
    """Return what Python is asked for: `--python`, else `[tool.roost] python`, `.python-version`, `requires-python`.

    Raises:
        RoostError: a file of the project holds something else than a version request.
    """
    if explicit:
        return Request(os.path.abspath(explicit) if "/" in explicit else explicit, "--python")
    if settings.python is not None:
        own = f"envs.{settings.env}."
        own = own if "python" in table(project.tables, "tool", "roost", "envs", settings.env) else ""
        return _checked(settings.python, f"`tool.roost.{own}python` in `{project.file}`")
    pins = f"{project.root}/.python-version"
    content = inputs.read(pins)
    if content is not None:
        lines = (line.partition("#")[0].strip() for line in content.decode(errors="replace").splitlines())
        return _checked(next(filter(None, lines), ""), f"`{pins}`")
    required = table(project.tables, "project").get("requires-python")
    if isinstance(required, str):
        return _checked(required, f"`project.requires-python` in `{project.file}`")
    return Request("", "nothing")


def _checked(text: str, source: str) -> Request:
    # uv would run a program that a repository's file names.
    if not _REQUEST.fullmatch(text.strip()):
        message = f"{source} asks for the Python `{text}`, which is no version: write one such as `3.12`"
        raise RoostError(message)
    return Request(text.strip(), source)


def refused(project: Project, chosen: Interpreter) -> str | None:
    """Return which `requires-python` of the project or a member does not allow `chosen`, or None.

    uv says so of what it builds, and of what it locked; it installs the dependencies of other projects anyway.
    """
    for folder, tables in project.all_tables.items():
        required = table(tables, "project").get("requires-python")
        if isinstance(required, str) and not satisfies(chosen.version, required):
            where = f"`project.requires-python` in `{folder}/pyproject.toml`"
            return f"{chosen} is none that {where} allows, which is `{required}`: ask for another"
    return None


def satisfies(version: str, specifiers: str) -> bool:
    """Return whether a version such as `3.12.4` satisfies all `specifiers` (PEP 440); one of another form is for uv."""
    have = [int(part) for part in version.split(".")]
    for operator, text, star in _CLAUSE.findall(specifiers):
        want = [int(part) for part in text.split(".")]
        size = max(len(have), len(want))
        left, right = ([*parts, *[0] * (size - len(parts))] for parts in (have, want))
        # `~=3.11` allows what begins with `3`, `==3.11.*` what begins with `3.11`.
        begins = len(want) - 1 if operator == "~=" else len(want) if star else size
        alike = left[:begins] == right[:begins]
        fits = {
            "==": alike,
            "!=": not alike,
            "~=": alike and left >= right,
            ">=": left >= right,
            "<=": left <= right,
            ">": left > right,
            "<": left < right,
        }
        if not fits[operator]:
            return False
    return True


def recorded(path: str, asked: Request, inputs: Inputs) -> tuple[Interpreter | None, str | None]:
    """Return the interpreter that the file `path` says was chosen for `asked`, and its path.

    The interpreter counts as an input then. Without the interpreter where the file at that path is not the same any
    more, or the request is another; with neither where nothing was chosen yet.
    """
    try:
        with open(open_own(path), "rb") as file:
            text, seen, *fields = json.loads(file.read(1 << 16))
        found = Interpreter(*map(str, fields))
    except (OSError, ValueError, TypeError, RecursionError):
        return None, None
    if text != asked.text or seen != signature(found.path) or seen == ABSENT:
        return None, found.path
    inputs.signatures[found.path] = seen
    return found, found.path


def choose(project: Project, asked: Request, before: str | None) -> Interpreter:
    """Find an interpreter for `asked` with uv, outside any virtualenv; keep the one chosen `before` if that fits.

    Raises:
        RoostError: there is none, or it does not run.
    """
    env = process.for_installer(os.environ)
    if before:
        env["PATH"] = os.pathsep.join(filter(None, [os.path.dirname(before), env.get("PATH", "")]))
    # Without a request uv would look for a `.python-version` in the folders above, and run what that names.
    command = [process.find_uv(), "python", "find", "--system", "--no-project", "--", asked.text or "default"]
    found = process.run(command, env=env, cwd=project.root)
    path = found.output.strip().rpartition("\n")[2]
    if found.status or not os.path.isabs(path):
        raise _unsatisfied(project, asked, found)
    if before and os.path.exists(before) and os.path.samefile(path, before):
        path = before
    return _query(path, project.root)


def _unsatisfied(project: Project, asked: Request, found: process.Completed) -> RoostError:
    """Return what to say of a search that found nothing, or that uv refused to make."""
    said = found.output.strip().removeprefix("error: ") or f"uv ended with status {found.status}"
    if required := _REQUIRED.search(said):
        cure = f"`pip install 'uv{required[1]}'` beside roost"
        uv = process.find_uv()
        return RoostError(f"`{project.root}` does not allow `{uv}`, which roost runs: {cure} (uv says: {said})")
    if "Failed to parse" in said and "No interpreter found" not in said:
        return RoostError(f"uv can't look for a Python in `{project.root}`: {said}")
    fetched = f"`uv python install {asked.text or '3'}`, or ask for another"
    hopeless = "/" in asked.text or "executable name" in said or "Invalid version request" in said
    cure = "name another, such as `3.12`" if hopeless else fetched
    message = f"no Python satisfies `{asked.text or 'any'}`, which {asked.source} asks for: {cure} (uv says: {said})"
    return NoInterpreterError(message)


def _query(path: str, cwd: str) -> Interpreter:
    """Ask the interpreter at `path` what it is; of several names for it in one folder, take that with the version.

    uv finds `python3.12` for `3.12`, and `python3` for `>=3.12`: two venvs, if these were two interpreters.
    """
    status, output = process.run([path, "-I", "-S", "-c", _ASK], env=process.for_installer(os.environ), cwd=cwd)
    try:
        name, version, build, *rest = json.loads(output)
    except ValueError:
        message = f"the interpreter `{path}` does not run (status {status}): {output.strip()[-500:]}"
        raise RoostError(message) from None
    named = f"{os.path.dirname(path)}/python{version.rpartition('.')[0]}"
    if os.path.exists(named) and os.path.samefile(path, named):
        path = named
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    return Interpreter(path, name, version, " ".join([build.replace("\n", " "), *map(str, rest)]), content)


def record(path: str, asked: Request, chosen: Interpreter) -> None:
    """Write down in the file `path` that `chosen` answers `asked`. Under the build lock, so that all agree."""
    new = temporary(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with open(os.open(new, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump([asked.text, signature(chosen.path), *chosen], file)
    os.replace(new, path)
