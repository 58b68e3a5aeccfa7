"""The tools: roost from this checkout and the others from the index, in virtualenvs of their own."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.bench import Bench

REPOSITORY = Path(__file__).resolve().parent.parent
PEERS = ("uv", "nox", "tox", "tox-uv", "hatch", "pre-commit", "prek")
PLUGINS = ("tox-uv",)  # they bring no command of their own
RUNNERS = ("nox", "tox", "hatch")  # they get another virtualenv, with roost in it


def find_uv() -> Path:
    """Return the path of uv: the one installed next to this Python, else the one on PATH.

    Raises:
        SystemExit: there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = beside if beside.exists() else shutil.which("uv")
    if found is None:
        sys.exit("`uv` is neither next to this Python nor on PATH: `pip install uv`")
    return Path(found)


def install(bench: Bench) -> dict[str, str]:
    """Install everything; return the versions by name.

    roost is a wheel of this checkout, with its bytecode compiled, in a virtualenv of its own, as users have it: the
    `.pth` file of an editable install would cost each start something. The runners with roost get another one, as
    `nox-roost`, `tox-roost` and `hatch-roost`: what a plugin costs its runner is part of the measurement.

    Raises:
        SystemExit: roost cannot be installed.
    """
    uv = find_uv()
    bench.do(uv, "build", "--quiet", "--wheel", "--out-dir", bench.work / "dist", REPOSITORY)
    (wheel,) = (bench.work / "dist").glob("*.whl")
    own, peers, runners = (bench.work / name for name in ("roost", "peers", "runners"))
    for venv in (own, peers, runners):
        bench.do(uv, "venv", "--quiet", "--no-project", "--python", sys.executable, venv)
    for venv in (own, runners):
        bench.do(*into(uv, venv), wheel)
    install_peers(bench, uv, peers)
    for name in RUNNERS:
        if bench.has(name) and not tried(bench, [*into(uv, runners), f"{wheel}[{name}]"]):
            bench.add(f"{name}-roost", runners / "bin" / name)
    for name in ("roost", "roost-run"):
        bench.add(name, own / "bin" / name)
    listed = json.loads(bench.do(uv, "pip", "list", "--quiet", "--format", "json", "--python", peers / "bin/python"))
    versions = {item["name"]: item["version"] for item in listed} | {"roost": wheel.name.split("-")[1]}
    return {name: versions[name] for name in ("roost", *PEERS) if name in versions and name not in bench.absent}


def into(uv: Path, venv: Path) -> list[str | Path]:
    """Return the command that installs into `venv`."""
    return [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", venv / "bin/python"]


def install_peers(bench: Bench, uv: Path, venv: Path) -> None:
    """Install the other tools, together if possible, so that their requirements are met together."""
    if tried(bench, [*into(uv, venv), *PEERS]):
        for peer in PEERS:
            if said := tried(bench, [*into(uv, venv), peer]):
                bench.absent[peer] = said
    for peer in PEERS:
        if peer in PLUGINS:
            if peer not in bench.absent:
                bench.add(peer, venv)
        elif (venv / "bin" / peer).exists():
            bench.add(peer, venv / "bin" / peer)
        else:
            bench.absent.setdefault(peer, "its command is missing")
    if not bench.has("uv"):
        bench.add("uv", uv)


def tried(bench: Bench, command: list[str | Path]) -> str:
    """Run a command that may fail. Returns the end of its error output, or an empty string."""
    done = subprocess.run(command, env=bench.env, capture_output=True, text=True, check=False)
    said = " ".join(done.stderr.split()) or f"status {done.returncode}"
    return said[-300:] if done.returncode else ""


def machine() -> str:
    """Return what this machine is, without its name."""
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    load = f"{os.getloadavg()[0]:.1f}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores, {system}, {platform.machine()}, {python}; load average before the start {load}"
