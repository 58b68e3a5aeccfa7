"""What a failed build shows: the cause, and where the whole output is."""

import os
import re
import textwrap
from pathlib import Path

import pytest

from tests.lib import installer_kinds
from tests.lib.index_fixtures import AddTool
from tests.lib.projects import Project, refused

NOISE = 'print(*(f"compiling part {number} of it" for number in range(60)), sep="\\n", flush=True)\n'
BACKEND = textwrap.dedent(f"""\
    import sys
    def build_wheel(directory, settings=None, metadata=None):
        {NOISE.rstrip()}
        print("durian.c:7:9: fatal error: durian.h: No such file or directory", file=sys.stderr, flush=True)
        raise SystemExit(1)
    build_editable = build_wheel
    """)

DURIAN = textwrap.dedent("""\
    [project]
    name = "durian"
    version = "1.0"
    [build-system]
    requires = []
    build-backend = "backend"
    backend-path = ["."]
    """)


def whole(said: str, project: Project) -> tuple[int, Path]:
    """Return the count of lines and the file that the message names."""
    (found,) = re.findall(r"^  all (\d+) lines of the output are in `(.+)`$", said, re.MULTILINE)
    path = Path(found[1])
    assert path.is_relative_to(project.store)
    assert len(path.read_text().splitlines()) == int(found[0])
    assert path.stat().st_mode & 0o777 == 0o600
    return int(found[0]), path


@pytest.mark.slow
def test_output_of_poetry_is_cut_to_the_cause(plain: Project, add_tool: AddTool) -> None:
    add_tool("poetry")
    plain.file("durian/pyproject.toml", DURIAN)
    plain.file("durian/backend.py", BACKEND)
    plain.write(dependencies=[f"durian @ file://{plain.root}/durian"])
    installer_kinds.with_poetry(plain)
    said = refused(plain)
    count, path = whole(said, plain)
    assert count > 80
    assert len(said.splitlines()) < 25
    assert "durian.c:7:9: fatal error: durian.h: No such file or directory" in said
    assert "Backend subprocess exited when trying to invoke build_wheel" in path.read_text()
    assert "compiling part 30 of it" in path.read_text()
    assert "compiling part 30 of it" not in said
    assert plain.journal("failure")[-1]["why"].endswith("durian.h: No such file or directory")


@pytest.fixture
def noisy(plain: Project) -> Project:
    """Provide a project whose `command` prints much, fails, and ends with a hint."""
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["python", "noisy.py"]\n')
    plain.file(
        "noisy.py",
        f'{NOISE}print("error: the disk is purple", "error: the disk is purple", sep="\\n", flush=True)\n'
        "try:\n    raise ValueError('error: the inner one')\nexcept ValueError:\n    import traceback\n"
        f"    traceback.print_exc()\n{NOISE}print('hint: paint it')\nraise SystemExit(3)\n",
    )
    return plain


def test_long_output_is_cut_to_the_cause_and_its_end(noisy: Project) -> None:
    said = refused(noisy)
    count, path = whole(said, noisy)
    assert count > 120
    shown = [line.strip() for line in said.splitlines()[2:]]
    assert shown[:4] == ["…", "error: the disk is purple", "…", "ValueError: error: the inner one"]
    assert shown[4:6] == ["…", "compiling part 53 of it"]
    assert shown[-2] == "hint: paint it"
    assert path.read_text().count("purple") == 2


def test_file_with_the_output_is_removed_an_hour_later(noisy: Project) -> None:
    _, path = whole(refused(noisy), noisy)
    assert noisy.roost("clean").returncode == 0
    assert path.exists()
    os.utime(path, (0, 0))
    assert noisy.roost("clean").returncode == 0
    assert not path.parent.exists()


def test_short_output_is_shown_whole(noisy: Project) -> None:
    noisy.file("noisy.py", 'print("compiling it")\nraise SystemExit("the disk is purple")\n')
    said = refused(noisy)
    assert "compiling it" in said
    assert "the disk is purple" in said
    assert not list(noisy.store.rglob("*.log"))


def test_secrets_are_masked_in_the_file_too(noisy: Project) -> None:
    noisy.file("noisy.py", f'{NOISE}print("error: https://me:secret@example.invalid/ is down")\nraise SystemExit(1)\n')
    _, path = whole(refused(noisy), noisy)
    assert "https://****@example.invalid/" in path.read_text()
