"""The noxfile: lines that make roost the default backend, also for people who have nox alone."""

import ast
import re
import sys
from collections.abc import Sequence

_SCRIPT = re.compile(r"^# /// script\s*$(?P<body>(?:\n#.*$)*?)\n# ///\s*$", re.MULTILINE)
_DEPENDENCIES = re.compile(r"^# dependencies\s*=\s*\[(?P<rest>.*)$", re.MULTILINE)
_BACKEND = "default_venv_backend"
_LINES = """\
try:
    import roost.nox
except ModuleNotFoundError:
    logging.getLogger("nox").warning("roost is missing: using nox's own venvs")
else:
    nox.options.default_venv_backend = roost.nox.BACKEND
"""


def edit(text: str, *, in_metadata: bool = True) -> str:
    """Return the noxfile `text` with roost's backend. Without roost, nox uses the backend that it uses now.

    With `in_metadata`, roost is also added to the dependencies in inline metadata, if there are any.

    Raises:
        SyntaxError: it is not Python.
    """
    tree = ast.parse(text)
    if any(name.partition(".")[0] == "roost" for node in ast.walk(tree) for name in _imported(node)):
        return text
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    imports = [node for node in imports if _imported(node) != ["__future__"]]  # nothing goes before that one
    if not imports:
        return text
    last = _last([node for node in tree.body if node in imports or _sets_backend(node)])
    modules = {name for node in imports if isinstance(node, ast.Import) for name in _imported(node)}
    missing = [name for name in ("nox", "logging") if name not in modules]
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if not lines[last - 1].endswith("\n"):
        lines[last - 1] += ending
    block = [f"{line}{ending}" for line in _LINES.splitlines()]
    after = [] if last < len(lines) and not lines[last].strip() else [ending]
    lines[last:last] = [ending, *block, *after]
    for name in missing:
        _add_import(lines, imports, name, ending)
    new = "".join(lines)
    return _with_dependency(new) if in_metadata else new


def has_metadata(text: str) -> bool:
    """Return whether nox runs the noxfile `text` in an environment that its inline metadata describes (PEP 723)."""
    return bool(_SCRIPT.search(text))


def _add_import(lines: list[str], imports: Sequence[ast.stmt], name: str, ending: str) -> None:
    """Add `import NAME` where linters expect it: sorted, and the standard library first."""
    plain = [node for node in imports if isinstance(node, ast.Import)]
    standard = [node for node in plain if node.names[0].name in sys.stdlib_module_names]
    alike = standard if name in sys.stdlib_module_names else plain
    after = next((node for node in alike if node.names[0].name > name), None)
    if after or alike:
        lines.insert(after.lineno - 1 if after else _last(alike), f"import {name}{ending}")
    else:
        first = next(iter(_imported(imports[0])), "").partition(".")[0]
        gap = [] if (first in sys.stdlib_module_names) == (name in sys.stdlib_module_names) else [ending]
        lines[imports[0].lineno - 1 : imports[0].lineno - 1] = [f"import {name}{ending}", *gap]


def _imported(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports, as in the source."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.asname is None]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def _sets_backend(node: ast.stmt) -> bool:
    """Return whether a statement, or one in it, sets `nox.options.default_venv_backend`."""
    targets = [target for one in ast.walk(node) if isinstance(one, ast.Assign) for target in one.targets]
    return any(isinstance(target, ast.Attribute) and target.attr == _BACKEND for target in targets)


def _last(nodes: Sequence[ast.stmt]) -> int:
    """Return the number of the last line of `nodes`."""
    return max(node.end_lineno or node.lineno for node in nodes)


def _with_dependency(text: str) -> str:
    """Return `text` with roost among the dependencies in its inline metadata, if it has any (PEP 723)."""
    script = _SCRIPT.search(text)
    found = _DEPENDENCIES.search(text, script.start(), script.end()) if script else None
    if found is None:
        return text
    more = '\n#   "roost",' if not found["rest"].strip() else '"roost", '
    at = found.start("rest")
    return f"{text[:at]}{more}{text[at:]}"
