"""Frozen dataclasses from parsed JSON or TOML, strictly: what does not fit is named.

An unknown field, a missing one or a value of another type is an error, never a guess. Fields
may be plain values, literals, unions, mappings, tuples, and dataclasses or tuples of them.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from stainapp.errors import StainAppError

T = TypeVar("T")


def build(kind: type[T], values: object, where: str, error: type[StainAppError]) -> T:
    """Return a ``kind`` of parsed values.

    Args:
        kind: a dataclass.
        values: what the parser gave; lists become tuples where a tuple is wanted.
        where: the file and table, for the message.
        error: what to raise.

    Raises:
        StainAppError: of the class ``error``; names the field. One that ``kind`` itself raises
            of that class gets ``where`` put before it.
    """
    if not isinstance(values, dict):
        raise error(f"{where}: must be a table of named values.")
    unknown = sorted(values.keys() - {f.name for f in fields(kind)})  # type: ignore[arg-type]
    if unknown:
        raise error(
            f"{where}: unknown field {unknown[0]!r}; "
            f"a newer stainapp may have written it, or it is a typo."
        )
    hints = get_type_hints(kind)
    converted = {
        name: _converted(value, hints[name], f"{where}, {name}", error)
        for name, value in values.items()
    }
    for name, value in converted.items():
        if not _fits(value, hints[name]):
            raise error(f"{where}: {name} cannot be {values[name]!r}.")
    missing = [f.name for f in fields(kind) if _required(f) and f.name not in values]  # type: ignore[arg-type]
    if missing:
        raise error(f"{where}: the field {missing[0]!r} is missing; add it.")
    try:
        return kind(**converted)
    except error as impossible:  # what only the class itself knows to be wrong
        raise error(f"{where}: {impossible}") from impossible


def _converted(value: object, hint: Any, where: str, error: type[StainAppError]) -> object:
    """Turn lists into tuples and tables into dataclasses where the field is of such."""
    for choice in get_args(hint) if get_origin(hint) is UnionType else (hint,):
        if is_dataclass(choice) and isinstance(choice, type) and value is not None:
            return build(choice, value, where, error)
        if get_origin(choice) is tuple and isinstance(value, list):
            arguments = get_args(choice)
            items = arguments[:1] * len(value) if arguments[-1] is ... else arguments
            if len(items) == len(value):
                numbered = enumerate(zip(value, items, strict=True), start=1)
                return tuple(
                    _converted(v, item, f"{where} {n}", error) for n, (v, item) in numbered
                )
    return value


def _required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _fits(value: object, hint: Any) -> bool:
    """Return whether a value is of a field's type, item by item."""
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is Literal:
        return value in arguments
    if kind is UnionType:
        return any(_fits(value, choice) for choice in arguments)
    if kind is Mapping:
        return isinstance(value, dict) and all(_fits(v, arguments[1]) for v in value.values())
    if kind is tuple:
        items = value if isinstance(value, tuple) else ()
        hints = arguments[:1] * len(items) if arguments[-1] is ... else arguments
        return value == items and len(items) == len(hints) and all(map(_fits, items, hints))
    if hint in (int, float):
        return not isinstance(value, bool) and isinstance(value, (int, hint))
    return hint is Any or isinstance(value, hint)
