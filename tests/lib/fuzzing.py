"""Fuzzing: values of all kinds, and what calls a check with many of them."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = 60
PER_SECOND = 30  # of a soak, for each test


def fuzz(soak: float, values: st.SearchStrategy[Any], check: Callable[[Any], object]) -> None:
    """Call `check` with many of `values`: the same ones each time, or in a soak others and more of them."""

    @settings(
        max_examples=max(EXAMPLES, int(soak * PER_SECOND)),
        derandomize=not soak,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),  # files are slow, and large values are the point
    )
    @given(values)
    def with_each(value: Any) -> None:
        check(value)

    with_each()


TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "\0", "a\0b", "../..", "/", "/dev/zero", "\ud800", "x" * 300, "²", "1" * 5000]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
DEEP = st.sampled_from(["[" * 30_000, '{"a":' * 30_000, "[" * 900 + "]" * 900])


def dumped(value: object) -> bytes:
    """Return JSON, also with what is no Unicode."""
    return json.dumps(value).encode()


@st.composite
def changed(draw: st.DrawFn, original: bytes) -> bytes:
    """Return `original` with some of it cut out, doubled, or replaced."""
    data = original
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + draw(st.sampled_from([0, 1, 8, 200, 10_000])))))
        new = draw(
            st.binary(max_size=12)
            | st.sampled_from(
                [b"", b"\0", b"\n", b"\n\n", b'"', b"-", b"9" * 30, b"\\u0000", b"\\ud800", data[begin:end] * 2]
            )
        )
        data = data[:begin] + new + data[end:]
    return data


def spoilt(original: bytes) -> st.SearchStrategy[bytes]:
    """Return changed copies of a JSON file: as text, and each of its values on its own; and anything else."""
    whole = json.loads(original)
    one = st.just(whole)
    if isinstance(whole, dict):
        one = st.builds(lambda key, value: whole | {key: value}, st.sampled_from(sorted(whole)), JSON)
    elif isinstance(whole, list):
        places = st.integers(0, len(whole) - 1)
        one = st.builds(lambda at, value: [*whole[:at], value, *whole[at + 1 :]], places, JSON)
    return changed(original) | st.binary(max_size=200) | (one | JSON).map(dumped) | DEEP.map(str.encode)


def toml(value: object) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char) if not 0xD800 <= ord(char) < 0xE000 else 63:08X}" for char in value) + '"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value).lower()
