"""Dataclasses from parsed text: what does not fit is named."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from stainapp.errors import SettingsError
from stainapp.strict import build


@dataclass(frozen=True)
class Inner:
    side: int = 1

    def __post_init__(self) -> None:
        if self.side < 0:
            raise SettingsError(f"side cannot be {self.side}.")


@dataclass(frozen=True)
class Outer:
    name: str
    share: float = 0.5
    on: bool = False
    kind: Literal["a", "b"] = "a"
    most: int | None = None
    corner: tuple[float, float] = (0.0, 0.0)
    parts: tuple[Inner, ...] = ()
    part: Inner = field(default_factory=Inner)


def made(**values: Any) -> Outer:
    return build(Outer, values, "file.toml", SettingsError)


def test_lists_and_tables_become_tuples_and_dataclasses() -> None:
    assert made(name="x", corner=[1, 2.5], parts=[{"side": 3}, {}], part={"side": 4}) == Outer(
        "x", corner=(1, 2.5), parts=(Inner(3), Inner(1)), part=Inner(4)
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "file.toml: the field 'name' is missing; add it."),
        ({"name": 3}, "file.toml: name cannot be 3."),
        ({"name": "x", "share": "0.5"}, "file.toml: share cannot be '0.5'."),
        ({"name": "x", "share": True}, "file.toml: share cannot be True."),
        ({"name": "x", "on": 1}, "file.toml: on cannot be 1."),
        ({"name": "x", "kind": "c"}, "file.toml: kind cannot be 'c'."),
        ({"name": "x", "most": 1.0}, "file.toml: most cannot be 1.0."),
        ({"name": "x", "corner": [1]}, "file.toml: corner cannot be [1]."),
        ({"name": "x", "parts": {}}, "file.toml: parts cannot be {}."),
        ({"name": "x", "part": []}, "file.toml, part: must be a table of named values."),
        ({"name": "x", "parts": [{"side": -2}]}, "file.toml, parts 1: side cannot be -2."),
        ({"name": "x", "part": {"side": "2"}}, "file.toml, part: side cannot be '2'."),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(values: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        made(**values)

    assert str(refused.value) == words


def test_an_unknown_field_is_named_before_anything_else() -> None:
    with pytest.raises(SettingsError, match=r"file\.toml, part: unknown field 'sid'"):
        made(name="x", part={"sid": 1})
