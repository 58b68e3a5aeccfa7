"""Whether a shared venv that was not built yet would lack something, decided by its lock file alone."""

from collections.abc import Sequence
from itertools import pairwise

from roost import state
from roost.inputs import lock_files, requirements_txt
from roost.inputs.groups import normalize
from roost.inputs.schema import table
from roost.system.paths import real
from roost.warm import Selection


def missing(start: str, selection: Selection, words: Sequence[str]) -> str:
    """Return the first package that `pip install WORDS` installs by name and that the venv will never have, or "".

    `words` are looked up in the lock file from which the environment that `selection` describes is installed, of the
    project around the folder `start`. Without a lock file nothing is known.

    Raises:
        RoostError: the project or its settings are not valid.
    """
    wanted = _names(words)
    if not wanted:
        return ""
    draft = state.draft(real(start), selection)
    if draft.installer.kind in ("command", "requirements"):  # they may install more than a lock file lists
        return ""
    listed = lock_files.names(draft.installer.files, draft.inputs)
    # Only uv's lock file lists the project itself.
    own = {str(table(tables, "project").get("name", "")) for tables in draft.project.all_tables.values()}
    own.add(str(table(draft.project.tables, "tool", "poetry").get("name", "")))
    known = set(map(normalize, listed | own))
    return next((name for name in wanted if listed and normalize(name) not in known), "")


def _names(words: Sequence[str]) -> list[str]:
    """Return the packages in `words` that are installed by name in any case, so none with an environment marker."""
    after = (word for before, word in pairwise(["", *words]) if not before.startswith("-") and ";" not in word)
    return list(filter(None, map(requirements_txt.name_in, after)))
