"""Options that several commands have."""

import functools
import os
import shlex
from collections.abc import Callable
from typing import Any

import click

from roost import warm
from roost.cli import completion

env = click.option(
    "--env",
    metavar="NAME",
    shell_complete=completion.envs,
    help="The environment.  [default: $ROOST_ENV, else `default`]",
)
python = click.option("--python", metavar="X", help="A Python, such as `3.13`.  [default: the project's]")
project = click.option("--project", metavar="DIR", default=".", help="A folder in the project.  [default: .]")
quiet = click.option("-q", "--quiet", is_flag=True, help="Print only warnings and errors.")
as_json = click.option("--json", "as_json", is_flag=True, help="For programs: a documented object, with its version.")

_HELP = {
    "groups": "Also install this dependency group.  [default: $ROOST_GROUPS]",
    "only_groups": "Install only this group, without the project.",
    "no_groups": "Leave this group out.",
    "extras": "Also install this extra.  [default: $ROOST_EXTRAS]",
    "packages": "Only this member of the uv workspace.",
    "all_extras": "Install all extras.",
    "frozen": "Install a lock file that is out of date as it is.  [default: $UV_FROZEN]",
}
_METAVARS = {"extras": "E", "packages": "P"}


def sync_command(selection: warm.Selection) -> str:
    """Return the command that builds the environment of `selection`, to be pasted into a shell."""
    words = ["roost", "sync", *(["--env", selection.env] if selection.env != "default" else [])]
    for field in warm.LISTS:
        words += [word for value in getattr(selection, field) for word in (f"--{warm.option(field)}", value)]
    words += [f"--{warm.option(field)}" for field in warm.FLAGS if getattr(selection, field)]
    return shlex.join([*words, *(["--python", selection.python] if selection.python else [])])


def selection(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options that select an environment; it gets them as `selected`, for `warm.select`."""

    @functools.wraps(command)
    def with_selected(**given: Any) -> None:
        selected = {name: given.pop(name) for name in warm.Selection.__slots__ if name in given}
        command(selected={name: value for name, value in selected.items() if value}, **given)

    wrapped: Callable[..., None] = with_selected
    for field in reversed([*warm.LISTS, *warm.FLAGS]):
        flag, text = f"--{warm.option(field)}", _HELP[field]
        if field in warm.FLAGS:
            wrapped = click.option(flag, field, is_flag=True, help=text)(wrapped)
        else:
            wrapped = click.option(flag, field, metavar=_METAVARS.get(field, "G"), multiple=True, help=text)(wrapped)
    return env(wrapped)


def _without_cache(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    del context, parameter
    if value:
        os.environ["ROOST_NO_CACHE"] = "1"


no_cache = click.option(
    "--no-cache",
    is_flag=True,
    expose_value=False,
    callback=_without_cache,
    help="Compile all bytecode of a new venv, without the cache.",
)
