"""`roost nox`: nox with its default backend set to roost, also for noxfiles that do not import it."""

import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

import click

from roost.errors import RoostError, UsageError

_AWARE = re.compile(r"^\s*(import roost\.nox|from roost import nox)\b", re.MULTILINE)
_FLAGS = {
    "--force-venv-backend": "force",
    "-fb": "force",
    "--default-venv-backend": "default",
    "-db": "default",
    "--noxfile": "noxfile",
    "-f": "noxfile",
    "--parallel": "parallel",
    "-j": "parallel",
}


class Arguments(NamedTuple):
    """The arguments of nox that roost needs to know."""

    words: list[str]
    """The arguments that nox gets."""
    noxfile: Path
    parallel: str | None
    forced: bool
    """Whether every session is to use roost."""


def read(words: list[str]) -> Arguments:
    """Parse `words`, and remove the backend `roost`: nox accepts only backends that existed when it was imported."""
    rest, kept, values = list(words), [], {"parallel": os.environ.get("NOX_PARALLEL")}
    while rest and rest[0] != "--":
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        if flag not in _FLAGS and word[:2] in ("-j", "-f") and not word.startswith("-fb"):
            flag, equals, value = word[:2], "=", word[2:]
        if flag not in _FLAGS or not (equals or rest):
            kept.append(word)
            continue
        value = value if equals else rest.pop(0)
        values[_FLAGS[flag]] = value
        if not (value == "roost" and _FLAGS[flag] in ("force", "default")):
            kept += [flag, value]
    noxfile = Path(values.get("noxfile") or "noxfile.py")
    return Arguments([*kept, *rest], noxfile, values["parallel"], values.get("force") == "roost")


def check(arguments: Arguments) -> bool:
    """Return whether the noxfile registers the backend by itself.

    Raises:
        RoostError: it does not, and nox would need it to.
    """
    try:
        text = arguments.noxfile.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True  # nox reports it
    aware = bool(_AWARE.search(text))
    add = f"add `import roost.nox` to `{arguments.noxfile}`"
    if arguments.parallel not in (None, "1"):
        cure = 'leave out `-j`, or give the sessions `venv_backend="roost"`' if arguments.forced else add
        if arguments.forced or not aware:
            why = "nox starts parallel sessions as separate processes, and roost cannot pass the backend on to them"
            raise UsageError(f"{why}: {cure}")
    return aware


def _refuse_script_mode(*words: Any, dependencies: Sequence[str], **options: Any) -> NoReturn:
    """Raise an error where nox would start again in an environment for the noxfile's inline metadata.

    It takes the place of `nox._cli.run_script_mode`, so nox alone decides whether it is called.
    """
    del words, options
    needs = ", ".join(f"`{one}`" for one in dependencies)
    raise RoostError(
        f"nox would start again in an environment without roost, for the noxfile's inline metadata ({needs}): install "
        "that next to roost, pass `--script-mode none`, or add `import roost.nox` to the noxfile and `roost` to its "
        "dependencies, and run nox"
    )


def _restore_before_sessions(tasks: ModuleType, names: Sequence[str]) -> None:
    """Make nox's module `tasks` restore the environment variables `names` before it runs the sessions.

    A nox inside a session would not know the backend.
    """
    before = {name: os.environ.get(name) for name in names}
    run = tasks.run_manifest

    def run_manifest(manifest: Any, global_config: Any) -> Any:
        if getattr(global_config, "parallel", None) in (None, 1):  # the processes of parallel sessions read them, too
            for name, value in before.items():
                os.environ.pop(name, None)
                os.environ |= {} if value is None else {name: value}
        return run(manifest, global_config)

    tasks.run_manifest = run_manifest  # type: ignore[attr-defined]


@click.command(
    short_help="Run nox with its default backend set to roost.",
    epilog="""\b
Examples:
  roost nox
  roost nox -s tests -- -k name
  roost nox --force-venv-backend roost""",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def nox(words: tuple[str, ...]) -> None:
    """Run nox with its default backend set to roost; all WORDS are arguments of nox.

    For noxfiles that do not import roost. `--default-venv-backend roost` and `--force-venv-backend roost` work here.
    """
    arguments = read(list(words))
    aware = check(arguments)
    try:
        import nox as module  # noqa: PLC0415 - an extra, and slow to import

        import roost.nox  # noqa: F401, PLC0415 - registers the backend
    except ModuleNotFoundError as error:
        if error.name != "nox":
            raise
        raise RoostError("nox is not installed next to roost: `pip install nox`") from error
    from nox import _cli, tasks  # noqa: PLC0415 - see above
    from nox.__main__ import main  # noqa: PLC0415 - see above

    if {"-h", "--help"} & set(arguments.words[: (*arguments.words, "--").index("--")]):
        click.echo("The backend `roost` is the default here, and valid wherever nox takes a backend.\n")

    _restore_before_sessions(tasks, ["NOX_DEFAULT_VENV_BACKEND", "NOX_PARALLEL"])
    os.environ["NOX_DEFAULT_VENV_BACKEND"] = "roost"
    if not aware or arguments.forced:
        _cli.run_script_mode = _refuse_script_mode
        os.environ.setdefault("NOX_PARALLEL", "1")  # whatever the noxfile says: see `check`
    if arguments.forced:
        module.options.force_venv_backend = "roost"
    sys.argv = ["nox", *arguments.words]
    if callable(signal.getsignal(signal.SIGINT)):
        signal.signal(signal.SIGINT, signal.default_int_handler)  # nox continues where a command itself handled Ctrl-C
    main()
