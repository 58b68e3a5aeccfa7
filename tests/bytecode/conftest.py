"""A cache of its own for each test of bytecode."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the folder of roost's caches, and an own cache of uv's, which tests edit."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return own_cache
