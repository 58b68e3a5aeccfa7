"""What changed between two states of an environment, in words: named parts, and packages from → to."""

import contextlib
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from roost import marker
from roost.errors import RoostError
from roost.fingerprint import State
from roost.marker import Marker
from roost.store import Store

# Of Python packages: a `Cargo.lock` or `yarn.lock` may count, too.
_LOCK = re.compile(r"(?:uv|poetry|pdm)\.lock|pylock(?:\..+)?\.toml")


class Difference(NamedTuple):
    """What differs between an older venv and something newer."""

    venv: str
    """The older venv's name."""
    built: str
    parts: list[str]
    packages: list[str]


def since(before: Marker, state: State) -> Difference:
    """Return what changed between a venv and the state that the disk has now, by what is locked."""
    return _difference(before, parts(before.parts, state.parts), packages(before.locked, locked(state)))


def between(before: Marker, done: Marker) -> Difference:
    """Return what changed between two venvs, by what is installed."""
    return _difference(before, parts(before.parts, done.parts), packages(installed(before), installed(done)))


def _difference(before: Marker, named: list[str], from_to: list[str]) -> Difference:
    return Difference(os.path.basename(before.venv), before.built, named, from_to)


def newest(store: Store, state: State, than: Marker | None = None) -> Marker | None:
    """Return the marker of the newest complete venv of the environment, of the same Python where there is one.

    With `than`, of those that are older than that one.
    """
    names = sorted({venv.fingerprint for venv in store.venvs()})
    found = [one for one in (marker.load(f"{store.env(name)}/complete")[0] for name in names) if one]
    found = [one for one in found if one.environment == state.settings.env and (than is None or one.at < than.at)]
    minor = str(state.interpreter).rpartition(".")[0]
    alike = [one for one in found if one.python.rpartition(".")[0] == minor]
    return max(alike or found, key=lambda one: one.at, default=None)


def parts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the named parts that differ, each with its values where they can be read."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if old is None or new is None:
            found.append(f"{name} {'added' if old is None else 'removed'}")
        elif name.startswith("setting ") or name in _PLAIN:
            found.append(f"{name} {old or 'none'} → {new or 'none'}")
        else:
            found.append(name)
    # What follows from the version says nothing more.
    if any(text.startswith("interpreter version") for text in found):
        found = [text for text in found if not text.startswith(("interpreter build", "interpreter file"))]
    return found


_PLAIN = frozenset(
    {"interpreter path", "interpreter version", "interpreter implementation", "installer", "project path"}
)


def summary(store: Store, state: State, *, with_packages: bool = False) -> str | None:
    """Return how `state` differs from what the newest venv of its environment was made from, in a few words."""
    before = newest(store, state)
    if before is None:
        return None
    found = since(before, state)
    from_to = f" ({shorten(found.packages, 3)})" if with_packages and found.packages else ""
    return f"changed: {shorten(found.parts, 3)}{from_to}" if found.parts else None


def shorten(texts: list[str], count: int) -> str:
    """Return the first `count` of `texts` in one line, and how many more there are."""
    more = f" and {len(texts) - count} more" if len(texts) > count else ""
    return f"{', '.join(texts[:count])}{more}"


def installed(found: Marker) -> dict[str, str]:
    """Return the distributions in a venv when it was complete: normalized name to version."""
    names = [name for _, listing in found.folders.values() for name in listing if name.endswith(".dist-info")]
    pairs = (name.removesuffix(".dist-info").rpartition("-") for name in names)
    return {name.lower().replace("_", "-"): version for name, _, version in pairs}


def locked(state: State) -> dict[str, str]:
    """Return what the lock files that count in `state` hold: name to version. Several versions of one are joined."""
    found: dict[str, set[str]] = {}
    for path in (os.path.normpath(f"{state.project.root}/{part}") for part in state.parts):
        if path in state.inputs.signatures and _LOCK.fullmatch(os.path.basename(path)):
            tables = {}
            with contextlib.suppress(RoostError):  # an installer that reads it has said so; a command may not
                tables = state.inputs.toml(path) or {}
            for package in _entries(tables):
                if isinstance(package.get("version"), str):
                    found.setdefault(str(package.get("name")), set()).add(package["version"])
    return {name: " or ".join(sorted(versions)) for name, versions in sorted(found.items())}


def _entries(tables: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = tables.get("package", tables.get("packages"))
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def packages(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what differs, one text for each package: `ruff 0.5 → 0.6`, `+ pylint 4.1`, `- typos 1.0`."""
    changed = [
        f"{name} {before[name]} → {now[name]}"
        for name in sorted(before.keys() & now.keys())
        if before[name] != now[name]
    ]
    added = [f"+ {name} {now[name]}" for name in sorted(now.keys() - before.keys())]
    removed = [f"- {name} {before[name]}" for name in sorted(before.keys() - now.keys())]
    return changed + added + removed
