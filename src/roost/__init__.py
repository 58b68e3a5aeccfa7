"""roost: one virtualenv for a project, shared safely by every hook, session and shell.

with roost.acquire("path/inside/the/project", env="default") as environment:
    environment.run(["pytest", "-q"], check=True)
"""

import os
import sys

from roost import environment, warm
from roost.environment import Environment
from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__version__ = "0.1.0"
__all__ = ["Environment", "RoostError", "acquire"]


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
    label = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
    selection = warm.select(env, python=python, groups=groups, extras=extras, frozen=frozen)
    return environment.acquire(os.fspath(path), selection=selection, timeout=timeout, label=label)
