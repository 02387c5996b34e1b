"""Volumes in each format are read as the same numbers; what cannot be one is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from stainapp.errors import RecipeError, SlideError
from tests.training.volumes import CHUNK, SHAPE, ome, tissue, write_hdf5, write_zarr
from training.volume_file import UNCHUNKED, open_volume

PART = (slice(3, 9), slice(30, 70), slice(90, 112))


def zarr_2(path: Path, values: Any) -> str:
    return write_zarr(path, values, version=2)


def zarr_3(path: Path, values: Any) -> str:
    return write_zarr(path, values)


def deep(path: Path, values: Any) -> str:
    return write_zarr(path, values, name="case 1/he")


def ome_zarr(path: Path, values: Any) -> str:
    """Write an image as OME-Zarr has it, channels first, its coarse level named first."""
    group = zarr.create_group(str(path), zarr_format=2)
    turned = np.moveaxis(values, 3, 0)
    for name, step in (("low", 2), ("full", 1)):
        part = turned[:, :, ::step, ::step]
        group.create_array(name, data=part, chunks=(1, *CHUNK))
    group.attrs.update(ome({"low": 1.0, "full": 0.5}))
    return str(path)


def ome_zarr_level(path: Path, values: Any) -> str:
    return f"{ome_zarr(path, values)}::full"


WRITERS = [zarr_2, zarr_3, deep, write_hdf5, ome_zarr, ome_zarr_level]


@pytest.mark.parametrize("write", WRITERS)
def test_each_format_gives_the_same_numbers_and_its_chunks(
    write: Callable[[Path, Any], str], tmp_path: Path
) -> None:
    values = tissue()

    volume = open_volume(write(tmp_path / "volume", values))

    assert (volume.shape, volume.channels, volume.chunk) == (SHAPE, 3, CHUNK)
    np.testing.assert_array_equal(volume.read(PART), values[PART])
    volume.close()


@pytest.mark.parametrize("write", [zarr_3, write_hdf5])
def test_a_grey_volume_needs_no_axis_of_channels(
    write: Callable[[Path, Any], str], tmp_path: Path
) -> None:
    values = tissue(channels=1)[..., 0].astype(np.uint16) * 257

    volume = open_volume(write(tmp_path / "volume", values))

    assert volume.channels == 1
    np.testing.assert_array_equal(volume.read(PART)[..., 0], values[PART])
    volume.close()


def test_of_an_ome_image_the_finest_level_is_read_and_its_scale_known(tmp_path: Path) -> None:
    volume = open_volume(ome_zarr(tmp_path / "image", tissue()))

    assert (volume.dataset, volume.mpp) == ("full", 0.5)


def test_a_level_of_an_ome_image_has_its_own_scale_in_micrometres(tmp_path: Path) -> None:
    address = ome_zarr(tmp_path / "image", tissue())
    group = zarr.open_group(address, mode="a")
    group.attrs.update(ome({"low": 460.0, "full": 230.0}, unit="nanometer"))

    assert open_volume(f"{address}::low").mpp == pytest.approx(0.46)


def test_an_ome_image_of_one_moment_is_a_volume_and_of_two_is_refused(tmp_path: Path) -> None:
    values = tissue(channels=1)[None, ..., 0]
    for moments in (1, 2):
        group = zarr.create_group(str(tmp_path / str(moments)))
        group.create_array("0", data=np.repeat(values, moments, 0), chunks=(1, *CHUNK))
        group.attrs["ome"] = ome({"0": 0.5}, axes="tzyx")

    one = open_volume(str(tmp_path / "1"))

    np.testing.assert_array_equal(one.read(PART)[..., 0], values[0][PART])
    with pytest.raises(RecipeError, match="2 points in time; save one"):
        open_volume(str(tmp_path / "2"))


def test_axes_that_are_named_may_lie_in_another_order(tmp_path: Path) -> None:
    values = tissue()
    array = zarr.create_array(
        str(tmp_path / "v"), data=values.transpose(2, 0, 3, 1), dimension_names=list("xzcy")
    )

    volume = open_volume(str(tmp_path / "v"))

    assert volume.chunk == tuple(array.chunks[axis] for axis in (1, 3, 0))
    np.testing.assert_array_equal(volume.read(PART), values[PART])


def test_an_hdf5_dataset_in_one_piece_is_read_by_slices(tmp_path: Path) -> None:
    volume = open_volume(write_hdf5(tmp_path / "v.h5", tissue(), chunk=None))

    assert volume.chunk == (UNCHUNKED[0], *SHAPE[1:])
    volume.close()


def refused(address: str) -> str:
    with pytest.raises(RecipeError) as caught:
        open_volume(address)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    return sentence


def test_a_missing_dataset_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    inside = write_zarr(tmp_path / "a.zarr", tissue(), name="he").removesuffix("::he")
    file = write_hdf5(tmp_path / "b.h5", tissue()).partition("::")[0]

    assert "no array 'pas'; name one of he as path::dataset" in refused(f"{inside}::pas")
    assert "no array at its top; name one of he" in refused(inside)
    assert "no array 'pas'; name one of stains/he" in refused(f"{file}::pas")
    assert "no array at its top; name one of stains/he" in refused(file)
    assert "no array 'stains'; name one of stains/he" in refused(f"{file}::stains")


def test_what_is_no_volume_at_all_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no volume")
    (tmp_path / "folder").mkdir()

    assert "does not exist" in refused(str(tmp_path / "gone.zarr"))
    assert "neither a Zarr folder nor an HDF5 file" in refused(str(tmp_path / "text.h5"))
    assert "name a Zarr or HDF5 array" in refused(str(tmp_path / "folder"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (tissue().astype(np.int32), "holds int32 and not uint8, uint16 or float"),
        (tissue(channels=2), "has 2 channels along c"),
        (tissue()[0, 0], "has the shape 112 x 3 and axes of no names"),
        (np.zeros((2, 2, 2, 2, 3), np.uint8), "has the shape 2 x 2 x 2 x 2 x 3"),
        (np.zeros((0, 4, 4), np.uint8), "is empty"),
    ],
)
def test_other_axes_and_other_numbers_are_refused(values: Any, words: str, tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "v"), shape=values.shape, dtype=values.dtype)

    assert words in refused(str(tmp_path / "v"))


def test_axes_of_other_names_are_refused(tmp_path: Path) -> None:
    names = ["slice", "row", "column", "c"]
    zarr.create_array(str(tmp_path / "v"), data=tissue(), dimension_names=names)

    assert "axes of slice, row, column, c, and a volume has z, y, x" in refused(str(tmp_path / "v"))


def test_a_chunk_that_cannot_be_decoded_is_damage_with_a_remedy(tmp_path: Path) -> None:
    address = write_zarr(tmp_path / "v", tissue())
    for chunk in (tmp_path / "v" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"not zstd")
    volume = open_volume(address)

    with pytest.raises(SlideError, match=r"is damaged or has gone away .* copy it again"):
        volume.read(PART)


def test_an_hdf5_file_can_be_written_again_once_its_volume_is_closed(tmp_path: Path) -> None:
    address = write_hdf5(tmp_path / "v.h5", tissue())

    open_volume(address).close()

    with h5py.File(tmp_path / "v.h5", "a") as file:
        assert "stains/he" in file
