from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, ModelError, SlideError, UnknownScaleError
from stainapp.models.calibration import calibrate_slide
from stainapp.models.slide_state import SlideState
from stainapp.models.virtual_slide import provenance
from stainapp.slides.reader import RgbImage
from tests.models.conftest import Made
from tests.models.factories import (
    ArraySlide,
    FakeStainer,
    opened,
    tissue_image,
)


def test_glass_is_handed_through_and_its_tiles_are_never_computed(virtual: Made) -> None:
    image = np.full((600, 600, 3), 246, np.uint8)
    image[:, :100] = (150, 60, 120)
    stainer = FakeStainer(lambda tiles: tiles // 2, background="pass")
    slide = virtual(ArraySlide(image), stainer, SlideState(glass=(246, 246, 246)))

    stained = slide.read(0, 0, 0, 600, 600)

    assert (stained[:, 130:] == 246).all()
    assert (stained[20:-20, 20:80] == image[20:-20, 20:80] // 2).all()
    assert sum(stainer.batches) <= 14  # of 49 cells


def test_the_edge_of_the_glass_is_soft_and_steady(virtual: Made) -> None:
    image = np.full((300, 300, 3), 246, np.uint8)
    image[:, :150] = (150, 60, 120)
    slide = virtual(ArraySlide(image), FakeStainer(np.zeros_like, background="pass"))

    row = slide.read(0, 150, 0, 300, 1)[0, :, 1].astype(int)

    assert row[0] == 0
    assert row[299] == 246
    assert ((row > 10) & (row < 236)).sum() >= 3


@pytest.mark.parametrize(("level", "live"), [(0, True), (1, True), (2, False)])
def test_only_levels_near_the_model_s_scale_are_live(level: int, live: bool, virtual: Made) -> None:
    source = ArraySlide(tissue_image(), downsamples=(1, 2, 4))

    assert virtual(source, FakeStainer(mpp=0.5)).is_live(level) is live


def test_pixelwise_models_are_live_everywhere_and_need_no_scale(
    tmp_path: Path, virtual: Made
) -> None:
    source = ArraySlide(tissue_image(), mpp=None)
    stainer = opened("pixel", tmp_path)

    slide = virtual(source, stainer, calibrate_slide(source, stainer))

    assert all(slide.is_live(level) for level in range(2))
    assert slide.read(100, 100, 1, 50, 50).shape == (50, 50, 3)


def test_a_network_on_a_slide_without_scale_is_refused(virtual: Made) -> None:
    source = ArraySlide(tissue_image(300, 300), mpp=None)

    with pytest.raises(UnknownScaleError, match="mpp"):
        virtual(source, FakeStainer())


def test_neighbouring_reads_share_what_is_computed(virtual: Made) -> None:
    stainer = FakeStainer(tile=128, halo=16)
    slide = virtual(ArraySlide(tissue_image()), stainer)
    slide.read(0, 0, 0, 192, 192)
    before = sum(stainer.batches)

    slide.read(10, 10, 0, 150, 150)

    assert before == 4
    assert sum(stainer.batches) == before


def test_the_memory_of_tiles_is_bounded(virtual: Made) -> None:
    stainer = FakeStainer(tile=128, halo=16)
    slide = virtual(ArraySlide(tissue_image()), stainer, cache_bytes=2 * 96 * 96 * 3)

    slide.read(0, 0, 0, 900, 900)

    assert len(slide._mosaic._cells) <= 2


def test_two_threads_that_need_one_tile_compute_it_once(virtual: Made) -> None:
    begun, proceed = Event(), Event()

    def run(tiles: RgbImage) -> RgbImage:
        begun.set()
        assert proceed.wait(10)
        return tiles

    stainer = FakeStainer(run)
    slide = virtual(ArraySlide(tissue_image()), stainer)
    results: list[RgbImage] = []
    threads = [Thread(target=lambda: results.append(slide.read(0, 0, 0, 90, 90))) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    proceed.set()
    for thread in threads:
        thread.join()

    assert sum(stainer.batches) == 1
    assert np.array_equal(results[0], results[1])


def test_a_reader_whose_partner_is_cancelled_computes_for_itself(virtual: Made) -> None:
    begun, proceed, token = Event(), Event(), CancelToken()

    def run(tiles: RgbImage) -> RgbImage:
        if not begun.is_set():
            begun.set()
            assert proceed.wait(10)
            token.check()
        return tiles

    slide = virtual(ArraySlide(tissue_image()), FakeStainer(run))
    ended: list[type[BaseException]] = []
    results: list[RgbImage] = []

    def unwanted() -> None:
        try:
            slide.read(0, 0, 0, 90, 90, token=token)
        except Cancelled:
            ended.append(Cancelled)

    threads = [
        Thread(target=unwanted),
        Thread(target=lambda: results.append(slide.read(0, 0, 0, 90, 90))),
    ]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    token.cancel()
    proceed.set()
    for thread in threads:
        thread.join()

    assert ended == [Cancelled]
    assert np.array_equal(results[0], tissue_image()[:90, :90])


def test_cancelled_work_stops_within_one_batch(virtual: Made) -> None:
    token = CancelToken()

    def run(tiles: RgbImage) -> RgbImage:
        token.cancel()
        return tiles

    stainer = FakeStainer(run)
    slide = virtual(ArraySlide(tissue_image()), stainer)

    with pytest.raises(Cancelled):
        slide.read(0, 0, 0, 900, 900, token=token)

    assert len(stainer.batches) == 1


def test_a_source_that_fails_fails_the_read_and_not_the_next_one(virtual: Made) -> None:
    class Flaky(ArraySlide):
        broken = True

        def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
            if self.broken:
                raise SlideError("memory.tiff went away.")
            return super().read(x, y, level, width_px, height_px)

    source = Flaky(tissue_image())
    slide = virtual(source, FakeStainer())
    with pytest.raises(SlideError):
        slide.read(0, 0, 0, 90, 90)
    source.broken = False

    assert np.array_equal(slide.read(0, 0, 0, 90, 90), tissue_image()[:90, :90])


def test_damage_is_handed_through(virtual: Made) -> None:
    source = ArraySlide(tissue_image())
    slide = virtual(source, FakeStainer())

    assert slide.damaged is source.damaged


def test_identity_follows_slide_model_state_and_precision(virtual: Made) -> None:
    source, stainer = ArraySlide(tissue_image()), FakeStainer()
    other = FakeStainer()
    other.precision = "bf16"
    calibrated = SlideState(arrays={"mean": np.ones(3, np.float32)})

    slides = [
        virtual(source, stainer),
        virtual(source, stainer, calibrated),
        virtual(source, other),
    ]

    assert len({slide.info.identity for slide in slides}) == 3
    assert virtual(source, stainer).info.identity == slides[0].info.identity
    assert slides[0].info.format == "virtual"
    assert slides[0].info.associated == ()


def test_too_wide_a_halo_for_blending_is_refused(virtual: Made) -> None:
    with pytest.raises(ModelError, match="halo"):
        virtual(ArraySlide(tissue_image()), FakeStainer(blend="overlap", tile=128, halo=48))


def test_provenance_says_where_every_pixel_comes_from(tmp_path: Path, virtual: Made) -> None:
    source, stainer = ArraySlide(tissue_image()), opened("resnet", tmp_path)

    facts = provenance(virtual(source, stainer, calibrate_slide(source, stainer)))

    assert facts["virtual"] is True
    assert facts["model"] == "resnet"
    assert facts["weights_sha256"] == stainer.card.files["weights.safetensors"]
    assert (facts["source_identity"], facts["source_file"]) == ("memory", "memory.tiff")
    assert facts["calibration_tiles"] > 0
    assert {"mpp", "icc", "precision", "device", "version", "intended_use"} <= facts.keys()
