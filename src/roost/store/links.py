"""The links to current venvs: `.roost/.venv/NAME`, and the project's `.venv` where the settings ask for it.

Imported by the fast path of `roost sync`, so it imports little.
"""

import os

from roost import warm
from roost.system import files
from roost.warm import views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.store.store import Store


def path(project: str, env: str) -> str:
    """Return the link to the current venv of the environment `env`."""
    if views.first(project)[0] == project:
        return f"{warm.folder(project)}/.venv/{env}"
    return f"{views.other(project)}/links/{env}"


def target(project: str, env: str) -> str | None:
    """Return the venv that the link of `env` leads to, or None where there is no link."""
    try:
        return files.read_link(path(project, env))
    except OSError:
        return None


def point(project: str, env: str, venv: str, link: str | None) -> str | None:
    """Make the link of `env` lead to `venv`, and the project's `.venv` to that link, as the setting `link` says.

    Returns a warning where something else is in the place of the project's link, which stays.

    Raises:
        OSError: a link cannot be written.
    """
    current = path(project, env)
    if target(project, env) != venv and not files.link(current, venv):
        return f"`{current}` is missing: this user cannot make links here; `roost sync` prints the path of the venv"
    if not link or env != "default":
        return None
    wanted = f"{project}/.venv"
    if (owner := views.first(project)[0]) != project:
        return f"`{wanted}` is for `{owner}`, where this checkout was first used: here, use `{current}`"
    leads_to = _target(wanted)
    if os.path.lexists(wanted) and not _is_ours(leads_to):
        return f"`{wanted}` exists and was not made by roost, so it stays: remove it to get the link"
    if link == "file":
        text = current.removeprefix(f"{project}/")
        if files.is_link(wanted) or leads_to != text:
            files.write(wanted, f"{text}\n")
    elif not files.is_link(wanted) or leads_to != current:
        files.link(wanted, current)
    return None


def _target(path: str) -> str:
    """Return where a link leads, or a file that contains the path of a venv (PEP 832); else an empty string."""
    try:
        if files.is_link(path):
            return files.read_link(path)
        return os.fsdecode(files.read_own(path, 1 << 13)).removesuffix("\n")
    except OSError:
        return ""


def _is_ours(leads_to: str) -> bool:
    """Return whether roost made a link that leads there, perhaps before the project or `ROOST_DIR` moved."""
    *_, root, folder, name = ["", "", *leads_to.split("/")]
    known = (".venv", "default"), ("current", "default")  # the latter in the first format
    return (folder, name) in known and (root == ".roost" or root.startswith("%2F"))


def targets(store: "Store") -> dict[str, str]:
    """Return the existing venvs that the links of this path lead to, by environment. A copied link leads elsewhere."""
    found = {name: target(store.project, name) or "" for name in _names(os.path.dirname(path(store.project, "")))}
    return {
        name: venv for name, venv in found.items() if venv.startswith(f"{store.data}/envs/") and os.path.isdir(venv)
    }


def all_targets(store: "Store", *, selections: bool) -> set[str]:
    """Return the existing venvs that any link leads to, also of another path of the checkout, by their paths here.

    Without `selections`, the links of environments count, and those of selections with options do not.
    """
    folders = [store.links, *(f"{folder}/links" for folder in store.other_views())]
    names = [(folder, name) for folder in folders for name in _names(folder) if selections or "+" not in name]
    found = {store.here(files.read_link(f"{folder}/{name}")) for folder, name in names}
    return {venv for venv in found if os.path.isdir(venv)}


def _names(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if files.is_link(f"{folder}/{name}")]
    except OSError:
        return []
