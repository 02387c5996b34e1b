"""Real and virtual show the same field at every level."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from stainapp.models.virtual_slide import provenance
from stainapp.slides.opening import open_slide
from tests.models.conftest import Made
from tests.models.factories import (
    ArraySlide,
    FakeStainer,
    tissue_image,
)


@pytest.mark.parametrize("zoom", [1.0, 1.03, 1.37, 2.6])
@pytest.mark.parametrize("blend", ["crop", "overlap"])
def test_an_identity_model_shifts_nothing_at_any_level(
    zoom: float, blend: str, virtual: Made
) -> None:
    image = tissue_image(1100, 900)
    source = ArraySlide(image, downsamples=(1, 2, 4))
    slide = virtual(source, FakeStainer(mpp=0.5 * zoom, blend=blend))

    for level in range(3):
        real, stained = (reader.read(160, 80, level, 180, 160) for reader in (source, slide))
        shift, *_ = phase_cross_correlation(
            real.mean(axis=-1), stained.mean(axis=-1), upsample_factor=20
        )
        assert np.abs(shift).max() <= 0.1
        if zoom <= 1.05:
            assert np.abs(real.astype(int) - stained).mean() < 1


REAL_SLIDES = [
    "slides/BS25_CHR.tiff",
    "slides/BS25_HE.tiff",
    "slides/BS25_SYN.tiff",
    "slides/melanosiscoli_HE.tiff",
    "slides/melanosiscoli_PAS.tiff",
    "slides/CMU-1-Small-Region.svs",
    "slides/TCGA-CR-7395-01A-01-TS1.svs",
    "slides/ndpi_test3-DAPI.ndpi",
    "same-slide-two-scanners/OS-2-ndpi.ome.tif",
    "same-slide-two-scanners/OS-2-vsi.ome.tif",
]


@pytest.mark.parametrize("name", REAL_SLIDES)
def test_an_identity_model_lies_exactly_on_a_real_slide(
    name: str, data: Path, virtual: Made
) -> None:
    with closing(open_slide(data / name, mpp=0.5)) as source:
        for level, facts in enumerate(source.info.levels):
            slide = virtual(source, FakeStainer(mpp=0.5 * facts.downsample, tile=512, halo=32))
            side = min(500, facts.width_px, facts.height_px)
            x, y = (
                round((size - side) * 6 // 10 * facts.downsample)
                for size in (facts.width_px, facts.height_px)
            )

            stained, real = (reader.read(x, y, level, side, side) for reader in (slide, source))

            assert np.abs(stained.astype(int) - real).mean() < 1
            shift, *_ = phase_cross_correlation(
                real.mean(axis=-1), stained.mean(axis=-1), upsample_factor=20
            )
            assert side < 100 or np.abs(shift).max() <= 0.5 / facts.downsample


@pytest.mark.parametrize("name", REAL_SLIDES)
def test_coarser_levels_are_the_mean_of_what_the_model_made(
    name: str, data: Path, virtual: Made
) -> None:
    # A file's own coarse levels may be made in any way: the finest level's mean is the truth.
    with closing(open_slide(data / name, mpp=0.5)) as source:
        slide = virtual(source, FakeStainer(mpp=0.5, tile=512, halo=32))
        level = min(1, len(source.info.levels) - 1)
        downsample = source.info.levels[level].downsample
        factor = round(downsample)
        i, j = (size * 6 // 10 for size in (source.info.width_px, source.info.height_px))
        i, j = round(i / downsample), round(j / downsample)
        x, y = round(i * downsample), round(j * downsample)
        fine = source.read(x, y, 0, 64 * factor, 64 * factor)
        mean = fine.reshape(64, factor, 64, factor, 3).mean(axis=(1, 3))

        stained = slide.read(x, y, level, 64, 64)

        # where the file's downsample is not whole, its pixels drift by a fraction of one
        assert np.abs(stained - mean).mean() < (1 if downsample == factor else 2)


def test_a_level_near_the_model_s_mpp_is_read_and_not_resampled(virtual: Made) -> None:
    source = ArraySlide(tissue_image(), mpp=0.25, downsamples=(1, 2, 4))

    slide = virtual(source, FakeStainer(mpp=0.52))
    slide.read(0, 0, 1, 64, 64)

    assert {read[2] for read in source.reads} == {1}
    assert provenance(slide)["working_mpp"] == 0.5


def test_outside_the_slide_is_white(virtual: Made) -> None:
    source = ArraySlide(tissue_image(300, 200))
    slide = virtual(source, FakeStainer(lambda tiles: tiles // 2))

    image = slide.read(-40, -30, 0, 400, 300)

    inside = image[30:230, 40:340]
    assert inside.max() < 128
    assert int(image.astype(int).sum() - inside.astype(int).sum()) == 255 * 3 * (
        400 * 300 - 300 * 200
    )
