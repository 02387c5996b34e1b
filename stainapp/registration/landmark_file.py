"""Landmarks as a CSV file in level-0 pixels; the cells of a point not yet placed are empty."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from stainapp.errors import RegionError, RegistrationError
from stainapp.registration.pairs import Pair, Pairs, Place, whole
from stainapp.session.atomic_file import write_atomically

POINTS_HEADER = ("fixed x", "fixed y", "moving x", "moving y")
HEADER = ("number", "fixed_x", "fixed_y", "moving_x", "moving_y")
LARGEST_BYTES = 4 << 20


def write_pairs(pairs: Pairs, path: Path) -> None:
    """Write a file, whole or not at all; what is only proposed is left out.

    Raises:
        RegistrationError: it cannot be written there.
    """
    lines = [HEADER]
    for pair in pairs:
        sides = (("fixed", pair.fixed), ("moving", pair.moving))
        places = [None if pair.proposed == side else place for side, place in sides]
        lines.append((str(pair.number), *_cells(places[0]), *_cells(places[1])))
    _write(lines, path)


def write_points(pairs: Pairs, path: Path) -> None:
    """Write the pairs that count as `stainapp register` takes them: four numbers a line.

    Raises:
        RegistrationError: it cannot be written there.
    """
    lines = [POINTS_HEADER]
    lines += [(*_cells(pair.fixed), *_cells(pair.moving)) for pair in whole(pairs)]
    _write(lines, path)


def read_pairs(path: Path) -> Pairs:
    """Read a file that `write_pairs` made, or a person; nothing where there is no file.

    Raises:
        RegistrationError: it cannot be read, or a line of it is no landmark.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise RegistrationError(f"{path} is too large to hold landmarks; choose another file.")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise RegistrationError(f"{path} cannot be read ({error}); choose another file.") from error
    rows = csv.DictReader(io.StringIO(text))
    if tuple(rows.fieldnames or ()) != HEADER:
        raise RegistrationError(
            f"{path} holds no landmarks; its first line must be {','.join(HEADER)}."
        )
    pairs: dict[int, Pair] = {}
    for row in rows:
        try:
            pair = _pair(row)
        except (TypeError, ValueError) as error:
            raise RegistrationError(
                f"{path}: line {rows.line_num} is no landmark; correct or remove it."
            ) from error
        pairs[pair.number] = pair
    return tuple(pairs.values())


def _write(lines: Sequence[tuple[str, ...]], path: Path) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    try:
        write_atomically(path, text.getvalue().encode())
    except RegionError as error:
        raise RegistrationError(str(error)) from error


def _pair(row: dict[str, str]) -> Pair:
    fixed = _place(row["fixed_x"], row["fixed_y"])
    moving = _place(row["moving_x"], row["moving_y"])
    if fixed is None and moving is None:
        raise ValueError("no point at all")
    return Pair(int(row["number"]), fixed, moving)


def _place(x: str, y: str) -> Place | None:
    if not x.strip() and not y.strip():
        return None
    place = float(x), float(y)
    if not all(map(math.isfinite, place)):
        raise ValueError("nowhere")
    return place


def _cells(place: Place | None) -> tuple[str, str]:
    return ("", "") if place is None else (f"{place[0]:.3f}", f"{place[1]:.3f}")
