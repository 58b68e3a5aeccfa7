"""Waits: whom they name."""

from pathlib import Path

import pytest

from roost.console import holders, waiting


def test_holder_that_writes_its_record_late_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a waiter may report before that."""
    monkeypatch.setattr(waiting, "SILENCE", 0.0)
    lock = tmp_path / "lock"
    lock.touch()
    wait = waiting.Wait(10)
    wait.pause("the build lock", str(lock))
    assert wait.holder == "an unidentified process"
    lock.write_text(holders.record("roost run mypy"))
    wait.pause("the build lock", str(lock))
    assert "(`roost run mypy`)" in wait.holder
