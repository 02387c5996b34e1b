"""Regions as earlier versions kept them: a GeoJSON file per slide, and the one before. Read only.

A slide's journal (`region_journal`) begins with what is found here; the files stay where they are.
"""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from stainapp.errors import RegionError
from stainapp.session.geojson import document_in
from stainapp.session.regions import Document
from stainapp.settings import home

log = logging.getLogger(__name__)


def path_of(identity: str, suffix: str = ".geojson") -> Path:
    """Return the file of the slide with this `SlideInfo.identity`."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in identity)
    if safe != identity or len(safe) > 100:  # no two slides may share a file
        safe = f"{safe[:60]}_{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    return home() / "regions" / f"{safe}{suffix}"


def load(identity: str, *, warn: Callable[[str], None] = log.warning) -> Document | None:
    """Return the regions that were saved for a slide; None if there are none.

    A damaged file is put aside and the version before it taken.

    Args:
        identity: the slide's `SlideInfo.identity`.
        warn: is told, in one sentence, what was damaged and where it lies now.

    Raises:
        RegionError: the file is there but may not be read; do not begin anew then.
    """
    path = path_of(identity)
    before = path.with_name(path.name + ".bak")
    for candidate in (path, before):
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
            return document_in(data, candidate)
        except RegionError as error:
            aside = put_aside(candidate)
            log.warning("%s is damaged: %s", candidate, error)
            found = candidate == path and before.exists()
            warn(
                f"The saved regions of this slide are damaged and were put aside as {aside}; "
                + ("the version before is used." if found else "draw them again.")
            )
    return None


def put_aside(path: Path) -> Path:
    """Rename a damaged file to a name that is free, so that nothing is ever lost.

    Raises:
        RegionError: it cannot be renamed.
    """
    names = (f"{path.name}.damaged{number}" for number in ("", *map(str, range(2, 1000))))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    try:
        path.rename(aside)
    except OSError as error:
        raise RegionError(
            f"The damaged {path} cannot be renamed ({error.strerror}); rename it yourself."
        ) from error
    return aside
