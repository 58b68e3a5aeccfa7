"""Hooks and `roost init` on Windows. There is no `git.exe` here: a stand-in answers what roost asks."""

import os
import textwrap
from pathlib import Path

import pytest

from tests.lib.processes import run
from tests.lib.wheels import make_wheel
from tests.lib.windows import WindowsProject, lines, native, python, variables
from tools import wine

pytestmark = pytest.mark.slow

GIT = textwrap.dedent("""\
    import os, sys
    def main():
        sys.stdout.reconfigure(newline="\\n")  # as git does
        top, words = os.getcwd().replace(os.sep, "/"), sys.argv[1:]
        while not os.path.exists(f"{top}/.git"):
            top = os.path.dirname(top)
        if "--show-toplevel" in words:
            print(top)
        elif "--git-path" in words:
            print(f"{top}/.git/hooks")
        elif "--absolute-git-dir" in words:
            print(f"{top}/.git")
        elif "ls-files" not in words:
            sys.exit(1)  # `git config --get`: not set
    """)


@pytest.fixture
def repository(there: WindowsProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WindowsProject:
    """Provide a project in a repository, with `git.exe` on PATH."""
    wheels, tools = tmp_path / "more", tmp_path / "with tools"
    wheels.mkdir()
    make_wheel(wheels, "git", "1.0", files={"git/late.py": GIT})
    offline = ["--no-index", "--find-links", native(wheels), "git"]
    for words in (["venv", tools.name], ["pip", "install", "--python", tools.name, *offline]):
        got = run([wine.WINE, wine.UV_EXE, *words], cwd=tmp_path, env=variables())
        assert got.returncode == 0, got.stderr
    monkeypatch.setenv("WINE_TOOLS", f"{native(tools)}\\Scripts")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        run(["git", *words], cwd=there.root, check=True)
    return there


def path() -> dict[str, str]:
    """Return the variable with which Windows finds `git`."""
    return {"WINEPATH": f"{variables()['WINEPATH']};{os.environ['WINE_TOOLS']}"}


def test_hook_that_is_written_there_runs_in_a_shell(
    repository: WindowsProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In dash here, as in the sh of Git for Windows; a checkout with another lock file then syncs."""
    got = repository.roost("hook", "install", env=path())
    assert got.returncode == 0, got.stderr
    hook = repository.root / ".git/hooks/post-checkout"
    text = hook.read_bytes()
    assert b"\r" not in text
    (line,) = [line for line in text.decode().splitlines() if line.startswith("roost=")]
    assert "\\" not in line
    assert line.removesuffix("'").endswith("/Scripts/roost.exe")
    hook.chmod(0o755)
    command = tmp_path / "programs/roost"  # it is found on PATH, since sh has no drive `Z:` here
    command.parent.mkdir()
    words = " ".join(f"'{word}'" for word in python("-m", "roost"))
    command.write_text(f'#!/bin/sh\n{words} "$@" </dev/null 2>&1 | cat >>"{tmp_path}/said"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    run(["git", "switch", "-qc", "other"], cwd=repository.root, env=variables(**path()), check=True)
    assert len(repository.venvs()) == 1, (tmp_path / "said").read_text()
    got = repository.roost("hook", "uninstall", env=path())
    assert lines(got)[0].startswith("removed ")
    assert not hook.exists()


HOOKS = """\
repos:
  - repo: local
    hooks:
      - id: mypy  # a comment
        name: mypy
        entry: uv run mypy src
        language: system
"""
NOXFILE = '"""Sessions."""\n\nimport nox\n\n\n@nox.session\ndef tests(session):\n    session.run("apple")\n'


def test_init_keeps_the_line_ends_and_takes_its_changes_back(there: WindowsProject) -> None:
    files = {}
    for name, text in ((".pre-commit-config.yaml", HOOKS), ("noxfile.py", NOXFILE)):
        files[name] = text.replace("\n", "\r\n").encode()
        (there.root / name).write_bytes(files[name])
    shown = there.roost("init")
    assert (shown.returncode, "+        entry: roost-run mypy src" in shown.stdout) == (0, True), shown.stderr
    written = there.roost("init", "--write")
    assert written.returncode == 0, written.stderr
    for name, before in files.items():
        now = (there.root / name).read_bytes()
        assert now != before
        assert b"roost" in now
        assert now.count(b"\r\n") == now.count(b"\n")
    assert there.roost("init", "--undo").returncode == 0
    assert {name: (there.root / name).read_bytes() for name in files} == files
