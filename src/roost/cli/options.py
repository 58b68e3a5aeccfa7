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
    shell_complete=completion.names("env"),
    help="The environment.  [default: $ROOST_ENV, else `default`]",
)
python = click.option("--python", metavar="X", help="A Python, such as `3.13`.  [default: the project's]")
project = click.option("--project", metavar="DIR", default=".", help="A folder in the project.  [default: .]")
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
    words += [word for name, value in selection.options for word in (f"--{name}", value) if word]
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
            shown, complete = _METAVARS.get(field, "G"), completion.names(field)
            option = click.option(flag, field, metavar=shown, multiple=True, shell_complete=complete, help=text)
            wrapped = option(wrapped)
    return env(wrapped)


def _variable(name: str, *flags: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return an option that sets an environment variable for this start."""

    def assign(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        del context, parameter
        if value:
            os.environ[name] = "1"

    return click.option(*flags, is_flag=True, expose_value=False, callback=assign, help=text)


quiet = _variable("ROOST_QUIET", "-q", "--quiet", text="Print only warnings and errors.")
no_cache = _variable("ROOST_NO_CACHE", "--no-cache", text="Compile all bytecode of a new venv, without the cache.")
