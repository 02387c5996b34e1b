"""What the `properties` of a QuPath feature say of a region, in today's words and in older ones.

Keys after QuPath's own reader and writer: name, color [r, g, b], classification {name, color},
isLocked; before version 0.4 colorRGB, a signed 32-bit number.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

Colour: TypeAlias = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
Properties: TypeAlias = Mapping[str, Any]

COLOUR_KEYS = ("color", "colorRGB")
LOCK_KEYS = ("isLocked", "locked")
OBJECT_TYPE_KEYS = ("objectType", "object_type", "type")


def name_in(properties: Properties) -> str:
    return _text(properties.get("name"))


def classification_in(properties: Properties) -> str:
    """Return the class's name; the parts of a derived class are joined as QuPath does, "A: B"."""
    told = properties.get("classification")
    if not isinstance(told, Mapping):
        return _text(told)
    names = told.get("names")
    if isinstance(names, list):
        return ": ".join(map(_text, names))
    return _text(told.get("name"))


def colour_in(properties: Properties) -> Colour | None:
    for key in COLOUR_KEYS:
        told = properties.get(key)
        if isinstance(told, int) and not isinstance(told, bool):
            return (told >> 16) & 255, (told >> 8) & 255, told & 255
        if isinstance(told, list) and len(told) >= 3 and all(map(_byte, told[:3])):
            red, green, blue = told[:3]
            return red, green, blue
    return None


def locked_in(properties: Properties) -> bool:
    return any(properties.get(key) is True for key in LOCK_KEYS)


def class_colour(properties: Properties, name: str) -> Colour | None:
    """Return the colour told for the class of this name, if it is the one told of."""
    told = properties.get("classification")
    if isinstance(told, Mapping) and classification_in(properties) == name:
        return colour_in(told)
    return None


def measurements_in(properties: Properties) -> dict[str, float]:
    """Return the named numbers; before version 0.4 they were a list of {name, value}."""
    told = properties.get("measurements")
    if isinstance(told, list):
        told = {m.get("name"): m.get("value") for m in told if isinstance(m, Mapping)}
    if not isinstance(told, Mapping):
        return {}
    return {
        name: float(value)
        for name, value in told.items()
        if isinstance(name, str) and isinstance(value, int | float) and not isinstance(value, bool)
    }


def restated(
    properties: Properties, name: str, classification: str, colour: Colour | None, locked: bool
) -> dict[str, Any]:
    """Return properties that say this. What said it already stays as it was, odd form and all."""
    said = dict(properties)
    if name != name_in(properties):
        _say(said, ("name",), name or None)
    if classification != classification_in(properties):
        _say(said, ("classification",), {"name": classification} if classification else None)
    if colour != colour_in(properties):
        _say(said, COLOUR_KEYS, list(colour) if colour else None)
    if locked != locked_in(properties):
        _say(said, LOCK_KEYS, locked or None)
    return said


def _say(properties: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys:
        properties.pop(key, None)
    if value is not None:
        properties[keys[0]] = value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _byte(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
