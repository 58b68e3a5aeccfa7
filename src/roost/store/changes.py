"""What changed between two states of an environment: named parts, and packages from → to."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from roost import warm
from roost.state import State
from roost.store import marker, venvs
from roost.store.marker import Marker
from roost.store.store import Store

# Parts whose values people can read.
_PLAIN = ("interpreter path", "interpreter version", "interpreter implementation", "installer", "project path")


class Difference(NamedTuple):
    """What differs between an older venv and a newer state or venv."""

    venv: str
    """The older venv's name."""
    built: str
    parts: list[str]
    packages: list[str]


def since(before: Marker, state: State) -> Difference:
    """Return what changed between a venv and `state`, by the packages in their lock files, if both have one."""
    now = marker.locked(state)
    from_to = packages(before.locked, now) if before.locked and now else []
    return _difference(before, parts(before.parts, state.parts), from_to)


def between(before: Marker, done: Marker) -> Difference:
    """Return what changed between two venvs, by their installed packages."""
    return _difference(before, parts(before.parts, done.parts), packages(installed(before), installed(done)))


def _difference(before: Marker, named: list[str], from_to: list[str]) -> Difference:
    return Difference(os.path.basename(before.venv), before.built, named, from_to)


def newest(store: Store, state: State, than: Marker | None = None) -> Marker | None:
    """Return the marker of the newest complete, shared venv of the environment, with the same Python if there is one.

    `than` restricts it to those that are older than that venv.
    """
    folders = sorted({venv.folder for venv in venvs.all_in(store)})
    found = [one for one in (marker.load(f"{folder}/complete")[0] for folder in folders) if one and not one.session]
    # Built for this selection, or last used by it, or of the same state.
    name, used = state.settings.name, warm.load(store.project, state.settings.name)
    last = used.venv if used else ""
    found = [
        one for one in found if name == one.environment or one.venv == last or state.fingerprint == one.fingerprint
    ]
    found = [one for one in found if than is None or one.at < than.at]
    minor = _minor(str(state.interpreter))
    own = [one for one in found if one.parts.get("project path") == store.project] or found
    alike = [one for one in own if _minor(one.python) == minor]
    return max(alike or own, key=lambda one: one.at, default=None)


def parts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the named parts that differ, each with its values where people can read them."""
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
    # The build and the file of an interpreter follow from its version.
    if any(text.startswith("interpreter version") for text in found):
        found = [text for text in found if not text.startswith(("interpreter build", "interpreter file"))]
    return found


def first(store: Store, state: State) -> str | None:
    """Return `the first one`, or the first one for which Python, if no venv can be compared with `state`; else None."""
    before = newest(store, state)
    python = _minor(str(state.interpreter))
    if before and _minor(before.python) != python:
        return f"the first one for {python}"
    return None if before else "the first one"


def _minor(python: str) -> str:
    """Return the implementation and minor version in a text such as `Python 3.12.4`."""
    return python.rpartition(".")[0]


def summary(store: Store, state: State, *, with_packages: bool = False) -> str | None:
    """Return how `state` differs from that of the environment's newest venv, in a few words, or None."""
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
    """Return the distributions in a venv at the time of its marker: normalized name to version."""
    names = [name for _, listing in found.folders.values() for name in listing if name.endswith(".dist-info")]
    pairs = (name.removesuffix(".dist-info").rpartition("-") for name in names)
    return {name.lower().replace("_", "-"): version for name, _, version in pairs}


def packages(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the differences, one text for each package: `ruff 0.5 → 0.6`, `+ pylint 4.1`, `- typos 1.0`."""
    changed = [
        f"{name} {before[name]} → {now[name]}"
        for name in sorted(before.keys() & now.keys())
        if before[name] != now[name]
    ]
    added = [f"+ {name} {now[name]}" for name in sorted(now.keys() - before.keys())]
    removed = [f"- {name} {before[name]}" for name in sorted(before.keys() - now.keys())]
    return changed + added + removed
