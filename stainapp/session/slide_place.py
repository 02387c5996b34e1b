"""A slide that a session was about: what it is known by, and where it lies now."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from stainapp.errors import SessionError, SlideError
from stainapp.slides.opening import open_slide


class SlideGoneError(SessionError):
    """No file is the slide that was meant, wherever it was looked for."""


@dataclass(frozen=True, slots=True)
class SlidePlace:
    """A slide as a session names it."""

    address: str
    """What was opened: a path, or the address of a made-up slide."""
    identity: str
    """Its `SlideInfo.identity`, which tells whether a file is this slide."""
    mpp: float | None = None
    """Micrometres per level-0 pixel, as the user last saw it."""
    relative: str = ""
    """Its path from the session's file, for both to be moved together."""

    @classmethod
    def of_json(cls, told: Any) -> "SlidePlace | None":
        """Return the place that JSON tells, None where it tells none."""
        if not isinstance(told, dict) or not isinstance(told.get("address"), str):
            return None
        names = {field.name for field in fields(cls)}
        return cls(**{"identity": "", **{k: v for k, v in told.items() if k in names}})

    @property
    def name(self) -> str:
        return Path(self.address).name

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def seen_from(self, folder: Path) -> "SlidePlace":
        """Return the place with its path from a session's folder, where there is one."""
        try:
            relative = Path(os.path.relpath(Path(self.address).absolute(), folder.absolute()))
        except ValueError:  # on another drive
            return self
        there = Path(self.address).exists()  # a made-up slide lies nowhere
        return replace(self, relative=relative.as_posix() if there else "")


def found(slide: SlidePlace, folders: Iterable[Path] = (), session: Path | None = None) -> str:
    """Return the address under which the slide opens now. Reads files.

    It is looked for where it was, where it lay as seen from the session's file, and under its
    name in further folders; of what is found, the first that is this very slide counts.

    Args:
        slide: what is looked for.
        folders: where else a file of its name may lie.
        session: the session's file.

    Raises:
        SlideGoneError: it is nowhere.
    """
    for address in dict.fromkeys(_candidates(slide, folders, session)):
        try:
            with closing(open_slide(address)) as reader:
                if not slide.identity or reader.info.identity == slide.identity:
                    return address
        except (SlideError, OSError):
            continue
    raise SlideGoneError(f"{slide.name} is not where it was ({Path(slide.address).parent}).")


def _candidates(slide: SlidePlace, folders: Iterable[Path], session: Path | None) -> Iterator[str]:
    yield slide.address
    beside = [session.parent] if session else []
    if session and slide.relative:
        yield str(session.parent / slide.relative)
    for folder in (*beside, *folders):
        path = folder / slide.name
        if path.exists():
            yield str(path)
