"""Checkpoint files: told apart, bounded before memory is taken, then read as tensors only.

`outline` says what is in a file without reading its numbers; `load` reads them, and only
from a file whose outline has passed.
"""

import io
import math
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from stainapp.errors import ImportRefusedError
from stainapp.models import pickle_outline
from stainapp.models.pickle_outline import TensorOutline

MAX_FILE_BYTES = 5_000_000_000
"""The network of I2SB and its averages take 4.4 GB."""
MAX_OUTLINE_BYTES = 4_000_000
"""Of a pickle, or of a zip's directory; a state dict of a thousand tensors needs a tenth."""
MAX_MEMBERS = 20_000
MAX_TENSORS = 10_000
MAX_DIMENSIONS = 5

_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle of a .pth written before PyTorch 1.6."""

_SAFETENSORS_KINDS = {
    "F64": "DoubleStorage",
    "F32": "FloatStorage",
    "F16": "HalfStorage",
    "BF16": "BFloat16Storage",
    "I64": "LongStorage",
}

_ZIP_ERRORS = (zipfile.BadZipFile, OSError, EOFError, struct.error, KeyError, ValueError,
               RuntimeError, OverflowError)  # fmt: skip
"""All that `zipfile` raises for archives that are damaged, encrypted or of the future."""

_BY_SUFFIX = {
    ".h5": "a Keras file, whose layers can hold code: export its weights to safetensors",
    ".hdf5": "a Keras file, whose layers can hold code: export its weights to safetensors",
    ".keras": "a Keras file, whose layers can hold code: export its weights to safetensors",
    ".pt2": "a torch.export program, which can run code: save the network's state_dict instead",
    ".pkl": "a Python pickle, which can run code: give the .pth with the weights, and type the "
    "options into the import dialog",
    ".pickle": "a Python pickle, which can run code: give the .pth with the weights",
    ".npz": "a NumPy archive: give the .pth or .safetensors with the network's weights",
    ".onnx": "an ONNX graph: give the .pth or .safetensors it was exported from",
}


def outline(path: Path) -> object:
    """Return a checkpoint's contents, nested as saved, with `TensorOutline` for its tensors.

    Raises:
        ImportRefusedError: the file is of another kind, unsafe, damaged or too large.
    """
    size = _regular_size(path)
    if (kind := _BY_SUFFIX.get(path.suffix.lower())) is not None:
        raise ImportRefusedError(f"{path.name} is {kind}.")
    head = _head(path)
    if head.startswith(b"PK"):
        contents = _zip_outline(path, size)
    elif head.startswith(_LEGACY_MAGIC):
        contents = _legacy_outline(path)
    elif head[8:9] == b"{":
        contents = _safetensors_outline(path)
    else:
        raise _not_a_checkpoint(path, head)
    _check_bounds(contents, path, size)
    return contents


def load(path: Path) -> object:
    """Read a checkpoint's tensors onto the CPU; nothing else in it is ever run.

    Raises:
        ImportRefusedError: as `outline`, or PyTorch refuses the file.
    """
    outline(path)
    try:
        head = _head(path)
        if head.startswith((b"PK", _LEGACY_MAGIC)):
            # mapped, so that what is not used of it takes no memory
            mapped = head.startswith(b"PK")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        return load_file(path, device="cpu")
    except Exception as error:
        raise ImportRefusedError(
            f"{path.name} cannot be read as tensors alone: save the network's state_dict again."
        ) from error


def _regular_size(path: Path) -> int:
    try:
        info = path.lstat()
    except OSError as error:
        raise ImportRefusedError(f"{path} cannot be read: {error.strerror}.") from error
    if stat.S_ISLNK(info.st_mode):
        raise ImportRefusedError(
            f"{path.name} is a link: choose the file it leads to, {path.readlink()}."
        )
    if not stat.S_ISREG(info.st_mode):
        raise ImportRefusedError(f"{path.name} is not a file: choose the checkpoint itself.")
    if info.st_size == 0:
        raise ImportRefusedError(f"{path.name} is empty: download it again.")
    if info.st_size > MAX_FILE_BYTES:
        raise ImportRefusedError(
            f"{path.name} is larger than {MAX_FILE_BYTES / 1e9:.1f} GB: save the generator's "
            "state_dict alone, without optimisers."
        )
    return info.st_size


def _not_a_checkpoint(path: Path, head: bytes) -> ImportRefusedError:
    if head.startswith(b"\x89HDF"):
        what = _BY_SUFFIX[".h5"]
    elif head.startswith(b"version https://git-lfs"):
        what = "only a Git LFS pointer: fetch the real file with git lfs pull"
    elif head[:1] == b"\x80":
        what = _BY_SUFFIX[".pkl"]
    elif b"\0" not in head and head.isascii():
        what = "a text file, perhaps a web page saved instead of the download: fetch it again"
    else:
        what = "not a checkpoint: give a PyTorch .pth or a .safetensors"
    return ImportRefusedError(f"{path.name} is {what}.")


class _BoundedFile(io.FileIO):
    """Refuses to read more at once than a zip's directory or a pickle may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = MAX_OUTLINE_BYTES if size is None or size < 0 else size
        if wanted > MAX_OUTLINE_BYTES:
            raise zipfile.BadZipFile("the directory is too large")
        return super().read(wanted) or b""


def _zip_outline(path: Path, size: int) -> object:
    """Check the archive by its directory, then outline its ``data.pkl``."""
    try:
        with _BoundedFile(str(path)) as file, zipfile.ZipFile(file) as archive:
            file.seek(-22, io.SEEK_END)
            if file.read(4) != b"PK\5\6":
                raise zipfile.BadZipFile("something follows the archive's end")
            members = {info.filename: info for info in archive.infolist()}
            _check_members(path, archive, size)
            pickles = [name for name in members if name.split("/")[1:] == ["data.pkl"]]
            if len(pickles) != 1:
                raise ImportRefusedError(
                    f"{path.name} is an archive without a PyTorch checkpoint: unpack it and give "
                    "the .pth or .safetensors inside."
                )
            with archive.open(pickles[0]) as member:
                pickled = io.BytesIO(member.read(members[pickles[0]].file_size))
            contents = pickle_outline.outline(pickled, path.name)
    except _ZIP_ERRORS as error:
        raise ImportRefusedError(f"{path.name} is damaged: download it again.") from error
    folder = pickles[0].removesuffix("data.pkl")
    for tensor in _tensors(contents):
        storage = tensor.storage
        record = members.get(f"{folder}data/{storage.key}") if storage else None
        if storage is None or record is None or record.file_size != storage.nbytes:
            raise ImportRefusedError(
                f"{path.name} is damaged: a tensor's size is not its record's; download it again."
            )
    return contents


def _check_members(path: Path, archive: zipfile.ZipFile, size: int) -> None:
    infos = archive.infolist()
    tops = {info.filename.partition("/")[2] for info in infos}
    if "constants.pkl" in tops or any(name.startswith("code/") for name in tops):
        raise ImportRefusedError(
            f"{path.name} is a TorchScript program, which can run code: save the network's "
            "state_dict with torch.save instead."
        )
    if "archive_format" in tops or any(name.startswith("models/") for name in tops):
        raise ImportRefusedError(f"{path.name} is {_BY_SUFFIX['.pt2']}.")
    stored = all(info.compress_type == zipfile.ZIP_STORED for info in infos)
    links = any(stat.S_ISLNK(info.external_attr >> 16) for info in infos)
    outside = any(".." in info.filename.split("/") for info in infos)
    pickles = [info.file_size for info in infos if info.filename.endswith(".pkl")]
    # torch.save compresses nothing, so honest contents cannot be larger than the file.
    if (
        not stored
        or links
        or outside
        or len(infos) > MAX_MEMBERS
        or len({info.filename for info in infos}) != len(infos)
        or sum(info.file_size for info in infos) > size
        or max(pickles, default=0) > MAX_OUTLINE_BYTES
    ):
        raise ImportRefusedError(
            f"{path.name} is not an archive as torch.save writes it, and could unpack to far more "
            "than it seems: save the state_dict again."
        )


def _legacy_outline(path: Path) -> object:
    """Outline a .pth as PyTorch wrote it before 1.6.

    Five pickles (magic number, protocol, system, contents, storage keys), then the numbers.
    """
    with path.open("rb") as file:
        stream = io.BytesIO(file.read(MAX_OUTLINE_BYTES))
    _, _, _, contents, _ = (pickle_outline.outline(stream, path.name) for _ in range(5))
    return contents


def _safetensors_outline(path: Path) -> object:
    try:
        with safe_open(path, framework="pt") as file:
            return {
                name: TensorOutline(
                    tuple(file.get_slice(name).get_shape()),
                    _SAFETENSORS_KINDS.get(file.get_slice(name).get_dtype(), "other"),
                )
                for name in file.keys()  # noqa: SIM118 - it is no mapping
            }
    except (SafetensorError, OSError) as error:
        raise ImportRefusedError(
            f"{path.name} is no sound safetensors file: download it again."
        ) from error


def _check_bounds(contents: object, path: Path, size: int) -> None:
    """Refuse more or larger tensors than the file can hold."""
    tensors = list(_tensors(contents))
    storages = {tensor.storage for tensor in tensors if tensor.storage is not None}
    logical = sum(math.prod(tensor.shape) for tensor in tensors)
    outside = any(t.storage is not None and t.last >= t.storage.items for t in tensors
                  if 0 not in t.shape)  # fmt: skip
    if (
        len(tensors) > MAX_TENSORS
        or any(len(tensor.shape) > MAX_DIMENSIONS for tensor in tensors)
        or sum(storage.nbytes for storage in storages) > size
        or logical > size
        or outside
    ):
        raise ImportRefusedError(
            f"{path.name} describes more numbers than it holds: it is damaged or malicious."
        )


def _tensors(contents: object) -> Iterator[TensorOutline]:
    """Yield each tensor of nested dictionaries and lists, each container once."""
    seen: set[int] = set()
    waiting = [contents]
    while waiting:
        item = waiting.pop()
        if isinstance(item, TensorOutline):
            yield item
        elif isinstance(item, (dict, list, tuple)) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend(item.values() if isinstance(item, dict) else item)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError as error:
        raise ImportRefusedError(f"{path} cannot be read: {error.strerror}.") from error
