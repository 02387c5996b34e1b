"""What can be done to the selected regions as a whole: copy, lock, join, cut, split, fill."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from stainapp.errors import RegionError
from stainapp.session import region_algebra as algebra
from stainapp.session.regions import Region
from stainapp.ui.region_editor import RegionEditor

ASIDE_PX = 16.0
"""How far a copy lies from what it is a copy of, in screen pixels."""


class RegionVerbs:
    """Does it, in one step that can be undone; or tells why it cannot be.

    Args:
        editor: whose regions are changed.
        pixel: tells how many level-0 pixels a screen pixel covers now.
    """

    def __init__(self, editor: RegionEditor, pixel: Callable[[], float]) -> None:
        self._editor, self._pixel = editor, pixel
        self.answers: Mapping[str, Callable[[], object]] = {
            "duplicate-regions": self.duplicate,
            "lock-regions": self.lock,
            "join-regions": self.join,
            "cut-regions": self.cut_out,
            "split-regions": self.split,
            "fill-regions": self.fill,
        }

    def duplicate(self) -> None:
        aside = ASIDE_PX * self._pixel()
        copies = [
            replace(region.moved(aside, aside), id=str(uuid4()), name=_copied(region), locked=False)
            for region in self._editor.selected_regions
        ]
        if copies:
            several = "Duplicate region" if len(copies) == 1 else f"Duplicate {len(copies)} regions"
            self._editor.put(copies, several)

    def lock(self) -> None:
        """Lock all that are selected; unlock them where all are locked."""
        regions = self._editor.selected_regions
        locked = not all(region.locked for region in regions)
        ids = self._editor.selected
        self._editor.set_values(ids, "Lock" if locked else "Unlock", locked=locked)

    def join(self) -> None:
        regions = self._free()
        self._change(regions, lambda: [algebra.joined(regions)], "Join regions")

    def cut_out(self) -> None:
        regions = self._free()
        self._change(regions, lambda: [algebra.cut_out(regions)], "Cut out")

    def split(self) -> None:
        regions = self._free()[:1]
        self._change(regions, lambda: algebra.apart(*regions), "Split region")

    def fill(self) -> None:
        regions = self._free()[:1]
        self._change(regions, lambda: [algebra.filled(*regions)], "Fill holes")

    def _free(self) -> Sequence[Region]:
        """Return the selected regions, unless one of them is locked."""
        regions = self._editor.selected_regions
        if any(region.locked for region in regions):
            self._editor.refused.emit("A locked region is not changed; unlock it first.")
            return ()
        return regions

    def _change(
        self, regions: Sequence[Region], changed: Callable[[], Sequence[Region]], text: str
    ) -> None:
        """Put what comes of areas in the place of those that it takes up."""
        if not regions:
            return
        try:
            new = changed()
        except RegionError as error:
            self._editor.refused.emit(str(error))
            return
        kept = {region.id for region in new}
        going = [region.id for region in regions if region.encloses and region.id not in kept]
        document = self._editor.regions.put(new).without(going)
        self._editor.become(document, text, kept)


def _copied(region: Region) -> str:
    return f"{region.name} copy" if region.name else ""
