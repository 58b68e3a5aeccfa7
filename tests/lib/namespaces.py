"""Mount namespaces for tests that run as root: a full, a read-only or another disk that only they see."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.lib.processes import run, start


class Namespace:
    """A mount namespace that a process of ours keeps open."""

    def __init__(self, keeper: "subprocess.Popen[str]") -> None:
        """Take the namespace of `keeper`."""
        self.keeper = keeper

    def inside(self, folder: Path, *words: "str | Path") -> list["str | Path"]:
        """Return the words that run `words` in it, with the current folder looked up in it, too."""
        there = ["nsenter", f"--mount=/proc/{self.keeper.pid}/ns/mnt", "/bin/sh", "-c", 'cd "$0" && exec "$@"']
        return [*there, folder, *words]

    def do(self, *words: "str | Path") -> str:
        """Run a command in it, such as a mount, which must succeed; return what it printed."""
        got = run(self.inside(Path("/"), *words))
        assert got.returncode == 0, got.stderr
        return got.stdout


@contextlib.contextmanager
def namespace(*mounts: "Sequence[str | Path]") -> Iterator[Namespace]:
    """Provide a mount namespace, after the commands `mounts` ran in it; skip where there can be none."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("there is no `unshare` and `nsenter`, which give a process its own mounts")
    keeper = start(["unshare", "--mount", "/bin/sh", "-c", "echo ready; read -r _"], stdin=subprocess.PIPE)
    try:
        if keeper.stdout is None or keeper.stdout.readline() != "ready\n":
            pytest.skip("no mount namespace can be made here")
        made = Namespace(keeper)
        for words in mounts:
            got = run(made.inside(Path("/"), *words))
            if got.returncode != 0:
                pytest.skip(f"nothing can be mounted here: {got.stderr.strip()}")
        yield made
    finally:
        keeper.communicate("\n")
