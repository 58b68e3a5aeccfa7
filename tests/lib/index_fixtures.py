"""Poetry and PDM for the tests: installed once a session, with uv, from the index that this machine is set up for."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.lib import processes
from tests.lib.package_index import Index, index

AROUND = dict(os.environ)
"""The variables before a test gets others: they may say where this machine's index is."""
# Known to work together; PDM 2.29 lets hishel 2 in, and then fails.
_WANTED = {"poetry": ["poetry==2.5.1"], "poetry1": ["poetry==1.8.5"], "pdm": ["pdm==2.29.4", "hishel==1.4.0"]}

AddTool = Callable[[str], None]


@pytest.fixture(scope="session")
def shared_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder that all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if hasattr(request.config, "workerinput") else own) / "peers"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def add_tool(shared_folder: Path, monkeypatch: pytest.MonkeyPatch) -> AddTool:
    """Provide what puts a tool on PATH, alone; it skips the test where the tool cannot be had."""

    def add(name: str) -> None:
        with FileLock(shared_folder / f"{name}.lock"):  # the first worker installs, the others wait
            if not (shared_folder / f"{name}.log").exists():
                (shared_folder / f"{name}.log").write_text(_install(name, shared_folder))
        said = (shared_folder / f"{name}.log").read_text()
        if said:
            pytest.skip(f"{name} cannot be installed here: {said.splitlines()[-1]}")
        monkeypatch.setenv("PATH", f"{shared_folder}/{name}-bin:{os.environ['PATH']}")

    return add


def _install(name: str, folder: Path) -> str:
    """Install a tool; return why that failed, or nothing."""
    env = AROUND | {"UV_CACHE_DIR": f"{folder}/cache", "UV_PYTHON_DOWNLOADS": "never"}
    python = f"{folder}/{name}/bin/python"
    for words in (
        ["venv", "--no-project", "--python", processes.BASE_PYTHON, folder / name],
        ["pip", "install", "--python", python, *_WANTED[name]],
    ):
        done = processes.run([processes.UV, "--quiet", *words], env=env, cwd=folder)
        if done.returncode:
            return done.stderr.strip() or f"uv ended with status {done.returncode}"
    (folder / f"{name}-bin").mkdir()
    program = name.rstrip("1")
    (folder / f"{name}-bin" / program).symlink_to(folder / name / "bin" / program)
    return ""


@pytest.fixture(scope="session")
def open_index(wheels: Path) -> Iterator[Index]:
    """Provide an index with the wheels of the tests, for tools that can't do without one."""
    with index(wheels) as server:
        yield server
