"""Projects on Windows: roost and others run under Wine (`tools/wine.py`), with the source tree of this repository."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from tests.lib.paths import REPOSITORY
from tests.lib.processes import run, start
from tests.lib.projects import Project
from tools import wine

REQUIRED = bool(os.environ.get("ROOST_WINE"))
"""Whether a missing test bed is a failure, as in `.ci/run`."""


def python(*words: "str | Path") -> list[str]:
    """Return the command that runs Python for Windows with `words`."""
    return [str(wine.WINE), str(wine.PYTHON_EXE), *map(str, words)]


def variables(**more: str) -> dict[str, str]:
    """Return the environment variables of a process there."""
    source = wine.windows(REPOSITORY / "src")
    cache = wine.windows(os.environ["UV_CACHE_DIR"]) + "-windows"
    return wine.variables(os.environ) | {"PYTHONPATH": source, "UV_CACHE_DIR": cache, "UV_OFFLINE": "1"} | more


@contextlib.contextmanager
def _into(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Provide a pipe whose content goes to `file`, and that nothing waits for.

    Wine may never begin a process whose parent is killed at that moment, and such a process holds its streams open.
    Python under Wine does not start with a file as a stream.
    """
    cat = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=file)
    assert cat.stdin
    try:
        yield cat.stdin
    finally:
        cat.stdin.close()
        try:
            cat.wait(2)
        except subprocess.TimeoutExpired:
            cat.kill()
            cat.wait()


class WindowsProject(Project):
    """A project whose roost runs on Windows. What only reads its files is inherited."""

    def roost(self, *words: "str | Path", **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run `roost WORDS` in the project."""
        return self.windows("-m", "roost", *words, **options)

    def start(self, *words: "str | Path", **options: Any) -> "subprocess.Popen[str]":
        """Start `roost WORDS` in the project, and do not wait."""
        return start(python("-m", "roost", *words), cwd=self.root, env=variables(**options.pop("env", {})), **options)

    def windows(self, *words: "str | Path", **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run Python for Windows in the project."""
        env = variables(**options.pop("env", {}))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with _into(out) as stdout, _into(err) as stderr:
                done = run(python(*words), cwd=self.root, env=env, stdout=stdout, stderr=stderr, **options)
            for name, file in (("stdout", out), ("stderr", err)):
                file.seek(0)
                text = file.read().decode(errors="replace")  # what is no result is in the code page of Windows
                setattr(done, name, text.replace("\r\n", "\n"))
        return done

    def lock(self) -> None:
        """Make `uv.lock` fit `pyproject.toml`, by the uv of Windows: its paths are other ones."""
        run([wine.WINE, wine.UV_EXE, "lock", "--quiet"], cwd=self.root, env=variables(), check=True)

    def script(self, text: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the Python script `text` there."""
        return self.windows(self.file("script.py", text).name, *words)

    def complete(self) -> list[Path]:
        """Return the venvs that a marker names."""
        markers = (json.loads(path.read_text()) for path in self.store.glob(".venv/.v2/envs/*/complete"))
        return sorted(Path(marker["venv"].removeprefix("Z:")) for marker in markers if not marker["session"])


def lines(got: "subprocess.CompletedProcess[str]") -> Sequence[str]:
    """Return the lines of a result; Windows ends each with two characters."""
    return got.stdout.splitlines()


def native(path: str | Path) -> str:
    """Return `path` as a program there prints it."""
    return wine.windows(path)
