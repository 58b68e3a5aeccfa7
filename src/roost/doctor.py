"""The doctor: tries what roost relies on, between real processes and in the project's own folder."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import roost
from roost import collect, index, locks, process, users
from roost import status as status_
from roost.errors import RoostError
from roost.inputs import Inputs, text_of
from roost.project import Project, find
from roost.store import Store

VERSION = 1  # of what `--json` prints
_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse", "afs", "drvfs", "vboxsf", "virtiofs", "lustre", "gpfs", "ceph")
_TOOLS = ("git", "uv", "nox", "pre-commit", "prek", "lefthook")
# The lock is taken before an exec, and held after it, as a session's lease is.
_SLEEP = "import time; print('held', flush=True); time.sleep(60)"
_HOLD = "import fcntl, os, sys; fcntl.flock({fd}, fcntl.{kind}); os.execv(sys.executable, ['-', '-ISc', {sleep!r}])"
_TOLD = ("ROOST_DIR", "ROOST_ENV", "ROOST_QUIET", "ROOST_RESTORED", "ROOST_TIMEOUT", "UV_CACHE_DIR", "UV_LINK_MODE")
_OPTIONS = ("local_lock=", "lock", "nolock", "vers=")  # of a mount; others hold names, addresses and long paths
_CONFIGURATIONS = (".pre-commit-config.yaml", "prek.toml", "lefthook.yml", ".husky/pre-commit", ".husky/pre-push")
_READY = 10.0  # seconds that a process of ours gets to take a lock


class Finding(NamedTuple):
    """One line of the report."""

    level: Literal["ok", "warning", "error"]
    text: str
    cure: str = ""


def examine(start: str) -> list[Finding]:
    """Return what was found in the project around `start`, and with the tools on this machine.

    Raises:
        RoostError: there is no project, or `.roost` cannot be used at all.
    """
    project = find(start, Inputs())
    store = Store(project.root)
    store.prepare()
    checks: list[Callable[[Project, Store], Iterator[Finding]]] = [
        _versions,
        _file_system,
        _flock,
        _names,
        _clock,
        _hard_links,
        _ignored,
        _link,
        _hooks,
        _leftovers,
    ]
    found = []
    for check in checks:
        try:
            found += list(check(project, store))
        except (OSError, RoostError) as error:
            found.append(Finding("error", f"{check.__name__.strip('_').replace('_', ' ')}: {error}"))
    home = os.path.expanduser("~")
    return [one._replace(text=one.text.replace(home, "~"), cure=one.cure.replace(home, "~")) for one in found]


def _versions(project: Project, store: Store) -> Iterator[Finding]:
    del project, store
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", f"roost {roost.__version__} on Python {version}, {os.uname().sysname} {os.uname().release}")
    uv = process.find_uv()
    yield Finding("ok", f"the installer is {_version(uv)} (`{uv}`)")
    for tool in _TOOLS:
        path = shutil.which(tool)
        if path and path != uv:
            yield Finding("ok", f"{_version(path)} (`{path}`)")
    told = [f"`{name}={os.environ[name]}`" for name in _TOLD if name in os.environ]
    if told:
        yield Finding("ok", f"set in the environment: {', '.join(told)}")


def _version(path: str) -> str:
    status, output = process.run([path, "--version"], env=process.for_installer(os.environ), cwd="/")
    first = output.strip().partition("\n")[0] if status == 0 else ""
    name = os.path.basename(path)
    return first if name in first else f"{name} {first}".strip()


def _file_system(project: Project, store: Store) -> Iterator[Finding]:
    del project
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
            mounts = [line.split()[1:4] for line in file]
    except OSError:
        return
    fits = [mount for mount in mounts if f"{store.root}/".startswith(f"{mount[0].rstrip('/')}/")]
    if fits:
        where, kind, options = max(fits, key=lambda mount: len(mount[0]))
        network = kind.startswith(_NETWORK)
        cure = "locks there depend on a server; if anything below fails, set `ROOST_DIR` to a local folder"
        words = [word for word in options.split(",") if "=" not in word or word.startswith(_OPTIONS)]
        text = f"`{store.root}` lies on {kind} (mounted at `{where}`, {','.join(words)})"
        yield Finding("warning" if network else "ok", text, cure if network else "")


@contextlib.contextmanager
def _scratch(store: Store) -> Iterator[str]:
    """Provide the path of a new, empty file beside the locks."""
    path = f"{store.v1}/doctor.{os.getpid()}"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


@contextlib.contextmanager
def _holder(path: str, kind: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Provide a process that holds a flock on `path` by a descriptor that it was started with."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    code = _HOLD.format(fd=descriptor, kind=kind, sleep=_SLEEP)
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code], pass_fds=[descriptor], stdout=subprocess.PIPE
        )
    finally:
        os.close(descriptor)
    with child:
        try:
            if child.stdout is None or child.stdout.readline() != b"held\n":
                message = "a process could not take a flock"
                raise RoostError(message)
            yield child
        finally:
            child.kill()


def _can_take(path: str, operation: int) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return locks.try_flock(descriptor, operation)
    finally:
        os.close(descriptor)


def _flock(project: Project, store: Store) -> Iterator[Finding]:
    """Try exclusive and shared locks between processes, and that they end with their holder."""
    del project
    cure = "set `ROOST_DIR` to a folder on a local disk"
    with _scratch(store) as path:
        with _holder(path, "LOCK_EX") as child:
            if _can_take(path, fcntl.LOCK_EX) or _can_take(path, fcntl.LOCK_SH):
                yield Finding("error", "flock does not keep two processes apart", cure)
                return
            child.send_signal(signal.SIGKILL)
            child.wait()
            end = time.monotonic() + _READY
            while not (free := _can_take(path, fcntl.LOCK_EX)) and time.monotonic() < end:
                time.sleep(0.01)
            if not free:
                yield Finding("error", "a flock outlives its killed holder", cure)
                return
        with _holder(path, "LOCK_SH"):
            if not _can_take(path, fcntl.LOCK_SH) or _can_take(path, fcntl.LOCK_EX):
                yield Finding("error", "shared flocks do not work", cure)
                return
    yield Finding("ok", "flock works between processes: exclusive, shared, inherited over exec, released by SIGKILL")


def _names(project: Project, store: Store) -> Iterator[Finding]:
    del project
    with _scratch(store) as path:
        os.symlink(path, f"{path}.link")
        os.rename(f"{path}.link", f"{path}.moved")
        fits = os.readlink(f"{path}.moved") == path
        os.unlink(f"{path}.moved")
        linked = _links(path, f"{path}.hard")
        before = index.signature(path)
        os.utime(path)
        blurred = index.signature(path).split()[2].endswith("000000000")
    if not fits or before == index.ABSENT:
        yield Finding("error", "renames and links do not work as on a POSIX file system", "set `ROOST_DIR` elsewhere")
    elif blurred:
        yield Finding("warning", "time stamps are whole seconds here: a start within 2 s of an edit hashes again")
    else:
        yield Finding("ok", "renames, links and time stamps work")
    if not linked:
        yield Finding("warning", f"hard links do not work in `{store.root}`: each venv is a full copy")


def _links(path: str, name: str) -> bool:
    """Return whether a file can get another name, which is taken away again."""
    try:
        os.link(path, name)
        os.unlink(name)
    except OSError:
        return False
    return True


def _clock(project: Project, store: Store) -> Iterator[Finding]:
    del project
    with _scratch(store) as path:
        ahead = os.stat(path).st_mtime - time.time()
    if abs(ahead) > 2:
        text = f"the file system's clock is {ahead:+.0f} s from this machine's"
        yield Finding("warning", text, "set both by NTP; roost compares stamps for equality only, other tools do not")
    else:
        yield Finding("ok", "the file system's clock is this machine's")


def _hard_links(project: Project, store: Store) -> Iterator[Finding]:
    status, output = process.run(
        [process.find_uv(), "cache", "dir"], env=process.for_installer(os.environ), cwd=project.root
    )
    cache = output.strip().rpartition("\n")[2]
    if status or not os.path.isdir(cache):
        return
    names = [f"{cache}/{name}" for name in ("CACHEDIR.TAG", ".gitignore", ".lock")]
    donor = next((name for name in names if os.path.isfile(name)), None)
    mode = os.environ.get("UV_LINK_MODE", "hardlink")
    if donor is None:  # nothing was cached yet, so nothing can be tried
        works = os.stat(cache).st_dev == os.stat(store.root).st_dev
    else:
        works = _links(donor, f"{store.v1}/doctor.{os.getpid()}")
    if works and mode == "hardlink":
        yield Finding("ok", f"uv links packages from its cache `{cache}`: a further venv costs little disk")
        return
    sizes = [status_.size(venv.path)[0] for venv in store.venvs()]
    each = f" ({status_.mib(max(sizes))})" if sizes else ""
    if works:
        cure = f"unset `UV_LINK_MODE` (it is `{mode}`), unless your file system shares copies"
        yield Finding("warning", f"uv does not link packages from its cache, so each venv is a full copy{each}", cure)
    else:
        cure = "set `UV_CACHE_DIR` to a folder on the disk of the project"
        yield Finding("warning", f"no links from uv's cache `{cache}` work, so each venv is a full copy{each}", cure)


def _ignored(project: Project, store: Store) -> Iterator[Finding]:
    if store.root != f"{project.root}/.roost":
        return
    beside = {".gitignore": ".git", ".dockerignore": "Dockerfile"}
    for name, needed in ((name, os.path.exists(f"{project.root}/{other}")) for name, other in beside.items()):
        path = f"{project.root}/{name}"
        if not (needed or os.path.exists(path)):
            continue
        listed = any(line.strip().strip("/") in (".roost", "**/.roost") for line in text_of(path).splitlines())
        cure = "" if listed else f"add the line `{'/' if name == '.gitignore' else ''}.roost`"
        yield Finding(
            "ok" if listed else "warning", f"`{path}` {'names' if listed else 'does not name'} `.roost`", cure
        )


def _link(project: Project, store: Store) -> Iterator[Finding]:
    path = f"{project.root}/.venv"
    if os.path.islink(path) and os.path.realpath(path).startswith(f"{store.root}/"):
        cure = "`uv sync`, `uv add` and `uv venv --clear` write through it; use `.roost/current/default` where you can"
        yield Finding("warning", f"`{path}` is a link into `.roost`", cure)


def _hooks(project: Project, store: Store) -> Iterator[Finding]:
    del store
    git = shutil.which("git")
    if git is None:
        return
    env = process.for_installer(os.environ)
    status, output = process.run([git, "rev-parse", "--git-path", "hooks"], env=env, cwd=project.root)
    folder = os.path.join(project.root, output.strip())
    if status or not os.path.isdir(folder):
        return
    installed = [name for name in sorted(os.listdir(folder)) if not name.endswith(".sample")]
    found = [name for name in installed if _names_roost(f"{folder}/{name}")]
    if found:
        yield Finding("ok", f"git hooks that call roost: {', '.join(found)}")
    told = [name for name in _CONFIGURATIONS if _names_roost(f"{project.root}/{name}")]
    for name in told:
        yield Finding("ok", f"`{project.root}/{name}` has hooks that call roost")
    if told and not installed and not told[0].startswith(".husky"):
        tool = {"prek.toml": "prek", "lefthook.yml": "lefthook"}.get(told[0], "pre-commit")
        yield Finding("warning", f"git has no hooks in `{folder}`, so they do not run", f"`{tool} install`")
    if not found and not told:
        yield Finding("ok", "no git hook calls roost")


def _names_roost(path: str) -> bool:
    return "roost" in text_of(path)


def _leftovers(project: Project, store: Store) -> Iterator[Finding]:
    del project
    attempts = [venv for venv in store.venvs() if collect.is_attempt(venv)]
    using = users.find([venv.lease for venv in attempts])
    idle = [venv for venv in attempts if not using[venv.lease]]
    trash = len(os.listdir(f"{store.v1}/trash"))
    if idle or trash:
        yield Finding("warning", f"{len(idle)} unfinished builds and {trash} removed venvs are left", "`roost clean`")
    foreign = _foreign(store.root)
    if foreign:
        yield Finding("error", f"`{foreign}` belongs to another user", f"`sudo chown -R $USER {store.root}`")
    if not idle and not trash and not foreign:
        yield Finding("ok", "nothing is left over from builds that were killed, nothing is another user's")


def _foreign(root: str) -> str | None:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith("venv-")]
        for name in [*folders, *files]:
            with contextlib.suppress(OSError):
                if os.lstat(f"{folder}/{name}").st_uid != os.geteuid():
                    return f"{folder}/{name}"
    return None
