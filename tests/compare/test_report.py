"""The report of a comparison, and the files beside it."""

import base64
import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stainapp.compare.comparison import compare
from stainapp.compare.instruments import Instruments
from stainapp.compare.pair import Pair, Points
from stainapp.compare.report import Report, as_html
from stainapp.compare.report_files import ReportFiles
from stainapp.compare.report_pictures import BADGE_GROUND, fields, overviews
from stainapp.compare.sides import side_of
from stainapp.errors import ExportError
from stainapp.session.regions import Region
from stainapp.slides.opening import open_slide
from stainapp.ui.report_pdf import write_pdf
from tests.compare.test_comparison import Blind
from tests.compare.test_page import Balance

SEEN = Instruments(segmenter=Blind())
REGIONS = [
    Region.rectangle(100 + 260 * n, 100, 200, 200, name=f"<field> {n}", id=str(n)) for n in range(3)
]


def torn(points: Points) -> Points:
    return np.where(points[:, 0] < 600, 1.0, 8.0)


@pytest.fixture(scope="module")
def report() -> Report:
    he, pas = open_slide("phantom:he:900:5"), open_slide("phantom:pas:900:5")
    other = side_of(pas, "PAS", {"virtual": True, "model_name": "A & B", "limits": ["Only mucin."]})
    pair = Pair(side_of(pas, "PAS"), replace(other, source=he, identity="made"), torn)
    found = compare(pair, REGIONS, instruments=SEEN)
    return Report(pair, found, SEEN, overviews(pair, found), fields(pair, found), "Today.")


def images(page: str) -> list[Image.Image]:
    found = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def test_every_tag_is_closed_and_names_are_escaped(report: Report) -> None:
    parser, page = Balance(), as_html(report)

    parser.feed(page)

    assert parser.open == []
    assert "&lt;field&gt; 1" in page
    assert "A &amp; B" in page


def test_the_page_needs_nothing_beside_it(report: Report) -> None:
    sources = re.findall(r'(?:src|href)="([^"]{0,11})', as_html(report))

    assert sources
    assert all(source.startswith("data:image/") for source in sources)


def test_each_region_is_shown_with_scale_bars_and_virtual_pictures_with_their_badge(
    report: Report,
) -> None:
    assert [field.place.name for field in report.fields] == [f"<field> {n}" for n in range(3)]
    for field in report.fields:
        source, reference, other, difference = (one.image for one in field.pictures)
        for image in (source, reference, difference):
            assert image.getpixel((2, 2)) != BADGE_GROUND
        assert other.getpixel((2, 2)) == BADGE_GROUND
        for image in (source, reference, other, difference):
            corner = np.asarray(image)[-30:, :60]
            assert (corner == 255).all(axis=-1).any()
    assert len(images(as_html(report))) == 3 * 4 + 2


def test_what_is_not_to_be_read_is_grey_and_the_reason_stands_there(report: Report) -> None:
    page = as_html(report)

    assert 'class="grey"' in page
    assert "&lt;field&gt; 2: the slides lie 8.0 um apart here" in page
    assert "over 2 of 3 regions" in page


def test_the_page_says_what_it_cannot_say(report: Report) -> None:
    page = as_html(report)

    assert "Only mucin." in page
    assert "not for diagnosis" in page
    assert "VIRTUAL - research use only" in page
    assert "Today." in page


def test_tables_are_the_same_from_run_to_run_and_can_be_read(
    report: Report, tmp_path: Path
) -> None:
    one, another = ReportFiles(tmp_path / "one.html"), ReportFiles(tmp_path / "other.html")
    for files in (one, another):
        files.write(report.pair, compare(report.pair, REGIONS, instruments=SEEN), SEEN)

    assert one.csv.read_bytes() == another.csv.read_bytes()
    assert one.json.read_bytes() == another.json.read_bytes()
    values = json.loads(one.json.read_text("utf-8"))
    assert values["other"]["model_name"] == "A & B"
    assert len(values["regions"]) == 3
    rows = list(csv.DictReader(io.StringIO(one.csv.read_text("utf-8"))))
    assert len(rows) == len(values["figures"])
    assert rows[0]["region"] == "all regions"


def test_a_report_never_takes_the_place_of_what_it_is_made_from(tmp_path: Path) -> None:
    files = ReportFiles(tmp_path / "pair.html")

    with pytest.raises(ExportError, match="written over"):
        files.make_room([tmp_path / "pair.json"])
    with pytest.raises(ExportError, match=r"\.html"):
        ReportFiles(tmp_path / "report.txt").make_room()


def test_the_report_is_printed_on_pages(report: Report, tmp_path: Path, qapp: object) -> None:
    path = write_pdf(report, tmp_path / "report.pdf")

    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", content)) > 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.pdf"]


def test_a_pdf_that_cannot_be_written_is_one_sentence(
    report: Report, tmp_path: Path, qapp: object
) -> None:
    taken = tmp_path / "folder.pdf"
    taken.mkdir()

    with pytest.raises(ExportError, match=r"folder\.pdf"):
        write_pdf(report, taken)
