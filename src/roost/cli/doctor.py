"""`roost doctor`: tries what roost relies on, with real processes in the project's own folder."""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator

import click

import roost
from roost.bytecode.cache import Cache, limit
from roost.cli import options, output, trials
from roost.cli.trials import Finding
from roost.console import holders
from roost.errors import RoostError, UsageError
from roost.init import plan
from roost.inputs.files import text_of
from roost.inputs.project import Project, nearest
from roost.store import collection, inventory, marker, references, venvs
from roost.store.store import Store
from roost.system import files, folders, proc, processes
from roost.system.paths import real

_TOOLS = ("git", "uv", "nox", "pre-commit", "prek", "lefthook")
_VARIABLES = (
    "ROOST_CACHE_DIR",
    "ROOST_CACHE_LIMIT",
    "ROOST_DIR",
    "ROOST_ENV",
    "ROOST_NO_CACHE",
    "ROOST_QUIET",
    "ROOST_TIMEOUT",
    "UV_CACHE_DIR",
    "UV_LINK_MODE",
)


def examine(start: str) -> list[Finding]:
    """Return what was found in the project around `start`, and with the tools on this machine.

    Raises:
        RoostError: there is no project, or `.roost` cannot be used at all.
    """
    found: list[Finding] = []
    try:
        root = Project.at(start).root
    except UsageError:
        raise
    except RoostError as error:
        root = nearest(real(start)) or ""
        if not root:
            raise
        found.append(Finding("error", str(error)))
    store = Store(root)
    store.prepare()
    checks: list[Callable[[Store], Iterator[Finding]]] = [
        _versions,
        trials.file_system,
        trials.flock,
        trials.names,
        trials.clock,
        trials.hard_links,
        _bytecode,
        _link,
        _hooks,
        _leftovers,
        _damage,
    ]
    for check in checks:
        try:
            found += list(check(store))
        except (OSError, RoostError) as error:
            found.append(Finding("error", f"{check.__name__.strip('_').replace('_', ' ')}: {error}"))
    home = f"{os.path.expanduser('~')}/"
    return [one._replace(text=one.text.replace(home, "~/"), cure=one.cure.replace(home, "~/")) for one in found]


def _versions(store: Store) -> Iterator[Finding]:
    del store
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", f"roost {roost.__version__} on Python {version}, {proc.system()}")
    uv = processes.find_uv()
    yield Finding("ok", f"the installer is {_version(uv)} (`{uv}`)")
    if (command := processes.uv_to_type()) != "uv":
        yield Finding("warning", "uv is not on PATH", f"`{command} lock` and `{command} add` call the one above")
    for tool in _TOOLS:
        path = shutil.which(tool)
        if path and path != uv:
            yield Finding("ok", f"{_version(path)} (`{path}`)")
    assigned = [f"`{name}={os.environ[name]}`" for name in _VARIABLES if name in os.environ]
    if assigned:
        yield Finding("ok", f"set in the environment: {', '.join(assigned)}")


def _version(path: str) -> str:
    got = processes.query([path, "--version"], cwd="/")
    first = got.stdout.strip().partition("\n")[0] if got.status == 0 else ""
    name = os.path.basename(path)
    return first if name in first else f"{name} {first}".strip()


def _bytecode(store: Store) -> Iterator[Finding]:
    cache = Cache()
    cure = "set `ROOST_CACHE_DIR` to a folder of your own, on the disk of the project"
    if fault := cache.fault():
        yield Finding("warning", f"the bytecode cache is not used: {fault}", cure)
        return
    try:
        cache.prepare()
        with trials.scratch(cache.root) as path:
            works = folders.supports_hard_links(path, f"{store.data}/{os.path.basename(path)}")
    except OSError as error:
        yield Finding("warning", f"the bytecode cache `{cache.root}` cannot be written: {error.strerror}", cure)
        return
    usage = cache.usage()
    size = f"{output.mib(usage.bytes)} of at most {output.mib(limit())}"
    if works:
        yield Finding("ok", f"new venvs link their bytecode from `{cache.root}` ({size})")
    else:
        yield Finding("warning", f"no links from the bytecode cache `{cache.root}` work: each venv has copies", cure)


def _link(store: Store) -> Iterator[Finding]:
    path = f"{store.project}/.venv"
    if files.is_link(path) and real(path).startswith(f"{store.root}/"):
        cure = "`uv sync`, `uv add` and `uv venv --clear` write through it; use `.roost/.venv/default` where you can"
        yield Finding("warning", f"`{path}` is a link into `.roost`", cure)


def _hooks(store: Store) -> Iterator[Finding]:
    installed = references.git_hooks(store.project)
    found = [os.path.basename(path) for path in installed if "roost" in text_of(path)]
    if found:
        yield Finding("ok", f"git hooks that call roost: {', '.join(found)}")
    yield from _fixed_paths(store, installed)
    texts = {path: text_of(path) for path in plan.find_hook_files(store.project)}
    configured = [path for path, text in texts.items() if "roost" in text]
    for path in configured:
        yield Finding("ok", f"`{path}` has hooks that call roost")
    for path, text in texts.items():
        if re.search(r"\bv?env/bin/\w", text):
            yield Finding("warning", f"`{path}` names a venv, which others may lack", "`roost init`")
    if configured and not installed and "/.husky/" not in configured[0]:
        tool = os.path.basename(configured[0]).strip(".").partition(".")[0].removesuffix("-config")
        yield Finding("warning", "git has no hooks for this project, so they do not run", f"`{tool} install`")
    if not found and not configured:
        yield Finding("ok", "no git hook calls roost")


def _fixed_paths(store: Store, hooks: list[str]) -> Iterator[Finding]:
    """Find hooks and kernels that name a venv, which is removed some time after the next change."""
    for venv, path in references.named(store, [*hooks, *references.kernels()]).items():
        why = "which newer ones replace" if os.path.isdir(venv) else "which was removed"
        if path not in hooks:
            cure = "let it start `roost-run python -m ipykernel_launcher -f {connection_file}`"
        elif "prek" in text_of(path):
            cure = "`prek install -f --hook-command 'roost-run prek'`"
        else:
            cure = "`.roost/.venv/default/bin/python -m pre_commit install`"
        yield Finding("warning", f"`{path}` names `{os.path.basename(venv)}`, {why}", cure)


def _damage(store: Store) -> Iterator[Finding]:
    """Compare each file of the complete venvs, which a start does not: it looks for what installers change."""
    for venv in venvs.all_in(store):
        known, _ = marker.load(venv.marker)
        if known and known.venv == venv.path and (damage := inventory.damage(venv.path)):
            cure = "`roost sync --refresh` builds it again"
            yield Finding("warning", f"{damage} since it was built for `{known.environment}`", cure)


def _leftovers(store: Store) -> Iterator[Finding]:
    attempts = [venv for venv in venvs.all_in(store) if collection.is_attempt(venv)]
    using = holders.users([venv.lease_file for venv in attempts])
    idle = [venv for venv in attempts if not using[venv.lease_file]]
    trash = len(os.listdir(f"{store.data}/trash"))
    if idle or trash:
        yield Finding("warning", f"{len(idle)} unfinished builds and {trash} removed venvs are left", "`roost clean`")
    foreign = _foreign(store.root)
    if foreign:
        yield Finding("error", f"`{foreign}` belongs to another user", f"`sudo chown -R $USER {store.root}`")
    if not idle and not trash and not foreign:
        yield Finding("ok", "no killed build left anything, and no file belongs to another user")


def _foreign(root: str) -> str | None:
    for folder, inner, others in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith("venv-")]
        for name in [*inner, *others]:
            with contextlib.suppress(OSError):
                if not files.is_own(os.lstat(f"{folder}/{name}")):
                    return f"{folder}/{name}"
    return None


@click.command(
    short_help="Check what roost needs here, and show how to fix it.",
    epilog="""\b
Example:
  roost doctor --json > report.json    for an issue; it contains no secrets""",
)
@options.as_json
@options.project
def doctor(as_json: bool, project: str) -> None:
    """Check what roost needs here: locks, links, clocks, tools, hooks. Show what is wrong and how to fix it."""
    findings = examine(project)
    worst = RoostError.status if any(one.level == "error" for one in findings) else 0
    if as_json:
        output.as_json(findings=[one._asdict() for one in findings])
    else:
        colours = {"ok": "green", "warning": "yellow", "error": "red"}
        for one in findings:
            cure = f": {one.cure}" if one.cure else ""
            output.result(f"{one.text}{cure}", 9, word=f"{one.level:7}  ", colour=colours[one.level])
    if worst:
        raise SystemExit(worst)
