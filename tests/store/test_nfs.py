"""Locks on NFS, where an exclusive flock needs a descriptor that is open for writing (flock(2), "NFS details")."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.cli import trials
from roost.store import venvs
from roost.store.store import Store
from roost.system import locks
from tests.lib.projects import Project


@pytest.fixture
def nfs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let flock fail as on NFS, which no test can mount; provides the kinds of locks that were taken."""
    real: Callable[[int, int], None] = fcntl.flock
    taken: list[str] = []

    def flock(descriptor: int, operation: int) -> None:
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        exclusive = bool(operation & fcntl.LOCK_EX)
        if mode == (os.O_RDONLY if exclusive else os.O_WRONLY):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        taken.append("exclusive" if exclusive else "shared")
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    return taken


def test_leases_and_removals_work_on_nfs(tmp_path: Path, nfs: list[str]) -> None:
    store = Store(str(tmp_path))
    store.prepare()
    made = venvs.create(store, "0" * 16, "a builder")
    os.close(made.lease_descriptor)
    inode = os.stat(made.venv.lease_file).st_ino
    for exclusive in (False, True):
        descriptor = locks.take_lease(made.venv.lease_file, inode, exclusive=exclusive)
        assert descriptor is not None
        os.close(descriptor)
    assert venvs.remove(store, made.venv, marker=False)
    assert nfs == ["shared", "shared", "exclusive", "exclusive"]


def test_doctor_tries_what_the_code_does(project: Project, nfs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a lease of each kind and claims one for a removal, by the functions of the protocol."""
    del nfs
    called: list[str] = []
    for name in ("take_lease", "claim"):
        real = getattr(locks, name)

        def noted(
            *words: object, _name: str = name, _real: Callable[..., int | None] = real, **options: object
        ) -> int | None:
            called.append(f"{_name} exclusive" if options.get("exclusive") else _name)
            return _real(*words, **options)

        monkeypatch.setattr(locks, name, noted)
    store = Store(str(project.root))
    store.prepare()
    assert [one.level for one in trials._try_locks(store, "")] == ["ok"]
    assert {"take_lease", "take_lease exclusive", "claim"} <= set(called)
