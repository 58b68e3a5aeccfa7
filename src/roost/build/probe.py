"""The first start of a new venv's Python: prints what it is, as a session would find it.

Run as a script by the Python of any venv, so it imports nothing of roost, and runs on Python 3.6. It prints JSON
between two marks (`processes.framed`): the prefix, the version, the folders that are installed into, and the cache tag
and magic number of its bytecode, which are empty if it has none.
"""

import importlib.util
import json
import sys
import sysconfig


def main() -> None:
    """Print the line."""
    paths = sysconfig.get_paths()
    folders = list(dict.fromkeys(paths[key] for key in ("purelib", "platlib", "scripts")))
    tag = sys.implementation.cache_tag
    bytecode = "%s %s" % (tag, importlib.util.MAGIC_NUMBER.hex()) if tag else ""  # noqa: UP031 - Python 3.6
    version = "%d.%d.%d" % sys.version_info[:3]  # noqa: UP031 - likewise
    description = json.dumps([sys.prefix, version, folders, bytecode])
    print("\x1eroost %s\x1e" % description, flush=True)  # noqa: T201, UP031


if __name__ == "__main__":
    main()
