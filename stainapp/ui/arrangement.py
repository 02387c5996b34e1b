"""How two panes share real and virtual: which layers each shows, and what is written over it."""

from dataclasses import dataclass
from enum import Enum

from stainapp.ui.pane import Pane
from stainapp.ui.pane_marks import GROUND, Chip, real_chips, virtual_chips


class Layout(Enum):
    """How panes are arranged."""

    SINGLE = "single"
    SIDE_BY_SIDE = "side-by-side"
    CURTAIN = "curtain"
    FADE = "fade"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What the user has chosen to see of the real slide and of its virtual stain."""

    layout: Layout = Layout.SINGLE
    curtain: float = 0.5
    """The divider's place, as a share of the pane's width from its left."""
    fade: float = 1.0
    """How much of the virtual stain shows over the real one in the fade layout."""
    virtual_visible: bool = True
    peeking: bool = False
    """Whether the real slide shows everywhere, for as long as a key is held."""

    @property
    def shows_virtual(self) -> bool:
        return self.virtual_visible and not self.peeking

    def show_layers(self, panes: tuple[Pane, Pane], stained: bool) -> None:
        """Bring layers and divider into line; ``stained``: whether there is a virtual stain."""
        first, second = panes
        virtual = stained and self.shows_virtual
        over = virtual and self.layout is not Layout.SIDE_BY_SIDE
        first.real.setVisible(not (over and self.layout is Layout.SINGLE))
        first.virtual.setVisible(over)
        first.virtual.set_opacity(self.fade if self.layout is Layout.FADE else 1.0)
        first.set_curtain(self.curtain if over and self.layout is Layout.CURTAIN else None)
        second.real.setVisible(self.peeking)
        second.virtual.setVisible(virtual)

    def show_chips(
        self, panes: tuple[Pane, Pane], real_title: str, virtual_title: str | None, preview: bool
    ) -> None:
        """Name what each pane shows; a virtual picture is never without its badge.

        Args:
            panes: the two.
            real_title: the real slide's stain.
            virtual_title: the virtual one and its model; None where there is none.
            preview: whether a part of the view shows no exact virtual tile.
        """
        first, second = panes
        real = real_chips(real_title)
        stained: tuple[Chip, ...] = ()
        if virtual_title is not None and self.shows_virtual:
            share = f"  {100 * self.fade:.0f} %" if self.layout is Layout.FADE else ""
            stained = virtual_chips(virtual_title + share, preview)
        if not stained or self.layout is Layout.SIDE_BY_SIDE:
            first.set_chips(real)
        elif self.layout is Layout.SINGLE:
            first.set_chips(stained)
        else:
            first.set_chips(real, stained)
        none = (Chip("no virtual stain yet", GROUND),)
        second.set_chips(stained or (real if self.peeking else none))
