"""The marker: the file `complete` of a fingerprint, which names its venv and says what it was made from."""

import contextlib
import glob
import json
import os
import stat
from datetime import datetime
from typing import Any, NamedTuple

from roost import report
from roost.errors import RoostError
from roost.fingerprint import State
from roost.index import ABSENT, boot, open_own, signature, temporary
from roost.store import Attempt, Store, is_venv

FORMAT = 1
SIZE_LIMIT = 16 << 20
NONE = "there is no venv for this state yet"


class Marker(NamedTuple):
    """What a marker says. Signatures are those of `roost.index`."""

    format: int
    fingerprint: str
    environment: str
    venv: str
    lease: int
    """Inode of the lease file."""
    pyvenv: str
    """Signature of `pyvenv.cfg`."""
    folders: dict[str, list[Any]]
    """`site-packages` and `bin`: path to signature and the names in it."""
    records: dict[str, str]
    """`RECORD` files: path to signature."""
    parts: dict[str, str]
    locked: dict[str, str]
    """What the lock files held: name to version."""
    installer: str
    python: str
    boot: str
    """The start of the machine in which the venv was last known to be whole: `index.boot`."""
    built: str
    """When, in ISO 8601."""
    seconds: float
    """How long the build took."""

    @property
    def at(self) -> float:
        """When it was built, in seconds since the epoch: what tells the newer of two, across a change of time zone."""
        try:
            return datetime.fromisoformat(self.built).timestamp()
        except ValueError:
            return 0.0


def load(path: str) -> tuple[Marker | None, str | None]:
    """Return the marker at `path`, or None and the reason."""
    try:
        with open(open_own(path), "rb") as file:
            values = json.loads(file.read(SIZE_LIMIT))
        marker = Marker(**values)
        shapes = Marker(FORMAT, "", "", "", 0, "", {}, {}, {}, {}, "", "", "", "", 0.0)
        fits = all(isinstance(value, type(shape)) for value, shape in zip(marker, shapes, strict=True)) and _fits(
            marker
        )
    except FileNotFoundError:
        return None, NONE
    except (OSError, ValueError, TypeError, RecursionError):
        return None, "its marker cannot be read"
    if not fits or marker.format != FORMAT:
        return None, "its marker is of another format"
    return marker, None


def _fits(marker: Marker) -> bool:
    texts = [*marker.records.values(), *marker.parts.values(), *marker.locked.values()]
    for seen, names in marker.folders.values():
        texts += [seen, *names]
    return all(isinstance(text, str) for text in texts)


def check(store: Store, state: State) -> tuple[Marker | None, str]:
    """Return the marker for `state` if it is valid, else None and the reason in words."""
    marker, reason = load(f"{store.env(state.fingerprint)}/complete")
    if marker is None:
        return None, str(reason)
    reason = foreign(marker, store, state) or _replaced(marker) or drift(marker)
    return (None, reason) if reason else (marker, "")


def foreign(marker: Marker, store: Store, state: State) -> str | None:
    """Return why `marker` is not one of `state` in this place, or None."""
    if marker.fingerprint != state.fingerprint or marker.parts != state.parts:
        return "its marker is of another state"
    name = marker.venv.removeprefix(f"{store.env(state.fingerprint)}/")
    if not is_venv(name):
        return "its marker names a venv elsewhere"
    linked = os.path.islink(store.env(state.fingerprint)) or os.path.islink(marker.venv)
    return f"`{name}` is a link, or lies behind one" if linked else None


def _replaced(marker: Marker) -> str | None:
    name = os.path.basename(marker.venv)
    try:
        lease = os.lstat(f"{marker.venv}.lease")
        if lease.st_ino != marker.lease or not stat.S_ISREG(lease.st_mode):
            return f"the lease file of `{name}` was replaced"
    except OSError:
        return f"the lease file of `{name}` was removed"
    return None


def drift(marker: Marker) -> str | None:
    """Return what somebody did to the venv since it was complete, or None."""
    name = os.path.basename(marker.venv)
    pyvenv = signature(f"{marker.venv}/pyvenv.cfg")
    if pyvenv != marker.pyvenv:
        return f"`{name}` was {'removed' if pyvenv == ABSENT else 'changed (`pyvenv.cfg`)'}"
    for path, (seen, names) in marker.folders.items():
        now_seen = signature(path)
        if now_seen == seen:
            continue
        if now_seen != ABSENT and now_seen.split()[0] != str(seen).split()[0]:  # a link to others with the same names
            return f"`{os.path.basename(path)}` of `{name}` was replaced"
        try:
            now = set(os.listdir(path))
        except (OSError, ValueError):
            return f"`{os.path.basename(path)}` was removed from `{name}`"
        for what, changed in (("removed from", set(names) - now), ("added to", now - set(names) - {"__pycache__"})):
            if changed:
                return f"`{_gist(changed)}` was {what} `{name}`"
        for record, was in marker.records.items():
            if record.startswith(f"{path}/") and signature(record) != was:
                return f"`{_gist({os.path.basename(os.path.dirname(record))})}` was reinstalled in `{name}`"
    return None


def _gist(names: set[str]) -> str:
    """Return the most telling of `names`: a distribution as `name 1.2`, else the first."""
    for name in sorted(names):
        if name.endswith(".dist-info"):
            return name.removesuffix(".dist-info").replace("-", " ", 1)
    return min(names)


def describe(state: State, made: Attempt, locked: dict[str, str]) -> Marker:
    """Return the marker for a finished attempt as it is now."""
    venv = made.venv.path
    records = [path for folder in made.folders for path in glob.glob(f"{glob.escape(folder)}/*.dist-info/RECORD")]
    return Marker(
        format=FORMAT,
        fingerprint=state.fingerprint,
        environment=state.settings.env,
        venv=venv,
        lease=os.fstat(made.lease).st_ino,
        pyvenv=signature(f"{venv}/pyvenv.cfg"),
        folders={path: [signature(path), sorted(os.listdir(path))] for path in made.folders},
        records={path: signature(path) for path in sorted(records)},
        parts=state.parts,
        locked=locked,
        installer=f"{state.installer.kind} ({state.installer.reason})",
        python=str(state.interpreter),
        boot=boot(),
        built=datetime.now().astimezone().isoformat(timespec="milliseconds"),
        seconds=made.seconds(),
    )


def publish(path: str, marker: Marker) -> None:
    """Write `marker` to `path` so that it is there whole or not at all, also after a power cut (rule 3).

    Raises:
        RoostError: the disk would not have it; the marker that was there before is untouched.
    """
    new = temporary(path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(new, flags, 0o600), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(json.dumps(marker._asdict()))
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, path)
    except OSError as error:
        os.close(folder)
        with contextlib.suppress(OSError):
            os.unlink(new)
        cure = "remove it" if os.path.isdir(path) else "see to the disk, or set `ROOST_DIR` to a folder on another"
        message = f"the marker `{path}` cannot be written: {error.strerror}; {cure}"
        raise RoostError(message) from error
    try:
        os.fsync(folder)
    except OSError as error:
        # Too late to fail: the marker is there, and its venv is whole. After a power cut it may be the one before.
        where = os.path.dirname(path)
        report.warning(f"`{where}` cannot be flushed ({error.strerror}): a power cut may undo this build")
    finally:
        os.close(folder)
