"""The files of a comparison: a page to read, and its tables for other programs beside it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from stainapp import __version__
from stainapp.cancel import CancelToken
from stainapp.compare.comparison import Comparison
from stainapp.compare.instruments import Instruments
from stainapp.compare.pair import Pair
from stainapp.compare.report import Report, as_html
from stainapp.compare.report_pictures import fields, overviews
from stainapp.errors import ExportError, RegionError
from stainapp.session.atomic_file import write_atomically

SCHEMA = "stainapp.comparison/1"


@dataclass(slots=True)
class ReportFiles:
    """Where the files of one comparison go."""

    page: Path
    written: list[Path] = field(default_factory=list)

    @property
    def csv(self) -> Path:
        return self.page.with_suffix(".csv")

    @property
    def json(self) -> Path:
        return self.page.with_suffix(".json")

    @property
    def pdf(self) -> Path:
        return self.page.with_suffix(".pdf")

    def make_room(self, inputs: Iterable[Path] = ()) -> None:
        """See, before anything is computed, that the files can be written.

        Args:
            inputs: what the comparison is made from, none of which may be written over.

        Raises:
            ExportError: they cannot, and why.
        """
        if self.page.suffix.lower() not in (".html", ".htm"):
            raise ExportError(
                f"{self.page} is to be the report; give it a name that ends in .html, as its "
                "tables lie beside it under the same name."
            )
        ours = {path.resolve() for path in (self.page, self.csv, self.json, self.pdf)}
        for path in inputs:
            if path.resolve() in ours:
                raise ExportError(
                    f"{path} would be written over by the report; give the report another name."
                )
        try:
            self.page.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExportError(
                f"{self.page.parent} cannot be made ({error.strerror}); choose another folder."
            ) from error
        try:
            TemporaryFile(dir=self.page.parent).close()
        except OSError as error:
            raise ExportError(
                f"{self.page.parent} cannot be written ({error.strerror}); choose another folder."
            ) from error

    def write(
        self,
        pair: Pair,
        comparison: Comparison,
        instruments: Instruments,
        token: CancelToken | None = None,
    ) -> Report:
        """Write the tables, then the page; the tables are the same from run to run.

        Raises:
            ExportError: a file cannot be written.
            SlideError: a slide cannot be read for its pictures.
            Cancelled: the token was cancelled.
        """
        report = Report(
            pair,
            comparison,
            instruments,
            overviews(pair, comparison),
            fields(pair, comparison, token),
            f"Made on {datetime.now().astimezone():%d %B %Y, %H:%M %Z}.",
        )
        self._put(self.csv, comparison.as_csv())
        values = as_dict(pair, comparison, instruments)
        self._put(self.json, json.dumps(values, indent=1, allow_nan=False) + "\n")
        self._put(self.page, as_html(report))
        return report

    def _put(self, path: Path, text: str) -> None:
        try:
            write_atomically(path, text.encode())
        except RegionError as error:
            raise ExportError(str(error)) from error
        self.written.append(path)


def as_dict(pair: Pair, comparison: Comparison, instruments: Instruments) -> dict[str, Any]:
    """Return all that was measured and of what, as plain values without a date."""
    accuracy = instruments.segmenter.accuracy
    return {
        "schema": SCHEMA,
        "program": {"name": "stainapp", "version": __version__},
        "reference": {"name": pair.reference.name, **pair.reference.origin},
        "other": {"name": pair.other.name, **pair.other.origin},
        "registration": dict(pair.joined_by),
        "segmenter": {
            "name": instruments.segmenter.name,
            "accuracy": asdict(accuracy) if accuracy else None,
        },
        "dab_thresholds": asdict(instruments.thresholds),
        **comparison.as_dict(),
    }
