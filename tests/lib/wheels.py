"""Tiny wheels, made by the tests."""

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    build: str = "",
    files: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
) -> Path:
    """Write a tiny pure-Python wheel with a package `name` whose `VERSION` says which it is, and a command `name`."""
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}/__init__.py": f"VERSION = {version + build!r}\nfrom {name} import late as _late\ndel _late\n",
        f"{name}/late.py": f"VERSION = {version + build!r}\ndef main():\n    print({name!r}, VERSION)\n",
        f"{name}/later.py": f"VERSION = {version + build!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {item}\n" for item in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        + (f"Build: {build}\n" if build else ""),
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}.late:main\n",
    } | dict(files or {})
    lines = []
    tag = f"-{build}" if build else ""
    path = folder / f"{name}-{version}{tag}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{member},sha256={digest},{len(text.encode())}")
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return path
