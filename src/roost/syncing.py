"""What the syncing hooks do after git checked out another state: make sure of its environment, and point at it.

They never fail what git did: that is done by then. Files that git was asked to restore are no reason to act. pre-commit
and prek restore some in every partially staged commit, and the next `roost run` looks for itself anyway.
"""

import os
from collections.abc import Mapping, Sequence

from roost import index, pointing, process, report
from roost.errors import RoostError

STAGES = ("post-checkout", "post-merge", "post-rewrite")
# In git's folder while it goes through several states, none of which is the one that will stay. Not `MERGE_HEAD`: it is
# still there when `post-merge` runs.
_REBASING = ("rebase-merge", "rebase-apply")
_PASSING = ("BISECT_LOG", "CHERRY_PICK_HEAD", "REVERT_HEAD", "sequencer")


def stage_of(words: Sequence[str], environ: Mapping[str, str]) -> tuple[str, Sequence[str]]:
    """Return which hook this is, and git's arguments to it: `words`, else what pre-commit and prek say of them."""
    if words:
        return words[0], words[1:]
    if "PRE_COMMIT_CHECKOUT_TYPE" in environ:
        return "post-checkout", ["", "", environ["PRE_COMMIT_CHECKOUT_TYPE"]]
    if "PRE_COMMIT_REWRITE_COMMAND" in environ:
        return "post-rewrite", [environ["PRE_COMMIT_REWRITE_COMMAND"]]
    return "post-merge", []


def sync(project: str, env: str, words: Sequence[str]) -> None:
    """Sync the environment `env` of the project around the folder `project`, where this hook is about that.

    Says one line when it did something, or could not. Raises nothing that a user can cause.
    """
    stage, arguments = stage_of(words, os.environ)
    try:
        if _is_about_all(stage, arguments) and process.BUILDING not in os.environ:
            _sync(os.path.realpath(project), env, stage)
    except (RoostError, OSError) as error:
        gist = " ".join(str(error).splitlines()[:2])
        report.warning(f"not synced after the {stage.removeprefix('post-')}: {gist}; `roost sync` tries again")
    except KeyboardInterrupt:
        report.warning("interrupted, so not synced: `roost sync` tries again")


def _is_about_all(stage: str, arguments: Sequence[str]) -> bool:
    """Return whether git moved to another state, as githooks(5) tells the hook."""
    if stage == "post-checkout":
        return list(arguments[2:3]) != ["0"]  # 0: single files
    if stage == "post-rewrite":
        return list(arguments[:1]) != ["amend"]  # which leaves the files as they are
    return True


def _sync(start: str, env: str, stage: str) -> None:
    if not _has_project(start) or _is_synced(start, env) or _is_passing(start, stage):
        return
    again = pointing.again(start, env)
    if again:
        if again.moved:
            _say_again(env, again.venv, again.current)
        return
    _sync_anew(start, env)


def _sync_anew(start: str, env: str) -> None:
    from roost import protocol, waiting  # noqa: PLC0415 - most of the time of a start

    request = protocol.Request(start, env, None, waiting.timeout(os.environ), "roost hook sync")
    before = protocol.ask(request)
    if before.marker and before.marker.venv == _pointed(before.store.root, env):
        return
    with protocol.acquire(request) as environment:
        pointing.point(start, env, environment.venv)
        if before.marker:  # a build has said so itself
            _say_again(env, environment.venv, f"{before.store.root}/current/{env}")


def _say_again(env: str, venv: str, current: str) -> None:
    report.step(f"`{env}` is `{os.path.basename(venv)}` again, which was built for this state: `{current}`")


def _has_project(start: str) -> bool:
    """Return whether there is a project in this state at all: older ones may have none, which is no fault."""
    return os.path.isdir(start) and any(os.path.exists(f"{folder}/pyproject.toml") for folder in _upwards(start))


def _upwards(folder: str) -> list[str]:
    parts = folder.rstrip("/").split("/")
    return ["/".join(parts[:count]) or "/" for count in range(len(parts), 0, -1)]


def _is_synced(start: str, env: str) -> bool:
    """Return whether nothing is to be done, as a warm start finds out: without hashing, and without other programs."""
    found = index.warm(start, index.key(env, None))
    if found is None:
        return False
    os.close(found[1])
    return found[0].venv == _pointed(index.folder(found[0].project), env)


def _pointed(root: str, env: str) -> str | None:
    try:
        return os.readlink(f"{root}/current/{env}")
    except OSError:
        return None


def _is_passing(start: str, stage: str) -> bool:
    """Return whether git is amid a rebase, bisect or cherry-pick. A rebase calls `post-rewrite` when all is done."""
    status, output = process.run(["git", "rev-parse", "--absolute-git-dir"], env=os.environ, cwd=start)
    folder = output.strip()
    signs = _PASSING if stage == "post-rewrite" else _REBASING + _PASSING
    return status == 0 and any(os.path.lexists(f"{folder}/{name}") for name in signs)
