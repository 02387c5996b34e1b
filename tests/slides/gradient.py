"""A cheap source of exports, and what is asked of their folder."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stainapp.errors import SlideError
from stainapp.geometry import Rect
from stainapp.slides.reader import Level, RgbImage, SlideInfo

RECORD = {"virtual": True, "model": {"id": "identity", "sha256": "00"}, "source": "Ä & <b>.svs"}


class Gradient:
    """A cheap reader whose every pixel is known; calls ``before`` ahead of each read."""

    def __init__(
        self, width: int = 2700, height: int = 2300, before: Callable[[int], None] | None = None
    ) -> None:
        self.info = SlideInfo(
            Path("gradient"), "made", (Level(width, height, 1.0),), f"{width}x{height}", mpp=0.5
        )
        self.damaged: tuple[Rect, ...] = ()
        self.reads = 0
        self._before = before

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        self.reads += 1
        if self._before:
            self._before(self.reads)
        xs, ys = np.arange(x, x + width_px), np.arange(y, y + height_px)
        image = np.empty((height_px, width_px, 3), np.uint8)
        image[..., 0], image[..., 1] = xs % 256, (ys % 256)[:, None]
        image[..., 2] = xs // 7 % 256
        return image

    def close(self) -> None: ...


def left_behind(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.is_file())


def stop(message: str) -> Callable[[int], None]:
    """Raise on the third read."""

    def before(reads: int) -> None:
        if reads == 3:
            raise SlideError(message)

    return before


ENDLESS = textwrap.dedent("""
    import sys
    from pathlib import Path
    from threading import Event
    from stainapp.slides.writer import write_slide
    from tests.slides.gradient import RECORD, Gradient

    def hang(done, total):
        if done == 8:
            print("eight tiles are written", flush=True)
            Event().wait()

    write_slide(Gradient(), Path(sys.argv[1]), provenance=RECORD, progress=hang)
""")


@contextmanager
def export_elsewhere(target: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process export the gradient, without resuming, until eight tiles are written."""
    command = [sys.executable, "-c", ENDLESS, str(target)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "eight tiles are written\n"
            yield process
        finally:
            process.kill()
