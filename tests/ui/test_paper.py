"""What is printed: rows stay whole, and headings with what they are of."""

import re
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QTextDocument, QTextTable

from stainapp.ui.paper import first_fault, lay_out

PAGE = QSizeF(400, 500)
HEAD = "<thead><tr><th>Region</th><th>Figure</th></tr></thead>"


def table(rows: int, lines: int) -> str:
    cells = "<br>".join(f"line {n}" for n in range(lines))
    body = "".join(f"<tr><td>row {n}</td><td>{cells}</td></tr>" for n in range(rows))
    return f'<div><table class="wide">{HEAD}<tbody>{body}</tbody></table></div>'


def words(lines: int) -> str:
    return "".join(f"<p>words {n}</p>" for n in range(lines))


def tables(document: QTextDocument) -> Iterator[QTextTable]:
    for frame in document.rootFrame().childFrames():
        if isinstance(frame, QTextTable):
            yield frame


@pytest.mark.parametrize("lines", [2, 3, 5])
@pytest.mark.parametrize("before", range(0, 20, 3))
def test_wherever_a_table_begins_no_row_is_cut_and_each_part_has_its_head(
    qapp: object, before: int, lines: int
) -> None:
    page = f"{words(before)}<h2>Regions</h2><p>Each cell:</p>{table(30, lines)}<p>after</p>"
    plain, document = QTextDocument(), QTextDocument()
    for one in (plain, document):
        one.setPageSize(PAGE)
    plain.setHtml(page)
    assert first_fault(plain) is not None

    lay_out(document, page)

    assert first_fault(document) is None
    rows = re.findall(r"row \d+", document.toPlainText())
    assert rows == [f"row {n}" for n in range(30)]
    assert all(one.format().headerRowCount() == 1 for one in tables(document))


def test_a_heading_goes_to_the_page_of_what_follows_it(qapp: object) -> None:
    plain = QTextDocument()
    plain.setPageSize(PAGE)
    parted = None
    for before in range(40):  # one of them ends where only a heading still fits
        parted = f"{words(before)}<h2>Agreement</h2>{words(12)}"
        plain.setHtml(parted)
        if first_fault(plain) is not None:
            break
    assert first_fault(plain) is not None
    assert parted is not None
    document = QTextDocument()
    document.setPageSize(PAGE)

    lay_out(document, parted)

    assert first_fault(document) is None
    assert document.toPlainText() == plain.toPlainText()


def test_a_row_higher_than_a_page_is_left_as_it_is(qapp: object) -> None:
    document = QTextDocument()
    document.setPageSize(PAGE)

    lay_out(document, table(2, 80))

    assert "line 79" in document.toPlainText()
    assert document.pageCount() >= 3
