"""A bytecode cache that is damaged, unusable, or of another user, or whose writer is killed."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.bytecode.cache import Cache
from tests.lib.bytecode import LOADED, another, built, bytecode, cached, version
from tests.lib.processes import run
from tests.lib.projects import Project


def truncate(cache: Path) -> None:
    for path in cached(cache):
        os.truncate(path, 20)


def delete_some(cache: Path) -> None:
    for path in cached(cache)[::2]:
        path.unlink()


def spoil_lists(cache: Path) -> None:
    for number, path in enumerate(cache.glob("bytecode-v1/entries/*/modules")):
        path.write_text(["", "[", '["", "", 1]\n[[1, 2, 3]]', '["", "", 1]\n[null, 7]', "null\nnull"][number % 5])


def lose_content(cache: Path) -> None:
    """After a power cut, files may have their size and no content."""
    for path in cached(cache):
        path.write_bytes(bytes(path.stat().st_size))
    for path in cache.glob("bytecode-v1/entries/*/modules"):
        first, _, rest = path.read_text().partition("\n")
        path.write_text(json.dumps(["another boot", *json.loads(first)[1:]]) + "\n" + rest)


def make_writable_by_others(cache: Path) -> None:
    (cache / "bytecode-v1").chmod(0o777)


def replace_by_files(cache: Path) -> None:
    for path in cache.glob("bytecode-v1/entries/*"):
        shutil.rmtree(path)
        path.write_text("")


def replace_by_a_link(cache: Path) -> None:
    cache.rename(cache.with_name("elsewhere"))
    cache.symlink_to(cache.with_name("elsewhere"))


def spoil_answers(cache: Path) -> None:
    for path in cache.glob("interpreters-v1/*"):
        path.write_text('["", "1 2 3", "/bin/sh", "", "", "", "", ""]')


FAULTS: list[Callable[[Path], None]] = [
    truncate, delete_some, spoil_lists, lose_content, make_writable_by_others, replace_by_files, replace_by_a_link,
    spoil_answers, shutil.rmtree,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.paired("fault", "compiled")
def test_a_damaged_cache_costs_only_time(
    project: Project, cache: Path, fault: Callable[[Path], None], *, compiled: bool
) -> None:
    """The next venv has all its bytecode, and works; so does the one after it."""
    first = built(project)
    if not compiled:
        shutil.rmtree(first)  # else the damage is in its links as well
    fault(cache)
    for name in ("second", "third"):
        assert version(built(another(project, name))) == "2.0"


def test_cache_of_another_user_is_not_used(project: Project, cache: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    built(project)
    os.chown(cache / "bytecode-v1/entries", 12345, 12345)
    before = [(path, path.stat().st_nlink) for path in cached(cache)]
    second = another(project, "second")
    got = second.roost("sync")
    assert got.returncode == 0
    assert (
        f"warning: the bytecode cache is not used: `{cache}/bytecode-v1/entries` belongs to another user" in got.stderr
    )
    assert [(path, path.stat().st_nlink) for path in cached(cache)] == before
    assert run([f"{got.stdout.strip()}/bin/python", "-I", "-c", LOADED]).stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["/proc/roost", "/dev/full", "/dev/shm/roost-tests"])
def test_cache_that_cannot_be_written_or_is_on_another_disk(
    project: Project, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if not os.path.isdir(os.path.dirname(place)):
        pytest.skip(f"there is no `{os.path.dirname(place)}`")
    place += str(os.getpid()) if place.startswith("/dev/shm") else ""
    monkeypatch.setenv("ROOST_CACHE_DIR", place)
    try:
        first, second = built(project), built(another(project, "second"))
        assert (version(first), version(second)) == ("2.0", "2.0")
        assert not bytecode(first, "apple/later").samefile(bytecode(second, "apple/later"))
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.slow
def test_full_disk_below_the_cache(project: Project, cache: Path) -> None:
    """What does not fit is not kept, and nothing half-written is used."""
    if os.geteuid() != 0 or run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", _made(cache)]).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        cache.chmod(0o700)
        assert version(built(project)) == "2.0"
        assert version(built(another(project, "second"))) == "2.0"
    finally:
        assert run(["umount", cache]).returncode == 0


def test_bytecode_is_copied_whole_or_not_at_all(tmp_path: Path) -> None:
    """Python fails at an import where bytecode was cut short."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other disk")
    code = (
        "import os, resource, sys, tempfile\nfrom roost.bytecode.cache import link_or_copy\n"
        "with tempfile.NamedTemporaryFile(dir='/dev/shm') as file:\n"
        "    file.write(bytes(5000))\n    file.flush()\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"  # like a disk that is nearly full
        "    try:\n        link_or_copy(file.name, sys.argv[1] + '/new')\n"
        "    except OSError as error:\n        print(error.strerror, os.listdir(sys.argv[1]))\n"
    )
    got = run([sys.executable, "-c", code, _made(tmp_path / "folder")])
    assert (got.returncode, got.stdout) == (0, "File too large []\n"), got.stderr


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


CRASH = """
import os, sys
from roost.bytecode.cache import Cache, Module
cache, key, source = Cache(), sys.argv[1], sys.argv[2]
look = os.stat(source)
modules = [Module(look.st_size, look.st_mtime_ns, look.st_ino, look.st_size)] * 3
cache.prepare()
if sys.argv[3] == "again":
    cache.add(key, modules, [source] * 3)
step = 0
while True:
    step += 1
    pid = os.fork()
    if pid == 0:
        left = step
        def hook(event, arguments):
            global left
            writes = event == "open" and arguments[2] and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes or event in ("os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "shutil.rmtree"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), 9)
        sys.addaudithook(hook)
        cache.add(key, modules, [source] * 3)
        cache.shrink(10**9)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    found = cache.read(key)
    assert found is None or found == modules, step
    if status == 0:
        assert found == modules
        print(step)
        break
    assert status == 9
"""


@pytest.mark.parametrize("before", ["first", "again"])
def test_sigkill_at_every_step_of_writing(tmp_path: Path, cache: Path, before: str) -> None:
    """An entry is there with all its bytecode, or not at all. What a killed process left is removed after an hour."""
    source = tmp_path / "bytecode"
    source.write_bytes(b"x" * 100)
    source.chmod(0o644)  # what a group can write is not used, and some systems have a umask of 002
    got = run([sys.executable, "-c", CRASH, "a" * 40, source, before])
    assert got.returncode == 0, got.stderr
    assert int(got.stdout) > 6
    left = list(cache.glob("bytecode-v1/entries/.*"))
    assert left
    for path in cache.glob("bytecode-v1/entries/.*"):
        for inner in (*path.iterdir(), path):
            os.utime(inner, (0, 0))
    Cache().shrink(10**9)
    assert [path.name for path in cache.glob("bytecode-v1/*/*")] == ["a" * 40]
