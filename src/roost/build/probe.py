"""The first start of a new venv's Python: prints what it is, as a session would find it, and provides its bytecode.

Run as a script by the Python of any venv, so it imports nothing of roost but the script beside it, and runs on Python
3.6. It prints JSON between two marks (`processes.framed`): the prefix, the version, and the folders that are installed
into. With an argument, the venv to take bytecode from or an empty string, it then provides bytecode for what is in
these folders.
"""

import contextlib
import json
import os
import sys
import sysconfig


def main() -> None:
    """Print the line, and provide the bytecode if asked to."""
    paths = sysconfig.get_paths()
    folders = list(dict.fromkeys(paths[key] for key in ("purelib", "platlib", "scripts")))
    description = json.dumps([sys.prefix, "%d.%d.%d" % sys.version_info[:3], folders])  # noqa: UP031 - Python 3.6
    print("\x1eroost %s\x1e" % description, flush=True)  # noqa: T201, UP031
    if len(sys.argv) > 1 and sys.implementation.cache_tag:
        sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # `-I` leaves it out
        import bytecode  # type: ignore[import-not-found] # noqa: PLC0415

        with contextlib.suppress(OSError):  # such as no further process: a venv without bytecode works as well
            bytecode.provide([folder for folder in folders if folder != paths["scripts"]], sys.argv[1])


if __name__ == "__main__":
    main()
