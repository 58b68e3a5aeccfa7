"""The command line, but for the warm path of `roost run` (see `roost.launch`)."""

import io
import os
import sys
from typing import Any

import click

import roost
from roost import (
    collect,
    completion,
    fingerprint,
    index,
    interpreter,
    launch,
    locks,
    protocol,
    report,
    reports,
    settings,
    waiting,
)
from roost.errors import RoostError, UsageError
from roost.hooks import hook
from roost.inputs import Inputs
from roost.nox_cli import nox
from roost.project import find
from roost.store import Store

EPILOG = {
    "roost": """\b
To begin with, in a project:
  roost run pytest         in scripts and hooks also: roost-run pytest
  roost status

\b
Exit status: the command's own, or of roost's
  2 usage, 124 a wait ran out, 125 any other failure,
  126 found but not executable, 127 not in the environment

\b
Environment variables:
  ROOST_ENV                the environment  [default: default]
  ROOST_TIMEOUT            seconds that a wait may last  [default: 600]
  ROOST_DIR                a folder for what would lie in `.roost`
  ROOST_QUIET=1            as `--quiet`
  NO_COLOR, FORCE_COLOR    no colours; colours in a pipe, too""",
    "run": """\b
Examples:
  roost run pytest -q
  roost run --env docs -- sphinx-build docs _site
  roost run --external make test""",
    "sync": """\b
Examples:
  roost sync
  source "$(roost sync)/bin/activate"
  roost sync --all --refresh""",
    "clean": """\b
Examples:
  roost clean          what is neither in use nor kept
  roost clean --all    what is not in use""",
    "key": """\b
Example:
  key=$(roost key)     the same for the same inputs, Python and path""",
}
_env = click.option(
    "--env",
    metavar="NAME",
    shell_complete=completion.envs,
    help="The environment.  [default: $ROOST_ENV, else `default`]",
)
_quiet = click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors.")
_project = click.option("--project", metavar="DIR", default=".", help="A folder in the project.  [default: .]")


class _Commands(click.Group):
    """The commands; another word may be what somebody wants to run."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the words name.

        Raises:
            click.UsageError: there is no such command.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            message = f"{error.message} To run it in the environment: roost run {args[0]}"
            raise click.UsageError(message, ctx) from None


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    cls=_Commands,
    epilog=EPILOG["roost"],
)
@click.version_option(roost.__version__, prog_name="roost")
@click.pass_context
def cli(context: click.Context) -> None:
    """One virtualenv for a project, shared safely by everything that fires at once."""
    context.color = report.coloured(sys.stdout)


@cli.command(
    short_help="Make sure of the environment, and run COMMAND in it.",
    epilog=EPILOG["run"],
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@_env
@click.option("--python", metavar="X", help="A Python, such as `3.13`.  [default: the project's]")
@_project
@click.option("--directory", metavar="DIR", help="Go there first, as `cd` does.  [default: .]")
@click.option("--external", is_flag=True, help="Take the command from PATH where the environment lacks it.")
@_quiet
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=completion.commands)
def run(env: str | None, command: tuple[str, ...], **options: Any) -> None:
    """Make sure of the environment, and run COMMAND in it.

    A command is looked up in the environment alone. One with a slash in it is a path.
    """
    told = launch.Launch(list(command))
    told.env = env or told.env
    for name, value in options.items():
        setattr(told, name, value)
    launch.run(told)


@cli.command(short_help="Make sure of the environment, and print its path.", epilog=EPILOG["sync"])
@_env
@click.option("--all", "every", is_flag=True, help="All environments of the project, one after the other.")
@click.option("--refresh", is_flag=True, help="Build anew, even where there is a valid one.")
@_quiet
@_project
def sync(env: str | None, every: bool, refresh: bool, quiet: bool, project: str) -> None:
    """Make sure of the environment, point `.roost/current/NAME` at it, and print its path."""
    if quiet:
        report.be_quiet()
    if env and every:
        message = "`--env` and `--all` exclude each other"
        raise UsageError(message)
    failures = []
    for name in _all_envs(project) if every else [env or _default_env()]:
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
    asked = protocol.Request(start, env, None, waiting.timeout(os.environ), "roost sync", refresh)
    with protocol.acquire(asked) as environment:
        found = find(start, Inputs())
        store = Store(found.root)
        with store.guarded():
            store.point(env, environment.venv, settings.read(found, env).link)
        return environment.venv


def _default_env() -> str:
    return os.environ.get("ROOST_ENV") or "default"


def _all_envs(project: str) -> list[str]:
    return settings.names(find(os.path.realpath(project), Inputs()))


@cli.command(short_help="Remove the venvs that nobody uses or needs.", epilog=EPILOG["clean"])
@click.option("--all", "every", is_flag=True, help="Also the newest ones, which `keep` would spare.")
@_project
def clean(every: bool, project: str) -> None:
    """Remove the venvs that are neither in use, nor used within the hour, nor kept."""
    found = find(os.path.realpath(project), Inputs())
    store = Store(found.root)
    store.check()
    if not os.path.isdir(store.root):
        report.step(f"there is nothing to remove in `{found.root}`")
        return
    store.prepare()
    lock = locks.BuildLock(store.lock)
    with store.guarded():
        if not lock.try_take(waiting.record("roost clean")):
            message = (
                f"nothing was removed: the build lock is held by {waiting.Holder(store.lock)}; try again after that"
            )
            raise RoostError(message)
        try:
            verdicts = collect.collect(store, 0 if every else settings.read(found, "default").keep)
        finally:
            lock.release()
    store.empty_trash()
    if not verdicts:
        report.step(f"there is nothing to remove in `{found.root}`")
    for verdict in verdicts:
        word = f"kept {verdict.venv.path}: {verdict.keeps}" if verdict.keeps else f"removed {verdict.venv.path}"
        report.result(word, 2)


@cli.command(short_help="Print the fingerprint, as a cache key for CI.", epilog=EPILOG["key"])
@_env
@_project
def key(env: str | None, project: str) -> None:
    """Print the fingerprint of the environment, as a cache key for CI. Builds nothing."""
    name = env or _default_env()
    draft = fingerprint.draft(os.path.realpath(project), name, None)
    record = Store(draft.project.root).python(index.key(name, None))
    chosen, before = interpreter.recorded(record, draft.request, draft.inputs)
    report.value(draft.with_interpreter(chosen or interpreter.choose(draft.project, draft.request, before)).fingerprint)


cli.add_command(reports.status)
cli.add_command(reports.why)
cli.add_command(reports.log)
cli.add_command(reports.doctor_)
cli.add_command(completion.completion)
cli.add_command(hook)
cli.add_command(nox)


def main(words: list[str]) -> int:
    """Run the command that `words` name; return the exit status.

    Raises:
        RoostError: the command failed.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path, or what a file says, need not be text
    try:
        status = cli.main(words, prog_name="roost", standalone_mode=False)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        sys.stderr.write(report.printable(said.getvalue(), lines=True))
        return UsageError.status
    except click.Abort:
        raise KeyboardInterrupt from None
    return status if isinstance(status, int) else 0
