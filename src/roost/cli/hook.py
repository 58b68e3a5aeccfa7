"""`roost hook`: git hooks without a framework, in the repository's own hook folder.

The second line of a hook has the hash of the rest. Only a hook whose hash is right belongs to roost: one that a user
edited is neither replaced nor removed.
"""

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable

import click

from roost import warm
from roost.cli import hook_sync, options, output
from roost.cli.hook_sync import STAGES
from roost.console import messages
from roost.errors import RoostError
from roost.inputs.files import text_of
from roost.inputs.project import Project
from roost.system import files, paths, processes

_MARK = "# roost hook "
_SCRIPT = """\
# Written by `roost hook install`. Once you edit it, roost neither replaces nor removes it.
roost={roost}
[ -x "$roost" ] || roost=$(command -v roost) || exit 0
{calls}
"""
_CALL = re.compile(r'^"\$roost" hook sync(?: --project (?P<project>.+))? post-\w+ "\$@" \|\| :$', re.MULTILINE)


@click.group(short_help="Git hooks that sync after a checkout, without a framework.")
def hook() -> None:
    """Git hooks that sync after git checked out another state, without a framework."""


@hook.command(
    epilog="""\b
Examples:
  roost hook install
  roost hook install --project backend    a project in a subfolder"""
)
@options.project
def install(project: str) -> None:
    """Install the syncing hooks into the repository's hook folder.

    After a checkout, merge, pull or rebase they build the environment if needed, and point `.roost/.venv` at it. Other
    hooks are left as they are.
    """
    top, folder = _places(paths.real(project))
    inside = paths.relative(Project.at(project).root, top)
    others = []
    os.makedirs(folder, exist_ok=True)
    for stage in STAGES:
        path = f"{folder}/{stage}"
        if _put(path, _script(stage, {*_projects(path), inside})):
            output.result(f"installed {path}")
        else:
            others.append(path)
            messages.warning(
                f"`{path}` already exists: add the line `{_call('roost', stage, inside)}` to it, "
                "or to the configuration of the tool that wrote it"
            )
    if others:
        raise RoostError(
            f"{len(others)} of {len(STAGES)} hooks were not installed, since other hooks exist: add these lines to them"
        )


@hook.command(
    epilog="""\b
Example:
  roost hook uninstall"""
)
@click.option("--project", metavar="DIR", help="Only for this project.  [default: for all]")
def uninstall(project: str | None) -> None:
    """Remove the hooks of `install`, unless they were edited."""
    top, folder = _places(paths.real(project or "."))
    removed = None if project is None else paths.relative(Project.at(project).root, top)
    existing = [path for path in (f"{folder}/{stage}" for stage in STAGES) if os.path.lexists(path)]
    if not existing:
        messages.step(f"there is no syncing hook in `{folder}`")
    for path in existing:
        left = _projects(path) - {removed} if removed else set()
        if not _is_own(path):
            messages.warning(f"`{path}` is not a hook of roost, so it stays")
        elif left:
            _put(path, _script(os.path.basename(path), left))
            output.result(f"changed {path}")
        else:
            os.unlink(path)
            output.result(f"removed {path}")


@hook.command(
    name="sync",
    short_help="Entry point for git hooks. Does nothing during a rebase or bisect.",
    epilog="""\b
Example, in a hook of your own:
  roost hook sync post-checkout "$@" || :""",
)
@options.env
@options.project
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[STAGE] [ARGUMENTS]...")
def sync_(env: str | None, project: str, words: tuple[str, ...]) -> None:
    """Entry point for git hooks: never fails, and does nothing during a rebase, bisect or cherry-pick.

    STAGE and its ARGUMENTS are those of git; pre-commit and prek pass them in environment variables.
    """
    hook_sync.sync(project, warm.select(env), words)


def _places(start: str) -> tuple[str, str]:
    """Return the top of the working tree around `start`, and the folder in which git looks for its hooks.

    Raises:
        RoostError: there is no working tree, or the folder is shared by all repositories of this user.
    """
    top = _git("rev-parse", "--show-toplevel", cwd=start) if os.path.isdir(start) else ""
    if not top:
        raise RoostError(f"`{start}` is not in a working tree of git: go into one, or name one with `--project`")
    scope, _, path = _git("config", "--show-scope", "--get", "core.hooksPath", cwd=top).partition("\t")
    if scope and scope not in ("local", "worktree"):
        raise RoostError(
            f"`core.hooksPath` is `{path}` for more than this repository ({scope}), so nothing was installed: "
            'call `roost hook sync STAGE "$@"` from the hooks there, or `git config core.hooksPath .git/hooks` here'
        )
    # Called at the top: a relative `core.hooksPath` starts there. Worktrees share it unless it is set for one of them.
    return top, _git("rev-parse", "--path-format=absolute", "--git-path", "hooks", cwd=top)


def _git(*words: str, cwd: str) -> str:
    got = processes.git(*words, cwd=cwd)
    return got.stdout.removesuffix("\n") if got.status == 0 else ""


def _call(roost: str, stage: str, inside: str) -> str:
    option = "" if inside == "." else f" --project {shlex.quote(inside)}"
    return f'{roost} hook sync{option} {stage} "$@"'


def _script(stage: str, projects: Iterable[str]) -> str:
    lines = (_call('"$roost"', stage, inside) for inside in sorted(projects))
    calls = "\n".join(f"{line} || :" for line in lines)
    body = _SCRIPT.format(roost=shlex.quote(_own_command()), calls=calls)
    return f"#!/bin/sh\n{_MARK}{_digest(body)}\n{body}"


def _projects(path: str) -> set[str]:
    """Return the folders of the projects that the hook `path` syncs, relative to the top; none for a foreign hook."""
    found = _CALL.finditer(text_of(path)) if _is_own(path) else ()
    return {shlex.split(call["project"] or ".")[0] for call in found}


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _own_command() -> str:
    """Return a path of this `roost` that stays valid: the PATH of a hook that a GUI client starts is short."""
    prefix = paths.slashed(sys.prefix)
    root, inside, _ = prefix.partition(f"/{warm.INNER}/")
    if inside:  # the project's own environment contains roost, and its venv will be replaced
        with contextlib.suppress(OSError):
            links = [link for name in os.listdir(f"{root}/.venv") if files.is_link(link := f"{root}/.venv/{name}")]
            prefix = next((link for link in links if files.read_link(link) == prefix), prefix)
    path = paths.command(prefix, "roost") or shutil.which("roost")
    return paths.slashed(path or paths.program(f"{paths.scripts(prefix)}/roost"))


def _is_own(path: str) -> bool:
    _, _, rest = text_of(path).partition("\n")
    mark, _, body = rest.partition("\n")
    return mark == f"{_MARK}{_digest(body)}"


def _put(path: str, script: str) -> bool:
    """Write the hook `path`. Returns False where another hook exists."""
    if os.path.lexists(path) and not _is_own(path):
        return False
    files.write(path, script, mode=0o777)
    return True
