"""A build backend that tests copy into a source tree: it is slow there, and notes when it runs.

Two independent traces show whether two of it ever ran at once in one tree: a flock that must be free, which the kernel
keeps, and a log of beginnings and ends.
"""

import fcntl
import os
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
LOG = HERE / "builds.log"


def _note(what: str) -> None:
    with LOG.open("a") as file:
        file.write(f"{time.monotonic():.6f} {os.getpid()} {what}\n")


def build_editable(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    """Write the wheel of an editable install, slowly (PEP 660)."""
    del config_settings, metadata_directory
    with (HERE / "tree.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _note("overlap")
            raise
        _note("begin")
        if (HERE / "slow.txt").read_text() == "mend me":
            (HERE / "slow.txt").write_text("0")
            message = "what this was built from changed"
            raise RuntimeError(message)
        begun = time.monotonic()
        while time.monotonic() < begun + float((HERE / "slow.txt").read_text() or "inf"):  # empty while it is written
            time.sleep(0.01)
        _note("end")
    info = "project-1.0.dist-info"
    files = {
        "project_here.pth": f"{HERE}/src\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: project\nVersion: 1.0\nRequires-Dist: apple\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    name = "project-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name


build_wheel = build_editable


def get_requires_for_build_editable(config_settings: object = None) -> list[str]:
    """Return nothing: the tests have no index."""
    del config_settings
    return []


get_requires_for_build_wheel = get_requires_for_build_editable
