"""What to say of a command that the environment lacks."""

import os
import shutil

from roost import fingerprint, settings


def on_path(name: str, path: str) -> str | None:
    """Return the absolute path of the command `name` on `path`, or None."""
    found = shutil.which(name, path=path) if name else None
    return os.path.abspath(found) if found else None


def explain(name: str, env: str, start: str, venv: str, elsewhere: str | None) -> str:
    """Return one sentence that says what is missing where, and how to get it."""
    draft = fingerprint.draft(start, env, None)
    groups = draft.settings.groups or ("dev",)
    known = settings.groups_of(draft.project.tables)
    group = next((name for name in groups if settings.normalize(name) in known), groups[0])
    file = draft.installer.reason.partition(",")[0]
    lock = f", then `{file.removesuffix('.lock')} lock`" if file in ("uv.lock", "poetry.lock", "pdm.lock") else ""
    text = (
        f"`{name}` is not in the environment `{env}` (`{venv}`): add the package that brings it "
        f"to the group `{group}` in `{draft.project.file}`{lock}"
    )
    return f"{text}; `--external` would run `{elsewhere}`" if elsewhere else text
