"""PDM as the installer: `pdm sync` into the venv that is active."""

from roost.console import messages
from roost.installers.base import FROZEN, Run, Target, each
from roost.installers.tools import ToolSync

# A `.pdm-python` that PDM wrote earlier leads to another environment, and with the setting `python.use_venv = false`,
# PDM installs into `__pypackages__`.
_VARIABLES = {
    "PDM_IGNORE_SAVED_PYTHON": "1",
    "PDM_USE_VENV": "1",
    "PDM_CHECK_UPDATE": "0",
    "PDM_NON_INTERACTIVE": "1",
}


class PdmSync(ToolSync):
    """`pdm sync`."""

    kind = "pdm"

    def install(self, target: Target, run: Run) -> str | None:
        """Install the groups and extras; PDM's own choice of groups where the settings name none."""
        root, settings = target.project.root, target.settings
        pdm = self.find(target.project)
        variables = target.activation | _VARIABLES
        status, output = run([pdm, "lock", "--check"], **variables)
        if status != 0 and "not compatible" in output:
            return f"`{root}/pdm.lock` is of a format that `{pdm}` does not know: `pipx upgrade pdm`, or run `pdm lock`"
        if status != 0 and settings.lock == "frozen":
            what = "does not fit `pyproject.toml`, and is installed as it is (frozen)"
            messages.warning(f"`{root}/pdm.lock` {what}: `pdm lock` updates it")
        elif status != 0:
            cure = f"run `pdm lock`, or {FROZEN} (PDM says: {output.strip()})"
            return f"`{root}/pdm.lock` does not fit `pyproject.toml` any more: {cure}"
        command = [pdm, "sync"]
        groups = settings.groups if settings.groups_given else ()
        if settings.groups_given and not groups:
            command.append("--prod")
        elif groups or settings.extras:  # a named extra excludes the groups, unless `--dev` is there too
            command.append("--dev")
        command += ["--no-default", "--no-self"] if settings.only_groups else []
        if not settings.groups_given:
            command += each("--without", settings.groups_removed)
        command += each("--group", [*groups, *settings.extras])
        status, output = run(command, **variables)
        return None if status == 0 else output
