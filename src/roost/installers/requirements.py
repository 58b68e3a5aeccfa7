"""Requirements files as the source: `uv pip install --requirements`."""

import os

from roost.errors import RoostError
from roost.inputs import local_projects, requirements_txt
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.inputs.settings import Settings
from roost.installers.base import Installer, Run, Target, each, is_package
from roost.installers.uv import uv_pip
from roost.system.variables import OF_BUILDS, OF_RESOLUTIONS


class RequirementsInstall(Installer):
    """`uv pip install -r …`. A line `-e .` installs the project, and so does the setting `project`."""

    kind = "requirements"

    def __init__(self, project: Project, settings: Settings, inputs: Inputs, names: list[str]) -> None:
        """Follow the files called `names`.

        Raises:
            RoostError: a file is missing, cannot be read, or includes itself; or `project` is set, and there is none.
        """
        self.reason = ", ".join(names)
        self.names = names
        found = requirements_txt.follow(project, inputs, names)
        present = {name for name in found.variables if os.environ.get(name)}
        inputs.variables |= found.variables - present - {"PROJECT_ROOT"}  # `roost-run` does not notice that one is set
        self.variables = (*OF_BUILDS, *OF_RESOLUTIONS, *sorted(present))
        self.files = [f"{project.root}/uv.toml", *found.files, *(path for path in found.local if os.path.isfile(path))]
        self._adds_project = settings.project and (bool(settings.extras) or project.root not in found.local)
        if self._adds_project and not ("project" in project.tables or is_package(project.root, project.tables, inputs)):
            raise RoostError(
                f"`project` is set in `{project.file}`, and there is no project to install: write a `[project]` table"
            )
        folders = {path for path in found.local if os.path.isdir(path)}
        folders |= {project.root} if self._adds_project else set()
        self.sources = local_projects.followed(project, inputs, folders)
        self._builds = local_projects.builds(sorted({*folders, *self.sources}), inputs)

    def install(self, target: Target, run: Run) -> str | None:
        """Install what the files list, and the project."""
        words = each("--requirements", self.names)
        if self._adds_project:
            extras = ",".join(target.settings.extras)
            words += ["--editable", f".[{extras}]" if extras else "."]
        return uv_pip(["install", *words], self._builds, target, run)
