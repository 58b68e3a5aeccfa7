"""Requirements files as the source: `uv pip install --requirements`."""

import os
from typing import Literal

from roost.inputs import local_projects, requirements_txt
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.installers.base import Run, Target
from roost.installers.uv import fresh_builds, uv_pip


class RequirementsInstall:
    """`uv pip install -r …`, and nothing else: a line `-e .` installs the project."""

    kind: Literal["requirements"] = "requirements"
    makes_venv = False

    def __init__(self, project: Project, inputs: Inputs, names: list[str], reason: str) -> None:
        """Follow the files called `names`.

        Raises:
            RoostError: a file is missing, cannot be read, or includes itself.
        """
        self.reason = reason
        self.names = names
        found = requirements_txt.follow(project, inputs, names)
        self.files = [f"{project.root}/uv.toml", *found.files, *(path for path in found.local if os.path.isfile(path))]
        folders = tuple(path for path in found.local if os.path.isdir(path))
        self.sources = local_projects.followed(project, inputs, folders)
        self._builds = local_projects.builds(sorted({*folders, *self.sources}), inputs)

    def install(self, target: Target, run: Run) -> str | None:
        """Install what the files list."""
        words = [word for name in self.names for word in ("--requirements", name)]
        return uv_pip(["install", *words, *fresh_builds(self._builds, target)], target, run)
