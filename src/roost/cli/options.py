"""Options that several commands have."""

import click

from roost.cli import completion

env = click.option(
    "--env",
    metavar="NAME",
    shell_complete=completion.envs,
    help="The environment.  [default: $ROOST_ENV, else `default`]",
)
project = click.option("--project", metavar="DIR", default=".", help="A folder in the project.  [default: .]")
quiet = click.option("-q", "--quiet", is_flag=True, help="Print only warnings and errors.")
as_json = click.option("--json", "as_json", is_flag=True, help="For programs: a documented object, with its version.")
