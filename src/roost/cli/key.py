"""`roost key`: the fingerprint, as a cache key for CI."""

from typing import Any

import click

from roost import state, warm
from roost.cli import options, output
from roost.inputs import interpreter
from roost.store.store import Store
from roost.system.paths import real


@click.command(
    short_help="Print the fingerprint, as a cache key for CI.",
    epilog="""\b
Example:
  key=$(roost key)     the same for the same inputs, Python and path""",
)
@options.selection
@options.python
@options.project
def key(selected: dict[str, Any], project: str) -> None:
    """Print the fingerprint of the environment, as a cache key for CI. Builds nothing."""
    selection = warm.select(**selected)
    draft = state.draft(real(project), selection)
    record = Store(draft.project.root).python(selection.choice, draft.request.text)
    chosen = interpreter.recorded(record, draft.request, draft.inputs)
    output.value(draft.with_interpreter(chosen or interpreter.choose(record, draft.project, draft.request)).fingerprint)
