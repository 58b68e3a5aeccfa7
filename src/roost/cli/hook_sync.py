"""The syncing hooks: after git checked out another state, get its environment and make it the current one.

They never fail: git has finished its work by then. They ignore the checkout of single files, which pre-commit and prek
do in every partially staged commit; the next `roost run` finds the environment anyway.
"""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence

from roost import environment
from roost.console import messages
from roost.environment import Environment
from roost.errors import RoostError
from roost.inputs.project import nearest
from roost.store import links
from roost.system import proc, processes, variables
from roost.system.paths import real
from roost.warm import Selection

STAGES = ("post-checkout", "post-merge", "post-rewrite")
# Files in git's folder while it goes through several states, of which only the last will stay. `MERGE_HEAD` is not one:
# it still exists when `post-merge` runs.
_REBASING = ("rebase-merge", "rebase-apply")
_INTERMEDIATE = ("BISECT_LOG", "CHERRY_PICK_HEAD", "REVERT_HEAD", "sequencer")


def stage_of(words: Sequence[str], environ: Mapping[str, str]) -> tuple[str, Sequence[str]]:
    """Return the stage and git's arguments: from `words`, else from the variables of pre-commit and prek."""
    if words:
        return words[0], words[1:]
    if "PRE_COMMIT_CHECKOUT_TYPE" in environ:
        return "post-checkout", ["", "", environ["PRE_COMMIT_CHECKOUT_TYPE"]]
    if "PRE_COMMIT_REWRITE_COMMAND" in environ:
        return "post-rewrite", [environ["PRE_COMMIT_REWRITE_COMMAND"]]
    return "post-merge", []


class _Terminal(io.TextIOWrapper):
    """The terminal below the line that the framework has begun with the hook's name."""

    _begun = False

    def write(self, text: str, /) -> int:
        """Write `text`, the first time on a new line."""
        if not self._begun:
            self._begun = True
            super().write("\n")
        return super().write(text)


@contextlib.contextmanager
def _visible() -> Iterator[None]:
    """Let messages reach the terminal under pre-commit and prek.

    They show the output of a hook that succeeds only with `verbose`, which prints three lines at every checkout. Where
    there is no terminal, as in a GUI client, `roost log` has the builds and failures.
    """
    with contextlib.ExitStack() as stack:
        if "PRE_COMMIT" in os.environ:
            with contextlib.suppress(OSError):
                raw = stack.enter_context(open("/dev/tty", "wb"))
                stack.enter_context(contextlib.redirect_stderr(_Terminal(raw, line_buffering=True)))
        yield


def sync(project: str, selection: Selection, words: Sequence[str]) -> None:
    """Sync the environment `selection` of the project around the folder `project`, if git moved to another state.

    Prints one line when it did something, or failed. Raises nothing that a user can cause.
    """
    stage, arguments = stage_of(words, os.environ)
    with _visible():
        try:
            if _moved(stage, arguments) and variables.BUILDING not in os.environ:
                _sync(real(project), selection, stage)
        except (RoostError, OSError) as error:
            why = " ".join(str(error).splitlines()[:2])
            messages.warning(f"not synced after the {stage.removeprefix('post-')}: {why}; `roost sync` tries again")
        except KeyboardInterrupt:
            messages.warning("interrupted, so not synced: `roost sync` tries again")


def _moved(stage: str, arguments: Sequence[str]) -> bool:
    """Return whether git moved to another state, by the arguments of githooks(5)."""
    if stage == "post-checkout":
        return list(arguments[2:3]) != ["0"]  # 0: single files
    if stage == "post-rewrite":
        return list(arguments[:1]) != ["amend"]  # which leaves the files as they are
    return True


def _sync(start: str, selection: Selection, stage: str) -> None:
    if not os.path.isdir(start) or nearest(start) is None:  # older states may have no project
        return
    found = environment.find(start, selection)
    if found and links.target(found.project, found.name) == found.venv:  # without git, and without hashing
        found.close()
    elif not _is_intermediate(start, stage):
        _make_current(found or environment.acquire(start, selection=selection, label="roost hook sync"))


def _make_current(found: Environment) -> None:
    with found:
        if found.make_current() and not found.built:  # a build has printed a line itself
            built = proc.iso(os.stat(f"{found.venv}/pyvenv.cfg").st_mtime)[:16].replace("T", " ")
            link = links.path(found.project, found.name)
            name = os.path.basename(found.venv)
            messages.step(f"`{found.name}`: switched back to `{name}`, built {built}: `{link}`")


def _is_intermediate(start: str, stage: str) -> bool:
    """Return whether a rebase, bisect or cherry-pick is in progress. A rebase calls `post-rewrite` at its end."""
    got = processes.git("rev-parse", "--absolute-git-dir", cwd=start)
    signs = _INTERMEDIATE if stage == "post-rewrite" else _REBASING + _INTERMEDIATE
    return got.status == 0 and any(os.path.lexists(f"{got.stdout.strip()}/{name}") for name in signs)
