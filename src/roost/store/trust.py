"""Whether `.roost` can be trusted: its owner, mode and type, and that no repository brings it (rule 8)."""

import os
import shutil
import stat

from roost.errors import RoostError
from roost.inputs.files import text_of
from roost.system import files, paths, processes

_untracked: dict[str, str] = {}
"""Folders that git does not track, each with the signature of the index that says so: nox asks for each session."""


def check_root(root: str) -> None:
    """Check the type, owner and mode of the folder `root`. A missing one passes.

    Raises:
        RoostError: another user can change what is in it.
        OSError: it cannot be examined.
    """
    try:
        info = os.lstat(root)
    except FileNotFoundError:
        return
    if files.is_link(root):
        fault, cure = "is a link", "remove it; to keep environments elsewhere set `ROOST_DIR`"
    elif not stat.S_ISDIR(info.st_mode):
        fault, cure = "is not a folder", "move it away"
    elif not files.is_own(info):
        fault = f"belongs to another user (uid {info.st_uid}, you are {os.geteuid()})"
        cure = "remove it, or set `ROOST_DIR` to a folder of your own"
    elif not files.is_private_folder(root):
        fault, cure = "can be written by others", f"`chmod 700 {root}` if you trust its content, else remove it"
    else:
        return
    raise RoostError(f"`{root}` {fault}, so its content cannot be trusted: {cure}")


def check_above(root: str) -> None:
    """Check the folders above `root`, which `ROOST_DIR` names: a user who can rename one can replace every venv.

    Raises:
        RoostError: another user can.
        OSError: one cannot be examined.
    """
    if found := files.exposed(root):
        path, fault = found
        cure = "set `ROOST_DIR` to a folder of your own"
        cure += f", or `chmod go-w {path}`" if fault.startswith("can") else ""
        raise RoostError(f"`{path}` {fault}, so what `ROOST_DIR` puts there cannot be trusted: {cure}")


def refuse_root(project: str) -> None:
    """Refuse to create files as root in the project of another user, who could not remove them.

    Raises:
        RoostError: this is root, and `project` belongs to another user.
    """
    info = os.stat(project)
    if not files.is_own(info) and os.geteuid() == 0:
        raise RoostError(
            f"`{project}` belongs to another user (uid {info.st_uid}), who could not remove files of root: "
            "run this as that user, or set `ROOST_DIR` to a folder of root"
        )


def refuse_tracked(project: str, root: str) -> None:
    """Refuse a folder that git tracks: it may hold an environment that someone else built.

    Raises:
        RoostError: git tracks a file in `root`, or fails, so that it may.
    """
    repository = _repository(project)
    if shutil.which("git") is None or not repository:
        return
    index = files.signature(f"{repository}/index")
    if _untracked.get(root) == index:
        return
    name = os.path.basename(root)
    got = processes.git("ls-files", "--", name, cwd=project)
    if got.status != 0:
        lines = got.output.strip().splitlines()
        why = next((line for line in lines if line.startswith("fatal: ")), f"status {got.status}").rstrip(":")
        raise RoostError(
            f"git cannot tell whether it tracks `{root}` ({why}): make `git status` work in `{project}`, "
            "or set `ROOST_DIR` to a folder outside the repository"
        )
    # Only paths count: a `git` on PATH may be a script that prints more.
    if any(f"{line}/".lstrip('"').startswith(f"{name}/") for line in got.stdout.splitlines()):
        raise RoostError(
            f"git tracks `{root}`, so it may hold an environment that someone else built: "
            "`git rm -r --cached .roost`, commit, and remove the folder"
        )
    _untracked[root] = index


def _repository(folder: str) -> str:
    """Return git's folder of the repository around `folder`, on the same file system, or an empty string.

    A `.git` that leads nowhere is none: a container may have a worktree without the repository that it belongs to.
    """
    device = os.stat(folder).st_dev
    for here in paths.upwards(folder):
        if os.stat(here).st_dev != device:
            break
        place = f"{here}/.git"
        if os.path.isfile(place):
            link = text_of(place).removeprefix("gitdir:").strip()
            place = os.path.join(here, link)
        if os.path.exists(f"{place}/HEAD"):
            return place
    return ""
