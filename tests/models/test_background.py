"""Where glass ends and tissue begins is a matter of the place alone."""

import numpy as np
import pytest

from stainapp.models.background import BLOCK_PX, MARGIN_PX, tissue_share, with_glass
from tests.models.factories import tissue_image

GLASS = (244, 244, 244)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 2), (3, 5), (77, 130)])
def test_a_share_does_not_depend_on_where_a_read_begins(dx: int, dy: int) -> None:
    image, margin = tissue_image(500, 400), MARGIN_PX
    whole = tissue_share(image, GLASS, 40, 60)

    part = tissue_share(image[dy : dy + 203, dx : dx + 250], GLASS, 40 + dx, 60 + dy)

    inner = whole[dy + margin : dy + 203 - margin, dx + margin : dx + 250 - margin]
    assert 0 < inner.mean() < 255
    assert np.array_equal(part[margin:-margin, margin:-margin], inner)


@pytest.mark.parametrize("edge", range(100, 100 + BLOCK_PX))
def test_tissue_is_stained_up_to_its_edge_and_fades_soon_after(edge: int) -> None:
    image = np.full((120, 200, 3), 244, np.uint8)
    image[:, :edge] = (150, 60, 120)

    row = tissue_share(image, GLASS)[60].astype(int)

    assert (row[: edge - BLOCK_PX // 2] == 255).all()
    assert (row[edge + 2 * MARGIN_PX :] == 0).all()
    assert (np.diff(row) <= 0).all()
    assert -np.diff(row).min() < 80


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 64), (65, 129)])
def test_a_blend_is_the_weighted_mean_of_both(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    stained, source = (rng.integers(0, 256, (*shape, 3), np.uint8) for _ in range(2))
    share = rng.choice(np.array([0, 1, 100, 254, 255], np.uint8), shape)

    blend = with_glass(stained, source, share)

    weight = share[..., None] / 255
    assert np.abs(blend - (stained * weight + source * (1 - weight))).max() <= 0.5 + 1e-6
