"""roost: one virtualenv for a project, shared safely by everything that fires at once.

with roost.acquire("path/inside/the/project", env="default") as environment:
    environment.run(["pytest", "-q"], check=True)
"""

import os
import sys

from roost.environment import Environment
from roost.errors import RoostError, UsageError

__version__ = "0.1.0"
__all__ = ["Environment", "RoostError", "acquire"]


def acquire(
    path: "str | os.PathLike[str]" = ".",
    *,
    env: str | None = None,
    python: str | None = None,
    timeout: float | None = None,
) -> Environment:
    """Return the environment `env` of the project around `path`: whole, and leased until it is closed.

    Without `env` it is the one that `ROOST_ENV` names, else `default`.
    `python` asks for another interpreter than the project does, in any form that uv takes. `timeout` bounds all waiting
    for other processes, in seconds; by default `ROOST_TIMEOUT`, else 600.

    Raises:
        UsageError: `path` is no folder, or `timeout` no number of seconds.
        RoostError: there is no such environment, it cannot be built, or the wait ran out.
    """
    from roost import index  # noqa: PLC0415 - a warm `roost run` imports this package, too

    start = os.path.realpath(os.fspath(path))
    if not os.path.isdir(start):  # the index would answer for a folder above
        message = f"`{start}` is not a folder: name one inside a project"
        raise UsageError(message)
    env = env or index.default_env()
    found = index.warm(start, index.key(env, python))
    if found:
        return Environment(env, found[0].venv, found[1])
    from roost import protocol, waiting  # noqa: PLC0415 - a warm start needs none of it

    seconds = waiting.timeout(os.environ) if timeout is None else waiting.checked(timeout, "timeout")
    label = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
    return protocol.acquire(protocol.Request(start, env, python, seconds, label))
