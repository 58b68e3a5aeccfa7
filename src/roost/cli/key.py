"""`roost key`: the fingerprint, as a cache key for CI."""

import os

import click

from roost import state, warm
from roost.cli import options, output
from roost.inputs import interpreter
from roost.store.store import Store

EPILOG = """\b
Example:
  key=$(roost key)     the same for the same inputs, Python and path"""


@click.command(short_help="Print the fingerprint, as a cache key for CI.", epilog=EPILOG)
@options.env
@options.project
def key(env: str | None, project: str) -> None:
    """Print the fingerprint of the environment, as a cache key for CI. Builds nothing."""
    name = env or warm.default_env()
    draft = state.draft(os.path.realpath(project), name, None)
    record = Store(draft.project.root).python(warm.key(name, None), draft.request.text)
    chosen, before = interpreter.recorded(record, draft.request, draft.inputs)
    output.value(draft.with_interpreter(chosen or interpreter.choose(draft.project, draft.request, before)).fingerprint)
