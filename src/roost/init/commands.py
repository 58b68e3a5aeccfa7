"""Commands that start a tool in a project's environment, such as `uv run mypy`, and what replaces them."""

import os
import re
from collections.abc import Callable, Collection

from roost import warm
from roost.inputs.files import text_of

# Where a command begins: at the start, after a separator of the shell, and after `bash -c "`.
_START = re.compile(r"(^|&&|\|\||[;|]|-c\s+[\"'])\s*(?:\w+=[^\s'\"]*\s+)*")
_WORD = re.compile(r"\s*((?:\"[^\"]*\"|'[^']*'|[^\s\"';&|])+)")
_RUNNER = re.compile(r"(uv|poetry|pdm|hatch|pipenv|rye|tox)\s+(?:run|exec)(?=\s)")
_FOLDER = re.compile(r"(?:\./)?\.?v?env/bin/(?=\w)")
_WRAPPER = re.compile(r"(?:[\w./-]+/)?(?:run|with)[-_]in[-_]v?env(?:\.sh)?(?=\s)")
_ROOST = re.compile(r"roost(?:-run|\s+run)(?=\s)")
# A tool without a runner: it comes from whichever virtualenv is active.
_BARE = re.compile(r"(?:python3?\s+-m\s+)?(?P<tool>[A-Za-z][\w.-]*)(?=[\s\"';&|]|$)")
_NEVER = frozenset("roost roost-run uv poetry pdm hatch pipenv rye tox".split())
_INLINE_METADATA = re.compile(r"^# /// script\s*$", re.MULTILINE)

# Options of `uv run`: those that `roost run` also has, and those that roost makes unnecessary.
_WITH_VALUE = ("--project", "--directory", "-p", *warm.OPTIONS)
_UNNECESSARY = frozenset(
    "-q --quiet --locked --no-progress --offline --dev --no-sync --active --exact --inexact".split()
)


class _StaysError(Exception):
    """Why a command stays as it is."""


class Translator:
    """Translates commands, and collects what was found in them."""

    def __init__(
        self,
        folder: str,
        *,
        scripts: Collection[str] = (),
        is_project: bool = True,
        is_listed: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Translate commands that run in `folder`.

        `scripts` are the names that only `pdm run` knows. If `folder` has no project (`is_project`), a command has to
        name one. `is_listed` returns whether the project lists a package of that name.
        """
        self.folder = folder
        self.scripts = scripts
        self.is_project = is_project
        self.is_listed = is_listed
        self.tools: list[str] = []
        """The commands that roost starts, also those that it started before."""
        self.left: list[str] = []
        """Why commands stay as they are."""

    def translate(self, text: str) -> str:
        """Replace each command in `text` that starts a tool in the project's environment by one that uses roost."""
        new, done = "", 0
        for start in _START.finditer(text):
            if start.end() < done:
                continue
            try:
                replaced = self._replaced(text, start.end())
            except _StaysError as error:
                self.left.append(str(error))
                continue
            if replaced:
                end, words = replaced
                new, done = f"{new}{text[done : start.end()]}{words}", end
                self.tools += _tools(f"{words}{text[end:]}")
            elif _ROOST.match(text, start.end()):
                self.tools += _tools(text[start.end() :])
        return new + text[done:]

    def _replaced(self, text: str, begin: int) -> tuple[int, str] | None:
        """Return the end of what is replaced in the command at `begin`, and its new words; None for other commands."""
        options: list[str] = []
        runner = _RUNNER.match(text, begin)
        program = runner[1] if runner else ""
        started = runner or _FOLDER.match(text, begin) or _WRAPPER.match(text, begin)
        if started is None:
            bare = _BARE.match(text, begin)
            known = bare and self.is_project and bare["tool"] not in _NEVER and self.is_listed(bare["tool"])
            return (begin, "roost-run ") if known else None
        end = started.end()
        if runner and program not in ("uv", "poetry", "pdm"):
            raise _StaysError(f"`{runner[0]}` has environments of its own")
        if program == "uv":
            end, options = _options(text, end)
        word = _WORD.match(text, end)
        if word is None or not (self.is_project or {"--project", "--directory"} & set(options)):
            return None
        if program == "pdm" and word[1] in self.scripts:
            raise _StaysError(f"`pdm run {word[1]}` is a script in `[tool.pdm.scripts]`")
        prefix = f"roost run {' '.join(options)} " if options else "roost-run "
        if (program == "uv" and word[1] == "-m") or (program in ("uv", "pdm") and _is_script(word[1], self.folder)):
            prefix += "python "
        return word.start(1), prefix


def _options(text: str, end: int) -> tuple[int, list[str]]:
    """Return where the options of `uv run` end, and those for `roost run`."""
    options: list[str] = []
    while (word := _WORD.match(text, end)) and word[1].startswith("-") and word[1] != "-m":
        name, equals, _ = word[1].partition("=")
        end = word.end()
        if name == "--":
            break
        if name in _WITH_VALUE and (equals or (value := _WORD.match(text, end))):
            shown = word[1].replace("-p", "--python") if name == "-p" else word[1]
            options.append(shown)
            if not equals and value:
                options.append(value[1])
                end = value.end()
        elif name in warm.SWITCHES:
            options.append(word[1])
        elif name not in _UNNECESSARY:
            raise _StaysError(f"`uv run {word[1]}` has no equivalent in roost")
    return end, options


def _is_script(word: str, folder: str) -> bool:
    """Return whether uv and PDM run `word` by Python.

    Raises:
        _StaysError: they run it in an environment of its own.
    """
    if not word.endswith(".py"):
        return False
    if _INLINE_METADATA.search(text_of(os.path.join(folder, word))):
        raise _StaysError(f"`{word}` lists its own dependencies, and runs in an environment of its own")
    return True


def _tools(command: str) -> list[str]:
    """Return the tool that `command` starts, which begins with `roost-run` or `roost run`; an empty list for Python."""
    words = [word.strip("\"'") for word in _WORD.findall(command)]
    words = words[1:] if words[0] == "roost-run" else words[2:]
    while len(words) > 1 and words[0].startswith("-"):
        name, equals, _ = words[0].partition("=")
        if name in warm.OPTIONS and name != "--python":  # the command names what it needs
            return []
        words = words[2:] if name in _WITH_VALUE and not equals else words[1:]
    if words and words[0].startswith("python"):
        words = words[2:] if words[1:2] == ["-m"] else []
    return [word for word in words[:1] if "." not in word]  # `-m scripts.check` is the project's own module
