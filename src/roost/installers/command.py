"""Any command as the installer, run in the project's root with the new venv active."""

import os
import shutil

from roost.errors import RoostError
from roost.inputs import requirements_txt
from roost.inputs.files import Inputs
from roost.inputs.project import Project
from roost.inputs.settings import Settings
from roost.installers.base import Installer, Run, Target
from roost.system.paths import is_path, joined
from roost.system.variables import OF_BUILDS, OF_RESOLUTIONS

_USUAL = (  # what a command most likely installs from, without naming it
    *("uv.lock", "pylock*.toml", "poetry.lock", "pdm.lock", "Pipfile", "Pipfile.lock", "conda-lock.yml"),
    *("environment.yml", *requirements_txt.USUAL, "requirements*.in", "requirements/*.in", "constraints*.txt"),
)


class CommandInstall(Installer):
    """The words of the setting `command`, run without a shell."""

    kind = "command"
    variables = (*OF_BUILDS, *OF_RESOLUTIONS)

    def __init__(self, project: Project, settings: Settings, inputs: Inputs) -> None:
        """Note the words, and which of them are files of the project.

        Raises:
            RoostError: the setting is empty, or one of the files in `requirements` is missing.
        """
        if not settings.command or not settings.command[0]:
            raise RoostError(
                f'`tool.roost.command` in `{project.file}` is empty: write the words, such as `["make", "deps"]`'
            )
        self.reason = "`command` in pyproject.toml"
        self.words = settings.command
        named = [joined(project.root, word) for word in self.words]
        self.files = [
            *(path for path in named if path.startswith(f"{project.root}/") and os.path.isfile(path)),
            *(path for pattern in _USUAL for path in inputs.expand(project.root, pattern)),
            *requirements_txt.follow(project, inputs, list(settings.requirements)).files,
        ]
        self.sources = ()

    def install(self, target: Target, run: Run) -> str | None:
        """Run it, with variables that make any pip or uv install into the new venv."""
        variables = target.activation | {"UV_PROJECT_ENVIRONMENT": target.venv, "PIP_PYTHON": target.python}
        name = self.words[0]
        program = (
            os.path.join(target.project.root, name) if is_path(name) else shutil.which(name, path=variables["PATH"])
        )
        if program is None or not os.path.exists(program):
            where = f"not in `{target.project.root}`" if is_path(name) else "not on PATH"
            return (
                f"`{name}`, which `tool.roost.command` in `{target.project.file}` names, is {where}: install it there"
            )
        status, output = run([program, *self.words[1:]], **variables)
        if status != 0:
            return f"`{name}` ended with status {status}: {output.strip() or 'it printed nothing'}"
        return None
