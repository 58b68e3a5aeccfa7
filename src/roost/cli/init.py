"""`roost init`: adopt roost in a project, as a diff, in its files, or taken back."""

import difflib
from collections.abc import Iterator

import click

from roost.cli import options
from roost.console import messages
from roost.errors import RoostError
from roost.init import plan, record
from roost.init.plan import Edit
from roost.inputs.project import Project
from roost.system.paths import relative


@click.command(
    short_help="Show or make the changes that let hooks and nox use roost.",
    epilog="""\b
Examples:
  roost init            shows the changes as a diff
  roost init --write    makes them
  roost init --undo     takes them back""",
)
@click.option("--write", "do", flag_value="write", help="Change the files.")
@click.option("--undo", "do", flag_value="undo", help="Take the changes of `--write` back.")
@options.project
def init(do: str | None, project: str) -> None:
    """Show what to change so that the project's hooks and noxfile use roost, as a diff; change it with `--write`.

    Reads `.pre-commit-config.yaml`, `prek.toml`, `lefthook.yml`, `.husky/` and `noxfile.py`, and finds the dependency
    groups of the tools in them. Comments and layout stay.
    """
    if do == "undo":
        _undo(Project.at(project).root)
        return
    found = plan.make(project)
    if do == "write":
        record.write(found.root, found.edits)
        for edit in found.edits:
            click.echo(f"changed {messages.printable(relative(edit.path, found.root))}")
    else:
        for edit in found.edits:
            click.echo(messages.printable("".join(_diff(edit, relative(edit.path, found.root))), lines=True), nl=False)
    for note in found.notes:
        messages.step(note)
    if not found.edits:
        messages.step(
            "there is nothing to change: no noxfile lacks roost, and no local hook starts a tool with "
            "`uv run`, `poetry run`, `pdm run` or from `.venv/bin`"
        )
    elif do == "write":
        messages.step("`roost init --undo` takes it back; now `roost sync`")
    else:
        messages.step("nothing was changed yet: `roost init --write`")


def _diff(edit: Edit, name: str) -> Iterator[str]:
    before = (edit.before or "").splitlines(keepends=True)
    after = edit.after.splitlines(keepends=True)
    source = f"a/{name}" if edit.before is not None else "/dev/null"
    for line in difflib.unified_diff(before, after, source, f"b/{name}"):
        yield line.replace("\r\n", "\n") if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _undo(root: str) -> None:
    done = record.undo(root)
    for one in done:
        name = relative(one.path, root)
        if one.restored:
            click.echo(f"restored {messages.printable(name)}")
        else:
            messages.warning(f"`{name}` was edited since, so it stays: `git diff` shows the lines of roost")
    if not all(one.restored for one in done):
        raise SystemExit(RoostError.status)
