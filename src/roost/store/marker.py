"""The marker: the file `complete`, which names a complete venv and records what it was made from."""

import glob
import hashlib
import json
import os
import stat
from datetime import datetime
from typing import Any, NamedTuple

from roost.errors import RoostError
from roost.inputs import lock_files
from roost.state import State
from roost.store.store import Store
from roost.store.venvs import Attempt, is_venv
from roost.system import files, folders
from roost.system.paths import matching, normal

FORMAT = 2
SIZE_LIMIT = 16 << 20
NONE = "there is no venv for this state yet"
_DISTRIBUTIONS = (".dist-info", ".egg-info", ".egg-link")  # of what an installer adds to a folder
_RECORDS = ("*.dist-info/RECORD", "*.egg-info/PKG-INFO")


class Marker(NamedTuple):
    """The content of a marker. Signatures are those of `roost.system.files`."""

    format: int
    fingerprint: str
    environment: str
    session: str
    """The nox session that the venv belongs to; empty for a shared one."""
    venv: str
    lease_inode: int
    pyvenv: str
    """`pyvenv.cfg`: signature and content, as `_identify` returns them."""
    folders: dict[str, list[Any]]
    """`site-packages` and `bin`: path to signature and the names in it."""
    records: dict[str, str]
    """What installers wrote about each distribution: path to signature and content, as `_identify` returns them."""
    parts: dict[str, str]
    locked: dict[str, str]
    """The packages in the lock files: name to version."""
    installer: str
    python: str
    boot: str
    """The boot in which the venv was built."""
    built: str
    """When, in ISO 8601."""
    seconds: float
    """How long the build took."""

    @property
    def at(self) -> float:
        """When it was built, in seconds since the epoch, which a change of time zone leaves comparable."""
        try:
            return datetime.fromisoformat(self.built).timestamp()
        except ValueError:
            return 0.0


EMPTY = Marker(FORMAT, "", "", "", "", 0, "", {}, {}, {}, {}, "", "", "", "", 0.0)
"""A marker with nothing in it: its values have the types of every marker."""


def load(path: str) -> tuple[Marker | None, str | None]:
    """Return the marker at `path`, or None and the reason."""
    try:
        marker = Marker(**json.loads(files.read_own(path, SIZE_LIMIT)))
        valid = all(isinstance(value, type(shape)) for value, shape in zip(marker, EMPTY, strict=True))
        valid = valid and _has_texts(marker)
    except FileNotFoundError:
        return None, NONE
    except (OSError, ValueError, TypeError, RecursionError):
        return None, "its marker cannot be read"
    if not valid or marker.format != FORMAT:
        return None, "its marker is of another format"
    return marker, None


def _has_texts(marker: Marker) -> bool:
    texts = [*marker.records.values(), *marker.parts.values(), *marker.locked.values()]
    for seen, names in marker.folders.values():
        texts += [seen, *names]
    return all(isinstance(text, str) for text in texts)


def check(store: Store, state: State) -> tuple[Marker | None, str]:
    """Return the marker for `state` if it is valid, else None and the reason."""
    marker, reason = load(store.marker(state.folder))
    if marker is None:
        return None, str(reason)
    reason = _of_another_state(marker, store, state) or _replaced(marker) or drift(marker)
    return (None, reason) if reason else (marker, "")


def _of_another_state(marker: Marker, store: Store, state: State) -> str | None:
    """Return why `marker` is not for `state` in this place, or None."""
    if marker.fingerprint != state.fingerprint or marker.parts != state.parts:
        return "its marker is of another state"
    name = marker.venv.removeprefix(f"{store.folder(state.folder)}/")
    if not is_venv(name):
        return "its marker names a venv elsewhere"
    linked = files.is_link(store.folder(state.folder)) or files.is_link(marker.venv)
    return f"`{name}` is a link, or reached through one" if linked else None


def _replaced(marker: Marker) -> str | None:
    name = os.path.basename(marker.venv)
    try:
        lease = os.lstat(f"{marker.venv}.lease")
        if lease.st_ino != marker.lease_inode or not stat.S_ISREG(lease.st_mode):
            return f"the lease file of `{name}` was replaced"
    except OSError:
        return f"the lease file of `{name}` was removed"
    return None


def drift(marker: Marker) -> str | None:
    """Return how an installer, or a removal, changed the venv since it was complete, or None.

    Names that came next to the distributions are no drift: coverage keeps a `.pth` file there while it measures
    subprocesses. Neither is a lost `__pycache__`, which `make clean` removes and Python writes again.
    """
    name = os.path.basename(marker.venv)
    pyvenv = f"{marker.venv}/pyvenv.cfg"
    if not _is_unchanged(pyvenv, marker.pyvenv):
        return f"`{name}` was {'changed (`pyvenv.cfg`)' if os.path.exists(pyvenv) else 'removed'}"
    for path, (seen, names) in marker.folders.items():
        now_seen = files.signature(path)
        if now_seen == seen:
            continue
        # A link to a folder with the same names is another inode.
        if now_seen != files.ABSENT and now_seen.split()[0] != str(seen).split()[0]:
            return f"`{os.path.basename(path)}` of `{name}` was replaced"
        try:
            now = set(os.listdir(path))
        except (OSError, ValueError):
            return f"`{os.path.basename(path)}` was removed from `{name}`"
        came = {one for one in now - set(names) if one.endswith(_DISTRIBUTIONS)}
        for what, changed in (("removed from", set(names) - now - {"__pycache__"}), ("added to", came)):
            if changed:
                return f"`{_example(changed)}` was {what} `{name}`"
        for record, was in marker.records.items():
            if record.startswith(f"{path}/") and not _is_unchanged(record, was):
                return f"`{_example({os.path.basename(os.path.dirname(record))})}` was reinstalled in `{name}`"
    return None


def _identify(path: str) -> str:
    """Return the signature of the file at `path`, and a hash of its content."""
    try:
        with open(files.open_input(path), "rb") as file:
            return f"{files.describe(os.fstat(file.fileno()))} {hashlib.sha256(file.read(SIZE_LIMIT)).hexdigest()[:32]}"
    except (OSError, ValueError):
        return files.ABSENT


def _is_unchanged(path: str, was: str) -> bool:
    """Return whether the file at `path` is the one that `_identify` described.

    It is read only where the ctime alone moved: `chmod -R`, `chown -R` and a further hard link move that, too.
    """
    seen, _, digest = was.rpartition(" ")
    now = files.signature(path)
    return now == seen or (now.rpartition(" ")[0] == seen.rpartition(" ")[0] and _identify(path) == f"{now} {digest}")


def _example(names: set[str]) -> str:
    """Return one of `names` for a message: a distribution as `name 1.2` if there is one."""
    for name in sorted(names):
        if name.endswith(_DISTRIBUTIONS):
            return name.rpartition(".")[0].replace("-", " ", 1)
    return min(names)


def describe(state: State, attempt: Attempt) -> Marker:
    """Return the marker for a finished attempt as it is now."""
    venv = attempt.venv.path
    patterns = [f"{glob.escape(folder)}/{pattern}" for folder in attempt.folders for pattern in _RECORDS]
    return Marker(
        format=FORMAT,
        fingerprint=state.fingerprint,
        environment=state.settings.name,
        session=state.session,
        venv=venv,
        lease_inode=os.fstat(attempt.lease_descriptor).st_ino,
        pyvenv=_identify(f"{venv}/pyvenv.cfg"),
        folders={path: [files.signature(path), sorted(os.listdir(path))] for path in attempt.folders},
        records={path: _identify(path) for pattern in patterns for path in sorted(matching(pattern))},
        parts=state.parts,
        locked=locked(state),
        installer=f"{state.installer.kind} ({state.installer.reason})",
        python=str(state.interpreter),
        boot=files.boot_id(),
        built=datetime.now().astimezone().isoformat(timespec="milliseconds"),
        seconds=attempt.seconds(),
    )


def locked(state: State) -> dict[str, str]:
    """Return the packages in the lock files that are part of `state`: name to version."""
    return lock_files.packages((normal(f"{state.project.root}/{part}") for part in state.parts), state.inputs)


def publish(path: str, marker: Marker) -> str | None:
    """Write `marker` to `path`, atomically and so that it survives a power cut (rule 3). Returns a warning, or None.

    Raises:
        RoostError: it cannot be written; the previous marker is untouched.
    """
    try:
        files.write(path, json.dumps(marker._asdict()), flush=True)
    except OSError as error:
        cure = "remove it" if os.path.isdir(path) else "free disk space, or set `ROOST_DIR` to a folder on another disk"
        raise RoostError(f"the marker `{path}` cannot be written: {error.strerror}; {cure}") from error
    folder = os.path.dirname(path)
    try:
        folders.flush(folder)
    except OSError as error:  # the venv is complete; a power cut may bring back the previous marker
        return f"`{folder}` cannot be flushed ({error.strerror}): a power cut may undo this build"
    return None
