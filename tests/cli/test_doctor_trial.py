"""How long doctor tries a lock."""

from pathlib import Path

import pytest

from roost.cli import trials
from roost.store.store import Store


def test_lock_that_excludes_for_a_second_only_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Docker Desktop's bind mounts, where the kernel sees one file as two. Here, a later look stands for that."""
    store = Store(str(tmp_path))
    store.prepare()
    looks: list[str] = []

    def can_remove(path: str) -> bool:
        looks.append(path)
        return len(looks) > 8

    monkeypatch.setattr(trials, "_mount", lambda _: ["/work", "fakeowner", "rw"])
    monkeypatch.setattr(trials, "_can_remove", can_remove)
    (found,) = trials._try_locks(store, "the cure")
    assert found == trials.Finding("error", "flock does not keep two processes apart", "the cure")
