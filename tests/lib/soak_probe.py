"""What every session of a soak runs: a look at its environment at the beginning, and another one at the end.

    python soak_probe.py FILE SECONDS

It stands alone, since it runs in the venv that it looks at. Packages are imported only at the end: a venv that loses
one meanwhile is found out. What it saw goes into FILE.
"""

import fcntl
import importlib
import json
import os
import sys
import time
from importlib import metadata


def installed() -> dict[str, str]:
    """Return what is installed in this venv: name to version."""
    folders = [path for path in sys.path if path.startswith(f"{sys.prefix}/")]
    return {one.metadata["Name"]: one.version for one in metadata.distributions(path=folders)}


def unleased() -> list[str]:
    """Return what is wrong with the lease of this venv: it must be there, and somebody must hold it."""
    path = f"{sys.prefix}.lease"
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return []
    except OSError as error:
        return [f"{path}: {error.strerror}"]
    return [f"{path} is not held by any process"]


def broken(packages: dict[str, str]) -> list[str]:
    """Return which of the installed packages cannot be imported whole, or are another version than they say."""
    found = []
    for name, version in packages.items():
        for module in (name,) if name == "project" else (name, f"{name}.late", f"{name}.later"):
            try:
                got = getattr(importlib.import_module(module), "VERSION", version)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is found out
                found.append(f"{module}: {error!r}")
            else:
                found += [] if got == version else [f"{module} is {got}, not {version}"]
    return found


def write(path: str, seen: dict[str, object]) -> None:
    """Write down what was seen, so that it is there whole or not at all."""
    with open(f"{path}.new", "w") as file:
        json.dump(seen, file)
    os.rename(f"{path}.new", path)


def main(path: str, seconds: str) -> None:
    """Look, wait, and look again."""
    seen: dict[str, object] = {"pid": os.getpid(), "prefix": sys.prefix, "began": time.monotonic()}
    first, faults = installed(), unleased()
    seen |= {"first": first, "faults": faults}
    write(path, seen)
    time.sleep(float(seconds))
    faults += broken(first) + unleased()
    write(path, seen | {"last": installed(), "faults": faults, "ended": time.monotonic()})


if __name__ == "__main__":
    main(*sys.argv[1:])
