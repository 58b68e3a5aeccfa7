"""A start in a state that was seen before, where the latest index does not hold.

After a branch switch, a stash, or an editor that saved an unchanged file, the inputs have the content of some earlier
start, with other time stamps. Their hashes are compared with those in the index of each earlier state. Nothing is
parsed: the same bytes mean the same state.

What has no hash must have the signature it had, as on every warm start: the marker, the venv's folders, the
interpreter, the folders of globs, and whatever was missing. Where anything differs, the protocol decides.
"""

import hashlib
import os
import stat

from roost import warm
from roost.system import files, paths
from roost.warm import Index, views

INPUT_LIMIT = 64 << 20  # bytes of one input; the largest lock files in the field are a few MB


_Content = tuple[str, str, int]
"""A file's signature, the hash of its content, and when it settles (`files.settles`), in nanoseconds."""


def digest(content: bytes) -> str:
    """Return the hash by which an index identifies the content of an input."""
    return hashlib.sha256(content).hexdigest()


def start(project: str, nearest: str, name: str) -> tuple[Index, int] | None:
    """Return the index of the earlier state that is the present one, and a lease's descriptor, or None.

    `nearest` is the folder of the member of `project` to look for, and `name` the name of the latest index.
    """
    try:
        names = sorted(os.listdir(f"{views.own(project)}/index"))
    except OSError:  # removed meanwhile
        return None
    read: dict[str, _Content | None] = {}
    for one in names:
        past = warm.load(project, one) if one.startswith(f"{name}{paths.STATE}") else None
        if past is None or nearest not in (project, *past.members):
            continue
        settled = _renew(past, read)
        if settled is not None and (descriptor := warm.lease(past)) is not None:
            try:  # noqa: SIM105 - the import of `contextlib` takes longer
                past.write(one.rpartition(paths.STATE)[2], settled)
            except OSError:  # a read-only checkout
                pass
            return past, descriptor
    return None


def _renew(past: Index, read: dict[str, _Content | None]) -> int | None:
    """Give `past` the present signatures, if the content is the same. Returns when they settle, else None."""
    digests = {path: digest for digest, _, path in (line.partition(" ") for line in past.digests)}
    before = {path: signature for signature, path in (_split(line) for line in past.expected.split("\n"))}
    now: list[str] = []
    settled = 0
    for path in past.paths:
        signature = files.signature(path)
        if signature != before.get(path, files.ABSENT):
            if path not in digests:
                return None
            if path not in read:
                read[path] = _read(path)
            signature, found, when = read[path] or ("", "", 0)
            if found != digests[path]:
                return None
            settled = max(settled, when)
        if signature != files.ABSENT:
            now.append(f"{signature} {path}")
    past.expected = "\n".join(now)
    return settled


def _split(line: str) -> tuple[str, str]:
    words = line.split(" ", 4)
    return " ".join(words[:4]), words[-1]


def _read(path: str) -> _Content | None:
    try:
        with open(files.open_input(path), "rb") as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode) or info.st_size > INPUT_LIMIT:
                return None
            return files.describe(info), digest(file.read()), files.settles(files.changed_at(info))
    except OSError:
        return None
