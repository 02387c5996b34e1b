"""The pictures of one field that panes can show."""

from enum import Enum


class Picture(Enum):
    """In the order in which panes stand beside one another, and lie over one another."""

    REAL = "real"
    VIRTUAL = "virtual"
    REFERENCE = "reference"
    """Another real slide, registered to this one."""
    DIFFERENCE = "difference"
    """How much denser one of them is than another, in colours."""
