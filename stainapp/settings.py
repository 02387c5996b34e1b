"""What the program remembers between runs: the user's choices, and facts told about a slide.

Plain files below `home`; knows no Qt. A file from a newer program is read as far as it is
understood; a file that cannot be read is as good as absent, and is logged.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from stainapp.errors import SettingsError

log = logging.getLogger(__name__)

T = TypeVar("T")
RECENT_SLIDES = 12


@dataclass(frozen=True, slots=True)
class Settings:
    """One set of choices. Change it with `dataclasses.replace`."""

    theme: str = "system"
    """"system", "light" or "dark"."""
    device: str = "auto"
    """"auto", "cpu", "mps", "cuda" or "cuda:<n>"."""
    layout: str = "side-by-side"
    """How panes are arranged: "single", "side-by-side", "curtain" or "fade"."""
    recent: tuple[str, ...] = ()
    """Slides opened last, newest first."""
    references: tuple[str, ...] = ()
    """Reference slides opened last, newest first."""
    geometry: str = ""
    """The window's place and size, as Qt saves it, in base 64."""
    docks: str = ""
    """The docks' places, as Qt saves them, in base 64."""
    show_minimap: bool = True
    show_scale_bar: bool = True
    reopen: bool = True
    """Whether a start without a slide opens the window as it was left."""


@dataclass(frozen=True, slots=True)
class SlideNote:
    """What the user has said of one slide; None where nothing was said."""

    mpp: float | None = None
    """Micrometres per level-0 pixel, for a file that does not record it."""
    stain: str | None = None
    reference: str | None = None
    """The address of the slide that was last laid over it."""


def home() -> Path:
    """Return the folder of the user's own models, settings and caches.

    ``STAINAPP_HOME`` names another one.
    """
    chosen = os.environ.get("STAINAPP_HOME")
    return Path(chosen) if chosen else platformdirs.user_data_path("stainapp", appauthor=False)


def load_settings() -> Settings:
    values = _read(home() / "settings.json")
    for name in ("recent", "references"):
        listed = values.get(name)
        values[name] = tuple(map(str, listed)) if isinstance(listed, list) else ()
    return _known(Settings, values)


def save_settings(settings: Settings) -> None:
    _write(home() / "settings.json", asdict(settings))


def with_recent(settings: Settings, slide: str) -> Settings:
    """Return the settings with ``slide`` as the newest of the recent ones."""
    others = [path for path in settings.recent if path != slide]
    return replace(settings, recent=(slide, *others)[:RECENT_SLIDES])


def with_reference(settings: Settings, slide: str) -> Settings:
    """Return the settings with ``slide`` as the newest of the references."""
    others = [path for path in settings.references if path != slide]
    return replace(settings, references=(slide, *others)[:RECENT_SLIDES])


def load_note(identity: str) -> SlideNote:
    """Return what is remembered of the slide with this `SlideInfo.identity`."""
    note = _known(SlideNote, _read(_note_path(identity)))
    if not isinstance(note.reference, str):
        note = replace(note, reference=None)
    sound = isinstance(note.mpp, float | int) and 0 < note.mpp < float("inf")
    return note if sound or note.mpp is None else replace(note, mpp=None)


def save_note(identity: str, note: SlideNote) -> None:
    _write(_note_path(identity), asdict(note))


def _note_path(identity: str) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in identity)
    return home() / "slides" / f"{safe[:120]}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read and is ignored: %s", path, error)
        return {}
    return values if isinstance(values, dict) else {}


def _known(kind: type[T], values: Mapping[str, Any]) -> T:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type] # dataclasses only
    return kind(**{key: value for key, value in values.items() if key in names})


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """Write so that a crash midway leaves the old file whole."""
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(values, indent=2), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}); "
            "free some space or set STAINAPP_HOME to another folder."
        ) from error
