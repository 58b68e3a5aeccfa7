"""Completion in the shell: `roost completion`, and what it offers for the words that click does not know."""

import os

import click
from click.shell_completion import CompletionItem, get_completion_class

from roost import index

VARIABLE = "_ROOST_COMPLETE"  # as click names it, after the program


def envs(context: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the environments of the project that begin with `incomplete`."""
    del param
    from roost import settings  # noqa: PLC0415 - every command imports this module
    from roost.inputs import Inputs  # noqa: PLC0415
    from roost.project import find  # noqa: PLC0415

    try:
        names = settings.names(find(os.path.realpath(context.params.get("project") or "."), Inputs()))
    except Exception:  # noqa: BLE001 - a line that is being typed is no place for a traceback
        return []
    return [name for name in names if name.startswith(incomplete)]


def commands(context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return what `current` has in its `bin` for the first word, and let the shell offer files after that."""
    if context.params.get(param.name or "") or "/" in incomplete:
        return [CompletionItem(incomplete, type="file")]
    from roost.inputs import Inputs  # noqa: PLC0415 - as above
    from roost.project import find  # noqa: PLC0415

    env = context.params.get("env") or index.default_env()
    try:
        root = find(os.path.realpath(context.params.get("project") or "."), Inputs()).root
        entries = list(os.scandir(f"{index.folder(root)}/current/{env}/bin"))
    except Exception:  # noqa: BLE001 - see above
        return []
    names = [
        entry.name
        for entry in entries
        if entry.name.isprintable() and entry.is_file() and os.access(entry.path, os.X_OK)
    ]
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


@click.command(
    short_help="Print what makes a shell complete.",
    epilog="""\b
Examples:
  eval "$(roost completion bash)"      in ~/.bashrc
  eval "$(roost completion zsh)"       in ~/.zshrc, after compinit
  roost completion fish | source       in ~/.config/fish/config.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options, environments, and the tools in them."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - for mypy: click has these three
    click.echo(kind(click.Command("roost"), {}, "roost", VARIABLE).source())
