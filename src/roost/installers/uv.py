"""uv as the installer: `uv sync --locked` where there is a lock file, else `uv pip install`."""

import os
from collections.abc import Sequence
from typing import Literal

from roost.inputs import Inputs
from roost.installers import sources
from roost.installers.base import Run, Target, is_package
from roost.process import find_uv
from roost.project import Project, table
from roost.settings import Settings


def uv_pip(words: Sequence[str], target: Target, run: Run) -> str | None:
    """Run `uv pip WORDS` on `target`; return what it printed if it failed."""
    command = [find_uv(), "--preview-features", "pylock", "pip", *words, "--python", target.python]
    status, output = run([*command, "--no-compile-bytecode"])  # done in the build, for all installers
    return None if status == 0 else output


def fresh_builds(project: Project, settings: Settings) -> list[str]:
    """Return the words that make uv build the project again.

    uv keeps what it built, by the files that it knows of. It knows nothing of roost's `inputs`, nor of a file that the
    build backend reads.
    """
    name = table(project.tables, "project").get("name")
    if isinstance(name, str) and (settings.inputs or sources.dynamic(project.tables)):
        return ["--refresh-package", name]
    return []


class UvSync:
    """`uv sync --locked`: exactly what `uv.lock` says, or an error; the lock file is never changed."""

    kind: Literal["uv"] = "uv"

    def __init__(self, project: Project, inputs: Inputs, reason: str) -> None:
        """Read which folders the lock file names."""
        self.reason = reason
        self.files = [f"{project.root}/{name}" for name in ("uv.lock", "uv.toml")]
        self.sources = sources.named_by_uv_lock(project, inputs)

    def install(self, target: Target, run: Run) -> str | None:
        """Install the groups and extras, and all members of a workspace."""
        project, settings = target.project, target.settings
        command = [find_uv(), "sync", "--locked", "--no-default-groups", "--python", target.python]
        command += [word for group in settings.groups for word in ("--group", group)]
        command += [word for extra in settings.extras for word in ("--extra", extra)]
        command += ["--all-packages"] if project.members else []
        command += ["--no-compile-bytecode"]  # done in the build, for all installers
        command += fresh_builds(project, settings)
        status, output = run(command, UV_PROJECT_ENVIRONMENT=target.venv)
        if status == 0:
            return None
        if "needs to be updated" in output and "--locked" in output:
            return f"`{project.root}/uv.lock` does not fit `pyproject.toml` any more: run `uv lock`"
        return output


class UvInstall:
    """`uv pip install` of the project, its groups and extras, for a project without a lock file."""

    kind: Literal["uv"] = "uv"

    def __init__(self, project: Project, inputs: Inputs, reason: str) -> None:
        """Follow the local dependencies."""
        self.reason = reason
        self.files = [f"{project.root}/uv.toml"]
        self.sources = sources.followed(project, inputs)
        self._package = is_package(project, inputs)

    def install(self, target: Target, run: Run) -> str | None:
        """Install the project editable where it can be built, else its dependencies alone, as uv does."""
        project, settings = target.project, target.settings
        what = [word for group in settings.groups for word in ("--group", group)]
        for member in project.members:
            if os.path.exists(f"{member}/pyproject.toml"):
                what += ["--editable", member]
        if self._package:
            extras = f"[{','.join(settings.extras)}]" if settings.extras else ""
            what += ["--editable", f".{extras}"]
        elif "project" in project.tables:
            what += ["--requirements", "pyproject.toml"]
            what += [word for extra in settings.extras for word in ("--extra", extra)]
        if not what:
            return None
        return uv_pip(["install", *what, *fresh_builds(project, settings)], target, run)
