"""Pointing: letting `current/ENV` lead to the venv of the present state."""

import os
from typing import NamedTuple

from roost import files, index


class Pointed(NamedTuple):
    """Where `current` leads now."""

    current: str
    """The link."""
    venv: str
    moved: bool
    """Whether it led elsewhere before."""


def point(start: str, env: str, venv: str) -> None:
    """Let `current` of the project around `start` lead to `venv`, and `.venv` to that where the settings say so.

    Raises:
        RoostError: a link cannot be written.
    """
    from roost import settings  # noqa: PLC0415 - most of the time of a start
    from roost.inputs import Inputs  # noqa: PLC0415
    from roost.project import find  # noqa: PLC0415
    from roost.store import Store  # noqa: PLC0415

    project = find(start, Inputs())
    store = Store(project.root)
    with store.guarded():
        store.point(env, venv, settings.read(project, env).link)


def again(start: str, env: str) -> Pointed | None:
    """Do the same for a state that was seen before, as a warm start finds out; return None where that takes more."""
    found = index.warm(start, index.key(env, None)) if os.path.isdir(start) else None
    if found is None:
        return None
    known, lease = found
    current = f"{index.folder(known.project)}/current/{env}"
    try:
        if known.link and env == "default" and os.readlink(f"{known.project}/{known.link}") != current:
            return None
        moved = os.readlink(current) != known.venv
        if moved:
            files.link(current, known.venv)
    except OSError:  # there was no link yet, or it cannot be written: for the long way to say
        return None
    finally:
        os.close(lease)
    return Pointed(current, known.venv, moved)
