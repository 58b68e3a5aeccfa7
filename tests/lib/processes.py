"""Processes: roost and others, started and awaited, alone or many at one gate."""

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from roost.system.processes import find_uv

BASE_PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
ROOST = os.path.join(sysconfig.get_path("scripts"), "roost")
ROOST_RUN = os.path.join(sysconfig.get_path("scripts"), "roost-run")
UV = find_uv()
PATIENCE = 120.0  # seconds after which a test gives up on a process; nothing here takes a tenth of it


def run(command: Sequence[str | Path], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, with its output as text."""
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.DEVNULL,
        "text": True,
    } | options
    return subprocess.run([str(word) for word in command], timeout=PATIENCE, **options)  # noqa: PLW1510 - callers say


def start(command: Sequence[str | Path], **options: Any) -> "subprocess.Popen[str]":
    """Start a command, with its output as text."""
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.DEVNULL,
        "text": True,
    } | options
    return subprocess.Popen([str(word) for word in command], **options)


def finish(child: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for the end of a command; return its status and both outputs."""
    out, err = child.communicate(timeout=PATIENCE)
    return child.returncode, out, err


def all_at_once(
    count: int, tmp_path: Path, launch: Callable[[int], Sequence[str | Path]], **options: Any
) -> "list[subprocess.Popen[str]]":
    """Start `count` processes that wait at one gate, each with a TMPDIR of its own, and open the gate.

    `launch` gives the command of each. The gate is the end of a pipe that all have as standard input: each is a shell
    that reads from it, and becomes the command when its writer closes.
    """
    reader, writer = os.pipe()
    env = dict(options.pop("env", os.environ))
    children = []
    for number in range(count):
        temporary = tmp_path / f"tmp-{number}"
        temporary.mkdir(exist_ok=True)
        command = ["/bin/sh", "-c", 'read -r _; exec "$@" </dev/null', "sh", *launch(number)]
        children.append(start(command, stdin=reader, env=env | {"TMPDIR": str(temporary)}, **options))
    os.close(reader)
    os.close(writer)
    return children


def wait_for(condition: Callable[[], object], what: str) -> Any:
    """Poll until `condition` returns something true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)
    return found


def until(child: "subprocess.Popen[str]", *words: str) -> str:
    """Read what a command prints on standard error up to a line that contains one of `words`. Returns it."""
    assert child.stderr
    text = ""
    for line in child.stderr:
        text += line
        if any(word in line for word in words):
            return text
    raise AssertionError(text)


def runs(pid: int) -> bool:
    """Return whether a process has not ended; a zombie has."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Keep the process `pid`, which the caller started, stopped for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
