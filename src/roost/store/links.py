"""The links to current venvs: `.roost/.venv/NAME`, and the project's `.venv` where the settings ask for it.

Imported by the fast path of `roost sync`, so it imports little.
"""

import os

from roost import warm
from roost.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.store.store import Store


def path(project: str, env: str) -> str:
    """Return the link to the current venv of the environment `env`."""
    return f"{warm.folder(project)}/.venv/{env}"


def target(project: str, env: str) -> str | None:
    """Return the venv that the link of `env` leads to, or None where there is no link."""
    try:
        return files.read_link(path(project, env))
    except OSError:
        return None


def point(project: str, env: str, venv: str, link: str | None) -> str | None:
    """Make the link of `env` lead to `venv`, and the project's `link`, such as `.venv`, to that link.

    Returns a warning where something else is in the place of the project's link, which stays.

    Raises:
        OSError: a link cannot be written.
    """
    current = path(project, env)
    if target(project, env) != venv and not files.link(current, venv):
        return f"`{current}` is missing: this user cannot make links here; `roost sync` prints the path of the venv"
    if not link or env != "default":
        return None
    wanted = f"{project}/{link}"
    if os.path.lexists(wanted) and not _is_ours(wanted):
        return f"`{wanted}` exists and was not made by roost, so it stays: remove it to get the link"
    if not files.is_link(wanted) or files.read_link(wanted) != current:
        files.link(wanted, current)
    return None


def _is_ours(link: str) -> bool:
    """Return whether roost made `link`, perhaps before the project or `ROOST_DIR` moved."""
    if not files.is_link(link):
        return False
    *_, root, folder, name = ["", "", *files.read_link(link).split("/")]
    known = (".venv", "default"), ("current", "default")  # the latter in the first format
    return (folder, name) in known and (root == ".roost" or root.startswith("%2F"))


def targets(store: "Store") -> dict[str, str]:
    """Return the existing venvs of `store` that its links lead to, by environment. A copied link leads elsewhere."""
    try:
        names = [name for name in os.listdir(store.links) if files.is_link(f"{store.links}/{name}")]
    except FileNotFoundError:
        return {}
    found = {name: target(store.project, name) or "" for name in names}
    return {
        name: venv for name, venv in found.items() if venv.startswith(f"{store.data}/envs/") and os.path.isdir(venv)
    }
