"""What Poetry and PDM have in common: roost does not bring them, and they read a lock file."""

import os
import shutil

from roost.errors import RoostError
from roost.inputs import local_projects, lock_files
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.installers.base import Installer
from roost.system import paths


class ToolSync(Installer):
    """A tool that installs exactly what is in its lock file, or fails. The lock file is never changed."""

    def __init__(self, project: Project, inputs: Inputs, reason: str) -> None:
        """Read the lock file, and follow the local dependencies.

        Raises:
            RoostError: the lock file does not parse, as with a merge conflict in it.
        """
        self.reason = reason
        files = [f"{project.root}/{self.kind}.{suffix}" for suffix in ("lock", "toml")]
        lock = inputs.toml(files[0]) or {}
        self.files = [*files, *lock_files.archives(lock, project.root)]
        self.sources = local_projects.followed(project, inputs, lock_files.folders(lock, project.root))

    def find(self, project: Project) -> str:
        """Return the path of the tool.

        A folder of the project on PATH may hold what its repository brings, or what roost itself is building.

        Raises:
            RoostError: it is not on PATH.
        """
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            if os.path.isabs(folder) and not paths.is_inside(folder, project.root):
                found = shutil.which(self.kind, path=folder)
                if found and not paths.is_inside(found, project.root):
                    return found
        raise RoostError(
            f"`{self.kind}.lock` in `{project.root}` needs `{self.kind}`, which is not on PATH outside the project: "
            f"`pipx install {self.kind}`, or `uv tool install {self.kind}`"
        )
