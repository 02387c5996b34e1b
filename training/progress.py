"""How far a run is."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Progress:
    """Saved with every checkpoint."""

    step: int = 0
    images: int = 0
    """Learnt from so far."""
    best: float | None = None
    """The best validation's score so far; lower is better."""
    without_gain: int = 0
    """Validations since."""
    judged_at: int = -1
    """Images at the last validation."""

    def values(self) -> dict[str, Any]:
        return asdict(self)
