"""What staining costs."""

from pathlib import Path

import numpy as np
import pytest

from stainapp.errors import ModelError
from stainapp.models.cost import cost_of
from tests.models.factories import identity_model

TILES = np.random.default_rng(0).integers(40, 220, (2, 64, 64, 3)).astype(np.uint8)


def test_a_model_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    cost = cost_of(identity_model(tmp_path / "same"), TILES, "cpu")

    assert cost.seconds_per_mpx > 0
    assert (cost.device, cost.precision) == ("cpu", "fp32")
    assert cost.memory_bytes is None or cost.memory_bytes > 50 << 20  # an interpreter with torch


def test_what_cannot_be_opened_is_named_though_it_was_opened_elsewhere(tmp_path: Path) -> None:
    folder = identity_model(tmp_path / "same")
    (folder / "weights.safetensors").write_bytes(b"")

    with pytest.raises(ModelError, match="is not the file its card names"):
        cost_of(folder, TILES, "cpu")
