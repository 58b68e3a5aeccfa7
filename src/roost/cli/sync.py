"""`roost sync`: get the environment, make it the current one, and print its path."""

from typing import Any

import click

from roost import environment, warm
from roost.cli import options, output
from roost.console import messages
from roost.errors import RoostError, UsageError
from roost.system import paths


@click.command(
    short_help="Create or update the environment, and print its path.",
    epilog="""\b
Examples:
  roost sync
  source "$(roost sync)/bin/activate"
  roost sync --all --refresh""",
)
@options.selection
@options.python
@click.option("--all", "every", is_flag=True, help="All environments of the project, one after another.")
@click.option("--refresh", is_flag=True, help="Build again, even if there is a valid venv.")
@options.no_cache
@options.quiet
@options.project
def sync(selected: dict[str, Any], every: bool, refresh: bool, project: str) -> None:
    """Create or update the environment, point `.roost/.venv/NAME` at it, and print its path."""
    if "env" in selected and every:
        raise UsageError("`--env` and `--all` exclude each other")
    failures = []
    for name in _all_envs(project) if every else [None]:
        chosen = warm.select(**selected | ({"env": name} if name else {}))
        try:
            output.value(_sync(project, chosen, refresh=refresh))
        except RoostError as error:
            if not every:
                raise
            failures.append(error)
            messages.error(str(error))
    if failures:
        raise SystemExit(failures[0].status)


def _sync(project: str, selection: warm.Selection, *, refresh: bool) -> str:
    with environment.acquire(project, selection=selection, label="roost sync", refresh=refresh) as found:
        found.make_current()
        return paths.native(found.venv)


def _all_envs(project: str) -> list[str]:
    from roost.inputs import settings  # noqa: PLC0415 - a warm `roost sync` needs neither
    from roost.inputs.project import Project  # noqa: PLC0415

    return settings.names(Project.at(project))
