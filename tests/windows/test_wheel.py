"""The wheel on Windows, installed by the uv of Windows: `roost.exe`, `roost-run`, and hooks that call them."""

import os
import sys
from pathlib import Path

import pytest

from tests.lib.paths import REPOSITORY
from tests.lib.processes import run
from tests.lib.windows import WindowsProject, lines, variables
from tools import wine

pytestmark = pytest.mark.slow
_CODE = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"


def test_one_wheel_brings_roost_exe_and_roost_run(there: WindowsProject, tmp_path: Path) -> None:
    dist, venv = tmp_path / "dist", tmp_path / "venv"
    dist.mkdir()
    name = run([sys.executable, "-c", _CODE, dist], cwd=REPOSITORY, check=True).stdout.split()[-1]
    assert name.endswith("-py3-none-any.whl")
    env = variables()
    del env["PYTHONPATH"]

    def there_uv(*words: str | Path) -> None:
        got = run([wine.WINE, wine.UV_EXE, *words], cwd=tmp_path, env=env)
        assert got.returncode == 0, got.stderr

    there_uv("venv", "venv")
    offline = ["--no-index", "--find-links", wine.windows(wine.WHEELS)]
    there_uv("pip", "install", "--python", "venv", *offline, f"dist/{name}")
    commands = sorted(path.name.lower() for path in venv.glob("Scripts/*") if path.name.startswith("roost"))
    assert commands == ["roost-run", "roost-run.cmd", "roost.exe"]
    os.link(wine.UV_EXE.parent / "bcryptprimitives.dll", venv / "Scripts/bcryptprimitives.dll")
    roost = run([wine.WINE, venv / "Scripts/roost.exe", "run", "apple"], cwd=there.root, env=env)
    assert lines(roost) == ["apple 2.0"], roost.stderr
    script = wine.windows(venv / "Scripts/roost-run.cmd")
    got = run([wine.WINE, "cmd", "/c", script, "python", "-c", "import sys; sys.exit(3)"], cwd=there.root, env=env)
    assert (got.returncode, got.stderr) == (3, "")
