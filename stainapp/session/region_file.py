"""Where a slide's regions are kept between runs: a GeoJSON file per slide, and the one before."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from stainapp.errors import RegionError
from stainapp.session.atomic_file import write_atomically
from stainapp.session.geojson import document_in, encoded
from stainapp.session.regions import Document, RegionSet
from stainapp.settings import home

log = logging.getLogger(__name__)


def path_of(identity: str) -> Path:
    """Return the file of the slide with this `SlideInfo.identity`."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in identity)
    if safe != identity or len(safe) > 100:  # no two slides may share a file
        safe = f"{safe[:60]}_{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    return home() / "regions" / f"{safe}.geojson"


def load(identity: str, *, warn: Callable[[str], None] = log.warning) -> RegionSet | None:
    """Return the regions that were saved for a slide; None if there are none.

    A damaged file is put aside and the version before it taken.

    Args:
        identity: the slide's `SlideInfo.identity`.
        warn: is told, in one sentence, what was damaged and where it lies now.

    Raises:
        RegionError: the file is there but may not be read; do not save over it then.
    """
    path = path_of(identity)
    for candidate in (path, _backup(path)):
        try:
            data = candidate.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RegionError(
                f"The regions in {candidate} cannot be read ({error.strerror}); "
                "make the file readable and open the slide again."
            ) from error
        try:
            return RegionSet(document_in(data, candidate))
        except RegionError as error:
            aside = _put_aside(candidate)
            log.warning("%s is damaged: %s", candidate, error)
            found = candidate == path and _backup(path).exists()
            warn(
                f"The saved regions of this slide are damaged and were put aside as {aside}; "
                + ("the version before is used." if found else "draw them again.")
            )
    return None


def save(identity: str, regions: RegionSet | Document) -> None:
    """Keep a slide's regions; the version before stays beside them as ".bak".

    A set is read by its own thread only: from another one, give its `RegionSet.document`.

    Raises:
        RegionError: they cannot be written; what was saved before is still there.
    """
    document = regions if isinstance(regions, Document) else regions.document
    path = path_of(identity)
    write_atomically(path, encoded(document), backup=_backup(path))


def _backup(path: Path) -> Path:
    return path.with_name(path.name + ".bak")


def _put_aside(path: Path) -> Path:
    """Rename a damaged file to a name that is free, so that nothing is ever lost."""
    names = (f"{path.name}.damaged{number}" for number in ("", *map(str, range(2, 1000))))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    try:
        path.rename(aside)
    except OSError as error:
        raise RegionError(
            f"The damaged {path} cannot be renamed ({error.strerror}); rename it yourself."
        ) from error
    return aside
