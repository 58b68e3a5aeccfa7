"""The one entry of the commands, and the one place where an error becomes an exit status."""

import sys

from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _roost() -> int:
    words = sys.argv[1:]
    if words[:1] == ["run"]:
        from roost import launch  # noqa: PLC0415 - each command imports what it needs

        told = launch.parse(words[1:])
        if told:
            launch.run(told)
    from roost import cli  # noqa: PLC0415 - a warm `roost run` needs none of it

    return cli.main(words)


def _roost_run() -> int:
    from roost import launch  # noqa: PLC0415 - each command imports what it needs

    launch.roost_run(sys.argv[1:])


def _guarded(command: "Callable[[], int]") -> int:
    try:
        return command()
    except RoostError as error:
        return _said(str(error), error.status)
    except KeyboardInterrupt:
        return _said("interrupted; nothing was run", 130)
    except OSError as error:
        where = f"`{error.filename}`: " if error.filename else ""
        return _said(f"{where}{error.strerror or error}", RoostError.status)


def _said(text: str, status: int) -> int:
    from roost import report  # noqa: PLC0415 - nothing is said on a warm start

    report.error(text)
    return status


def main() -> int:
    """Be `roost`; return the exit status."""
    return _guarded(_roost)


def roost_run() -> int:
    """Be `roost-run`; return the exit status."""
    return _guarded(_roost_run)


if __name__ == "__main__":
    sys.exit(main())
