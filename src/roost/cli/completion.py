"""Shell completion: `roost completion`, and the words that click does not know."""

import os
from collections.abc import Callable

import click
from click.shell_completion import CompletionItem, get_completion_class

from roost import warm
from roost.system import paths

# `roost-run` is completed as `roost run`.
_ROOST_RUN = {
    "bash": """\
_roost_run_completion() {
    COMP_WORDS=(roost run "${COMP_WORDS[@]:1}")
    COMP_CWORD=$((COMP_CWORD + 1))
    _roost_completion roost
}
complete -o nosort -F _roost_run_completion roost-run""",
    "zsh": """\
_roost_run_completion() {
    words=(roost run "${(@)words[2,-1]}")
    ((CURRENT += 1))
    _roost_completion
}
compdef _roost_run_completion roost-run""",
    "fish": "complete --command roost-run --wraps 'roost run'",
}
VARIABLE = "_ROOST_COMPLETE"  # as click names it, after the program


def names(field: str) -> Callable[..., list[str]]:
    """Return the function that completes the option for `field` of a selection."""

    def complete(context: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        del param
        from roost.inputs import groups, settings  # noqa: PLC0415 - every command imports this, a warm `roost sync` too
        from roost.inputs.project import Project  # noqa: PLC0415 - as above

        try:
            project = Project.at(context.params.get("project") or ".")
            found = settings.names(project) if field == "env" else sorted(groups.selectable(project, field))
        except Exception:  # noqa: BLE001 - a traceback would destroy the line that is being typed
            return []
        return [name for name in found if name.startswith(incomplete)]

    return complete


def _selected(context: click.Context) -> warm.Selection:
    names = warm.Selection.__slots__
    return warm.select(**{name: context.params[name] for name in names if context.params.get(name)})


def commands(context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the commands of the current venv for the first word; after that, the shell completes files."""
    if context.params.get(param.name or "") or paths.is_path(incomplete):
        return [CompletionItem(incomplete, type="file")]
    from roost.inputs.project import Project  # noqa: PLC0415 - as above
    from roost.store import links  # noqa: PLC0415

    try:
        root = Project.at(context.params.get("project") or ".").root
        entries = list(os.scandir(paths.scripts(links.path(root, _selected(context).name))))
    except Exception:  # noqa: BLE001 - see above
        return []
    names = [
        entry.name
        for entry in entries
        if entry.name.isprintable() and entry.is_file() and os.access(entry.path, os.X_OK)
    ]
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


@click.command(
    short_help="Print the completion script of a shell.",
    epilog="""\b
Examples:
  eval "$(roost completion bash)"      in ~/.bashrc
  eval "$(roost completion zsh)"       in ~/.zshrc, after compinit
  roost completion fish | source       in ~/.config/fish/config.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that makes SHELL complete commands, options, environments, groups, and the tools in them."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - for mypy: click has these three
    click.echo(kind(click.Command("roost"), {}, "roost", VARIABLE).source())
    click.echo(_ROOST_RUN[shell])
