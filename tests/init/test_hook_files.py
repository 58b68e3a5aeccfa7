"""Hook files as `roost init` edits them: commands change, comments and layout stay."""

import difflib

import pytest

from roost.init import hook_files
from roost.init.commands import Translator

PRE_COMMIT = """\
# See https://pre-commit.com
repos:
-   repo: local
    hooks:
    -   id: plain
        name: plain
        entry: uv run ruff check --fix   # uv run in a comment
        args:
        -   --exit-non-zero-on-fix
        language: unsupported

    -   language: system
        id: quoted
        entry: "uv run mypy src"
    -   id: folded
        entry: >-
            uv run
            pytest -q
        language: system
    -   id: shell
        entry: bash -c 'cd docs &&
            uv run make'
        language: system
    -   id: wrapper
        language: script
        entry: script/run-in-env.sh pylint
    - {id: flow, entry: .venv/bin/mypy src, language: script, types: [python]}
    # entry: uv run commented
    -   id: managed
        entry: uv run mypy
        language: python
    -   id: unknown
        entry: uv run mypy
"""
CHANGES = """\
-        entry: uv run ruff check --fix   # uv run in a comment
+        entry: roost-run ruff check --fix   # uv run in a comment
-        entry: "uv run mypy src"
+        entry: "roost-run mypy src"
-            uv run
-            pytest -q
+            roost-run pytest -q
-            uv run make'
+            roost-run make'
-        language: script
-        entry: script/run-in-env.sh pylint
-    - {id: flow, entry: .venv/bin/mypy src, language: script, types: [python]}
+        language: system
+        entry: roost-run pylint
+    - {id: flow, entry: roost-run mypy src, language: system, types: [python]}
"""


def edited(name: str, text: str) -> str:
    """Return the changed lines of a hook file, after a check that a second edit changes nothing."""
    new = hook_files.edit(name, text, Translator("/nowhere"))
    assert hook_files.edit(name, new, Translator("/nowhere")) == new
    lines = difflib.unified_diff(text.splitlines(keepends=True), new.splitlines(keepends=True), n=0)
    return "".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_pre_commit(ending: str) -> None:
    text, changes = (one.replace("\n", ending) for one in (PRE_COMMIT, CHANGES))
    assert edited(".pre-commit-config.yaml", text) == changes


def test_prek_in_toml() -> None:
    text = (
        '[[repos]]\nrepo = "local"\nhooks = [\n'
        '  { id = "a", language = "script", entry = "script/run-in-env.sh mypy" }, # entry\n'
        '  { id = "b", language = "python", entry = "uv run mypy" },\n]\n'
        "[[repos]]\nrepo = 'local'\n[[repos.hooks]]\nid = 'c'\nentry = 'uv run mypy'\nlanguage = 'system'\n"
    )
    assert edited("prek.toml", text) == (
        '-  { id = "a", language = "script", entry = "script/run-in-env.sh mypy" }, # entry\n'
        '+  { id = "a", language = "system", entry = "roost-run mypy" }, # entry\n'
        "-entry = 'uv run mypy'\n+entry = 'roost-run mypy'\n"
    )


def test_lefthook() -> None:
    text = "pre-commit:\n  commands:\n    a:\n      run: uv run mypy {staged_files} # b\n    b:\n      run: |\n        cd x\n        uv run ruff\n"
    assert edited("lefthook.yml", text) == (
        "-      run: uv run mypy {staged_files} # b\n+      run: roost-run mypy {staged_files} # b\n"
        "-        uv run ruff\n+        roost-run ruff\n"
    )
    assert edited("lefthook.toml", "[a.b]\nrun = 'uv run mypy'\n") == "-run = 'uv run mypy'\n+run = 'roost-run mypy'\n"


def test_husky() -> None:
    assert edited("pre-commit", "# uv run x\nuv run mypy\nnpx x\n") == "-uv run mypy\n+roost-run mypy\n"
