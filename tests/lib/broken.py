"""Copies of roost without one of its mechanisms, to show that it is needed."""

import os
from pathlib import Path


def without_build_lock(folder: Path) -> dict[str, str]:
    """Return environment variables with which roost takes the build lock without locking; `folder` is for the patch."""
    broken = folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import roost.system.locks as locks\n"
        "locks.BuildLock.try_take = lambda lock, record: True\n"
        "locks.BuildLock.is_current = lambda lock: True\n"
    )
    return dict(os.environ) | {"PYTHONPATH": str(broken)}
