"""The page on which methods are compared."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from stainapp.compare.page import Section, page
from stainapp.compare.ranking import ranking
from stainapp.compare.table import Row, Table

TABLE = Table(
    (
        Row("cut <1>", "SSIM", 0.8, 0.7, 0.9, 9, 3, True, "", "higher", "only 3 regions"),
        Row("reinhard", "SSIM", 0.2, 0.1, 0.3, 9, 3, True, "", "higher", "only 3 regions"),
        Row("cut <1>", "cycle error", 0.1, 0.1, 0.1, 9, 3, True, "OD", "lower"),
        Row("reinhard", "H-score", 72.0, 60.0, 80.0, 9, 3, True, "", ""),
        Row("real", "FD-OD", 7.0, 6.0, 8.0, 9, 3, True, "", "lower", "other tissue"),
    )
)


class Balance(HTMLParser):
    """Fails on a tag that closes what is not open."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def text() -> str:
    tile = {"source": np.full((4, 8, 3), 90, np.uint8)}
    found = ranking(TABLE, ["real"], {"cut <1>": {"s/Mpx": 1.25}})
    return page("A & B", [Section("H&E to PAS", ["On one slide."], found, TABLE, [tile])])


def test_every_tag_is_closed_and_names_are_escaped() -> None:
    parser = Balance()

    parser.feed(text())

    assert parser.open == []
    assert "cut &lt;1&gt;" in text()
    assert "<h1>A &amp; B</h1>" in text()


def test_the_page_needs_nothing_beside_it() -> None:
    (source,) = re.findall(r'src="([^"]+)"', text())

    kind, _, data = source.partition(",")
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (8, 4)
    assert "http" not in text()


def test_what_was_not_measured_says_so_and_what_competes_with_nobody_stands_below() -> None:
    assert text().count("not measured") == 1  # the other's cycle error
    assert text().index("For comparison") < text().index("real, FD-OD")
    assert text().index("For comparison") < text().index("reinhard, H-score")
    assert text().count("only 3 regions") == 1
    assert "1.25" in text()
