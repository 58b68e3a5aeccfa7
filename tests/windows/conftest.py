"""The test bed, or the reason why it is not there."""

import shutil
from pathlib import Path

import pytest

from tests.lib.windows import REQUIRED, WindowsProject
from tools import wine


@pytest.fixture(scope="session", autouse=True)
def bed() -> None:
    """Skip where there is no test bed; fail where there has to be one."""
    if reason := wine.missing():
        (pytest.fail if REQUIRED else pytest.skip)(reason)


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
