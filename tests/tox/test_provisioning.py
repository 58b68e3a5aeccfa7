"""A tox without the plugin installs it, as the page on tox describes. It needs this machine's package index."""

import sys
from pathlib import Path

import pytest

from tests.lib.index_fixtures import AROUND
from tests.lib.processes import BASE_PYTHON, UV, run
from tests.lib.projects import Project

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
PREFIX = "python -c 'import sys; print(\"in\", sys.prefix)'"


def test_tox_without_the_plugin_provisions_it(project: Project, tmp_path: Path) -> None:
    built = run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"], cwd=REPOSITORY)
    assert built.returncode == 0, built.stderr
    env = AROUND | {"UV_CACHE_DIR": str(tmp_path / "cache"), "PIP_FIND_LINKS": str(tmp_path / "dist")}
    plain = tmp_path / "plain"
    python = str(plain / "bin/python")
    for words in (["venv", "--python", BASE_PYTHON, str(plain)], ["pip", "install", "--python", python, "tox"]):
        done = run([UV, "--quiet", "--no-config", *words], env=env, cwd=tmp_path)
        if done.returncode:
            pytest.skip(f"tox cannot be installed here: {done.stderr}")
    ini = f"[tox]\nrequires = roost[tox]\nenv_list = one\n[testenv]\nrunner = roost\nskip_install = true\ncommands = {PREFIX}\n"
    project.file("tox.ini", ini)
    got = run([plain / "bin/tox"], cwd=project.root, env=env)
    assert got.returncode == 0, got.stdout + got.stderr
    assert "is missing [requires (has)]: roost[tox]" in got.stdout
    assert f"in {project.venvs()[0]}\n" in got.stdout
    assert (project.root / ".tox/.tox/bin/roost").exists()
