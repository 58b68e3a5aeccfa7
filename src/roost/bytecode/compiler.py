"""Compiles Python sources. A script for the Python of a new venv.

It imports nothing of roost, and runs on Python 3.6. Its argument is a file with a JSON list of sources, the largest
first. It prints JSON between two marks (`processes.framed`): whether each source was compiled that can be.
"""

import json
import os
import py_compile
import sys

FEW = 32  # files that are not worth a process


def compile_all(sources: "list[str]") -> bool:
    """Compile `sources`. Returns False where the operating system prevented it."""
    os.environ.pop("SOURCE_DATE_EPOCH", None)  # else bytecode would be checked by the hash of its source
    complete = True
    for source in sources:
        try:
            py_compile.compile(source, doraise=True)
        except OSError:  # such as a full disk
            complete = False
        except Exception:  # noqa: BLE001, S110 - distributions hold templates, and modules of other Pythons
            pass
    return complete


def main() -> None:
    """Compile with a process for each core."""
    with open(sys.argv[1], encoding="ascii") as file:
        sources = json.load(file)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = min(cores, 1 + len(sources) // FEW)
    complete = _in_processes(sources, count) if hasattr(os, "fork") else compile_all(sources)
    print("\x1eroost %s\x1e" % json.dumps(complete), flush=True)  # noqa: T201, UP031 - Python 3.6


def _in_processes(sources: "list[str]", count: int) -> bool:
    workers = []
    for number in range(count):
        pid = os.fork()  # also for one: compiling unusual sources may crash
        if pid == 0:
            complete = False
            try:
                complete = compile_all(sources[number::count])
            finally:
                os._exit(0 if complete else 1)
        workers.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in workers]  # waits for all of them
    return not any(statuses)


if __name__ == "__main__":
    main()
