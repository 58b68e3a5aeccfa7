"""Whether a venv is whole, found out without any of roost's code: each file that a RECORD names is there, unchanged."""

import base64
import csv
import hashlib
import json
import os
from pathlib import Path


def faults(venv: Path, distributions: "set[str] | None" = None) -> list[str]:
    """Return what is wrong with `venv`; `distributions` are the names, such as `apple-1.0`, that it must consist of."""
    found = [] if (venv / "bin/python").exists() and (venv / "pyvenv.cfg").exists() else [f"{venv} has no Python"]
    infos = sorted(venv.glob("lib/python*/site-packages/*.dist-info"))
    names = {info.name.removesuffix(".dist-info") for info in infos}
    if distributions is not None and names != distributions:
        found.append(f"{venv} has {sorted(names)}, not {sorted(distributions)}")
    for info in infos:
        if not (info / "RECORD").exists():
            found.append(f"{info} has no RECORD")
            continue
        with (info / "RECORD").open(newline="") as file:
            for path, digest, _ in csv.reader(file):
                found += _fault(info.parent / path, digest)
    return found


def _fault(path: Path, digest: str) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        return [f"{path}: {error.strerror}"]
    kind, _, expected = digest.partition("=")
    if not kind:
        return []
    got = base64.urlsafe_b64encode(hashlib.new(kind, content).digest()).rstrip(b"=").decode()
    return [] if got == expected else [f"{path} is not what its RECORD says"]


def of_markers(store: Path) -> list[str]:
    """Return what is wrong with the venvs that the markers in `store` name, and with their leases."""
    found = []
    for path in store.glob(".venv/.v2/envs/*/complete"):
        marker = json.loads(path.read_text())
        venv = Path(marker["venv"])
        found += [f"{path} names a venv elsewhere"] if venv.parent != path.parent else []
        found += faults(venv)
        lease = Path(f"{venv}.lease")
        if not lease.exists() or lease.stat().st_ino != marker["lease_inode"]:
            found.append(f"{path} names a venv without its lease file")
    return found


def leftovers(store: Path) -> list[str]:
    """Return what lies in `store` besides what belongs there when nothing is under way and nothing may be collected."""
    complete = {Path(json.loads(path.read_text())["venv"]) for path in store.glob(".venv/.v2/envs/*/complete")}
    data = store / ".venv/.v2"
    expected = {store / name for name in (".gitignore", "CACHEDIR.TAG", ".venv", ".venv/.lock", ".venv/default")}
    expected |= {data, *(data / name for name in ("index", "python", "envs", "trash", "first", "journal", "journal.1"))}
    complete |= {Path(os.readlink(link)) for link in store.glob(".venv/*") if link.is_symlink()}  # which is spared
    expected |= {data / "index/default", data / "python/default", *data.glob("python/default:*")}
    expected |= {path for note in data.glob("envs/*/shared") for path in (note, note.parent)}  # of a nox session
    for venv in complete:
        expected |= {venv.parent, venv.parent / "complete", venv, Path(f"{venv}.lease")}
        expected |= set(store.glob(f".venv/.v2/index/*:{venv.parent.name}"))
    found = []
    waiting = [store]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            path = Path(entry.path)
            if path not in expected:
                found.append(f"{path.relative_to(store)} is left over")
            elif entry.is_dir(follow_symlinks=False) and path not in complete:
                waiting.append(path)
    return found
