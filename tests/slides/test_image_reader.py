import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stainapp.errors import SlideError
from stainapp.slides import image_reader
from stainapp.slides.opening import open_slide
from tests.slides.fakes import noise, smooth


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp"])
def test_a_lossless_image_is_shown_as_it_is(tmp_path: Path, suffix: str) -> None:
    picture = noise(60, 40)
    path = tmp_path / f"field.{suffix}"
    Image.fromarray(picture).save(path, lossless=True)

    reader = open_slide(path)

    assert np.array_equal(reader.read(0, 0, 0, 60, 40), picture)
    assert (reader.info.format, reader.info.mpp) == (suffix, None)


def test_a_photograph_taken_on_its_side_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated: the first row is the right-hand side
    path = tmp_path / "side.jpg"
    Image.fromarray(smooth(64, 32)).save(path, exif=exif, quality=95)

    reader = open_slide(path)

    assert (reader.info.width_px, reader.info.height_px) == (32, 64)
    upright = np.rot90(smooth(64, 32), -1)
    assert np.abs(reader.read(0, 0, 0, 32, 64).astype(int) - upright).mean() < 4


def test_broken_exif_data_cost_the_photograph_nothing_and_print_nothing(tmp_path: Path) -> None:
    """In a process of its own: pytest makes errors of warnings."""
    exif = Image.Exif()
    exif[0x010E] = "a description so long that it lies outside its entry"
    path = tmp_path / "photo.jpg"
    Image.fromarray(smooth(64, 32)).save(path, exif=exif)
    content = bytearray(path.read_bytes())
    start = content.find(b"Exif\0\0") + 6
    content[start + 14 : start + 18] = b"\x00\xff\xff\xff"  # the description's length
    path.write_bytes(content)
    program = (
        "import sys; from stainapp.slides.opening import open_slide;"
        "print(open_slide(sys.argv[1]).info.width_px)"
    )

    told = subprocess.run(
        [sys.executable, "-c", program, path], check=False, capture_output=True, text=True
    )

    assert (told.stdout.strip(), told.stderr) == ("64", "")


def test_transparent_pixels_are_white_and_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    clear, deep = tmp_path / "clear.png", tmp_path / "deep.png"
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(clear)
    Image.fromarray(np.full((4, 4), 257 * 77, np.uint16)).save(deep)

    assert (open_slide(clear).read(0, 0, 0, 4, 4) == 255).all()
    assert (open_slide(deep).read(0, 0, 0, 4, 4) == 77).all()


def test_screen_resolution_is_no_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "screen.png"
    Image.fromarray(noise(8, 8)).save(path, dpi=(96, 96))

    info = open_slide(path).info

    assert info.mpp is None
    assert "264" in info.properties["stainapp.mpp"]


def test_an_image_too_large_for_memory_is_declined_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.png"
    Image.fromarray(noise(20, 20)).save(path)
    monkeypatch.setattr(image_reader, "MOST_PIXELS", 300)

    with pytest.raises(SlideError, match=r"huge\.png has 20 x 20 pixels.*tiled TIFF"):
        open_slide(path)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_an_image_cut_off_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise(200, 200)).save(path)
    path.write_bytes(path.read_bytes()[:8000])

    with pytest.raises(SlideError, match=r"cut\.\w+ is damaged or incomplete"):
        open_slide(path)


def test_the_ihc_sample_opens_without_a_scale() -> None:
    info = open_slide("sample:ihc").info

    assert (info.width_px, info.height_px, info.mpp) == (512, 512, None)
