"""A slide's history as records of a journal, and back.

    {"stainapp": "regions", "version": 1, "slide": NAME}       the first record
    {"start": {"regions": [...], "classes": {...}, "others": [...], "members": {...}}}
    {"do": TEXT, "gone": [...], "come": [...], "selected": [[...], [...]], ...}
    {"undo": 1}   {"redo": 1}

A region is [place, GeoJSON feature, shape]; what a step removed is named by its id alone, since
whoever reads on from the start has it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from stainapp.errors import RegionError, SessionError
from stainapp.session.geojson import from_feature, to_feature
from stainapp.session.history import History, Ids, Placed, Side, Step
from stainapp.session.journal import Record
from stainapp.session.regions import CLASSES, Classes, Document, Region

KIND, VERSION = "regions", 1
MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError, RegionError)


def header(name: str) -> Record:
    """Return the first record of a journal; ``name`` is for people who look into it."""
    return {"stainapp": KIND, "version": VERSION, "slide": name}


def start_record(document: Document) -> Record:
    return {
        "start": {
            "regions": _listed(enumerate(document.regions), document.classes),
            "classes": _plain(document.classes),
            "others": list(document.others),
            "members": dict(document.members),
        }
    }


def step_record(step: Step, classes: Classes) -> Record:
    """Return a step's record; ``classes`` are those that colours are looked up in."""
    record: dict[str, Any] = {
        "do": step.text,
        "gone": [region.id for _, region in step.before.regions],
        "come": _listed(step.after.regions, classes),
        "selected": [list(step.before.selected), list(step.after.selected)],
    }
    if step.after.classes is not None:
        record["classes"] = _plain(step.after.classes)
    if step.after.others is not None:
        record["others"] = list(step.after.others)
    return record


UNDO: Record = {"undo": 1}
REDO: Record = {"redo": 1}


def records_of(history: History, name: str) -> Iterator[Record]:
    """Return the shortest records that give a history again: a journal, compacted."""
    yield header(name)
    yield start_record(history.start)
    classes = history.document.classes
    for step in (*history.done, *reversed(history.undone)):
        yield step_record(step, classes)
    yield from [UNDO] * len(history.undone)


def history_in(records: Sequence[Record]) -> tuple[History, bool]:
    """Return the history that records tell, and whether one of them made no sense.

    What follows such a record is left out.

    Raises:
        SessionError: the records are a newer program's, or of something else; a clause to stand
            behind a file's name.
    """
    if not records:
        return History(), False
    first, *rest = records
    if first.get("stainapp") != KIND:
        raise SessionError("is no journal of regions")
    if not isinstance(first.get("version"), int) or first["version"] > VERSION:
        raise SessionError("was written by a newer stainapp; open it with that, or update")
    history = History()
    for record in rest:
        try:
            if "start" in record:
                history = History(_document(record["start"]))
            elif "do" in record:
                history.do(_step(record, history))
            elif "undo" in record:
                history.undo()
            elif "redo" in record:
                history.redo()
        except MALFORMED:
            return history, True
    return history, False


def _document(told: Any) -> Document:
    return Document(
        regions=tuple(region for _, region in _placed(told["regions"])),
        others=tuple(told["others"]),
        members=dict(told["members"]),
        classes=_classes(told["classes"]),
    )


def _step(record: Record, history: History) -> Step:
    now = history.document
    going = set(record["gone"])
    gone = tuple((p, region) for p, region in enumerate(now.regions) if region.id in going)
    was, selected = (_ids(ids) for ids in record["selected"])
    classes = _classes(record["classes"]) if "classes" in record else None
    others = tuple(record["others"]) if "others" in record else None
    return Step(
        str(record["do"]),
        Side(
            gone,
            was,
            None if classes is None else now.classes,
            None if others is None else now.others,
        ),
        Side(_placed(record["come"]), selected, classes, others),
    )


def _listed(placed: Iterable[Placed], classes: Classes) -> list[Any]:
    return [[place, to_feature(region, classes), region.shape] for place, region in placed]


def _placed(told: Any) -> tuple[Placed, ...]:
    return tuple((int(place), _region(feature, shape)) for place, feature, shape in told)


def _region(feature: Any, shape: Any) -> Region:
    region = from_feature(feature)
    if region is None:
        raise RegionError("which is no region")
    # A polygon may look like a rectangle, and an ellipse of no height like none.
    return region if region.shape == shape else replace(region, shape=shape)


def _plain(classes: Classes) -> dict[str, list[int]]:
    return {name: list(colour) for name, colour in classes.items()}


def _classes(told: Any) -> Classes:
    classes = {}
    for name, (red, green, blue) in told.items():
        classes[str(name)] = (int(red), int(green), int(blue))
    return classes if classes != CLASSES else CLASSES


def _ids(told: Any) -> Ids:
    return tuple(map(str, told))
