"""Venvs in the store: creation under a new name, removal by renaming, and the list of all that exist."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from typing import NamedTuple

from roost.errors import RoostError
from roost.store.store import Store
from roost.system import files, folders, locks, paths
from roost.system.folders import Folder

FOLDER = re.compile(r"(?:session-)?[0-9a-f]{16}", re.ASCII)
VENV = re.compile(r"venv-[a-z0-9]{6}", re.ASCII)
_LOG = re.compile(rf"{VENV.pattern}\.log", re.ASCII)
_INDEX_OF_STATE = re.compile(rf".+{re.escape(paths.STATE)}[0-9a-f]{{16}}", re.ASCII)
NOTE = "shared"  # in the folder of a nox session: the shared venv that it used last
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Venv(NamedTuple):
    """The place of one venv."""

    folder: str
    name: str

    @property
    def path(self) -> str:
        """The venv itself."""
        return f"{self.folder}/{self.name}"

    @property
    def lease_file(self) -> str:
        """The file that is locked, shared, by every process that runs in the venv."""
        return f"{self.path}.lease"

    @property
    def log_file(self) -> str:
        """The file with the whole output of the installer, where a failed build showed only a part of it."""
        return f"{self.path}.log"

    @property
    def marker(self) -> str:
        """The marker that may name the venv."""
        return f"{self.folder}/complete"


class Attempt:
    """A venv that is being built, and the builder's lease on it."""

    def __init__(self, venv: Venv, lease_descriptor: int) -> None:
        """Hold `venv` by an open descriptor of its lease file."""
        self.venv = venv
        self.lease_descriptor = lease_descriptor
        self.label = ""
        """The command that needs it, for the journal."""
        self.installed = False
        """Whether the installer has ended."""
        self.folders: list[str] = []
        """`site-packages` and the folder of the scripts, once they are known."""
        self.files: dict[str, int | str] = {}
        """Its inventory, once the installer has ended."""
        self.published = False
        self._begun = time.monotonic()

    def seconds(self) -> float:
        """Return the time since the build began."""
        return round(time.monotonic() - self._begun, 3)

    def is_current(self) -> bool:
        """Return whether the venv exists, and its lease file is the one that others would open."""
        return os.path.isdir(self.venv.path) and locks.is_at(self.lease_descriptor, self.venv.lease_file)


def random_name() -> str:
    """Return a new name for a venv."""
    return f"venv-{''.join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(6))}"


def is_venv(name: str) -> bool:
    """Return whether `name` is a name that roost gives to venvs."""
    return VENV.fullmatch(name) is not None


def all_in(store: Store) -> Iterator[Venv]:
    """Yield every venv in the store, complete or not, also those of which only the lease file is left."""
    for name in folders.names(f"{store.data}/envs", FOLDER):
        folder = store.folder(name)
        folders.check_folder(folder)
        found = {name.removesuffix(".lease") for name in os.listdir(folder)}
        yield from (Venv(folder, name) for name in sorted(filter(VENV.fullmatch, found)))


def create(store: Store, folder: str, record: str, *, name: str = "", exclusive: bool = False) -> Attempt:
    """Create a venv folder that never existed before, with a lease on it (rule 2).

    `folder` is the name of its folder in the store. `name` is that of a nox session's own venv, which is known before;
    its lease is `exclusive`, since the session changes it. The lease comes first: no venv is ever without one.

    Raises:
        RoostError: another build uses a venv called `name`.
        OSError: it cannot be created.
    """
    folders.make_folder(store.folder(folder))
    while True:
        venv = Venv(store.folder(folder), name or random_name())
        descriptor = locks.create_lease(venv.lease_file, record, exclusive=exclusive)
        if descriptor is not None:
            break
        if name:
            raise RoostError(f"`{venv.path}` is still used by an interrupted build: start nox again")
    try:
        os.mkdir(venv.path, 0o700)
    except OSError:
        os.close(descriptor)
        os.unlink(venv.lease_file)
        raise
    return Attempt(venv, descriptor)


def remove(store: Store, venv: Venv, *, marker: bool) -> bool:
    """Take `venv` out of use, with its `marker` if that names it. Under the build lock. Returns whether it was removed.

    It stays where a process holds its lease (rule 7). It is renamed into the trash, which `empty_trash` deletes.
    """
    with (
        Folder(f"{store.data}/envs") as envs,
        Folder(os.path.basename(venv.folder), envs) as folder,
        Folder(f"{store.data}/trash") as trash,
    ):
        lease_file = os.path.basename(venv.lease_file)
        try:
            lease = locks.claim(folder, lease_file)
        except BlockingIOError:
            return False
        try:
            if marker and lease is not None:  # without a lease, the marker may name a venv that was built after a wipe
                folder.unlink("complete")
            if not all(folder.move(name, trash) for name in (venv.name, lease_file)):
                return False
        finally:
            if lease is not None:
                os.close(lease)
    with contextlib.suppress(OSError):  # not empty: it has other venvs
        os.rmdir(venv.folder)
    return True


def discard(store: Store, venv: Venv) -> None:
    """Remove an attempt whose lease file, or whole store, a user removed during the build.

    Its installer may have made the folders again, open to others. Those that hold nothing else are removed, too.
    """
    shutil.rmtree(venv.path, ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty, or gone
        for path in (venv.folder, f"{store.data}/envs", store.data, store.links, store.root):
            os.rmdir(path)


def empty_trash(store: Store) -> None:
    """Delete removed venvs, without following links. Needs no lock: no process uses them."""
    with contextlib.suppress(OSError), Folder(f"{store.data}/trash") as trash:
        for name in trash.names():
            trash.delete(name)


def _is_stale(store: Store, note: str) -> bool:
    """Return whether the venv that a nox session noted does not exist any more."""
    with open(note, encoding="utf-8", errors="surrogateescape") as file:
        return not os.path.isdir(store.here(file.read()))


def sweep(store: Store, before: float) -> None:
    """Remove logs and temporary files of killed processes, both if older than `before`, and what refers to no venv.

    Under the build lock.
    """
    inner = [store.folder(name) for name in folders.names(f"{store.data}/envs", FOLDER)]
    views = [store.data, *store.other_views()]
    own = [f"{view}/{name}" for view in views for name in ("index", "python", "links")]
    for path in (store.root, store.links, store.data, *own, *inner):
        with contextlib.suppress(OSError):
            folders.remove_older(path, before)
    for path in inner:
        with contextlib.suppress(OSError):
            folders.remove_older(path, before, _LOG)
        with contextlib.suppress(OSError):
            if _is_stale(store, f"{path}/{NOTE}"):
                os.unlink(f"{path}/{NOTE}")
        with contextlib.suppress(OSError):
            if os.listdir(path) == ["complete"]:  # a user removed its venv
                os.unlink(f"{path}/complete")
            os.rmdir(path)
    kept = set(folders.names(f"{store.data}/envs", FOLDER))
    for view in views:
        for name in folders.names(f"{view}/index", _INDEX_OF_STATE):
            if name.rpartition(paths.STATE)[2] not in kept:
                files.remove(f"{view}/index/{name}")
