"""After a power cut, a venv is looked at file by file before it is trusted; one out of a CI cache as well."""

import json
import os
import re
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.store import inventory
from tests.lib.processes import ROOST, ROOST_RUN, UV, run
from tests.lib.projects import Project, builds, start_until_indexed, starts_warm
from tests.lib.variants import slow_after
from tests.lib.venvs import site_packages

BOOT = Path("/proc/sys/kernel/random/boot_id")
OTHER = "00000000-1111-2222-3333-444444444444"

pytestmark = pytest.mark.skipif(not BOOT.exists(), reason="this system has no id of its start")


def forget_boot(project: Project) -> None:
    """Let the venvs be from before the machine started."""
    now = BOOT.read_text().strip()
    for path in (*project.store.glob(".venv/.v2/envs/*/complete"), project.store / ".venv/.v2/index/default"):
        path.write_text(path.read_text().replace(now, OTHER))


def replace(path: Path, content: bytes) -> None:
    """Make a file of its own of `path`, which may be one with a file in uv's cache, with the times it had."""
    info = path.stat()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def in_place(change: Callable[[], object], *folders: Path) -> None:
    """Do what leaves no trace in the time stamps of `folders`, as a power cut does."""
    before = [(folder, folder.stat().st_mtime_ns) for folder in folders]
    change()
    for folder, stamp in before:
        os.utime(folder, ns=(stamp, stamp))


def empty_module(venv: Path) -> None:
    """Leave a module without content."""
    replace(site_packages(venv) / "apple/later.py", b"")


def lose_module(venv: Path) -> None:
    """Lose a module."""
    (site_packages(venv) / "apple/later.py").unlink()


def cut_bytecode(venv: Path) -> None:
    """Leave half of the bytecode of a module: Python does not start again from source then, but fails."""
    path = next(site_packages(venv).glob("apple/__pycache__/later.*.pyc"))
    replace(path, path.read_bytes()[:20])


def empty_record(venv: Path) -> None:
    """Leave a RECORD without content."""
    replace(site_packages(venv) / "apple-2.0.dist-info/RECORD", b"")


def lose_inventory(venv: Path) -> None:
    """Lose what the venv is compared with."""
    (venv / ".roost-files").unlink()


DAMAGES: dict[Callable[[Path], None], str] = {
    empty_module: "`lib/python3.11/site-packages/apple/later.py` in `venv-` changed",
    lose_module: "`lib/python3.11/site-packages/apple/later.py` is missing from `venv-`",
    cut_bytecode: "`lib/python3.11/site-packages/apple/__pycache__/later.cpython-311.pyc` in `venv-` changed",
    empty_record: "`lib/python3.11/site-packages/apple-2.0.dist-info/RECORD` in `venv-` changed",
    lose_inventory: "the inventory of `venv-` cannot be read",
}


@pytest.mark.parametrize("damage", slow_after(1, DAMAGES), ids=lambda damage: damage.__name__)
def test_power_cut_is_noticed_after_the_restart(project: Project, damage: Callable[[Path], None]) -> None:
    """Without a restart no start compares all files, which would cost too much: the damage goes unnoticed."""
    start_until_indexed(project)
    (venv,) = project.venvs()
    damage(venv)
    assert (project.python("pass").returncode, builds(project)) == (0, 1)
    forget_boot(project)
    got = project.python("import apple.later")
    assert (got.returncode, builds(project)) == (0, 2), got.stderr
    said = re.sub(r"venv-\w+", "venv-", got.stderr).replace(f"python3.{venv_minor(venv)}", "python3.11")
    assert f"{DAMAGES[damage]} since the machine restarted" in re.sub(r"cpython-3\d+", "cpython-311", said)
    assert project.python("pass").stderr == ""


def venv_minor(venv: Path) -> str:
    """Return the minor version of a venv's Python."""
    return site_packages(venv).parent.name.removeprefix("python3.")


def test_whole_venv_is_looked_at_once(project: Project) -> None:
    """Then the index has the new boot id; the marker stays as it is."""
    index = start_until_indexed(project)
    (venv,) = project.venvs()
    marker = venv.parent / "complete"
    before = json.loads(marker.read_text())
    forget_boot(project)
    assert not starts_warm(project)
    time.sleep(0.03)
    assert json.loads(marker.read_text()) == before | {"boot": OTHER}
    assert project.python("pass").stderr == ""
    assert starts_warm(project)
    assert OTHER not in index.read_text()
    lose_module(venv)  # no later start compares the files again
    assert project.python("pass").stderr == ""
    assert builds(project) == 1


def test_inventory_takes_a_few_bytes_for_each_file(built: Project) -> None:
    (venv,) = built.venvs()
    assert (venv / inventory.FILE).stat().st_size < 25 * len(inventory.read(str(venv)))


def test_what_a_session_writes_is_no_damage(project: Project) -> None:
    """Caches in a package's folder, and bytecode of another level of optimisation."""
    start_until_indexed(project)
    (venv,) = project.venvs()
    assert project.run("python", "-OO", "-c", "import apple.later").returncode == 0
    (site_packages(venv) / "apple/cache.txt").write_text("")
    for path in list(venv.rglob("apple/__pycache__/*.pyc")):  # `make clean`
        path.unlink()
    forget_boot(project)
    assert project.python("pass").stderr == ""
    assert builds(project) == 1


@pytest.mark.parametrize(
    "door", [(ROOST, "run"), pytest.param((ROOST_RUN,), marks=pytest.mark.slow)], ids=["python", "shell"]
)
def test_warm_start_sees_another_boot(project: Project, door: tuple[str, ...], tmp_path: Path) -> None:
    """With another file over the kernel's, which takes root: the index is as it was, and is not enough."""
    start_until_indexed(project)
    (venv,) = project.venvs()
    other = tmp_path / "boot"
    other.write_text(f"{OTHER}\n")
    mount = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', str(other), str(BOOT)]
    if run([*mount, "true"]).returncode != 0:
        pytest.skip("this user may not mount")
    command = [*door, "python", "-c", "import apple.later"]
    for start in ([], mount, mount):
        assert (run([*start, *command], cwd=project.root).stderr, builds(project)) == ("", 1)
    lose_module(venv)
    assert run([*mount, *command], cwd=project.root).returncode == 1  # the same boot
    other.write_text("99999999-1111-2222-3333-444444444444\n")
    assert "since the machine restarted" in run([*mount, *command], cwd=project.root).stderr
    assert builds(project) == 2


def test_empty_file_in_uvs_cache_is_not_built_again(project: Project) -> None:
    """A venv's file and the cache's are one: a build from such a cache is no cure, and says what is."""
    start_until_indexed(project)
    (venv,) = project.venvs()
    module = site_packages(venv) / "apple/later.py"
    if module.stat().st_nlink == 1:
        pytest.skip("this file system has no hard links from uv's cache")
    os.truncate(module, 0)
    forget_boot(project)
    got = project.python("pass")
    assert (got.returncode, builds(project)) == (125, 1), got.stderr
    assert re.search(
        r"apple/later.py` has 0 bytes, not the \d+ that `apple` came with: .*`uv cache clean apple`", got.stderr
    )
    run([UV, "cache", "clean", "apple"], check=True)
    assert project.python("import apple.later").returncode == 0


def test_edit_through_a_hard_link_is_reported(project: Project) -> None:
    """The edit is in the cache, and so in every venv from now on; nothing but its size tells."""
    start_until_indexed(project)
    (venv,) = project.venvs()
    module = site_packages(venv) / "apple/later.py"
    if module.stat().st_nlink == 1:
        pytest.skip("this file system has no hard links from uv's cache")
    with module.open("a") as file:
        file.write("print('edited')\n")
    got = project.roost("sync", "--refresh")
    assert got.returncode == 0, got.stderr
    assert "apple/later.py` has " in got.stderr
    assert "`uv cache clean apple`" in got.stderr
    run([UV, "cache", "clean", "apple"], check=True)
    assert "cache clean" not in project.roost("sync", "--refresh").stderr


def restore(project: Project, meanwhile: Callable[[Path], object] = str) -> None:
    """Put `.roost` away as a CI system does, and get it back: the same names and times, other inodes."""
    (venv,) = project.venvs()
    in_place(lambda: meanwhile(venv), site_packages(venv))
    archive = project.root.parent / "cache.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(project.store, ".roost")
    project.store.rename(project.root.parent / "gone")  # kept, so that no inode comes back
    run(["tar", "-xf", archive], cwd=project.root, check=True)


def test_restored_venv_is_built_again(project: Project) -> None:
    """Its files have other inodes; a repository could bring its own."""
    start_until_indexed(project)
    restore(project)
    got = project.python("pass")
    assert "was replaced" in got.stderr
    assert builds(project) == 2
