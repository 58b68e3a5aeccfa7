"""The scenarios of the protocol's other tests, with each start going through `hooks/roost-run`.

A few of them in the normal suite and a few more in the slow one; all with `--soak 1`. Test modules are imported here alone: their tests are the cases.
"""

import inspect
import itertools
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

from tests.cli import test_run
from tests.inputs import test_files
from tests.lib.processes import ROOST_RUN, run, start
from tests.lib.projects import Project
from tests.protocol import test_concurrency
from tests.store import test_drift, test_restart
from tests.warm import test_index

MODULES = (test_concurrency, test_drift, test_index, test_files, test_restart, test_run)
# The one counts Python's modules; the other has null bytes, see `test_shell.py`.
NEVER = {"test_what_imports_on_a_warm_start", "test_index_that_is_junk_is_ignored_and_written_again"}
SLOW = {
    "test_running_session_keeps_its_packages",
    "test_stale_index_of_a_removed_venv_is_ignored",
    "test_two_states_alternating_are_built_twice_and_never_again",
    "test_what_a_session_writes_is_no_damage",
}
ALWAYS = SLOW | {
    "test_command_replaces_roost",
    "test_environment_of_a_command",
    "test_every_argument_reaches_the_command_unchanged",
    "test_exit_status_and_signals_are_the_commands_own",
    "test_removed_venv_is_built_again",
    "test_replaced_lease_is_not_the_one_that_sessions_hold",
}


def scenarios(module: ModuleType) -> Iterator[Any]:
    """Yield each test of `module` that starts something in a project, once for each of its parameters."""
    for name, function in vars(module).items():
        if name in NEVER or not name.startswith("test_") or not isinstance(function, FunctionType):
            continue
        if not {"project", "built", "slow_project", "ready"}.intersection(inspect.signature(function).parameters):
            continue
        marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
        if any("door" in mark.args[0] for mark in marks):
            continue  # it goes through both already
        choices = [[_values(mark.args[0], value) for value in mark.args[1]] for mark in marks]
        for number, chosen in enumerate(itertools.product(*choices)):
            given = {name: value for values in chosen for name, value in values.items()}
            marks = [pytest.mark.slow] if name in SLOW else []
            kind = module.__name__.rpartition("_")[2]
            yield pytest.param(function, given, id=f"{kind}-{name[5:]}-{number}", marks=marks)


def _values(names: str | tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return the parameters `names` of one variant, which may be a `pytest.param`."""
    if isinstance(value, type(pytest.param())):
        names, value = (names,) if isinstance(names, str) else names, value.values
    if isinstance(names, str):
        return {names: value}
    return dict(zip(names, value, strict=True))


@pytest.fixture(autouse=True)
def shell_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `roost run` of a test's project be `roost-run`."""
    before = Project.start

    def run_it(project: Project, *command: str, **options: Any) -> Any:
        return run([ROOST_RUN, *command], **({"cwd": project.root} | options))

    def start_it(project: Project, *words: Any, **options: Any) -> Any:
        if words[0] != "run":
            return before(project, *words, **options)
        return start([ROOST_RUN, *words[1:]], **({"cwd": project.root} | options))

    monkeypatch.setattr(Project, "run", run_it)
    monkeypatch.setattr(Project, "start", start_it)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the scenarios."""
    if "scenario" in metafunc.fixturenames:
        every = [scenario for module in MODULES for scenario in scenarios(module)]
        if not metafunc.config.getoption("--soak"):
            every = [scenario for scenario in every if scenario.values[0].__name__ in ALWAYS]
        metafunc.parametrize(("scenario", "given"), every)


def test_scenario_through_the_shell(
    scenario: Callable[..., None], given: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """As through Python; that it is the shell that answers a warm start is what `test_shell.py` shows."""
    names = inspect.signature(scenario).parameters
    scenario(**{name: given[name] if name in given else request.getfixturevalue(name) for name in names})


def test_scenarios_that_always_run_are_there() -> None:
    found = {parameter.values[0].__name__ for module in MODULES for parameter in scenarios(module)}
    assert found >= ALWAYS
