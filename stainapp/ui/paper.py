"""A page of HTML on paper: no row of a table is cut, and no heading stands alone at a page's foot.

Qt lays text out on pages and repeats the heads of tables, but breaks where a line ends. So the
page is laid out, the first wrong place is looked for, a break is put before it, and so on.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from PySide6.QtGui import QTextBlock, QTextCursor, QTextDocument, QTextTable

MOST_BREAKS = 500
BREAK = ' style="page-break-before: always"'


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to begin a page: a heading, or a row of a table, by their numbers in the page."""

    at: int = field(compare=False)
    """Where it stands in the text."""
    heading: int = -1
    table: int = -1
    row: int = -1


def lay_out(document: QTextDocument, html: str) -> None:
    """Lay a page out in a document, whose page size is set.

    Args:
        document: what it is laid out in.
        html: its tables hold no tables, and each its head within ``<thead>``.
    """
    mended: set[Fault] = set()
    for _ in range(MOST_BREAKS):
        document.setHtml(html)
        found = first_fault(document, mended)
        if found is None:
            return
        mended.add(found)
        html = _broken(html, found)


def first_fault(document: QTextDocument, but: Container[Fault] = ()) -> Fault | None:
    """Return the first row that lies on two pages, or heading that is parted from what follows.

    Args:
        document: laid out.
        but: what is left as it is, being higher than a page.
    """
    tables = [one for one in document.rootFrame().childFrames() if isinstance(one, QTextTable)]
    found = []
    for number, table in enumerate(tables):
        cut = (row for row in range(table.rows()) if len(_pages(table, row)) > 1)
        found += [Fault(table.cellAt(row, 0).firstPosition(), table=number, row=row) for row in cut]
    headings = [block for block in _blocks(document) if block.blockFormat().headingLevel()]
    for number, block in enumerate(headings):
        if not _together(document, block):
            found.append(Fault(block.position(), heading=number))
    left = [fault for fault in found if fault not in but]
    return min(left, key=lambda fault: fault.at, default=None)


def _blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def _together(document: QTextDocument, heading: QTextBlock) -> bool:
    """Tell whether a heading is on one page with a paragraph, or with a table's first row."""
    after = _filled(heading.next())
    led = _filled(after.next()) if after.isValid() and _table(after) is None else after
    table = _table(led) if led.isValid() else None
    ours = _pages_of(heading)
    if table is None:
        pages = _pages_of(after) if after.isValid() else set()
        return not pages or min(pages) in ours
    rows = range(min(table.format().headerRowCount() + 1, table.rows()))
    return all(_pages(table, row) == ours for row in rows)


def _filled(block: QTextBlock) -> QTextBlock:
    """Return the next paragraph, from this one on, that holds anything or stands in a table."""
    while block.isValid() and not block.text().strip() and _table(block) is None:
        block = block.next()
    return block


def _table(block: QTextBlock) -> QTextTable | None:
    return QTextCursor(block).currentTable()


def _pages(table: QTextTable, row: int) -> set[int]:
    """Return the pages that a row lies on."""
    found = set()
    for column in range(table.columns()):
        cell = table.cellAt(row, column)
        block, last = cell.firstCursorPosition().block(), cell.lastCursorPosition().block()
        while block.isValid():
            found |= _pages_of(block)
            if block == last:
                break
            block = block.next()
    return found


def _pages_of(block: QTextBlock) -> set[int]:
    """Return the pages that a paragraph's lines lie on."""
    document = block.document()
    height = document.pageSize().height()
    top, lines = document.documentLayout().blockBoundingRect(block).top(), block.layout()
    found = set()
    for number in range(lines.lineCount()):
        line = lines.lineAt(number)
        middle = top + line.y() + line.height() / 2
        found.add(int(middle // height))
    return found


def _broken(html: str, fault: Fault) -> str:
    """Put a page's end before a heading or a row, and a table's head again after it."""
    if fault.heading >= 0:
        starts = [match.end() for match in re.finditer(r"<h[1-6]", html)]
        return _inserted(html, starts[fault.heading], BREAK)
    opening = list(re.finditer(r"<table[^>]*", html))[fault.table]
    end = html.index("</table>", opening.end())
    head = re.search(r"<thead>.*?</thead>", html[opening.end() : end], re.DOTALL)
    rows = [match.start() for match in re.finditer(r"<tr", html[opening.end() : end])]
    heads = head[0].count("<tr") if head else 0
    if fault.row <= heads:
        return _inserted(html, opening.end(), BREAK)
    again = f"{opening[0].replace(BREAK, '')}{BREAK}>"
    ends = ("</tbody></table>", f"{again}{head[0]}<tbody>") if head else ("</table>", again)
    return _inserted(html, opening.end() + rows[fault.row], "".join(ends))


def _inserted(html: str, at: int, words: str) -> str:
    return html[:at] + words + html[at:]
