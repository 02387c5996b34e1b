"""A recipe's data: where tiles come from, and how they are parted."""

import math
from dataclasses import dataclass
from typing import Literal

from stainapp.runs.methods import Pairing
from stainapp.runs.problems import Problem, at_least, in_range, scale_problem, tile_side

Split = Literal["auto", "train", "validation"]
Normalisation = Literal["auto", "none", "minmax", "percentile", "zscore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where tiles of one stain come from: a slide, or a folder of images."""

    slide: str = ""
    """A file, or an address such as ``phantom:he:8000:7``."""
    folder: str = ""
    """Images as PNG, JPEG or TIFF, each of them one region."""
    mpp: float | None = None
    """Scale of the files, where they do not say it."""
    regions: str = ""
    """GeoJSON whose regions are used; "" for all tissue of the slide."""
    only: tuple[str, ...] = ()
    """Ids, names or classes of the regions to use; () for all."""
    areas: tuple[tuple[float, float, float, float], ...] = ()
    """Instead of ``regions``: rectangles as x, y, width, height, in level-0 pixels."""
    pieces: tuple[int, ...] = ()
    """Without regions: which separate pieces of tissue, counted from the largest, from 1."""
    split: Split = "auto"
    transform: str = ""
    """Of a target that is paired: a file of ``stainapp register``, source fixed and this moving."""

    def problems(self) -> list[Problem]:
        drawn = bool(self.regions or self.areas)
        sound = all(
            all(map(math.isfinite, area)) and area[2] > 0 and area[3] > 0 for area in self.areas
        )
        return [
            (bool(self.slide) == bool(self.folder), "names no place, or two; name slide or folder"),
            (
                bool(self.folder) and (drawn or bool(self.pieces)),
                "regions, areas and pieces are parts of a slide; leave them out with a folder",
            ),
            (bool(self.regions and self.areas), "has both regions and areas; leave one out"),
            (
                bool(self.only) and not self.regions,
                "only chooses among regions; name their file as regions",
            ),
            (
                drawn and bool(self.pieces),
                "pieces are for a slide without regions; leave one out",
            ),
            (not sound, "areas must be x, y, width, height, the last two above 0"),
            (any(n < 1 for n in self.pieces), "pieces are counted from 1"),
            (
                bool(self.transform) and not self.slide,
                "a transform is of a slide; leave it out with a folder",
            ),
            (False, "") if self.mpp is None else scale_problem(self.mpp),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """How volumes are read and become 8-bit tiles; see `Data.volume_source`."""

    chunks_held: int = 8
    """Chunks, or blocks of chunks where one has no room for a tile, that tiles are drawn from by
    turns before the next ones; as many again are read meanwhile. More mixes more regions into
    neighbouring steps, and takes more memory."""
    tiles_per_chunk: int = 0
    """Tiles that each of them gives in an epoch; 0 for as many as lie side by side in it."""
    source_normalisation: Normalisation = "auto"
    """By which line numbers become grey levels, one for the whole volume: "none" as they are;
    "minmax" the least to the most; "percentile" those of ``percentiles``; "zscore" three standard
    deviations about the mean; "auto" none for uint8, else percentile."""
    target_normalisation: Normalisation = "auto"
    percentiles: tuple[float, float] = (0.5, 99.5)
    sample_chunks: int = 32
    """Chunks to learn from that are looked at, once, to estimate that line."""
    gap: int = 16
    """Voxels between what is learnt from and what is judged by, along the axis that parts them."""

    def problems(self) -> list[Problem]:
        low, high = self.percentiles
        return [
            in_range("chunks_held", self.chunks_held, 1, 4096),
            at_least("tiles_per_chunk", self.tiles_per_chunk, 0),
            (
                not 0 <= low < high <= 100,
                f"percentiles cannot be {list(self.percentiles)}; choose two of 0 to 100, the "
                "lower first",
            ),
            at_least("sample_chunks", self.sample_chunks, 1),
            at_least("gap", self.gap, 0),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The tiles, and how they are parted into those to learn from and those to judge by."""

    pairing: Pairing
    """"paired": each source has its target in the same frame; "self": the source is the
    target in grey (ITU-R 601); "alone": the target is what the teacher makes of the source."""
    source: tuple[Origin, ...] = ()
    target: tuple[Origin, ...] = ()
    root: str = ""
    """Instead of source and target: a folder with trainA, trainB and testA, testB."""
    aligned: str = ""
    """Instead: a folder of images A|B, source left and target right; or train and test in it."""
    manifest: str = ""
    """Instead: a CSV file with the columns source, target and, if wanted, group and split."""
    npz: str = ""
    """Instead: an archive with arr_0 and arr_1, (N, H, W, 3), uint8 or float of 0..255."""
    volume_source: str = ""
    """Instead: a Zarr, OME-Zarr or HDF5 array (z, y, x, c), c being 3, or 1 or absent if it is
    grey, as ``path::dataset``; uint8, uint16 or float. Its slices are cut at ``model.mpp``."""
    volume_target: str = ""
    """The target's, of 3 channels; alone where it is its own pair."""
    volumes: Volumes = Volumes()
    swap: bool = False
    """Whether A and B, or source and target, of such files change places."""
    tile_px: int = 256
    """Side of the square crops to learn from, at ``model.mpp``."""
    max_error_um: float = 10.0
    """Of pairs that were registered: tiles are left out where the error is larger, or unknown.
    0 takes all of them."""
    min_tissue: float = 0.5
    """Least share of tissue in a tile."""
    validation_share: float = 0.2
    """What "auto" keeps for validation: whole slides, else regions, else pieces of tissue."""
    validation_tiles: int = 32
    validation_px: int = 256

    def problems(self) -> list[Problem]:
        share = self.validation_share
        return [
            *self._place_problems(),
            tile_side("tile_px", self.tile_px),
            tile_side("validation_px", self.validation_px),
            in_range("min_tissue", self.min_tissue, 0, 1),
            in_range("max_error_um", self.max_error_um, 0, 1000),
            (not 0 < share < 1, f"validation_share cannot be {share:g}; choose above 0, below 1"),
            at_least("validation_tiles", self.validation_tiles, 1),
        ]

    def _place_problems(self) -> list[Problem]:
        names = ("root", "aligned", "manifest", "npz")
        named = [name for name in names if getattr(self, name)]
        volumes = bool(self.volume_source or self.volume_target)
        named += ["volumes"] * volumes
        slides = bool(self.source or self.target)
        said = ", ".join(["source and target"] * slides + named) or "none"
        counts = len(self.source), len(self.target)
        both = f"there are {counts[0]} and {counts[1]}"
        return [
            (
                len(named) + slides != 1,
                "must name exactly one of source and target, root, aligned, manifest, npz and "
                "volume_target; "
                f"it names {said}",
            ),
            (
                slides and self.pairing == "unpaired" and 0 in counts,
                f"unpaired data needs both source and target, and {both}; add the other",
            ),
            (
                slides and self.pairing == "paired" and counts[0] != counts[1],
                f"paired data needs a target for each source, and {both}; make them as many",
            ),
            (
                any(o.transform for o in self.source)
                or (self.pairing != "paired" and any(o.transform for o in self.target)),
                "a transform lays the target of a pair on its source; name it with the target, "
                'and set pairing to "paired"',
            ),
            (
                self.pairing == "paired" and any(o.folder for o in self.source + self.target),
                "folders are not paired by the order of their files; list the pairs in a CSV "
                "file and name it as manifest",
            ),
            (
                bool(self.root) and self.pairing == "paired",
                "trainA and trainB are not paired by the order of their files; list the pairs in "
                "a CSV file and name it as manifest",
            ),
            (
                self.pairing == "self" and bool(self.source and self.target),
                'data that is its own pair needs one stain; leave out source, or pairing "self"',
            ),
            (
                volumes and bool(self.volume_source) == (self.pairing == "self"),
                'volumes are volume_source and volume_target, or with pairing "self" '
                "volume_target alone; name them so",
            ),
            (volumes and not self.volume_target, "volume_target is missing; name the target's"),
            (
                volumes and self.volume_source == self.volume_target,
                "volume_source and volume_target are the same; name another dataset",
            ),
            (
                volumes and self.swap,
                "swap is for files of A and B; exchange volume_source and volume_target instead",
            ),
            (
                self.pairing == "alone" and bool(self.target),
                "a teacher makes the target; leave out target",
            ),
            (
                self.pairing == "alone" and bool(named or any(o.folder for o in self.source)),
                "a teacher is fitted to whole slides; name slides as source instead of files",
            ),
        ]
