"""`roost.acquire`: the environment in Python."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import roost
from roost import errors
from roost.console import holders
from roost.store.store import Store
from roost.system import locks
from tests.lib.processes import run, wait_for
from tests.lib.projects import Project, SlowProject


def test_environment_that_is_acquired(project: Project) -> None:
    (project.root / "deep/er").mkdir(parents=True)
    with roost.acquire(project.root / "deep/er") as environment:
        assert isinstance(environment, roost.Environment)
        assert environment.name == "default"
        assert environment.path == project.venvs()[0]
        assert environment.bin == environment.path / "bin"
        assert environment.python == environment.path / "bin/python"
        got = environment.run(
            ["python", "-c", "import apple, os; print(os.environ['VIRTUAL_ENV'])"], capture_output=True, text=True
        )
        assert (got.returncode, got.stdout) == (0, f"{environment.path}\n")
        assert environment.variables()["PATH"].startswith(f"{environment.bin}:")
        assert repr(environment) == f"<Environment 'default' in '{environment.path}'>"


def test_acquired_by_text_and_from_the_current_folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with roost.acquire(str(project.root)) as one:
        monkeypatch.chdir(project.root)
        with roost.acquire() as other:
            assert one.path == other.path
    assert len(project.journal("build")) == 1


def test_run_is_subprocess_run(project: Project) -> None:
    with roost.acquire(project.root) as environment:
        with pytest.raises(subprocess.CalledProcessError) as caught:
            environment.run(["python", "-c", "raise SystemExit(3)"], check=True)
        assert caught.value.returncode == 3
        assert environment.run(["python", "-c", "raise SystemExit(3)"]).returncode == 3
        assert environment.run(["/bin/sh", "-c", "exit 4"]).returncode == 4
        (project.root / "sub").mkdir()
        script = project.file("sub/tool", "#!/bin/sh\necho $PWD\n")
        script.chmod(0o755)
        got = environment.run(["./tool"], cwd=project.root / "sub", stdout=subprocess.PIPE, text=True)
        assert got.stdout == f"{project.root}/sub\n"
        reader, writer = os.pipe()
        environment.run(["python", "-c", f"import os; os.write({writer}, b'x')"], pass_fds=[writer], check=True)
        assert os.read(reader, 9) == b"x"
        os.close(reader)
        os.close(writer)


def test_run_of_what_the_venv_lacks_never_takes_it_from_path(project: Project) -> None:
    with roost.acquire(project.root) as environment:
        with pytest.raises(errors.CommandNotFoundError, match="`sh` is not in the environment `default`"):
            environment.run(["sh", "-c", "touch ran"])
        for command in ([], ["."], [".."], [""]):
            with pytest.raises(errors.RoostError):
                environment.run(command)


def test_run_in_one_that_was_closed_is_refused(project: Project) -> None:
    environment = roost.acquire(project.root)
    environment.close()
    environment.close()
    with pytest.raises(errors.RoostError, match="was closed"):
        environment.run(["python", "-c", "pass"])


def test_lease_is_held_while_it_is_open(project: Project) -> None:
    project.roost("sync")
    with roost.acquire(project.root) as environment:
        held = environment.path
        project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
        project.lock()
        project.roost("sync")
        project.age()
        assert f"kept {held}: in use" in project.roost("clean", "--all").stdout
        assert environment.run(["python", "-c", "import apple.later"]).returncode == 0
    assert environment.lease_descriptor == -1
    project.age()
    assert f"removed {held}" in project.roost("clean", "--all").stdout


def test_lease_is_let_go_of_by_an_error_in_the_block(built: Project) -> None:
    with pytest.raises(ZeroDivisionError), roost.acquire(built.root) as environment:
        raise ZeroDivisionError
    assert environment.lease_descriptor == -1


def test_lease_is_inherited_by_what_runs_and_by_nothing_else(project: Project) -> None:
    project.roost("sync")
    with roost.acquire(project.root) as environment:
        held = environment.path
        assert not os.get_inheritable(environment.lease_descriptor)
        child = environment.run(
            ["/bin/sh", "-c", "sleep 60 </dev/null >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE, text=True
        )
    pid = int(child.stdout)
    try:
        project.edit("pyproject.toml", '["apple"]', '["apple<2"]')
        project.lock()
        project.roost("sync")
        project.age()
        assert f"kept {held}: in use" in project.roost("clean", "--all").stdout
    finally:
        os.kill(pid, 9)


def test_errors_are_roosts(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(roost.RoostError, match="there is no environment `docs`"):
        roost.acquire(project.root, env="docs")
    with pytest.raises(errors.RoostError, match=r"no Python satisfies `3\.99` \(--python\)"):
        roost.acquire(project.root, python="3.99")
    with pytest.raises(errors.RoostError, match=r"no `pyproject\.toml` in "):
        roost.acquire(tmp_path)
    with pytest.raises(errors.UsageError, match="is not a folder"):
        roost.acquire(tmp_path / "nowhere")
    for seconds in (-1.0, float("nan"), float("inf")):
        with pytest.raises(errors.UsageError, match=r"`timeout` is `.*`: it must be a number of seconds"):
            roost.acquire(project.root, timeout=seconds)
    monkeypatch.setenv("ROOST_TIMEOUT", "soon")
    with pytest.raises(errors.UsageError, match="ROOST_TIMEOUT"):
        roost.acquire(project.root)
    with roost.acquire(project.root, timeout=60), pytest.raises(errors.UsageError, match="is not a folder"):
        roost.acquire(project.root / "pyproject.toml")


def test_wait_is_bounded(slow_project: SlowProject) -> None:
    with slow_project.in_build("run", "python", "-c", "pass") as builder:
        message = rf"the build lock is held by pid {builder.pid} "
        with pytest.raises(errors.WaitTimeoutError, match=message):
            roost.acquire(slow_project.root, timeout=0)
    builder.communicate()
    assert builder.returncode == 0


def test_explicit_python(project: Project) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with roost.acquire(project.root, python=version) as environment:
        got = environment.run(
            ["python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        assert got.stdout == f"{version}\n"


def acquire_in_threads(project: Project, count: int) -> tuple[list[str], list[BaseException]]:
    """Acquire in `count` threads that start at one barrier; return the venvs and the errors."""
    barrier = threading.Barrier(count)
    venvs: list[str] = []
    failures: list[BaseException] = []

    def acquire() -> None:
        barrier.wait()
        try:
            with roost.acquire(project.root) as environment:
                environment.run(["python", "-c", "import apple.late, banana.later"], check=True)
                venvs.append(environment.venv)
        except BaseException as error:  # noqa: BLE001 - handed on
            failures.append(error)

    threads = [threading.Thread(target=acquire) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return venvs, failures


@pytest.mark.slow
def test_threads_that_acquire_at_once_share_one_build(project: Project) -> None:
    for turn in range(3):
        venvs, failures = acquire_in_threads(project, 12)
        assert failures == []
        assert len(venvs) == 12
        assert len(set(venvs)) == 1
        assert len(project.journal("build")) == turn + 1
        assert [
            path
            for path in project.store.rglob("*")
            if ".lease_descriptor" not in path.name
            and path.is_file()
            and "venv-" not in str(path)
            and path.name.count(".") > 1
        ] == []
        project.edit("pyproject.toml", "[tool.roost]\n", f"[tool.mine{turn}]\n[tool.roost]\n")


def test_descriptors_do_not_leak(project: Project) -> None:
    with roost.acquire(project.root):
        pass
    before = len(os.listdir("/dev/fd"))
    for turn in range(3):
        for _ in range(5):
            with roost.acquire(project.root):
                pass
        project.edit("pyproject.toml", "[tool.roost]\n", f"[tool.mine{turn}]\n[tool.roost]\n")
        with roost.acquire(project.root):
            pass
        with pytest.raises(errors.RoostError):
            roost.acquire(project.root, env="none")
    project.edit("pyproject.toml", '["apple"]', '["durian"]')
    (project.root / "uv.lock").unlink()
    for _ in range(3):
        with pytest.raises(errors.RoostError):
            roost.acquire(project.root)
    assert len(os.listdir("/dev/fd")) == before


def test_types_are_published() -> None:
    assert (Path(roost.__file__).parent / "py.typed").exists()


def test_import_is_light() -> None:
    heavy = {"json", "re", "click", "filelock", "subprocess", "pathlib"}
    code = f"import roost; print(sorted({heavy!r} & set(sys.modules)))"
    assert (
        run(
            [
                sys.executable,
                "-S",
                "-I",
                "-c",
                f"import sys; sys.path.insert(0, {str(Path(roost.__file__).parents[1])!r}); {code}",
            ]
        ).stdout
        == "[]\n"
    )


def test_async_form_shares_one_build_and_does_not_block_the_loop(slow_project: SlowProject) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def main() -> set[Path]:
        ticking = asyncio.create_task(tick())
        found = await asyncio.gather(*(roost.acquire_async(slow_project.root, groups=[]) for _ in range(4)))
        ticking.cancel()
        for environment in found:
            environment.close()
        return {environment.path for environment in found}

    assert len(asyncio.run(main())) == 1
    assert ticks > 5
    assert len(slow_project.journal("build")) == 1


def test_cancelled_async_form_keeps_no_lease(slow_project: SlowProject) -> None:
    async def main() -> None:
        task = asyncio.create_task(roost.acquire_async(slow_project.root))
        await asyncio.to_thread(slow_project.begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow_project.journal("build") == []

    asyncio.run(main())
    wait_for(lambda: slow_project.journal("build"), "the build")
    (venv,) = slow_project.venvs()
    wait_for(lambda: not holders.users([f"{venv}.lease"])[f"{venv}.lease"], "the release of the lease")


def test_cancelled_async_form_waits_no_longer(project: Project) -> None:
    """A wait that went on in the thread would keep the process from ending."""
    store = Store(str(project.root))
    store.prepare()
    lock = locks.BuildLock(store.lock)
    assert lock.try_take("pid 1")

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(roost.acquire_async(project.root), 0.3)

    asyncio.run(main())
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("roost")], "the thread")
    lock.release()
    assert project.all_venvs() == []


def test_async_form_raises_what_acquire_raises(project: Project) -> None:
    for groups, extras in ((["fruit"], []), ([], ["fruit"])):
        with pytest.raises(errors.UsageError, match=r"there is no .* `fruit` in"):
            roost.acquire(project.root, groups=groups, extras=extras)
        with pytest.raises(errors.UsageError, match=r"there is no .* `fruit` in"):
            asyncio.run(roost.acquire_async(project.root, groups=groups, extras=extras))
    with pytest.raises(errors.UsageError, match=r"`extras` is the string `fast`: pass a list of names, `extras="):
        roost.acquire(project.root, extras="fast")  # a string is an iterable of strings
    with pytest.raises(errors.UsageError, match=r"`groups` is the string `dev`: pass a list of names, `groups="):
        asyncio.run(roost.acquire_async(project.root, groups="dev"))
    assert not project.store.exists()
