"""The project that a soak runs in, and the programs that it runs there."""

import json
import shutil
from pathlib import Path

from tests.lib.nox_sessions import HEAD
from tests.lib.projects import SlowProject

BRIEF, LONG = "0.15", "1.5"
"""Seconds that a build backend takes."""
# What the sessions of each state must consist of, besides the project itself.
STATES = {
    "red": {"apple": "1.0", "banana": "1.0"},
    "green": {"apple": "2.0", "banana": "1.0"},
    "blue": {"apple": "2.0", "banana": "1.0", "cherry": "1.0"},
}
INPUTS = ("pyproject.toml", "uv.lock")
NOXFILE = """
@nox.session
def probe(session):
    session.run("python", *session.posargs)

@nox.session
def own(session):
    # While it is written, `pyproject.toml` may be empty, and does not name the wheels.
    session.install("cherry", env={"UV_NO_INDEX": "1", "UV_FIND_LINKS": WHEELS})
    session.run("python", *session.posargs)
"""
# Installs into the venv that it runs in, as somebody would by hand in a session.
INSTALL = """
import os, sys
print(sys.prefix, flush=True)
os.execv(sys.argv[1], [*sys.argv[1:4], "--python", sys.executable, *sys.argv[4:]])
"""
# Is `roost clean` when all venvs look old, also those that somebody started in just now; tries again for a while.
CLEAN = """
import contextlib, glob, os, sys, time
from roost.cli import main
import roost.cli.commands
then, end = time.time() - 7200, time.monotonic() + 2
while True:
    for path in glob.glob(".roost/.venv/.v2/envs/*/venv-*.lease") + glob.glob(".roost/.venv/.v2/envs/*"):
        with contextlib.suppress(OSError):
            os.utime(path, (then, then))
    status = main()
    if not status or time.monotonic() > end:
        sys.exit(status)
    time.sleep(0.02)
"""


def prepare(project: SlowProject) -> None:
    """Make `project` one to soak, with three states, and a folder next to it for what is noted down."""
    base = base_of(project.root)
    for name in ("acts", "probes"):
        (base / name).mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "soak_probe.py", base)
    (base / "install.py").write_text(INSTALL)
    (base / "clean.py").write_text(CLEAN)
    (base / "wheels").write_text(str(project.wheels))
    project.file("noxfile.py", f"{HEAD}\nWHEELS = {str(project.wheels)!r}\n{NOXFILE}")
    project.file("slow.txt", BRIEF)
    for state, packages in STATES.items():
        wanted = [f"{name}=={version}" for name, version in packages.items() if name != "banana"]
        settings = f"keep = 1\ncompile-bytecode = {json.dumps(state == 'blue')}"
        project.write(dependencies=wanted, groups={"dev": ["banana"]}, extra=SlowProject.TABLES, roost=settings)
        project.lock()
        (base / "states" / state).mkdir(parents=True)
        for name in INPUTS:
            shutil.copy(project.root / name, base / "states" / state)
    (base / "state").write_text("blue")


def base_of(root: Path) -> Path:
    """Return the folder next to the project for what is noted down."""
    return root.parent / "soak"
