"""uv as the installer: `uv sync --locked` where there is a lock file, else `uv pip install`."""

from typing import Literal

from roost.installers.base import Run, Target
from roost.process import find_uv
from roost.project import table


class UvSync:
    """`uv sync --locked`: exactly what `uv.lock` says, or an error; the lock file is never changed."""

    kind: Literal["uv"] = "uv"
    reason = "uv.lock"

    def install(self, target: Target, run: Run) -> str | None:
        """Install the groups and extras, and all members of a workspace."""
        settings = target.settings
        command = [find_uv(), "sync", "--locked", "--no-default-groups", "--python", target.python]
        command += [word for group in settings.groups for word in ("--group", group)]
        command += [word for extra in settings.extras for word in ("--extra", extra)]
        command += ["--all-packages"] if target.project.members else []
        command += ["--compile-bytecode"] if settings.compile_bytecode else ["--no-compile-bytecode"]
        status, output = run(command, UV_PROJECT_ENVIRONMENT=target.venv)
        if status == 0:
            return None
        if "needs to be updated" in output and "--locked" in output:
            return f"`{target.project.root}/uv.lock` does not fit `pyproject.toml` any more: run `uv lock`"
        return output


class UvInstall:
    """`uv pip install` of the project, its groups and extras, for a project without a lock file."""

    kind: Literal["uv"] = "uv"
    reason = "pyproject.toml, no uv.lock"

    def install(self, target: Target, run: Run) -> str | None:
        """Install the project editable where it can be built, else its dependencies alone, as uv does."""
        settings, tables = target.settings, target.project.tables
        command = [find_uv(), "pip", "install", "--python", target.python]
        command += ["--compile-bytecode"] if settings.compile_bytecode else ["--no-compile-bytecode"]
        command += [word for group in settings.groups for word in ("--group", group)]
        if "project" in tables:
            package = table(tables, "tool", "uv").get("package", "build-system" in tables)
            if package:
                extras = f"[{','.join(settings.extras)}]" if settings.extras else ""
                command += ["--editable", f".{extras}"]
            else:
                command += ["--requirements", "pyproject.toml"]
                command += [word for extra in settings.extras for word in ("--extra", extra)]
        elif not settings.groups:
            return None
        status, output = run(command)
        return None if status == 0 else output
