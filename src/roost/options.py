"""Options that several commands have."""

import click

from roost import completion

env = click.option(
    "--env",
    metavar="NAME",
    shell_complete=completion.envs,
    help="The environment.  [default: $ROOST_ENV, else `default`]",
)
project = click.option("--project", metavar="DIR", default=".", help="A folder in the project.  [default: .]")
quiet = click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors.")
