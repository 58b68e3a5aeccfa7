"""Hooks in the files of pre-commit, prek, lefthook and husky: text edits, without a parser that would lose comments."""

import re
from collections.abc import Callable, Iterator

from roost.init.commands import Translator

_KEY = re.compile(r"(?P<lead>\s*(?:-\s+)?)(?P<key>entry|run):(?P<space>[ \t]+)(?P<value>.*?)(?P<tail>(?:\s+#.*)?\s*)")
_ITEM = re.compile(r"(\s*-\s+)[\w'\"{]")
_LANGUAGE = re.compile(r"(?P<lead>\s*(?:-\s+)?)language:\s+['\"]?(?P<value>\w+)")
_FLOW = re.compile(r"(?<=[{,\s])entry:\s+(?P<quote>[\"']?)(?P<value>.*?)(?P=quote)\s*(?=,\s*\w+:|\}\s*$)")
_FLOW_LANGUAGE = re.compile(r"(?<=[{,\s])language:\s+['\"]?(?P<value>\w+)")
_BLOCK = re.compile(r"[>|][-+\d]*")
_TOML = re.compile(r"(?<![\w-])(?:entry|run)\s*=\s*(?P<quote>[\"'])(?P<value>(?:\\.|(?!(?P=quote)).)*)(?P=quote)")
_TOML_LANGUAGE = re.compile(r"(?<![\w-])language\s*=\s*[\"'](?P<value>\w+)[\"']")
_TOML_TABLE = re.compile(r"\[\[|\{|\}|$")

# Languages of pre-commit that run a command from PATH, or a file of the repository, each with the one for `roost-run`.
_RUNNABLE = {"system": "system", "unsupported": "unsupported", "script": "system", "unsupported_script": "unsupported"}


def edit(name: str, text: str, translator: Translator) -> str:
    """Return `text`, the content of the hook file called `name`, with roost in its commands."""
    if name.endswith(".toml"):
        return _toml(text, translator)
    if name.endswith((".yaml", ".yml")):
        return _yaml(text, translator)
    return _lines(text, translator)


def _lines(text: str, translator: Translator) -> str:
    """Edit a hook of husky: a command in each line."""
    lines = text.splitlines(keepends=True)
    return "".join(line if line.lstrip().startswith("#") else translator.translate(line) for line in lines)


def _yaml(text: str, translator: Translator) -> str:
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if "{" in line and (found := _FLOW.search(line)):
            language = _FLOW_LANGUAGE.search(line)
            if language and language["value"] in _RUNNABLE:
                lines[number] = _with_language(line, found, translator.translate(found["value"]), language)
        elif (key := _KEY.fullmatch(line)) and not line.lstrip().startswith("#"):
            _edit_key(lines, number, key, translator)
    return "".join(lines)


def _with_language(text: str, found: "re.Match[str]", new: str, language: "re.Match[str]") -> str:
    """Return `text` with the command `new` at `found`, and, if that is another one, the language that fits it."""
    changes = [(found, new)]
    if new != found["value"]:
        changes.append((language, _RUNNABLE[language["value"]]))
    for match, words in sorted(changes, key=lambda change: change[0].start(), reverse=True):  # the later one first
        text = _with_value(text, match, words)
    return text


def _with_value(text: str, found: "re.Match[str]", new: str) -> str:
    """Return `text` with `new` as the value of the match `found`."""
    begin, end = found.span("value")
    return f"{text[:begin]}{new}{text[end:]}"


def _edit_key(lines: list[str], number: int, key: "re.Match[str]", translator: Translator) -> None:
    """Edit the command in the line `number`, and in those that continue it."""
    column = len(key["lead"])
    language = next(_languages(lines, number, column), None)
    if key["key"] == "entry" and (language is None or language[1]["value"] not in _RUNNABLE):
        return
    before = list(lines)
    more = range(number + 1, _end(lines, number, lambda line: _indent(line) > column))
    if not _BLOCK.fullmatch(key["value"]):
        quote = key["value"][:1] if key["value"][:1] in ("'", '"') else ""
        begin = f"{key['lead']}{key['key']}:{key['space']}{quote}"
        if more:  # before a comment, if there is one, a value cannot go on
            lines[number] = begin + translator.translate(lines[number][len(begin) :] + _taken(lines, more))
        else:
            lines[number] = begin + translator.translate(key["value"].removeprefix(quote)) + key["tail"]
    elif key["key"] == "entry":  # its lines are one command
        lines[number] += translator.translate(_taken(lines, more))
    else:
        for other in more:
            lines[other] = translator.translate(lines[other])
    if language and lines != before:
        other, found = language
        lines[other] = _with_value(lines[other], found, _RUNNABLE[found["value"]])


def _taken(lines: list[str], numbers: range) -> str:
    """Return the text of the lines `numbers`, which become empty."""
    text = "".join(lines[number] for number in numbers)
    for number in numbers:
        lines[number] = ""
    return text


def _languages(lines: list[str], number: int, column: int) -> Iterator[tuple[int, "re.Match[str]"]]:
    """Yield the lines with the language of the hook whose keys begin at `column`, of which `number` is a line."""

    def begins(line: str) -> bool:
        item = _ITEM.match(line)
        return item is not None and len(item[1]) <= column

    first = next((one for one in range(number, -1, -1) if begins(lines[one])), 0)
    for one in range(first, _end(lines, first, lambda line: not begins(line))):
        found = _LANGUAGE.match(lines[one])
        if found and len(found["lead"]) == column:
            yield one, found


def _end(lines: list[str], number: int, belongs: Callable[[str], bool]) -> int:
    """Return the number of the first line after `number` that does not belong to it; empty lines do."""
    after = (one for one in range(number + 1, len(lines)) if lines[one].strip() and not belongs(lines[one]))
    return next(after, len(lines))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _toml(text: str, translator: Translator) -> str:
    for found in reversed([*_TOML.finditer(text)]):
        begin = max(text.rfind("[[", 0, found.start()), text.rfind("{", 0, found.start()), 0)
        after = _TOML_TABLE.search(text, found.end())
        language = _TOML_LANGUAGE.search(text, begin, after.start() if after else len(text))
        if language and language["value"] in _RUNNABLE:
            text = _with_language(text, found, translator.translate(found["value"]), language)
        elif found[0].startswith("run"):
            text = _with_value(text, found, translator.translate(found["value"]))
    return text
