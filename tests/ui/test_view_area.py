from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from stainapp.compare.difference_slide import LESS, MORE
from stainapp.geometry import Rect
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import Level, SlideReader
from stainapp.tiles.cache import TileCache
from stainapp.ui.camera import magnification
from stainapp.ui.feeds import TileFeed
from stainapp.ui.pane import Pane
from stainapp.ui.pane_marks import BADGE, PREVIEW
from stainapp.ui.picture import Picture
from stainapp.ui.view_area import Layout, ViewArea
from tests.ui.fakes import BLUE, GREEN, ROSE, PlainSlide, PositionSlide


class Stage:
    """A view area of 600 x 400, shown, with what is needed to put virtual slides on it."""

    def __init__(self, qtbot: QtBot, pool: ThreadPoolExecutor) -> None:
        self.qtbot = qtbot
        self._pool = pool
        self.view = ViewArea()
        qtbot.addWidget(self.view)
        self.view.resize(600, 400)
        self.view.set_minimap_visible(False)
        with qtbot.waitExposed(self.view):
            self.view.show()

    def show(self, slide: SlideReader, title: str = "H&E") -> None:
        with self.qtbot.waitSignal(self.view.settled, timeout=10_000):
            self.view.show_slide(slide, title)

    def feed(self, virtual: SlideReader) -> TileFeed:
        return TileFeed(virtual, TileCache(64 << 20), self._pool, threads=1, parent=self.view)

    def show_virtual(self, virtual: SlideReader, title: str = "PAS  model") -> TileFeed:
        feed = self.feed(virtual)
        with self.qtbot.waitSignal(self.view.settled, timeout=10_000):
            self.view.show_virtual(virtual, feed, title)
        return feed

    def show_three(self) -> None:
        self.show(PlainSlide(ROSE))
        self.show_virtual(PlainSlide(BLUE, "virtual"))
        self.view.show_reference(PlainSlide(GREEN, "reference"), "PAS  next section")
        self.settle()

    def settle(self) -> None:
        self.qtbot.waitSignal(self.view.settled, timeout=10_000).wait()

    def picture(self) -> NDArray[np.uint8]:
        image = self.view.grab_picture().convertToFormat(QImage.Format.Format_RGB32)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)
        return rows[..., 2::-1].copy()

    def colours(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the colours left and right of the middle."""
        picture = self.picture()
        return tuple(picture[200, 220].tolist()), tuple(picture[200, 380].tolist())

    def words(self, pane: int = 0) -> list[str]:
        return [chip.words for chip in self.view.panes[pane].chips]


def _is_about(pane: Pane, width: int) -> bool:
    return bool(abs(pane.width() - width) <= 2)


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[Stage]:
    with ThreadPoolExecutor(1) as pool:
        stage = Stage(qtbot, pool)
        yield stage
        stage.view.close_feeds()


def test_a_slide_is_shown_whole_with_its_name(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PlainSlide(ROSE))

    assert stage.colours() == (ROSE, ROSE)
    assert stage.words() == ["REAL  H&E"]
    seen = stage.view.visible_region()
    assert seen.width >= 4096
    assert seen.height >= 3072


@pytest.mark.parametrize(
    ("layout", "colours"),
    [
        (Layout.SINGLE, (BLUE, BLUE)),
        (Layout.SIDE_BY_SIDE, (ROSE, BLUE)),
        (Layout.CURTAIN, (ROSE, BLUE)),
    ],
)
def test_each_layout_puts_real_and_virtual_in_their_place(
    qtbot: QtBot, stage: Stage, layout: Layout, colours: tuple[object, object]
) -> None:
    stage.show(PlainSlide(ROSE))
    stage.show_virtual(PlainSlide(BLUE, "virtual"))

    stage.view.set_layout(layout)
    stage.settle()

    assert stage.colours() == colours
    words = stage.words(0) + stage.words(1) * (layout is Layout.SIDE_BY_SIDE)
    assert "PAS  model" in words
    assert BADGE in words


@pytest.mark.parametrize(
    ("hidden", "colours"),
    [
        ((), [ROSE, BLUE, GREEN]),
        ((Picture.REAL,), [BLUE, GREEN]),
        ((Picture.VIRTUAL,), [ROSE, GREEN]),
        ((Picture.REFERENCE,), [ROSE, BLUE]),
    ],
)
def test_any_two_or_three_pictures_stand_side_by_side(
    stage: Stage, hidden: tuple[Picture, ...], colours: list[tuple[int, ...]]
) -> None:
    stage.show_three()
    stage.view.set_layout(Layout.SIDE_BY_SIDE)
    for picture in hidden:
        stage.view.set_visible(picture, False)
    stage.settle()

    shown = stage.picture()
    middles = [round(600 * (n + 0.5) / len(colours)) for n in range(len(colours))]
    assert [tuple(shown[200, x].tolist()) for x in middles] == colours


def test_curtain_and_fade_set_the_virtual_stain_against_the_reference(stage: Stage) -> None:
    stage.show_three()
    stage.view.set_layout(Layout.CURTAIN)
    stage.settle()
    parted = stage.colours()
    stage.view.set_layout(Layout.FADE)
    stage.view.set_fade(0.5)

    assert parted == (BLUE, GREEN)
    half = [(a + b) / 2 for a, b in zip(BLUE, GREEN, strict=True)]
    assert stage.colours()[0] == pytest.approx(half, abs=2)
    words = stage.words()
    assert BADGE in words
    assert "registered" in words


def test_a_reference_that_is_not_seen_is_not_read(stage: Stage) -> None:
    stage.show(PlainSlide(ROSE))
    stage.view.set_visible(Picture.REFERENCE, False)
    reference = PlainSlide(GREEN, "reference")
    stage.view.show_reference(reference, "PAS  next section")
    stage.settle()
    hidden = list(reference.reads)
    stage.view.set_visible(Picture.REFERENCE, True)
    stage.settle()

    assert hidden == []
    assert reference.reads
    assert stage.colours() == (GREEN, GREEN)


def test_a_reference_goes_when_it_is_taken_away_or_the_slide_changes(stage: Stage) -> None:
    stage.show_three()
    stage.view.show_reference(None)
    stage.settle()
    assert "registered" not in stage.words()

    stage.view.show_reference(PlainSlide(GREEN, "reference"), "PAS")
    stage.show(PlainSlide(ROSE, "another"))
    assert stage.view.field.reference == ()


def test_a_reference_in_another_frame_is_refused(stage: Stage) -> None:
    stage.show(PlainSlide(ROSE))

    with pytest.raises(ValueError, match="levels"):
        stage.view.show_reference(PlainSlide(GREEN, "other", (Level(300, 200, 1.0),)), "PAS")


def test_fading_mixes_both_by_the_opacity(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PlainSlide((200, 100, 0)))
    stage.show_virtual(PlainSlide((0, 100, 200), "virtual"))
    stage.view.set_layout(Layout.FADE)

    stage.view.set_fade(0.25)

    assert stage.colours()[0] == pytest.approx((150, 100, 50), abs=2)


def test_the_curtain_opens_over_live_virtual_stain(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PlainSlide(ROSE))
    stage.show_virtual(PlainSlide(BLUE, "virtual"))
    stage.view.set_layout(Layout.CURTAIN)

    stage.view.set_curtain(0.9)
    opened = stage.colours()
    stage.view.set_curtain(0.1)

    assert (opened, stage.colours()) == ((ROSE, ROSE), (BLUE, BLUE))


def test_peeking_shows_the_real_slide_everywhere_for_as_long_as_it_lasts(
    qtbot: QtBot, stage: Stage
) -> None:
    stage.show(PlainSlide(ROSE))
    stage.show_virtual(PlainSlide(BLUE, "virtual"))
    stage.view.set_layout(Layout.SIDE_BY_SIDE)
    stage.settle()

    stage.view.peek(True)
    peeked = stage.colours(), BADGE in stage.words(1)
    stage.view.peek(False)

    assert peeked == ((ROSE, ROSE), False)
    assert stage.colours() == (ROSE, BLUE)
    assert BADGE in stage.words(1)


def test_both_panes_show_the_same_field_at_every_zoom_and_rotation(
    qtbot: QtBot, stage: Stage
) -> None:
    stage.show(PositionSlide())
    stage.show_virtual(PositionSlide(identity="virtual"))
    stage.view.set_layout(Layout.SIDE_BY_SIDE)
    for factor, degrees in ((1, 0), (3.1, 20), (2.7, 0), (0.2, 110)):
        stage.view.zoom_by(factor)
        stage.view.rotate_by(degrees)
        stage.settle()

        picture = stage.picture().astype(int)

        # Right of the titles, above the bars, and not where 2 px lie between the panes.
        left, right = picture[60:330, 10:280], picture[60:330, 311:581]
        assert abs(left - right).max() <= 1


def test_the_place_asked_for_is_painted_at_the_centre(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PositionSlide())
    stage.view.set_magnification(20)

    stage.view.go_to(2016 + 16, 992 + 16)
    stage.settle()

    assert stage.picture()[200, 300].tolist() == [2016 // 32, 992 // 32, 0]


def test_magnification_is_that_of_the_screen(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PlainSlide(mpp=0.5))

    for wanted in (4, 10, 20, 40):
        stage.view.set_magnification(wanted)
        assert magnification(stage.view.viewpoint.camera, 0.5) == pytest.approx(wanted)


def test_only_the_preview_is_marked_as_such(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PlainSlide(ROSE))
    with qtbot.waitSignal(stage.view.settled):
        stage.view.show_preview(PlainSlide(GREEN, "preview"), "PAS  model")
    marked = stage.words()

    stage.show_virtual(PlainSlide(BLUE, "virtual"))

    assert PREVIEW in marked
    assert BADGE in marked
    assert PREVIEW not in stage.words()
    assert BADGE in stage.words()


def test_the_old_model_stays_until_the_new_one_has_something_to_show(
    qtbot: QtBot, stage: Stage
) -> None:
    stage.show(PlainSlide(ROSE))
    stage.show_virtual(PlainSlide(BLUE, "old"))
    preview = PlainSlide(GREEN, "new preview")
    preview.proceed.clear()

    stage.view.show_preview(preview, "PAS  new")
    qtbot.waitUntil(preview.begun.is_set)
    kept = stage.colours()[0]
    marked = PREVIEW in stage.words()
    with qtbot.waitSignal(stage.view.settled):
        preview.proceed.set()

    assert (kept, marked) == (BLUE, True)
    assert stage.colours()[0] == GREEN


def test_dismissing_the_stain_shows_the_real_slide_alone(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PlainSlide(ROSE))
    stage.show_virtual(PlainSlide(BLUE, "virtual"))

    stage.view.clear_virtual()
    stage.settle()

    assert stage.colours() == (ROSE, ROSE)
    assert stage.words() == ["REAL  H&E"]


def test_tiles_to_come_are_counted_down_to_none(qtbot: QtBot, stage: Stage) -> None:
    counts: list[int] = []
    stage.view.tiles_waiting.connect(counts.append)

    stage.show(PlainSlide(ROSE))

    assert max(counts) > 0
    assert counts[-1] == 0


def test_damage_is_counted_and_hatched(qtbot: QtBot, stage: Stage) -> None:
    slide = PlainSlide(GREEN)
    slide.damaged = (Rect(1400, 1400, 500, 500),)

    with qtbot.waitSignal(stage.view.damage_found) as found:
        stage.view.show_slide(slide, "H&E")
    stage.settle()

    assert found.args == [1]
    x, y = stage.view.viewpoint.camera.to_screen(1650, 1650, stage.view.panes[0].size_px)
    place = stage.picture()[int(y) - 12 : int(y) + 12, int(x) - 12 : int(x) + 12].astype(int)
    assert abs(place - GREEN).max() > 60


def test_a_damaged_reference_is_hatched_where_it_lies_and_the_slide_is_not(
    qtbot: QtBot, stage: Stage
) -> None:
    stage.show(PlainSlide(ROSE))
    reference = PlainSlide(GREEN, "reference")
    reference.damaged = (Rect(1400, 1400, 500, 500),)
    stage.view.set_layout(Layout.SIDE_BY_SIDE)

    with qtbot.waitSignal(stage.view.damage_found) as found:
        stage.view.show_reference(reference, "PAS  next section")
    stage.settle()

    assert found.args == [1]
    for pane, colour, hatched in zip(stage.view.panes, (ROSE, GREEN), (False, True), strict=False):
        x, y = stage.view.viewpoint.camera.to_screen(1650, 1650, pane.size_px)
        x += pane.x()
        place = stage.picture()[int(y) - 12 : int(y) + 12, int(x) - 12 : int(x) + 12].astype(int)
        assert bool(abs(place - colour).max() > 60) is hatched


def test_damage_of_a_reference_is_forgotten_with_it(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PlainSlide(ROSE))
    reference = PlainSlide(GREEN, "reference")
    reference.damaged = (Rect(1400, 1400, 500, 500),)
    with qtbot.waitSignal(stage.view.damage_found):
        stage.view.show_reference(reference)

    with qtbot.waitSignal(stage.view.damage_found) as found:
        stage.view.show_reference(None)

    assert found.args == [0]


def test_in_a_narrow_view_minimap_and_scale_bar_lie_beside_each_other(
    qtbot: QtBot, stage: Stage
) -> None:
    stage.view.set_minimap_visible(True)
    stage.show(PlainSlide(ROSE))
    stage.view.viewpoint.zoom_at(8.0, 0, 0, stage.view.panes[0].size_px)
    stage.view.set_layout(Layout.SIDE_BY_SIDE)

    pane, minimap, seen = stage.view.panes[0], stage.view.minimap, []
    for width in (1400, 600, 420, 330, 220):
        stage.view.resize(width, 400)
        qtbot.waitUntil(partial(_is_about, pane, width // 2))
        bar = pane.scale_bar_rect.left()
        assert minimap.isHidden() or minimap.geometry().right() < bar
        assert 0 <= bar < pane.width()
        seen.append(minimap.isVisible())

    assert seen[0]
    assert not seen[-1]


def test_a_slide_that_cannot_be_read_is_told_once_and_the_view_settles(
    qtbot: QtBot, stage: Stage
) -> None:
    slide = PlainSlide(levels=(Level(4096, 3072, 1.0),))
    slide.fails = lambda x, y: True
    told: list[str] = []
    stage.view.failed.connect(told.append)

    stage.show(slide)

    assert told == ["plain.tiff is damaged; copy it again."]


def test_the_cursor_in_one_pane_is_marked_in_the_other(qtbot: QtBot, stage: Stage) -> None:
    stage.show(PlainSlide(ROSE))
    stage.show_virtual(PlainSlide(BLUE, "virtual"))
    stage.view.set_layout(Layout.SIDE_BY_SIDE)
    stage.settle()
    before = stage.picture()[:, 302:]

    with qtbot.waitSignal(stage.view.cursor_moved) as moved:
        stage.view.panes[0].cursor_moved.emit(2048.0, 1536.0)

    assert moved.args == [2048.0, 1536.0]
    changed = np.argwhere((stage.picture()[:, 302:] != before).any(axis=-1))
    assert changed.mean(axis=0).tolist() == pytest.approx([200, 149], abs=2)


def test_another_slide_is_shown_only_after_the_one_before_is_let_go(
    qtbot: QtBot, stage: Stage
) -> None:
    first = PlainSlide(ROSE, "first")
    stage.show(first)
    stage.view.zoom_by(4)

    stage.show(PlainSlide(GREEN, "second"))
    reads = len(first.reads)
    stage.view.zoom_by(0.5)
    stage.settle()

    assert stage.colours() == (GREEN, GREEN)
    assert len(first.reads) == reads


def test_a_resized_window_still_fits_the_slide_until_one_looks_elsewhere(
    qtbot: QtBot, stage: Stage
) -> None:
    stage.show(PlainSlide(ROSE))
    stage.view.resize(900, 700)
    assert stage.view.visible_region().height < 1.3 * 3072

    stage.view.zoom_by(2)
    zoom = stage.view.viewpoint.camera.zoom
    stage.view.resize(500, 300)

    assert stage.view.viewpoint.camera.zoom == zoom


def test_a_real_slide_is_shown_as_its_reader_gives_it(
    qtbot: QtBot, stage: Stage, data: Path
) -> None:
    reader = open_slide(data / "slides" / "CMU-1-Small-Region.svs")
    try:
        stage.show(reader)
        stage.view.go_to(1000, 1500)
        stage.view.zoom_by(1 / stage.view.viewpoint.camera.zoom)
        stage.settle()

        picture = stage.picture()[100:300, 100:500]

        expected = reader.read(1000 - 200, 1500 - 100, 0, 400, 200)
        assert (picture == expected).all()
    finally:
        stage.view.field.clear()
        stage.view.minimap.forget()
        reader.close()


def differing(stage: Stage, *, virtual: bool = True, reference: bool = True) -> None:
    """Show the difference of as much as there is, the virtual slide the paler one."""
    stage.show(PlainSlide(ROSE))
    if virtual:
        stage.show_virtual(PlainSlide((200, 200, 200), "virtual"))
    if reference:
        stage.view.show_reference(PlainSlide((60, 60, 60), "reference"), "PAS  next section")
    stage.view.set_visible(Picture.DIFFERENCE, True)
    stage.settle()


def test_the_difference_stands_in_a_pane_of_its_own_with_its_legend(stage: Stage) -> None:
    stage.view.set_layout(Layout.SIDE_BY_SIDE)

    differing(stage)

    panes = stage.view.panes
    assert [pane.isVisible() for pane in panes] == [True] * 4
    assert panes[0].geometry().left() == panes[2].geometry().left()  # two by two
    assert stage.words(3) == ["DIFFERENCE", "virtual less reference", BADGE]
    assert [pane.legend is not None for pane in panes] == [False, False, False, True]
    corner = panes[3].geometry().topLeft()  # beside it lie neither titles nor the legend
    assert tuple(stage.picture()[corner.y() + 110, corner.x() + 60].tolist()) == LESS


@pytest.mark.parametrize("layout", [Layout.SINGLE, Layout.CURTAIN, Layout.FADE])
def test_the_difference_lies_uppermost_in_the_other_layouts(stage: Stage, layout: Layout) -> None:
    stage.view.set_layout(layout)

    differing(stage)

    left, right = stage.colours()
    assert right == LESS
    assert left == ((60, 60, 60) if layout is Layout.CURTAIN else LESS)
    assert stage.view.panes[0].legend is not None
    stage.view.set_visible(Picture.DIFFERENCE, False)
    stage.settle()
    assert LESS not in stage.colours()
    assert stage.view.panes[0].legend is None


@pytest.mark.parametrize(
    ("virtual", "reference", "words"),
    [
        (True, False, ["DIFFERENCE", "virtual less real", BADGE]),
        (False, True, ["DIFFERENCE", "real less reference"]),
    ],
)
def test_a_difference_is_of_whatever_two_pictures_there_are(
    stage: Stage, virtual: bool, reference: bool, words: list[str]
) -> None:
    differing(stage, virtual=virtual, reference=reference)

    assert stage.words() == words


def test_without_a_second_picture_no_difference_is_shown(stage: Stage) -> None:
    differing(stage, virtual=False, reference=False)

    assert stage.words() == ["REAL  H&E"]
    assert stage.colours() == (ROSE, ROSE)


def test_a_difference_that_is_not_looked_at_reads_nothing(stage: Stage) -> None:
    stage.show_three()
    reference = stage.view.field.reference[0].reader
    assert isinstance(reference, PlainSlide)
    stage.view.set_visible(Picture.REFERENCE, False)
    stage.settle()
    before = len(reference.reads)

    stage.view.set_magnification(20)
    stage.settle()
    assert len(reference.reads) == before

    stage.view.set_visible(Picture.DIFFERENCE, True)
    stage.settle()
    assert len(reference.reads) > before


def test_a_reference_is_let_go_only_when_no_difference_is_read_from_it(stage: Stage) -> None:
    differing(stage)
    held = PlainSlide((90, 90, 90), "held")
    held.proceed.clear()
    stage.view.set_layout(Layout.SINGLE)
    stage.view.show_reference(held, "held")
    stage.qtbot.waitUntil(held.begun.is_set)

    with ThreadPoolExecutor(1) as later:
        later.submit(held.proceed.set)
        stage.view.show_reference(None)
        assert held.proceed.is_set()  # it was waited for
    reads = len(held.reads)
    stage.settle()
    assert len(held.reads) == reads


def test_a_preview_of_the_difference_is_marked_and_gives_way_to_the_exact_one(
    qtbot: QtBot, stage: Stage
) -> None:
    stage.show(PlainSlide(ROSE))
    stage.view.set_visible(Picture.DIFFERENCE, True)
    with qtbot.waitSignal(stage.view.settled, timeout=10_000):
        stage.view.show_preview(PlainSlide((255, 255, 255), "preview"), "PAS  model")
    assert stage.words()[-1] == PREVIEW

    stage.show_virtual(PlainSlide((20, 20, 20), "virtual"))

    assert PREVIEW not in stage.words()
    assert stage.colours() == (MORE, MORE)


def test_a_difference_stops_with_the_virtual_slide_that_it_is_read_from(
    qtbot: QtBot, stage: Stage
) -> None:
    stage.show(PlainSlide(ROSE))
    virtual = PlainSlide(BLUE, "virtual")
    feed = stage.show_virtual(virtual)
    stage.view.set_visible(Picture.DIFFERENCE, True)
    stage.settle()

    feed.stop()  # as who stains does before it closes the virtual slide
    reads = len(virtual.reads)
    stage.view.viewpoint.move(stage.view.viewpoint.camera.panned(500, 300))
    stage.settle()

    assert len(virtual.reads) == reads
