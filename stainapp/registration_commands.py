"""What `stainapp register` does."""

import argparse
import csv
import json
import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainapp.commands import DONE, FAILED, cancelled_by_signals, complain
from stainapp.errors import Cancelled, RegistrationError
from stainapp.lifeline import end_with_stdin

if TYPE_CHECKING:
    from stainapp.registration.grid import Points
    from stainapp.registration.transform import Transform
    from stainapp.slides.reader import SlideReader


def register(args: argparse.Namespace) -> int:
    """Register two slides, write the transform, and map points if there are any."""
    from stainapp.slides.opening import open_slide

    if args.end_with_stdin:
        end_with_stdin()
    to_map = read_points(args.map, 2) if args.map else None
    landmarks = read_points(args.landmarks, 4) if args.landmarks else None
    start = read_points(args.start, 4) if args.start else None
    with (
        closing(open_slide(args.fixed, mpp=args.fixed_mpp)) as fixed,
        closing(open_slide(args.moving, mpp=args.moving_mpp)) as moving,
    ):
        try:
            transform = _registered(args, fixed, moving, landmarks, start)
        except Cancelled:
            complain(f"Stopped; nothing was written to {args.output}.")
            return FAILED
    transform.write(args.output)
    if to_map is not None:
        target = args.output.with_suffix(".points.csv")
        target.write_text(mapped_points(transform, to_map), encoding="utf-8", newline="")
    if args.progress_json:
        print(json.dumps({"event": "done", **summary(transform)}), flush=True)
    elif args.json:
        print(json.dumps(summary(transform), indent=2, ensure_ascii=False))
    else:
        print(in_words(transform))
    return DONE


def _registered(
    args: argparse.Namespace,
    fixed: "SlideReader",
    moving: "SlideReader",
    landmarks: "Points | None",
    start: "Points | None",
) -> "Transform":
    from stainapp.progress import ProgressEvents, progress_line
    from stainapp.registration.align import align
    from stainapp.registration.landmarks import from_points, refined

    clicked = None
    if start is not None:
        clicked = from_points(
            fixed.info, moving.info, start[:, :2], start[:, 2:], mirrored=args.mirrored
        )
    if args.only_landmarks:
        if landmarks is None:
            raise RegistrationError("--only-landmarks needs landmarks; name a file of them.")
        return from_points(
            fixed.info, moving.info, landmarks[:, :2], landmarks[:, 2:], mirrored=args.mirrored
        )
    name = Path(args.moving).name
    events = ProgressEvents() if args.progress_json else None
    with cancelled_by_signals() as token, progress_line(name) as bar:
        found = align(
            fixed,
            moving,
            start=clicked,
            token=token,
            progress=events.report if events else bar,
            phase=events.phase if events else lambda words: None,
        )
    return found if landmarks is None else refined(found, landmarks[:, :2], landmarks[:, 2:])


def read_points(path: Path, columns: int) -> "Points":
    """Read a CSV file of numbers, (N, columns); a first line of words is a heading.

    Raises:
        RegistrationError: it cannot be read, or a line has not as many numbers.
    """
    import numpy as np

    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise RegistrationError(f"{path} cannot be read as CSV ({error}); check it.") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not any(word.strip() for word in line):
            continue
        try:
            row = [float(word) for word in line]
        except ValueError as error:
            if number == 1:
                continue
            raise RegistrationError(f"{path}, line {number} is no row of numbers.") from error
        if len(row) != columns or not np.isfinite(row).all():
            raise RegistrationError(
                f"{path}, line {number} has not the {columns} numbers it should; "
                f"write {'x,y' if columns == 2 else 'fixed x,fixed y,moving x,moving y'}."
            )
        rows.append(row)
    if not rows:
        raise RegistrationError(f"{path} holds no points.")
    return np.array(rows, np.float64)


def mapped_points(transform: "Transform", points: "Points") -> str:
    """Return points of the moving slide on the fixed one, as CSV; no number where unknown."""
    found = transform.to_fixed(points)
    errors = transform.error_um(found)
    lines = ["x,y,error_um"]
    for (x, y), error in zip(found.tolist(), errors.tolist(), strict=True):
        lines.append(f"{x:.2f},{y:.2f},{'' if math.isnan(error) else f'{error:.2f}'}")
    return "\n".join(lines) + "\n"


def summary(transform: "Transform") -> dict[str, Any]:
    """Return what a transform amounts to, as plain values."""
    import numpy as np

    known = np.empty(0)
    if transform.error is not None:
        known = transform.error.values[np.isfinite(transform.error.values)]
    typical = float(np.median(known)) if known.size else None
    mpp = transform.fixed.mpp
    pieces = [
        {
            "degrees": round(float(np.degrees(np.arctan2(m[1, 0], m[0, 0])) % 360), 2),
            "mirrored": bool(np.linalg.det(m[:, :2]) < 0),
            "scale": round(float(np.sqrt(abs(np.linalg.det(m[:, :2])))), 4),
        }
        for m in transform.pieces
    ]
    return {
        "fixed": transform.fixed.name,
        "moving": transform.moving.name,
        "method": transform.method,
        "pieces": pieces,
        "landmarks": len(transform.landmarks),
        "median_error_px": typical,
        "median_error_um": None if typical is None or mpp is None else typical * mpp,
    }


def in_words(transform: "Transform") -> str:
    facts = summary(transform)
    lines = [f"{facts['moving']} on {facts['fixed']}: {facts['method']}"]
    for piece in facts["pieces"]:
        side = ", mirrored" if piece["mirrored"] else ""
        lines.append(f"  piece turned by {piece['degrees']:g} degrees{side}, x{piece['scale']:g}")
    if facts["median_error_um"] is not None:
        lines.append(f"  expected error: {facts['median_error_um']:.1f} um (median over tissue)")
    elif facts["median_error_px"] is not None:
        lines.append(f"  expected error: {facts['median_error_px']:.1f} px (median over tissue)")
    return "\n".join(lines)
