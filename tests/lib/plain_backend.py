"""A build backend that tests copy into the folder of a small project: it goes by the `pyproject.toml` there.

A dynamic version is the `__version__` of the module, dynamic dependencies are the lines of `deps.txt`, and what the
backend sees of `BUILT_WITH` in its environment becomes `built.txt` in the package's metadata. Each build is noted in
`builds.log`, outside of the inputs.
"""

import base64
import hashlib
import os
import re
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def _requires(project: dict[str, Any]) -> str:
    listed = project.get("dependencies") or (HERE / "deps.txt").read_text().split()
    lines = [f"Requires-Dist: {item}\n" for item in listed]
    for extra, items in project.get("optional-dependencies", {}).items():
        lines += [f"Provides-Extra: {extra}\n", *(f'Requires-Dist: {item}; extra == "{extra}"\n' for item in items)]
    return "".join(lines)


def build_editable(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    """Write the wheel of an editable install (PEP 660) of `src/NAME.py`."""
    del config_settings, metadata_directory
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    name = project["name"].replace("-", "_")
    found = re.search(r"__version__ = '(.+)'", (HERE / f"src/{name}.py").read_text())
    version = project.get("version") or (found[1] if found else "0")
    (HERE / "builds.log").open("a").write(f"{sys.version_info.minor}\n")
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}_here.pth": f"{HERE}/src\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{_requires(project)}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/built.txt": os.environ.get("BUILT_WITH", ""),
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text.encode())}\n")
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"])
    wheel = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


build_wheel = build_editable


def get_requires_for_build_editable(config_settings: object = None) -> list[str]:
    """Return nothing: the tests have no index."""
    del config_settings
    return []


get_requires_for_build_wheel = get_requires_for_build_editable
