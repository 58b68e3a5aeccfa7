"""The interpreter: which Python an environment is made with, chosen once and then kept.

A hook started by a GUI client has another PATH than a terminal. A new choice at each start would give each of them a
venv of its own. So the choice is recorded for each request, and stays valid while the interpreter's file is the same.
"""

import contextlib
import hashlib
import json
import os
import re
import shlex
from typing import NamedTuple

from roost.errors import NoInterpreterError, RoostError
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.inputs.schema import table
from roost.inputs.settings import Settings
from roost.system import files, paths, processes, user_cache
from roost.system.processes import Queried

_QUERY = """
import json, sys, sysconfig
from importlib._bootstrap_external import MAGIC_NUMBER
tag = sys.implementation.cache_tag
print("\\x1eroost %s\\x1e" % json.dumps([sys.implementation.name, "%d.%d.%d" % sys.version_info[:3], sys.version,
    sysconfig.get_platform(), getattr(sys, "abiflags", ""), tag and "%s %s" % (tag, MAGIC_NUMBER.hex()) or ""]))
"""
# uv's version requests: 3, 3.12, 3.13t, 3.14rc1, >=3.11,<3.14, cpython@3.12, pypy3.10, cp312,
# cpython-3.12.4-linux-x86_64-gnu. uv takes any other word for a program on PATH or a path, and would run it.
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
    """A base interpreter: what the fingerprint and the marker record of it."""

    path: str
    implementation: str
    version: str
    build: str
    bytecode: str
    """Cache tag and magic number of its bytecode, such as `cpython-312 cb0d0d0a`; empty if it has none."""
    file: str
    """A hash of its content. The signature differs between a host and a container over one checkout."""

    @property
    def real_path(self) -> str:
        """Its path without links. Its own `path` is the one to watch: an upgrade lets a link lead to another file."""
        return paths.real(self.path)

    def __str__(self) -> str:
        """Return its name and version, such as `Python 3.12.4`."""
        name = {"cpython": "Python", "pypy": "PyPy", "graalpy": "GraalPy"}.get(self.implementation, self.implementation)
        return f"{name} {self.version}"


class PythonRequest(NamedTuple):
    """A request for a Python, and where it comes from."""

    text: str
    source: str
    pinned: bool = True
    """Whether a user wrote it to choose a Python. A `requires-python` only restricts the choice."""


def request(project: Project, settings: Settings, explicit: str | None, inputs: Inputs) -> PythonRequest:
    """Return the request for a Python: `--python`, else `[tool.roost] python`, `.python-version`, `requires-python`.

    Raises:
        RoostError: a file of the project contains anything but a version request.
    """
    if explicit:
        return PythonRequest(paths.absolute(explicit) if paths.is_path(explicit) else explicit, "--python")
    if settings.python is not None:
        own = f"envs.{settings.env}."
        own = own if "python" in table(project.tables, "tool", "roost", "envs", settings.env) else ""
        return _checked(settings.python, f"`tool.roost.{own}python` in `{project.file}`")
    pins = f"{project.root}/.python-version"
    content = inputs.read(pins)
    if content is not None:
        lines = (line.partition("#")[0].strip() for line in content.decode("utf-8-sig", errors="replace").splitlines())
        return _checked(next(filter(None, lines), ""), f"`{pins}`")
    required = table(project.tables, "project").get("requires-python")
    if isinstance(required, str):
        return _checked(required, f"`project.requires-python` in `{project.file}`")._replace(pinned=False)
    return PythonRequest("", "nothing", pinned=False)


def _checked(text: str, source: str) -> PythonRequest:
    # uv would run a program that a repository's file names.
    if not _REQUEST.fullmatch(text.strip()):
        raise RoostError(f"{source}: `{text}` is not a version specifier; write one such as `3.12`")
    return PythonRequest(text.strip(), source)


def refused(project: Project, chosen: Interpreter) -> str | None:
    """Return an error if `requires-python` of the project or a member does not allow `chosen`, or None.

    uv reports it for projects that it builds or locked, and installs the dependencies of other projects anyway.
    """
    for folder, tables in project.all_tables.items():
        required = table(tables, "project").get("requires-python")
        if isinstance(required, str) and not satisfies(chosen.version, required):
            where = f"`project.requires-python` in `{folder}/pyproject.toml`"
            return f"{chosen} does not satisfy `{required}` ({where}): pass another with `--python`"
    return None


def satisfies(version: str, specifiers: str) -> bool:
    """Return whether a version such as `3.12.4` satisfies `specifiers` (PEP 440). Unknown forms are left to uv."""
    have = [int(part) for part in version.split(".")]
    for operator, text, star in _CLAUSE.findall(specifiers):
        want = [int(part) for part in text.split(".")]
        size = max(len(have), len(want))
        left, right = ([*parts, *[0] * (size - len(parts))] for parts in (have, want))
        # `~=3.11` compares the prefix `3`, `==3.11.*` the prefix `3.11`.
        prefix = len(want) - 1 if operator == "~=" else len(want) if star else size
        alike = left[:prefix] == right[:prefix]
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


def recorded(path: str, wanted: PythonRequest, inputs: Inputs) -> Interpreter | None:
    """Return the interpreter that the record `path` has for `wanted`, which becomes an input.

    Returns None where its file changed since, or where there is no record.
    """
    answer = _read(path)
    if answer is None:
        return None
    text, seen, found = answer
    if text != wanted.text or seen != files.signature(found.path) or seen == files.ABSENT:
        return None
    inputs.signatures[found.path] = seen
    return found


def _unpinned(path: str) -> str:
    """Return the path of the record of the latest choice without a pin. `path` is the record of one request."""
    return path.rpartition(paths.STATE)[0]


def _read(path: str) -> tuple[str, str, Interpreter] | None:
    try:
        text, seen, *fields = json.loads(files.read_own(path, 1 << 16))
        return text, seen, Interpreter(*map(str, fields))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def choose(record: str, project: Project, wanted: PythonRequest) -> Interpreter:
    """Find an interpreter for `wanted` with uv, outside any virtualenv; keep the one chosen before if that fits.

    For a new request, which has no `record`, that is the latest choice without a pin: what a branch pins must not
    decide for the branches that pin nothing.

    Raises:
        RoostError: there is none, or it does not run.
    """
    path = os.environ.get("PATH", "")
    latest = _read(record) or _read(_unpinned(record))
    before = latest and latest[2].path
    if before:
        if not _CLAUSE.sub("", wanted.text).strip(" ,"):  # uv would take the first Python of several in one folder
            with contextlib.suppress(RoostError):  # it is gone, or does not run
                kept = _query(before, project.root)
                if satisfies(kept.version, wanted.text):
                    return kept
        path = os.pathsep.join(filter(None, [os.path.dirname(before), path]))
    # Without a request uv would look for a `.python-version` in the folders above, and run the program it names.
    command = [processes.find_uv(), "python", "find", "--system", "--no-project", "--", wanted.text or "default"]
    found = processes.query(command, cwd=project.root, env={"PATH": path})
    path = paths.slashed(found.stdout.strip().rpartition("\n")[2])
    if found.status or not os.path.isabs(path):
        raise _unsatisfied(project, wanted, found)
    if before and paths.is_same_file(path, before):
        path = before
    return _query(path, project.root)


def _unsatisfied(project: Project, wanted: PythonRequest, found: Queried) -> RoostError:
    """Return the error for a search that found nothing, or that uv refused."""
    printed = found.output.strip().removeprefix("error: ") or f"uv ended with status {found.status}"
    if required := _REQUIRED.search(printed):
        cure = f"`pip install 'uv{required[1]}'` next to roost"
        uv = processes.find_uv()
        return RoostError(f"`{project.root}` does not allow `{uv}`, which roost runs: {cure} (uv says: {printed})")
    if "Failed to parse" in printed and "No interpreter found" not in printed:
        return RoostError(f"uv can't look for a Python in `{project.root}`: {printed}")
    install = f"`{processes.uv_to_type()} python install {shlex.quote(wanted.text or '3')}`, or request another"
    no_download = paths.is_path(wanted.text) or "executable name" in printed or "Invalid version request" in printed
    cure = "name another, such as `3.12`" if no_download else install
    return NoInterpreterError(
        f"no Python satisfies `{wanted.text or 'any'}` ({wanted.source}): {cure} (uv says: {printed})"
    )


def _query(path: str, cwd: str) -> Interpreter:
    """Return what the interpreter at `path` is. Its answer is kept for all projects, while its file is the same."""
    answers = cached_answers()
    name = f"{answers}/{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"
    usable = user_cache.is_wanted() and user_cache.fault(answers) is None
    seen = files.signature(path)
    if usable and (answer := _read(name)) and answer[1] == seen == files.signature(answer[2].path):
        return answer[2]
    found = _ask(path, cwd)
    if usable:
        with contextlib.suppress(OSError):  # such as a full disk, or a home of another user
            user_cache.prepare(answers)
            files.write(name, json.dumps(["", seen, *found]))
    return found


def cached_answers() -> str:
    """Return the folder in the user's cache with the answers of interpreters, which need not exist."""
    return os.path.join(user_cache.location(), "interpreters-v1")


def _ask(path: str, cwd: str) -> Interpreter:
    """Ask the interpreter at `path` what it is. Of its names in one folder, that with the version is returned.

    uv finds `python3.12` for `3.12`, and `python3` for `>=3.12`: as two interpreters they would make two venvs.
    """
    found = processes.query([path, "-I", "-S", "-c", _QUERY], cwd=cwd)
    try:
        name, version, build, platform, flags, bytecode = json.loads(processes.framed(found.stdout))
    except ValueError:
        raise RoostError(
            f"the interpreter `{path}` does not run (status {found.status}): {found.output.strip()[-500:]}"
        ) from None
    named = paths.program(f"{os.path.dirname(path)}/python{version.rpartition('.')[0]}")
    if paths.is_same_file(path, named):
        path = named
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    return Interpreter(path, name, version, f"{build} {platform} {flags}".replace("\n", " "), bytecode, content)


def record(path: str, wanted: PythonRequest, chosen: Interpreter) -> None:
    """Record in the file `path` that `chosen` answers `wanted`. Under the build lock, so that all processes agree."""
    for one in (path,) if wanted.pinned else (path, _unpinned(path)):
        files.write(one, json.dumps([wanted.text, files.signature(chosen.path), *chosen]))
