"""The first start of a new venv's Python: prints what it is, as a session would find it.

Run as a script by the Python of any venv, so it imports nothing of roost, and runs on Python 3.6. It prints JSON
between two marks (`processes.framed`): the prefix, the version, and the folders that are installed into.
"""

import json
import sys
import sysconfig


def main() -> None:
    """Print the line."""
    paths = sysconfig.get_paths()
    folders = list(dict.fromkeys(paths[key] for key in ("purelib", "platlib", "scripts")))
    version = "%d.%d.%d" % sys.version_info[:3]  # noqa: UP031 - Python 3.6
    description = json.dumps([sys.prefix, version, folders])
    print("\x1eroost %s\x1e" % description, flush=True)  # noqa: T201, UP031 - Python 3.6


if __name__ == "__main__":
    main()
