"""What a model has learnt of one slide: small arrays, kept so that tiles need not be asked again.

Knows no torch.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import ModelError

GLASS = (255, 255, 255)


@dataclass(frozen=True, slots=True, eq=False)
class SlideState:
    """The statistics of one slide for one model. What is in it is not written again."""

    arrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """What the method needs, by its own names; empty where it needs nothing."""
    lut: NDArray[np.float32] | None = None
    """The preview, `stainapp.models.preview.fit_lut`; None where none was fitted."""
    glass: tuple[int, int, int] = GLASS
    """sRGB of the slide's bare glass."""
    tiles: int = 0
    """How many tissue tiles it was taken from; 0 for statistics that came with the model."""

    @property
    def digest(self) -> str:
        """Sha256 of what decides the stained pixels; the preview does not."""
        sha = hashlib.sha256(repr(self.glass).encode())
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name])
            sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
            sha.update(array.tobytes())
        return sha.hexdigest()

    def save(self, path: Path) -> None:
        """Write an ``.npz`` so that a crash midway leaves no half file.

        Raises:
            ModelError: the file cannot be written.
        """
        values = {f"arrays/{name}": array for name, array in self.arrays.items()}
        values |= {"glass": np.asarray(self.glass), "tiles": np.asarray(self.tiles)}
        if self.lut is not None:
            values["lut"] = self.lut
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **values)
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise ModelError(
                f"The slide's statistics cannot be kept in {path.parent} ({error.strerror}); "
                "free some space or choose another folder."
            ) from error

    @classmethod
    def load(cls, path: Path) -> "SlideState":
        """Read what `save` wrote.

        Raises:
            ModelError: the file is absent, damaged or of another kind.
        """
        try:
            # opened here: numpy leaves a file open that it cannot understand
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                values = {name: file[name] for name in file.files}
            red, green, blue = (int(value) for value in values.pop("glass"))
            return cls(
                lut=values.pop("lut", None),
                glass=(red, green, blue),
                tiles=int(values.pop("tiles")),
                arrays={name.removeprefix("arrays/"): array for name, array in values.items()},
            )
        # numpy raises whatever the damage makes its zip and header parsers raise
        except Exception as error:
            raise ModelError(
                f"{path} does not hold a slide's statistics; delete it to have them taken again."
            ) from error
