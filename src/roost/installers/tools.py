"""Poetry and PDM, which roost does not bring: on the caller's PATH, never inside the project; and their lock files."""

import os
import shutil

from roost.errors import RoostError
from roost.inputs import local_projects, lock_files
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.system import paths


def read_lock(project: Project, inputs: Inputs, tool: str) -> tuple[list[str], list[str]]:
    """Return the files that `poetry` or `pdm` reads, and the folders besides the root that it installs from.

    Raises:
        RoostError: the lock file does not parse, as with a merge conflict in it.
    """
    files = [f"{project.root}/{tool}.{suffix}" for suffix in ("lock", "toml")]
    lock = inputs.toml(files[0]) or {}
    sources = local_projects.followed(project, inputs, lock_files.folders(lock, project.root))
    return [*files, *lock_files.archives(lock, project.root)], sources


def find(name: str, project: Project, file: str) -> str:
    """Return the path of the program `name`, which `file` needs.

    A folder of the project on PATH may hold what its repository brings, or what roost itself is building.

    Raises:
        RoostError: it is not on PATH.
    """
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if os.path.isabs(folder) and not paths.is_inside(folder, project.root):
            found = shutil.which(name, path=folder)
            if found and not paths.is_inside(found, project.root):
                return found
    raise RoostError(
        f"`{file}` in `{project.root}` needs `{name}`, which is not on PATH outside the project: "
        f"`pipx install {name}`, or `uv tool install {name}`"
    )
