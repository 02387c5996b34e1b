"""What the user of the training dialog wants, and the recipe that says it. Knows no Qt."""

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from stainapp.errors import TrainingError
from stainapp.models.card import Arch, Bridge
from stainapp.runs.folder import RunFolder
from stainapp.runs.methods import MethodName, Pairing, method_info
from stainapp.runs.presets import FINE_TUNE_RATE, Preset, fine_tuned
from stainapp.runs.recipe import Made, Recipe, Training
from stainapp.runs.recipe_data import Data, Origin, Volumes
from stainapp.runs.recipe_file import is_address, write_recipe
from stainapp.runs.recipe_losses import Losses
from stainapp.session.geojson import write_geojson
from stainapp.session.regions import Region

FileKind = Literal["root", "aligned", "manifest", "npz", "volumes", "volume"]
Place = Literal["source", "target", "files", "model"]
"""Where in the dialog a problem is told."""

TRANSFORM_FILE = "transform.json"
"""How the target lies on the source, in the run's folder."""
ARRAY = "::"
"""Between a volume's path and the array in it."""
PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
USUAL_VALIDATION_PX = 256
"""Large enough for every measure."""


@dataclass(frozen=True, slots=True)
class RegisteredSlide:
    """A real slide that is registered to the open one."""

    address: str
    name: str
    stain: str
    mpp: float | None
    transform: str
    """The file that says how it lies."""


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """The open slide, as the dialog needs to know it."""

    address: str
    name: str
    stain: str
    mpp: float | None
    """As the window shows it, whether the file or the user said so."""
    regions: tuple[Region, ...] = ()
    selected: tuple[str, ...] = ()
    reference: RegisteredSlide | None = None

    @property
    def selected_regions(self) -> tuple[Region, ...]:
        return tuple(region for region in self.regions if region.id in self.selected)


@dataclass(frozen=True, slots=True)
class OriginWish:
    """Where the tiles of one stain come from."""

    slide: str = ""
    folder: str = ""
    regions: tuple[Region, ...] = ()
    """Regions drawn here, which are written beside the recipe."""
    regions_file: str = ""
    mpp: float | None = None
    transform: str = ""
    """Of a slide that is registered to the source: the file that says how."""


@dataclass(frozen=True, slots=True)
class FileWish:
    """Tiles that are files already."""

    kind: FileKind
    path: str
    """Of two volumes the source's."""
    swap: bool = False
    target: str = ""
    """Of two volumes the target's."""

    @property
    def named(self) -> dict[str, str]:
        """As fields of a recipe's data."""
        match self.kind:
            case "volumes":
                return {"volume_source": self.path, "volume_target": self.target}
            case "volume":
                return {"volume_target": self.path}
        return {self.kind: self.path}


@dataclass(frozen=True, slots=True)
class Values:
    """The values behind a preset."""

    network: Arch
    training: Training
    tile_px: int
    validation_px: int
    losses: Losses
    seed: int = 0
    validation_share: float = 0.2
    bridge: Bridge = Bridge()  # noqa: RUF009 - frozen
    volumes: Volumes = Volumes()  # noqa: RUF009 - frozen

    @classmethod
    def of(cls, preset: Preset) -> "Values":
        validation_px = max(preset.tile_px, USUAL_VALIDATION_PX)
        return cls(preset.network, preset.training, preset.tile_px, validation_px, preset.losses)


@dataclass(frozen=True, slots=True)
class Wish:
    """All that the dialog asks."""

    method: MethodName
    pairing: Pairing
    model: Made
    values: Values
    source: OriginWish | None = None
    target: OriginWish | None = None
    files: FileWish | None = None


def problems(wish: Wish, taken: Collection[str]) -> dict[Place, str]:
    """Return what can be said against a wish before anything is read, by place."""
    found: dict[Place, str] = {}
    if wish.files is not None:
        if not all(wish.files.named.values()):
            found["files"] = "Choose where the tiles lie."
    else:
        sides: tuple[tuple[Place, OriginWish | None], ...] = (
            ("source", wish.source),
            ("target", wish.target),
        )
        for place, origin in sides:
            unneeded = {"self": "source", "alone": "target"}.get(wish.pairing)
            if place != unneeded and (origin is None or not (origin.slide or origin.folder)):
                found[place] = f"Choose a slide or a folder for the {place} stain."
    wrong = _model_problem(wish, taken)
    if wish.pairing == "alone" and not wish.model.teacher:
        wrong = "Choose the model to distil as teacher."
    if wrong:
        found["model"] = wrong
    return found


def recipe_of(wish: Wish) -> Recipe:
    """Return the recipe of a wish; regions drawn here lie beside it."""
    values = wish.values
    data = Data(
        pairing=wish.pairing,
        tile_px=values.tile_px,
        validation_px=values.validation_px,
        validation_share=values.validation_share,
        volumes=values.volumes,
    )
    if wish.files is not None:
        data = replace(data, swap=wish.files.swap, **wish.files.named)  # type: ignore[arg-type] # text each
    else:
        data = replace(
            data,
            source=_origins(wish.source if wish.pairing != "self" else None, "source"),
            target=_origins(wish.target if wish.pairing != "alone" else None, "target"),
        )
    return Recipe(
        method=wish.method,
        seed=values.seed,
        model=wish.model,
        network=None if wish.model.parent else values.network,
        data=data,
        losses=values.losses,
        training=values.training,
        bridge=values.bridge,
    )


def write_run(wish: Wish, folder: Path) -> RunFolder:
    """Write recipe and regions of a wish into a run folder; not for the GUI thread.

    Raises:
        TrainingError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for side, origin in (("source", wish.source), ("target", wish.target)):
            if origin is not None and origin.regions:
                write_geojson(folder / _regions_file(side), origin.regions)
            if origin is not None and origin.transform:  # which may change where it is kept
                shutil.copyfile(origin.transform, folder / TRANSFORM_FILE)
        run = RunFolder(folder)
        write_recipe(recipe_of(wish), run.recipe_file)
    except OSError as error:
        raise TrainingError(
            f"{folder} cannot be written ({error.strerror}); free some space, "
            "or set STAINAPP_HOME to another folder."
        ) from error
    return run


def check_paths(wish: Wish) -> None:
    """Look whether what a wish names is there; not for the GUI thread.

    Raises:
        TrainingError: a file or folder is missing.
    """
    origins = [one for one in (wish.source, wish.target) if one is not None]
    paths = [
        path for one in origins for path in (one.slide, one.folder, one.regions_file, one.transform)
    ]
    if wish.files is not None:
        paths += [path.partition(ARRAY)[0] for path in wish.files.named.values()]
    for path in paths:
        if path and not is_address(path) and not _exists(path):
            raise TrainingError(f"{path} does not exist; choose another, or look at its drive.")


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return True  # the check tells what is wrong with it


def discard_draft(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def suggested_id(source: str, target: str) -> str:
    """Return a plain id such as "he-to-pas", or "he-normaliser" where both are one."""
    words = (re.sub(r"[^a-z0-9]+", "-", one.lower().replace("&", "")) for one in (source, target))
    first, second = (word.strip("-") or "stain" for word in words)
    return f"{first[:40]}-normaliser" if source == target else f"{first[:40]}-to-{second[:40]}"


def suggested_name(source: str, target: str) -> str:
    """Return what the picker may show, such as "H&E to PAS"."""
    return f"{source} normaliser" if source == target else f"{source} to {target}"


def fine_tuned_values(values: Values, *, on: bool, preset: Preset) -> Values:
    """Return the values for going on from a model, or for beginning anew."""
    if on == (values.training.rate == FINE_TUNE_RATE):
        return values
    training = fine_tuned(preset.training) if on else preset.training
    return replace(values, training=training)


def _origins(origin: OriginWish | None, side: str) -> tuple[Origin, ...]:
    if origin is None:
        return ()
    regions = _regions_file(side) if origin.regions else origin.regions_file
    return (
        Origin(
            slide=origin.slide,
            folder=origin.folder,
            mpp=origin.mpp,
            regions=regions,
            transform=TRANSFORM_FILE if origin.transform else "",
        ),
    )


def _regions_file(side: str) -> str:
    return f"{side}.geojson"


def _model_problem(wish: Wish, taken: Collection[str]) -> str:
    made = wish.model
    ids = [made.id, made.inverse_id] if method_info(wish.method).both_ways else [made.id]
    for one in ids:
        if not PLAIN_ID.fullmatch(one):
            what = f"{one!r} is no id" if one else "An id is missing"
            return f"{what}: use lower-case letters, digits, dots and hyphens."
        if one in taken:
            return f"A model called {one!r} is there already; choose another id."
    if len(set(ids)) < len(ids):
        return "The way there and the way back need two ids."
    if not made.source_stain.strip() or not made.target_stain.strip():
        return "Name both stains."
    if made.mpp <= 0:
        return "Say at how many µm per pixel the model is to work."
    return ""
