"""The test bed, or the reason why it is not there."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.processes import PATIENCE, wait_for
from tests.lib.windows import REQUIRED, WindowsProject, native, python
from tools import wine


@pytest.fixture(scope="session", autouse=True)
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Skip where there is no test bed; fail where there has to be one. Keep Wine's own processes running.

    Wine starts them with its first process and ends them some time after its last one. They inherit the streams of the
    first process, so a test that reads from it would wait for them.
    """
    if reason := wine.missing():
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    up = tmp_path_factory.mktemp("wine") / "up"
    code = "import sys; open(sys.argv[1], 'w').close(); sys.stdin.read()"
    keeper = subprocess.Popen(
        python("-c", code, native(up)),
        env=wine.variables(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(up.exists, "Wine")
    yield
    keeper.communicate(timeout=PATIENCE)


@pytest.fixture
def there(tmp_path: Path, wheels: Path, session_folder: Path) -> WindowsProject:
    """Provide a locked project that depends on `apple`, with `banana` in its group `dev`."""
    made = WindowsProject(tmp_path / "work" / "project", wheels)
    made.write(dependencies=["apple"], groups={"dev": ["banana"]})
    lock_file = session_folder / "windows.lock"
    if not lock_file.exists():
        made.lock()
        shutil.copyfile(made.root / "uv.lock", lock_file)
    shutil.copyfile(lock_file, made.root / "uv.lock")
    return made
