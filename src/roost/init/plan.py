"""What `roost init` would change in a project."""

import importlib.metadata
import os
from collections.abc import Iterator
from typing import NamedTuple

from roost import state, tool_places, warm
from roost.errors import RoostError
from roost.init import hook_files, noxfile, tool_settings
from roost.init.commands import Translator
from roost.inputs.files import Inputs
from roost.inputs.project import BEFORE_PYPROJECT, nearest
from roost.inputs.schema import table
from roost.state import Draft
from roost.system import paths

_HOOK_FILES = (
    ".pre-commit-config.yaml",
    ".pre-commit-config.yml",
    "prek.toml",
    "lefthook.yml",
    "lefthook.yaml",
    ".lefthook.yml",
    ".lefthook.yaml",
    "lefthook.toml",
    ".lefthook.toml",
)


class Edit(NamedTuple):
    """The change of one file."""

    path: str
    before: str | None
    """Its text now; None for a new file."""
    after: str


class Plan(NamedTuple):
    """All changes, and notes about them for the user."""

    root: str
    edits: list[Edit]
    notes: list[str]


def make(start: str) -> Plan:
    """Return what `roost init` would change in the project around the folder `start`.

    Raises:
        RoostError: there is no project, or something in it is not valid.
    """
    folder = paths.real(start)
    if nearest(folder) is None and any(os.path.exists(f"{folder}/{name}") for name in BEFORE_PYPROJECT):
        plan = Plan(folder, [], [])
        _plan_hooks(plan, None)
        plan.edits.append(Edit(f"{folder}/pyproject.toml", None, "[tool.roost]\n"))
    else:
        draft = state.draft(folder, warm.Selection())
        plan = Plan(draft.project.root, [], [])
        _plan_settings(plan, draft, _plan_hooks(plan, draft))
    _plan_noxfile(plan)
    return plan


def _plan_hooks(plan: Plan, draft: Draft | None) -> list[str]:
    """Plan the edits of hook files in the project and at the top of its repository. Returns the tools in them."""

    def is_listed(name: str) -> bool:
        return draft is not None and tool_places.find(draft, name) is not None

    root, tools = plan.root, list[str]()
    scripts = table(draft.project.tables, "tool", "pdm", "scripts") if draft else {}
    top = next((folder for folder in paths.upwards(root) if os.path.lexists(f"{folder}/.git")), root)
    for folder in dict.fromkeys((root, top)):
        is_project = os.path.exists(f"{folder}/pyproject.toml") or folder == root
        for path in find_hook_files(folder):
            before = _text(path)
            if before is None:
                continue
            translator = Translator(folder, scripts=scripts, is_project=is_project, is_listed=is_listed)
            after = hook_files.edit(path, before, translator)
            plan.notes.extend(
                f"{paths.relative(path, root)} keeps a hook: {why}" for why in dict.fromkeys(translator.left)
            )
            tools += translator.tools
            if after != before:
                plan.edits.append(Edit(path, before, after))
    if plan.edits:
        plan.notes.append(
            "hooks with `roost-run` need roost on PATH: `uv tool install roost`, or let the framework install it"
        )
    return tools


def find_hook_files(folder: str) -> Iterator[str]:
    """Yield the files in `folder` with the hooks of pre-commit, prek, lefthook and husky."""
    yield from (f"{folder}/{name}" for name in _HOOK_FILES if os.path.isfile(f"{folder}/{name}"))
    husky = f"{folder}/.husky"
    if os.path.isdir(husky):
        names = sorted(os.listdir(husky))
        yield from (f"{husky}/{name}" for name in names if name.isidentifier() or name.replace("-", "").isalpha())


def _plan_settings(plan: Plan, draft: Draft, tools: list[str]) -> None:
    """Plan the edit of `pyproject.toml` that brings the `tools` of the hooks into the environment."""
    wanted = tool_settings.find(draft, tools)
    plan.notes.extend(wanted.notes)
    if not wanted.settings:
        return
    text = _text(draft.project.file) or ""
    new = tool_settings.written(text, wanted.settings)
    if new is None:
        plan.notes.append(f"add these settings to `[tool.roost]` in `{draft.project.file}` by hand")
    else:
        plan.edits.append(Edit(draft.project.file, text, new))


def _plan_noxfile(plan: Plan) -> None:
    path = f"{plan.root}/noxfile.py"
    text = _text(path) if os.path.isfile(path) else None
    if text is None:
        return
    try:
        from_index = _is_from_index()
        new = noxfile.edit(text, in_metadata=from_index)
    except SyntaxError as error:
        plan.notes.append(f"`{path}` stays: {error.msg}, in line {error.lineno}")
        return
    if new != text:
        plan.edits.append(Edit(path, text, new))
        if noxfile.has_metadata(text) and not from_index:
            plan.notes.append(
                f"`{path}` has inline metadata: add roost to its dependencies, with the URL you have it from"
            )
        plan.notes.append("the sessions keep their `session.install` lines, for people who have nox alone")


def _is_from_index() -> bool:
    """Return whether this roost came from an index, so that others can install it by its name (PEP 610)."""
    try:
        return importlib.metadata.distribution("roost").read_text("direct_url.json") is None
    except importlib.metadata.PackageNotFoundError:  # from a source tree on `PYTHONPATH`
        return False


def _text(path: str) -> str | None:
    """Return the text of a file, with its line endings. None where it is not UTF-8, or cannot be read."""
    try:
        return (Inputs().read(path) or b"").decode()
    except (UnicodeDecodeError, RoostError):
        return None
