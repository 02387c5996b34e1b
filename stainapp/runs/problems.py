"""What can be wrong with a value of a recipe, in words that end its sentence."""

from stainapp.slides.scale import COARSEST_MPP, FINEST_MPP

MULTIPLE = 4
"""What the sides of tiles are multiples of, for each network there is; some need more."""
LEAST_TILE_PX, MOST_TILE_PX = 16, 4096

Problem = tuple[bool, str]
"""Whether something is wrong, and what."""


def in_range(name: str, value: float, least: float, most: float) -> Problem:
    """Refuse what is outside, and what is not a number."""
    wrong = not least <= value <= most
    return wrong, f"{name} cannot be {value:g}; choose {least:g} to {most:g}"


def at_least(name: str, value: int, least: int) -> Problem:
    return value < least, f"{name} cannot be {value}; choose {least} or more"


def scale_problem(value: float) -> Problem:
    return in_range("mpp", value, FINEST_MPP, COARSEST_MPP)


def tile_side(name: str, value: int) -> Problem:
    wrong = value % MULTIPLE != 0 or not LEAST_TILE_PX <= value <= MOST_TILE_PX
    return wrong, (
        f"{name} cannot be {value}; choose a multiple of {MULTIPLE} "
        f"from {LEAST_TILE_PX} to {MOST_TILE_PX}"
    )
