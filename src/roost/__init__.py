"""roost: one virtualenv for a project, shared safely by every hook, session and shell.

with roost.acquire("path/inside/the/project", env="default") as environment:
    environment.run(["pytest", "-q"], check=True)
"""

import os
import sys

from roost import environment
from roost.environment import Environment
from roost.errors import RoostError

__version__ = "0.1.0"
__all__ = ["Environment", "RoostError", "acquire"]


def acquire(
    path: "str | os.PathLike[str]" = ".",
    *,
    env: str | None = None,
    python: str | None = None,
    timeout: float | None = None,
) -> Environment:
    """Return the environment `env` of the project around `path`, with a lease on it until it is closed.

    Without `env` it is the one that `ROOST_ENV` names, else `default`. `python` requests another interpreter than the
    project does, in any form that uv takes. `timeout` bounds all waits for other processes, in seconds; by default
    `ROOST_TIMEOUT`, else 600.

    Raises:
        UsageError: `path` is not a folder, or `timeout` is not a number of seconds.
        RoostError: there is no such environment, it cannot be built, or the wait timed out.
    """
    label = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
    return environment.acquire(os.fspath(path), env=env, python=python, timeout=timeout, label=label)
