from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from stainapp.slides.colour import colour_of
from stainapp.slides.opening import open_slide
from tests.slides.fakes import noise


def profile_of(*, gamma: float) -> bytes:
    """Make sRGB's profile with another curve by rewriting its three tone curves."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for n in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * n
        if bytes(data[entry : entry + 4]) in (b"rTRC", b"gTRC", b"bTRC"):
            offset = int.from_bytes(data[entry + 4 : entry + 8], "big")
            curve = b"curv" + bytes(4) + (1).to_bytes(4, "big")
            data[offset : offset + 14] = curve + round(gamma * 256).to_bytes(2, "big")
            data[entry + 8 : entry + 12] = (14).to_bytes(4, "big")
    return bytes(data)


def test_an_srgb_profile_costs_nothing() -> None:
    colour = colour_of(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), "a")

    assert (colour.stated, colour.transform) == ("sRGB", None)


def test_a_linear_profile_is_applied_and_named() -> None:
    colour = colour_of(profile_of(gamma=1.0), "a")

    grey = np.asarray(colour.apply(Image.new("RGB", (1, 1), (55, 55, 55))))[0, 0]

    assert colour.stated.startswith("applied: ")
    # IEC 61966-2-1: linear 55/255 = 0.2157 is 0.5029 in sRGB.
    assert np.abs(grey.astype(int) - round(0.5029 * 255)).max() <= 1


@pytest.mark.parametrize("broken", [b"garbage", bytes(500)])
def test_a_broken_profile_is_ignored_and_stated(broken: bytes) -> None:
    colour = colour_of(broken, "a")

    assert (colour.stated, colour.transform) == ("unreadable, ignored", None)


def test_many_threads_share_one_transform() -> None:
    colour = colour_of(profile_of(gamma=1.4), "a")
    pictures = [noise(64, 64, seed) for seed in range(32)]
    expected = [colour.apply_to_array(picture) for picture in pictures]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(colour.apply_to_array, pictures))

    assert all(np.array_equal(a, b) for a, b in zip(results, expected, strict=True))


def test_a_png_is_shown_through_its_profile(tmp_path: Path) -> None:
    path = tmp_path / "linear.png"
    Image.new("RGB", (8, 8), (55, 55, 55)).save(path, icc_profile=profile_of(gamma=1.0))

    reader = open_slide(path)

    assert reader.info.icc.startswith("applied: ")
    assert abs(int(reader.read(0, 0, 0, 1, 1)[0, 0, 0]) - 128) <= 1
