"""Tools that roost does not bring: found on the caller's PATH, and never inside the project."""

import os
import shutil

from roost.errors import RoostError
from roost.inputs.project import Project
from roost.system import paths


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
    message = (
        f"`{file}` in `{project.root}` needs `{name}`, which is not on PATH outside the project: "
        f"`pipx install {name}`, or `uv tool install {name}`"
    )
    raise RoostError(message)
