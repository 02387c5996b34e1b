"""How well a segmenter finds nuclei that people have drawn: F1, Dice and AJI.

    python tests/benchmarks/nuclei.py [--segmenter MODEL] [--fields DIR] [--write] [--json]

--write keeps the figures where every evaluation will name them: of the classical segmenter in
resources/segmenters, of a model in its card.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from resources import resource
from stainapp.compare.annotated import accuracy_on, annotated_fields
from stainapp.compare.network_segmenter import NetworkSegmenter
from stainapp.compare.segmenter import MEASURES, Accuracy, Classical, Segmenter, as_metrics
from stainapp.errors import StainAppError
from stainapp.models.card import ModelCard
from stainapp.models.store import default_store
from tests.benchmarks.bars import Finding, conclude
from tests.benchmarks.measure import DATA, hardware


def main(arguments: argparse.Namespace) -> int:
    segmenter: Segmenter = Classical()
    folder = None
    if arguments.segmenter is not None:
        folder = default_store().at(arguments.segmenter).folder
        segmenter = NetworkSegmenter(folder)
    found = accuracy_on(list(annotated_fields(arguments.fields)), segmenter, arguments.stain)
    if arguments.write:
        _keep(found, folder)
    facts = {
        "segmenter": segmenter.name,
        "fields": f"{found.fields} with {found.nuclei} nuclei",
        **hardware(),
    }
    findings = [
        Finding(measure, getattr(found, name), lower=False) for name, measure in MEASURES.items()
    ]
    return conclude("nuclei", facts, findings, as_text=not arguments.json)


def _keep(found: Accuracy, folder: Path | None) -> None:
    if folder is None:
        text = json.dumps(asdict(found), indent=2) + "\n"
        resource("segmenters/classical.json").write_text(text, "utf-8")
        return
    card = ModelCard.read(folder)
    others = tuple(row for row in card.metrics if row.get("measure") not in MEASURES.values())
    replace(card, metrics=(*as_metrics(found), *others)).write(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="nuclei", description=__doc__.split("\n")[0])
    parser.add_argument("--segmenter", metavar="MODEL", help="an id or a folder; else classical")
    parser.add_argument("--fields", type=Path, default=DATA / "nuclei", metavar="DIR")
    parser.add_argument("--stain", default="haematoxylin", help="of the fields")
    parser.add_argument("--write", action="store_true", help="keep the figures")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    try:
        sys.exit(main(parser.parse_args()))
    except StainAppError as error:
        sys.exit(str(error))
