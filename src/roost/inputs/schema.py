"""Types of the tables in `pyproject.toml`: one check for roost's settings and for the tables of other tools."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from roost.errors import RoostError


class Shape(NamedTuple):
    """What a value must be."""

    words: str
    accepts: Callable[[Any], bool]


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


TABLE = Shape("a table", lambda value: isinstance(value, dict))
LIST = Shape("a list", lambda value: isinstance(value, list))
TEXTS = Shape("a list of strings", _is_texts)
BOOLEAN = Shape("`true` or `false`", lambda value: isinstance(value, bool))


def one_of(values: Collection[str]) -> Shape:
    """Return the shape of a string that is one of `values`."""
    return Shape(f"one of {', '.join(f'`{value}`' for value in values)}", lambda value: value in values)


def check(tables: Mapping[str, Any], shapes: Mapping[str, Shape], file: str) -> None:
    """Check the types in `tables`, the content of `file`. A key of `shapes` is a dotted path; `*` stands for any name.

    Raises:
        RoostError: a value is of another type; the text names its place and what it must be.
    """
    for path, shape in shapes.items():
        for name, value in _find(tables, path.split(".")):
            if not shape.accepts(value):
                raise RoostError(f"`{name}` in `{file}` must be {shape.words}")


def _find(value: object, keys: list[str], name: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    if not keys:
        yield ".".join(name), value
    elif isinstance(value, dict):
        for key in value if keys[0] == "*" else value.keys() & {keys[0]}:
            yield from _find(value[key], keys[1:], (*name, key))


def check_keys(found: Collection[str], valid: Collection[str], where: str, file: str) -> None:
    """Refuse keys of the table `where` in `file` that are not `valid`.

    Raises:
        RoostError: with the key, and what was probably meant.
    """
    for key in found:
        if key not in valid:
            import difflib  # noqa: PLC0415 - only for the error

            near = difflib.get_close_matches(key, valid, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"valid are {', '.join(valid)}"
            raise RoostError(f"unknown key `{key}` in `[{where}]` of `{file}`: {hint}")


def table(tables: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return the table at `keys`, or an empty one where there is none, or another type."""
    here: Any = tables
    for key in keys:
        here = here.get(key) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}


def tables_at(tables: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the array of tables at `key`; other types are for the tool that reads the file to refuse."""
    found = tables.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
