"""One small plot as SVG: a frame with ticks, and marks in the units of its data."""

import math
from dataclasses import dataclass, field
from html import escape

INK, FAINT, LINE, DOT = "#1c1c21", "#66666f", "#d0d0d8", "#2166ac"
FONT = "font-family='sans-serif' font-size='11'"
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 26, 40
MOST_TICKS = 6
WIDTH = 400
MOST_LETTERS = 40
"""Of an axis's name."""


@dataclass(slots=True)
class Axes:
    """A plot that is drawn from back to front.

    Numbers are rounded, so that equal data give equal text on every machine.
    """

    x: tuple[float, float]
    """What the horizontal axis covers."""
    y: tuple[float, float]
    title: str
    x_label: str
    y_label: str
    counts: bool = False
    """Whether the vertical axis counts, so that its ticks are whole."""
    width: int = WIDTH
    height: int = 290
    _marks: list[str] = field(default_factory=list)

    def dots(self, points: list[tuple[float, float, str]]) -> None:
        """Draw x, y and what is said of each when it is pointed at."""
        for x, y, words in points:
            self._marks.append(
                f"<circle cx='{self._px(x)}' cy='{self._py(y)}' r='3.5' fill='{DOT}' "
                f"fill-opacity='0.75'><title>{escape(words)}</title></circle>"
            )

    def level(self, y: float, words: str = "", *, dashed: bool = False) -> None:
        """Draw a horizontal line, with words above its left end."""
        right = self.width - RIGHT
        dash = " stroke-dasharray='5 4'" if dashed else ""
        self._line(LEFT, self._py(y), right, self._py(y), INK, dash)
        if words:
            self._text(LEFT + 4, self._py(y) - 3, words, "start", FAINT)

    def whisker(self, low: float, high: float, inset_px: float) -> None:
        """Draw how far a level may be off, so many pixels from the right edge."""
        x, top, bottom = self.width - RIGHT - inset_px, self._py(high), self._py(low)
        self._line(x, top, x, bottom, DOT)
        for y in (top, bottom):
            self._line(x - 4, y, x + 4, y, DOT)

    def bar(self, left: float, right: float, y: float) -> None:
        """Draw a bar from 0 up."""
        x, top = self._px(left), self._py(y)
        width, height = round(self._px(right) - x - 1, 1), round(self._py(0) - top, 1)
        self._rect(x, top, width, height, DOT)

    def diagonal(self) -> None:
        """Draw where both axes have the same value."""
        low, high = max(self.x[0], self.y[0]), min(self.x[1], self.y[1])
        self._line(self._px(low), self._py(low), self._px(high), self._py(high), FAINT)

    def upright(self, x: float) -> None:
        """Draw a vertical line, if it lies in the plot."""
        if not self.x[0] <= x <= self.x[1]:
            return
        at = self._px(x)
        self._line(at, TOP, at, self.height - BOTTOM, INK, " stroke-dasharray='5 4'")

    def svg(self) -> str:
        """Return the plot."""
        marks, self._marks = self._marks, []
        self._frame()
        body = "".join([*self._marks, *marks])
        self._marks = marks
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {self.width} {self.height}' "
            f"width='{self.width}' height='{self.height}' {FONT}>"
            f"<rect width='{self.width}' height='{self.height}' fill='#ffffff'/>{body}</svg>"
        )

    def _frame(self) -> None:
        bottom = self.height - BOTTOM
        for value in ticks(*self.x):
            at = self._px(value)
            self._line(at, TOP, at, bottom, LINE)
            self._text(at, bottom + 14, said(value), "middle", FAINT)
        for value in ticks(*self.y, whole=self.counts):
            at = self._py(value)
            self._line(LEFT, at, self.width - RIGHT, at, LINE)
            self._text(LEFT - 5, at + 4, said(value), "end", FAINT)
        self._text(self.width / 2, 15, self.title, "middle", INK)
        self._text(
            (LEFT + self.width - RIGHT) / 2, self.height - 8, _short(self.x_label), "middle", INK
        )
        middle = (TOP + bottom) / 2
        self._marks.append(
            f"<text transform='translate(13 {middle:.1f}) rotate(-90)' text-anchor='middle' "
            f"fill='{INK}'>{escape(_short(self.y_label))}</text>"
        )

    def _px(self, x: float) -> float:
        share = (x - self.x[0]) / (self.x[1] - self.x[0])
        return round(LEFT + share * (self.width - LEFT - RIGHT), 1)

    def _py(self, y: float) -> float:
        share = (y - self.y[0]) / (self.y[1] - self.y[0])
        return round(self.height - BOTTOM - share * (self.height - TOP - BOTTOM), 1)

    def _line(self, x0: float, y0: float, x1: float, y1: float, ink: str, how: str = "") -> None:
        self._marks.append(f"<path d='M{x0} {y0}L{x1} {y1}' stroke='{ink}' fill='none'{how}/>")

    def _rect(self, x: float, y: float, width: float, height: float, ink: str) -> None:
        self._marks.append(
            f"<rect x='{x}' y='{y}' width='{width}' height='{height}' fill='{ink}'/>"
        )

    def _text(self, x: float, y: float, words: str, anchor: str, ink: str) -> None:
        self._marks.append(
            f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{ink}'>"
            f"{escape(words)}</text>"
        )


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return round numbers between two, at most `MOST_TICKS`: steps of 1, 2 or 5 times ten^n."""
    rough = max((high - low) / MOST_TICKS, 1.0 if whole else 0.0)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def _short(words: str) -> str:
    return words if len(words) <= MOST_LETTERS else f"{words[: MOST_LETTERS - 3].rstrip()}..."


def around(*values: float) -> tuple[float, float]:
    """Return a range that holds all values with some room on either side."""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
    return low - room, high + room


def said(value: float) -> str:
    """Return a number as axes and tables write it."""
    return f"{value:.4g}"
