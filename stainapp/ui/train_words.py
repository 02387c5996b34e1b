"""Amounts as a person says them."""

from collections.abc import Mapping
from typing import Any

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0


def duration_words(seconds: float) -> str:
    """Return a time to one or two figures, such as "3 h 20 min"."""
    if seconds < 1.5 * MINUTE_S:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / MINUTE_S)
    if minutes < 90:
        return f"{minutes} min"
    if seconds < 2 * DAY_S:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{seconds / DAY_S:.1f} days"


def bytes_words(count: float) -> str:
    """Return an amount of memory, such as "3.2 GB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return (
                f"{count / size:.1f} {unit}" if count < 10 * size else f"{count / size:.0f} {unit}"
            )
    return f"{count / 1e3:.0f} kB"


def estimate_words(estimate: Mapping[str, Any], tiles: Mapping[str, Any]) -> str:
    """Return in a few sentences what a training will take, from a measured step."""
    lost = int(tiles.get("far_off", 0))
    device = f"{estimate.get('device', '')} {estimate.get('precision', '')}".strip()
    return (
        f"About <b>{duration_words(float(estimate.get('seconds', 0)))}</b> "
        f"at {float(estimate.get('images_per_s', 0)):.3g} images/s on {device or 'this machine'}, "
        f"with {bytes_words(float(estimate.get('memory_bytes', 0)))} of memory and "
        f"{bytes_words(float(estimate.get('disk_bytes', 0)))} on disk. "
        f"There is room for {int(tiles.get('train', 0)):,} tiles to learn from and "
        f"{int(tiles.get('validation', 0)):,} to judge by."
        + (f" {lost:,} more are left out: they are not registered well enough." if lost else "")
    )
