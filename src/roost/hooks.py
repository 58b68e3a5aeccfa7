"""`roost hook`: git hooks without any framework, in the repository's own hook folder.

A hook says in its second line what the rest of it hashes to. Only one that still does is roost's: what somebody edited
is theirs, and is neither replaced nor removed.
"""

import contextlib
import hashlib
import os
import shlex
import shutil
import sys

import click

from roost import index, options, process, report
from roost.errors import RoostError
from roost.inputs import Inputs
from roost.project import find
from roost.syncing import STAGES, sync

_MARK = "# roost hook "
_SCRIPT = """\
# Written by `roost hook install`. Once you edit it it is yours, and roost leaves it alone.
roost={roost}
[ -x "$roost" ] || roost=$(command -v roost) || exit 0
{call} || :
"""


@click.group(short_help="Git hooks that sync after a checkout, without a framework.")
def hook() -> None:
    """Sync after git checked out another state, without any framework."""


@hook.command(
    epilog="""\b
Examples:
  roost hook install
  roost hook install --project backend    a project below the top of git's"""
)
@options.project
def install(project: str) -> None:
    """Put the syncing hooks into the repository's hook folder.

    After a checkout, merge, pull or rebase they build the environment if need be, and point `.roost/current` at it. A
    hook that is not roost's stays as it is.
    """
    top, folder = _places(os.path.realpath(project))
    inside = os.path.relpath(find(os.path.realpath(project), Inputs()).root, top)
    taken = []
    os.makedirs(folder, exist_ok=True)
    for stage in STAGES:
        path = f"{folder}/{stage}"
        if _put(path, _script(stage, inside)):
            report.result(f"installed {path}")
        else:
            taken.append(path)
            report.warning(
                f"`{path}` is not roost's, so it stays as it is: add the line `{_call('roost', stage, inside)}` to it, "
                "or to the configuration of what wrote it"
            )
    if taken:
        message = f"{len(taken)} of {len(STAGES)} hooks were not installed, others are there: add those lines to them"
        raise RoostError(message)


@hook.command(
    epilog="""\b
Example:
  roost hook uninstall"""
)
@options.project
def uninstall(project: str) -> None:
    """Remove what `install` put there, unless it was edited since."""
    folder = _places(os.path.realpath(project))[1]
    there = [path for path in (f"{folder}/{stage}" for stage in STAGES) if os.path.lexists(path)]
    if not there:
        report.step(f"there is no syncing hook in `{folder}`")
    for path in there:
        if _is_own(path):
            os.unlink(path)
            report.result(f"removed {path}")
        else:
            report.warning(f"`{path}` is not roost's, so it stays as it is")


@hook.command(
    name="sync",
    short_help="Be one of them: sync, unless amid a rebase or the like.",
    epilog="""\b
Example, in a hook of your own:
  roost hook sync post-checkout "$@" || :""",
)
@options.env
@options.project
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[STAGE] [ARGUMENTS]...")
def sync_(env: str | None, project: str, words: tuple[str, ...]) -> None:
    """Be a syncing hook: never fail, and do nothing during a rebase, bisect or cherry-pick.

    STAGE and its ARGUMENTS are what git calls the hook with; pre-commit and prek say them in variables.
    """
    sync(project, env or index.default_env(), words)


def _places(start: str) -> tuple[str, str]:
    """Return the top of the working tree around `start`, and the folder in which git looks for its hooks.

    Raises:
        RoostError: there is no working tree, or the folder is shared by all repositories of this user.
    """

    def git(*words: str, cwd: str) -> str:
        status, output = process.run(["git", *words], env=process.for_installer(os.environ), cwd=cwd)
        return output.removesuffix("\n") if status == 0 else ""

    top = git("rev-parse", "--show-toplevel", cwd=start) if os.path.isdir(start) else ""
    if not top:
        message = f"`{start}` is in no working tree of git: go into one, or name one with `--project`"
        raise RoostError(message)
    scope, _, path = git("config", "--show-scope", "--get", "core.hooksPath", cwd=top).partition("\t")
    if scope and scope not in ("local", "worktree"):
        message = (
            f"`core.hooksPath` is `{path}` for more than this repository ({scope}), so nothing was installed: "
            'call `roost hook sync STAGE "$@"` from the hooks there, or `git config core.hooksPath .git/hooks` here'
        )
        raise RoostError(message)
    # Asked at the top: a relative `core.hooksPath` counts from there. Worktrees share what is not set for one of them.
    return top, git("rev-parse", "--path-format=absolute", "--git-path", "hooks", cwd=top)


def _call(roost: str, stage: str, inside: str) -> str:
    option = "" if inside == "." else f" --project {shlex.quote(inside)}"
    return f'{roost} hook sync{option} {stage} "$@"'


def _script(stage: str, inside: str) -> str:
    body = _SCRIPT.format(roost=shlex.quote(_own_command()), call=_call('"$roost"', stage, inside))
    return f"#!/bin/sh\n{_MARK}{_digest(body)}\n{body}"


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _own_command() -> str:
    """Return a path of this `roost` that stays: a hook that a GUI client starts may have no useful PATH."""
    prefix = sys.prefix
    root, inside, _ = prefix.partition("/v1/envs/")
    if inside:  # the project's own environment brings roost, and its venv will not be the last one
        with contextlib.suppress(OSError):
            links = [entry.path for entry in os.scandir(f"{root}/current") if entry.is_symlink()]
            prefix = next((link for link in links if os.readlink(link) == prefix), prefix)
    path = f"{prefix}/bin/roost"
    return path if os.path.exists(path) else shutil.which("roost") or path


def _is_own(path: str) -> bool:
    try:
        content = Inputs().read(path) or b""
    except RoostError:  # no regular file
        return False
    _, _, rest = content.decode("utf-8", "surrogateescape").partition("\n")
    mark, _, body = rest.partition("\n")
    return mark == f"{_MARK}{_digest(body)}"


def _put(path: str, script: str) -> bool:
    """Write the hook `path`, and return True; False where something else is there."""
    own = _is_own(path)
    target = f"{path}.{os.getpid()}" if own else path
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o777)
    except FileExistsError:
        return False
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(script)
    if own:
        os.replace(target, path)
    return True
