"""The command `roost sync`. It imports the core only where a state was not seen before."""

import os

import click

from roost import index, options, pointing, report
from roost.errors import RoostError, UsageError

EPILOG = """\b
Examples:
  roost sync
  source "$(roost sync)/bin/activate"
  roost sync --all --refresh"""


@click.command(short_help="Make sure of the environment, and print its path.", epilog=EPILOG)
@options.env
@click.option("--all", "every", is_flag=True, help="All environments of the project, one after the other.")
@click.option("--refresh", is_flag=True, help="Build anew, even where there is a valid one.")
@options.quiet
@options.project
def sync(env: str | None, every: bool, refresh: bool, quiet: bool, project: str) -> None:
    """Make sure of the environment, point `.roost/current/NAME` at it, and print its path."""
    if quiet:
        report.be_quiet()
    if env and every:
        message = "`--env` and `--all` exclude each other"
        raise UsageError(message)
    failures = []
    for name in _all_envs(project) if every else [env or index.default_env()]:
        try:
            report.value(_sync(project, name, refresh=refresh))
        except RoostError as error:
            if not every:
                raise
            failures.append(error)
            report.error(str(error))
    if failures:
        raise SystemExit(failures[0].status)


def _sync(project: str, env: str, *, refresh: bool) -> str:
    start = os.path.realpath(project)
    again = None if refresh else pointing.again(start, env)
    return again.venv if again else _sync_anew(start, env, refresh=refresh)


def _sync_anew(start: str, env: str, *, refresh: bool) -> str:
    from roost import protocol, waiting  # noqa: PLC0415 - most of the time of a start

    asked = protocol.Request(start, env, None, waiting.timeout(os.environ), "roost sync", refresh)
    with protocol.acquire(asked) as environment:
        pointing.point(start, env, environment.venv)
        return environment.venv


def _all_envs(project: str) -> list[str]:
    from roost import settings  # noqa: PLC0415 - as above
    from roost.inputs import Inputs  # noqa: PLC0415
    from roost.project import find  # noqa: PLC0415

    return settings.names(find(os.path.realpath(project), Inputs()))
