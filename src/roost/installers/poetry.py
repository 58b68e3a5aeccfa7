"""Poetry as the installer: `poetry sync` into the venv that is active."""

from roost.installers.base import Run, Target, each
from roost.installers.tools import ToolSync


class PoetrySync(ToolSync):
    """`poetry sync`."""

    kind = "poetry"

    def install(self, target: Target, run: Run) -> str | None:
        """Install the groups and extras; poetry's own choice of groups where the settings name none."""
        root, settings = target.project.root, target.settings
        command = [self.find(target.project), "sync", "--no-interaction", "--no-ansi"]
        if settings.only_groups:
            command += ["--only", ",".join(settings.groups), "--no-root"]
        elif settings.groups_given:
            command += ["--only", ",".join(["main", *settings.groups])]
        else:
            command += [*each("--with", settings.groups_added), *each("--without", settings.groups_removed)]
        command += each("--extras", settings.extras)
        # Where `poetry env use` was called, poetry prefers what it notes under that path to the active venv.
        status, output = run(command, **target.activation, POETRY_VIRTUALENVS_PATH=target.venv)
        if status == 0:
            return None
        if "changed significantly" in output:
            return f"`{root}/poetry.lock` does not fit `pyproject.toml` any more: run `poetry lock`"
        if '"sync" does not exist' in output:
            return f"`{command[0]}` is older than 2.0 and has no `sync`: `pipx upgrade poetry`"
        return output
