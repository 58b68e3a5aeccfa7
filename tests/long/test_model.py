"""The protocol as a model (`tests/lib/model.py`): no interleaving breaks a property, and each rule has a reason."""

import pytest

from tests.lib.model import RULES, Model
from tests.lib.model_search import search, world

# Who takes part, and how often what may happen at any moment.
SMALL = [
    world(["run", "run"]),
    world(["run", "nested"], crashes=1),
    world(["run", "run", "clean"], edits=1, crashes=1),
    world(["run", "run"], edits=2, crashes=1),
    world(["run", "run", "clean"], drifts=1),
    world(["run", "run"], edits=1, wipes=1),
    world(["run", "run", "clean"], wipes=1, crashes=1),
    world(["run", "run", "clean", "clean"], crashes=1),
    world(["run", "run", "run"], edits=2, crashes=1),
]
LARGE = [
    world(["run", "run", "run"], wipes=1, crashes=1),
    world(["run", "run", "run", "clean"], edits=1, crashes=1),
    world(["run", "run"], edits=2, wipes=1, crashes=1),
    world(["run", "run", "clean"], drifts=1, crashes=2),
    world(["run", "run", "run", "clean"], edits=2, crashes=1),
    world(["run", "run", "clean"], edits=2, wipes=1, crashes=1),
]


@pytest.mark.parametrize("first", SMALL, ids=range(len(SMALL)))
def test_no_interleaving_breaks_a_property(first: object) -> None:
    found = search(Model(), first)  # type: ignore[arg-type]
    assert not found.broken, "\n".join(found.way)
    assert found.states > 50


@pytest.mark.parametrize("first", LARGE, ids=range(len(LARGE)))
def test_no_interleaving_of_many_breaks_a_property(first: object, soak: float) -> None:
    least = 100 if first is LARGE[-1] else 1
    if soak < least:
        pytest.skip(f"takes minutes: `--soak {least}`")
    found = search(Model(), first)  # type: ignore[arg-type]
    print(f"{found.states} states, {found.steps} steps")
    assert not found.broken, "\n".join(found.way)


@pytest.mark.parametrize("rule", RULES)
def test_without_a_rule_a_property_breaks(rule: str) -> None:
    broken = next((found for found in (search(Model(rule), first) for first in SMALL) if found.broken), None)
    assert broken, f"nothing breaks where {RULES[rule]}"
    assert broken.way


def test_every_step_of_the_model_is_reached() -> None:
    steps = {name.removeprefix("_") for name, value in vars(Model).items() if callable(value)}
    steps -= {"_init__", "moves", "installers"}
    reached: set[str] = set()
    for first in SMALL[:7]:
        reached |= search(Model(), first).at
    assert steps - reached == set()
