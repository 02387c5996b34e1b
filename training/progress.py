"""How far a run is."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Progress:
    """Saved with every checkpoint."""

    step: int = 0
    images: int = 0
    """Learnt from so far."""
    best: dict[str, float] = field(default_factory=dict)
    """Each direction's best score in a validation so far; lower is better."""
    without_gain: int = 0
    """Validations since the last gain in any."""
    judged_at: int = -1
    """Images at the last validation."""

    def values(self) -> dict[str, Any]:
        return asdict(self)
