"""The index: it spares a start all hashing, and is never believed against the disk."""

import os
import shlex
import shutil
import time
from pathlib import Path

import pytest

from roost import warm
from roost.system import files
from tests.lib.indexes import JUNK
from tests.lib.namespaces import namespace
from tests.lib.processes import ROOST, run
from tests.lib.projects import Project, builds, start_until_indexed, starts_warm


def edit_and_restore_mtime(path: Path) -> None:
    """Write another text of the same size, under the same inode and the old mtime."""
    stamp = path.stat()
    text = path.read_text()
    path.write_text(text.replace("x = 1", "x = 2"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_mtime_ns == stamp.st_mtime_ns
    assert path.stat().st_size == stamp.st_size


def test_edit_whose_mtime_was_restored_is_noticed(project: Project) -> None:
    """Size, inode and mtime are as before: only the ctime differs, which no program can set."""
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.mine]\nx = 1\n[tool.roost]\n")
    start_until_indexed(project)
    edit_and_restore_mtime(project.root / "pyproject.toml")
    assert "changed: pyproject.toml [tool.mine]" in project.python("pass").stderr
    assert builds(project) == 2


@pytest.mark.slow
def test_edits_right_after_each_start_are_all_noticed(project: Project) -> None:
    """The index is not written for an input so young that the next edit could have the same time stamp."""
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.mine]\nx = 1\n[tool.roost]\nkeep = 9\n")
    project.python("pass")
    path = project.root / "pyproject.toml"
    texts = [path.read_text(), path.read_text().replace("x = 1", "x = 2")]
    project.file("pyproject.toml", texts[1])
    project.python("pass")
    assert builds(project) == 2
    keys = [project.roost("key").stdout]
    project.file("pyproject.toml", texts[0])
    keys.append(project.roost("key").stdout)
    venvs: dict[int, set[str]] = {}
    for turn in range(20):
        stamp = time.time_ns()
        path.write_text(texts[turn % 2])
        os.utime(path, ns=(stamp, stamp))
        got = project.python("import sys; print(sys.prefix)")
        assert got.stderr == ""
        venvs.setdefault(turn % 2, set()).add(got.stdout)
    assert {len(found) for found in venvs.values()} == {1}
    assert venvs[0] != venvs[1]
    assert builds(project) == 2


@pytest.mark.slow
def test_edit_within_a_second_is_seen_on_a_disk_with_stamps_of_whole_seconds(project: Project, tmp_path: Path) -> None:
    """`ROOST_DIR` is on another disk, whose stamps are fine. Inodes of 128 bytes have no room for nanoseconds."""
    mkfs = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin")
    if mkfs is None:
        pytest.skip("there is no `mkfs.ext4`")
    image = tmp_path / "image"
    image.write_bytes(bytes(8 << 20))
    run([mkfs, "-q", "-I", "128", image], check=True)
    disk = tmp_path / "work" / "disk"
    disk.mkdir()
    project.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\ninputs = ['input.txt']\n")
    env = dict(os.environ) | {"ROOST_DIR": str(tmp_path / "roost")}
    root, path = disk / "project", disk / "project/input.txt"
    turn = f"printf $0 >{path}; stat -c %Z {path}; {ROOST} run python -c 'import sys; print(sys.prefix)'"
    with namespace(["mount", "-o", "loop", image, disk], ["cp", "-r", project.root, disk]) as place:

        def switch(*contents: str) -> list[str]:
            both = "; ".join(f"sh -c {shlex.quote(turn)} {content}" for content in contents)
            got = run(place.inside(root, "sh", "-c", both), env=env)
            assert got.returncode == 0, got.stderr
            return got.stdout.split()

        expected = switch("A")[1], switch("B")[1]
        for _ in range(10):
            time.sleep(2 - time.time() % 1)  # so that `B` had settled, and a second begins
            first, one, second, other = switch("A", "B")
            assert (one, other) == expected
            if first == second:
                break
        else:
            pytest.skip("the machine is too busy for two starts within a second")
    assert expected[0] != expected[1]


def test_index_is_not_written_beside_a_young_input(ready: Project) -> None:
    path = ready.store / ".venv/.v2/index/young"
    index = warm.load(str(ready.root), "default")
    assert index is not None
    index.name = "young"
    now = time.time_ns()
    index.write("0" * 16, files.settles(now))
    assert not path.exists()
    index.write("0" * 16, files.settles(now - files.BLUR // 2))
    assert not path.exists()
    index.write("0" * 16, files.settles(now - 10 * files.BLUR))
    assert path.read_text() == (path.parent / f"young:{'0' * 16}").read_text() == index.text()
    assert list(path.parent.glob(".young*")) == []


@pytest.mark.slow
def test_index_that_is_junk_is_ignored_and_written_again(ready: Project) -> None:
    path = ready.store / ".venv/.v2/index/default"
    text = path.read_text()
    for what, change in JUNK.items():
        assert change(text) != text
        path.write_text(change(text))
        assert not starts_warm(ready), what
        got = ready.python("import apple; print(apple.VERSION)")
        assert (got.returncode, got.stdout, got.stderr) == (0, "2.0\n", ""), what
        assert starts_warm(ready), what
    assert builds(ready) == 1


def test_index_in_the_way_is_survived(ready: Project) -> None:
    path = ready.store / ".venv/.v2/index/default"
    path.unlink()
    path.mkdir()
    assert ready.python("import apple").stderr == ""
    assert path.is_dir()
    path.rmdir()
    os.mkfifo(path)
    assert ready.python("import apple").stderr == ""
    path.unlink()
    path.symlink_to("/dev/zero")
    assert ready.python("import apple").stderr == ""
    assert starts_warm(ready)


def test_stale_index_of_a_removed_venv_is_ignored(ready: Project) -> None:
    path = ready.store / ".venv/.v2/index/default"
    old = path.read_text()
    assert ready.roost("sync", "--refresh").returncode == 0
    path.write_text(old)
    got = ready.python("import sys; print(sys.prefix)")
    assert got.stdout.strip() == str(ready.complete()[0])
