"""What the window says of the reference, and which actions answer it."""

from pathlib import Path

import numpy as np

from stainapp.registration.transform import Transform
from stainapp.ui.notice_bar import Notice

CANCEL, REJECT, RESTORE = "cancel-registration", "reject-registration", "restore-registration"
AGAIN, LANDMARKS, LAST = "register-again", "landmarks", "last-reference"
ONE_DECIMAL_BELOW = 9.95

NO_SLIDE = "Open a slide first; then choose the reference that belongs to it."
NO_REFERENCE = "Open a reference slide first (Compare menu)."
CANCELLED = Notice("The reference is not registered.", (AGAIN, LANDMARKS))
REJECTED = Notice(
    "Rejected. Place landmarks, and register from two of them or use them alone.",
    (LANDMARKS, AGAIN, RESTORE),
)


def opening(address: str) -> Notice:
    return Notice(f"Opening {Path(address).name}…", (CANCEL,), 0.0, lasting=True)


def registering(name: str, phase: str, share: float) -> Notice:
    return Notice(f"Registering {name}: {phase}", (CANCEL,), share, lasting=True)


def offered(address: str) -> Notice:
    return Notice(f"{Path(address).name} was the reference of this slide last time.", (LAST,))


def refused(sentence: str) -> Notice:
    """Say why there is no registration, and what leads to one."""
    return Notice(sentence, (LANDMARKS, AGAIN))


def registered(transform: Transform, mpp: float | None) -> Notice:
    """Ask whether a fresh registration fits, and say how far off it expects to be."""
    words = f"{transform.moving.name} is registered"
    error = np.array([]) if transform.error is None else transform.error.values
    if np.isfinite(error).any():
        words += f", {length(float(np.nanmedian(error)), mpp)} at a typical place"
    return Notice(f"{words}. Does it fit?", (REJECT, LANDMARKS))


def error_at(transform: Transform, x: float, y: float, mpp: float | None) -> str:
    """Say how far off the reference may be at a level-0 position of the fixed slide."""
    error = float(transform.error_px(np.array([[x, y]]))[0])
    return f"{length(error, mpp)} here" if np.isfinite(error) else "no estimate here"


def length(px: float, mpp: float | None) -> str:
    """Say an expected error: in micrometres where the scale is known."""
    value, unit = (px, "px") if mpp is None else (px * mpp, "µm")
    return f"± {value:.1f} {unit}" if value < ONE_DECIMAL_BELOW else f"± {value:.0f} {unit}"
