"""Writing the changes, and taking them back: `.roost/.venv/.init.json` has the text of each file before and after."""

import contextlib
import difflib
import json
import os
from typing import NamedTuple

from roost.errors import RoostError
from roost.init.plan import Edit
from roost.store.store import Store
from roost.system import files
from roost.system.paths import joined, real, relative

_VERSION = 1


class Undone(NamedTuple):
    """What became of one file."""

    path: str
    restored: bool
    """False where it was edited since, so that the change stays."""


def write(root: str, edits: list[Edit]) -> None:
    """Record `edits` in the project's `.roost`, then write them.

    Raises:
        RoostError: the record or a file cannot be written.
    """
    store = Store(root)
    store.prepare()
    rows = [{"path": relative(edit.path, root), "before": edit.before, "after": edit.after} for edit in edits]
    content = {"version": _VERSION, "edits": [*_read(store), *rows]}
    with store.guarded():
        files.write(_path(store), json.dumps(content))
    for edit in edits:
        _write(edit.path, edit.after)


def undo(root: str) -> list[Undone]:
    """Take back what `write` changed, the latest first. What was edited since, and cannot be separated, stays.

    Raises:
        RoostError: there is no record, or a file cannot be written.
    """
    store = Store(root)
    store.check()
    rows = _read(store)
    if not rows:
        raise RoostError(f"nothing to undo: `{_path(store)}` has no change of `roost init --write`; use git instead")
    done, left = [], []
    for row in reversed(rows):
        path = joined(root, row["path"])
        restored = _restore(path, row["before"], row["after"])
        done.append(Undone(path, restored))
        left += [] if restored else [row]
    with store.guarded():
        if left:
            files.write(_path(store), json.dumps({"version": _VERSION, "edits": left[::-1]}))
        else:
            files.remove(_path(store))
    return done


def _restore(path: str, before: str | None, after: str) -> bool:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            now = file.read()
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    if before is None:
        if now == after:
            os.unlink(path)
        return now == after
    old = without_change(now, before, after)
    if old is not None and old != now:
        _write(path, old)
    return old is not None


def without_change(now: str, before: str, after: str) -> str | None:
    """Return the text `now` without the change from `before` to `after`, or None where its lines are not there."""
    if now == before:
        return now
    lines, old, new = (text.splitlines(keepends=True) for text in (now, before, after))
    changes = difflib.SequenceMatcher(None, new, old, autojunk=False).get_opcodes()
    for kind, begin, end, other, other_end in reversed(changes):
        if kind == "equal":
            continue
        block = new[begin:end]
        places, all_places = _places(lines, block), _places(new, block)
        if not block or len(places) != len(all_places):
            return None
        at = places[all_places.index(begin)]
        lines[at : at + len(block)] = old[other:other_end]
        new[begin:end] = old[other:other_end]
    return "".join(lines)


def _places(lines: list[str], block: list[str]) -> list[int]:
    return [at for at in range(len(lines) - len(block) + 1) if lines[at : at + len(block)] == block]


def _write(path: str, text: str) -> None:
    target = real(path)
    mode = 0o666
    with contextlib.suppress(OSError):
        mode = os.stat(target).st_mode & 0o777
    try:
        files.write(target, text, mode=mode)
    except OSError as error:
        raise RoostError(
            f"`{path}` cannot be written: {error.strerror}; `roost init --undo` takes back what was"
        ) from error


def _path(store: Store) -> str:
    return f"{store.links}/.init.json"


def _read(store: Store) -> list[dict[str, str]]:
    try:
        with open(files.open_own(_path(store)), "rb") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return []
    return list(found["edits"]) if found.get("version") == _VERSION else []
