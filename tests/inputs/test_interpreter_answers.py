"""What an interpreter answers is kept in the user's cache, for all projects."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.lib.processes import run
from tests.lib.projects import Project
from tests.lib.variants import slow_after


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a copy of this Python, whose file the test may change, and an empty cache."""
    monkeypatch.setenv("ROOST_CACHE_DIR", str(tmp_path / "cache"))
    copy = tmp_path / f"python3.{sys.version_info.minor}"
    shutil.copy(os.path.realpath(sys.executable), copy)
    if run([copy, "-c", "import json"]).returncode != 0:
        pytest.skip("a copy of this Python does not find its library")
    return copy


def interpreter(project: Project, python: Path) -> dict[str, str]:
    """Build with `python`. Returns what the marker says about it."""
    got = project.roost("sync", "--python", str(python))
    assert got.returncode == 0, got.stderr
    parts = json.loads((Path(got.stdout.strip()).parent / "complete").read_text())["parts"]
    return {name: value for name, value in parts.items() if name.startswith("interpreter ")}


@pytest.mark.parametrize("no_cache", slow_after(1, ["", "1"]))
def test_changed_interpreter_is_asked_again(
    project: Project, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_cache: str
) -> None:
    monkeypatch.setenv("ROOST_NO_CACHE", no_cache)
    first = interpreter(project, copied)
    answers = list(tmp_path.glob("cache/interpreters-v1/*"))
    assert len(answers) == (0 if no_cache else 1)
    shutil.rmtree(project.store)
    assert interpreter(project, copied) == first
    with copied.open("ab") as file:
        file.write(b"\n")
    shutil.rmtree(project.store)
    second = interpreter(project, copied)
    assert {name for name in first if first[name] != second[name]} == {"interpreter file"}


def test_answer_in_a_folder_of_others_is_not_believed(project: Project, copied: Path, tmp_path: Path) -> None:
    first = interpreter(project, copied)
    (answer,) = tmp_path.glob("cache/interpreters-v1/*")
    answer.write_text(answer.read_text().replace("cpython-3", "cpython-4"))
    shutil.rmtree(project.store)
    assert interpreter(project, copied) != first
    answer.parent.chmod(0o777)
    shutil.rmtree(project.store)
    assert interpreter(project, copied) == first
