"""roost: one virtualenv for a project, shared safely by every hook, session and shell.

with roost.acquire("path/inside/the/project", env="default") as environment:
    environment.run(["pytest", "-q"], check=True)
"""

import os
import sys

from roost import environment, warm
from roost.environment import Environment
from roost.errors import RoostError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from typing import Any

__version__ = "0.1.0"
__all__ = ["Environment", "RoostError", "acquire", "acquire_async"]


def acquire(  # noqa: PLR0913 - all but the first by name
    path: "str | os.PathLike[str]" = ".",
    *,
    env: str | None = None,
    python: str | None = None,
    groups: "Iterable[str] | None" = None,
    extras: "Iterable[str] | None" = None,
    frozen: bool | None = None,
    timeout: float | None = None,
) -> Environment:
    """Return the environment `env` of the project around `path`, with a lease on it until it is closed.

    Without `env` it is the one that `ROOST_ENV` names, else `default`. `python` requests another interpreter than the
    project does, in any form that uv takes. `groups` and `extras` are installed in addition to what the settings name;
    without them, those in `ROOST_GROUPS` and `ROOST_EXTRAS`. `frozen` installs a lock file that is out of date as it
    is; without it, `UV_FROZEN` decides. `timeout` bounds all waits for other processes, in seconds; by default
    `ROOST_TIMEOUT`, else 600.

    Raises:
        UsageError: `path` is not a folder, `timeout` is not a number of seconds, or the project has no such group or
            extra.
        RoostError: there is no such environment, it cannot be built, or the wait timed out.
    """
    return environment.acquire(
        os.fspath(path),
        selection=_select(env, python=python, groups=groups, extras=extras, frozen=frozen),
        timeout=timeout,
        label=_label(),
    )


async def acquire_async(  # noqa: PLR0913 - all but the first by name
    path: "str | os.PathLike[str]" = ".",
    *,
    env: str | None = None,
    python: str | None = None,
    groups: "Iterable[str] | None" = None,
    extras: "Iterable[str] | None" = None,
    frozen: bool | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - it bounds the waits, not the build
) -> Environment:
    """Do the same as `acquire`, without blocking the event loop.

    It waits and builds in a thread. When its task is cancelled, it raises at once, and the wait ends. A build that was
    begun goes on in the thread, and its venv is not leased. `Environment.run` blocks: run a command with
    `asyncio.create_subprocess_exec`, `Environment.variables()` and `pass_fds=[environment.lease_descriptor]`.

    Raises:
        UsageError: as `acquire`.
        RoostError: as `acquire`.
        asyncio.CancelledError: the task was cancelled.
    """
    import asyncio  # noqa: PLC0415 - a warm `roost run` needs none of these
    import concurrent.futures  # noqa: PLC0415
    import threading  # noqa: PLC0415 - as above

    cancelled = threading.Event()
    thread = concurrent.futures.ThreadPoolExecutor(1, "roost")
    future = thread.submit(
        environment.acquire,
        os.fspath(path),
        selection=_select(env, python=python, groups=groups, extras=extras, frozen=frozen),
        timeout=timeout,
        label=_label(),
        cancelled=cancelled.is_set,
    )
    thread.shutdown(wait=False)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        cancelled.set()
        future.add_done_callback(_close)
        raise


def _label() -> str:
    """Return the command that others see while they wait for this process."""
    return os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"


def _select(env: str | None, **options: "Any") -> warm.Selection:
    """Return the selection with these options of `warm.select`.

    Raises:
        UsageError: `groups` or `extras` is a string, whose letters would count as names.
    """
    for name in ("groups", "extras"):
        if isinstance(given := options[name], str):
            raise UsageError(f"`{name}` is the string `{given}`: pass a list of names, `{name}=[{given!r}]`")
    return warm.select(env, **options)


def _close(future: "Future[Environment]") -> None:
    """Release the lease that a cancelled task did not take."""
    if not future.cancelled() and future.exception() is None:
        future.result().close()
