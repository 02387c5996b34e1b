from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, DeviceMemoryError, ModelError
from stainapp.models import network_stainer, networks
from stainapp.models.card import WEIGHTS_FILE, Arch, ModelCard, sha256_of
from stainapp.models.network_stainer import NetworkStainer
from stainapp.models.opening import open_stainer
from stainapp.models.slide_state import SlideState
from stainapp.slides.reader import RgbImage
from tests.models.factories import (
    classic_model,
    identity_model,
    network_model,
    pixel_model,
    resnet_model,
    tissue_image,
    unet_model,
)


def tiles(count: int = 4, side: int = 128) -> RgbImage:
    image = tissue_image(600, 500)
    places = [(120 + 37 * k, 150 + 11 * k) for k in range(count)]
    return np.stack([image[y : y + side, x : x + side] for x, y in places])


def opened(folder: Path, **options: Any) -> NetworkStainer:
    stainer = open_stainer(folder, **({"device": "cpu", "precision": "fp32"} | options))
    assert isinstance(stainer, NetworkStainer)
    return stainer


def test_an_identity_network_gives_back_every_value(tmp_path: Path) -> None:
    stainer = opened(identity_model(tmp_path / "m"))
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)

    assert np.array_equal(stainer.predict(values, SlideState()), values)


@pytest.mark.parametrize("low_high", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)])
def test_the_card_s_value_range_is_kept_on_both_sides(
    low_high: tuple[float, float], tmp_path: Path
) -> None:
    stainer = opened(identity_model(tmp_path / "m", value_range=low_high))

    assert np.array_equal(stainer.predict(tiles(1), SlideState()), tiles(1))


def test_output_is_rounded_and_not_cut_off(tmp_path: Path) -> None:
    folder = identity_model(tmp_path / "m", value_range=(0.0, 255.0))
    rewrite(folder, {"rgb_trans.0.bias": torch.full((3,), 0.6)})

    stained = opened(folder).predict(np.full((1, 16, 16, 3), 100, np.uint8), SlideState())

    assert (stained == 101).all()


def test_grey_input_is_the_luma_of_itu_601(tmp_path: Path) -> None:
    stainer = opened(identity_model(tmp_path / "m", grey_input=True))
    red = np.zeros((1, 16, 16, 3), np.uint8)
    red[..., 0] = 200

    assert (stainer.predict(red, SlideState()) == 60).all()


def test_tiles_stain_alike_alone_and_in_company(tmp_path: Path) -> None:
    stainer = opened(resnet_model(tmp_path / "m"))
    state = stainer.calibrate(tiles())

    together = stainer.predict(tiles(), state)
    alone = np.concatenate([stainer.predict(tile[None], state) for tile in tiles()])

    assert np.abs(together.astype(int) - alone).max() <= 1


@pytest.mark.parametrize("model", [resnet_model, unet_model])
def test_calibration_s_own_pass_equals_prediction(
    model: Callable[[Path], Path], tmp_path: Path
) -> None:
    stainer = opened(model(tmp_path / "m"))

    state, stained = stainer.calibrate_and_predict(tiles())

    assert np.abs(stained.astype(int) - stainer.predict(tiles(), state)).max() <= 1


def test_states_of_two_slides_do_not_mix(tmp_path: Path) -> None:
    stainer = opened(resnet_model(tmp_path / "m"))
    one, other = stainer.calibrate(tiles()), stainer.calibrate(255 - tiles())
    first = stainer.predict(tiles(), one)

    between = stainer.predict(tiles(), other)

    assert np.array_equal(stainer.predict(tiles(), one), first)
    assert not np.array_equal(between, first)


def test_running_statistics_need_no_calibration(tmp_path: Path) -> None:
    folder = unet_model(tmp_path / "m", norm_mode="running")
    stainer = opened(folder)

    state = stainer.default_state

    assert state is not None
    assert np.array_equal(
        stainer.predict(tiles(), state), stainer.predict(tiles(), stainer.calibrate(255 - tiles()))
    )


def test_statistics_in_the_weights_serve_a_slide_nothing_is_known_of(tmp_path: Path) -> None:
    folder = resnet_model(tmp_path / "m")
    known = opened(folder).calibrate(tiles())
    rewrite(folder, {f"statistics.{k}": torch.from_numpy(v) for k, v in known.arrays.items()})

    stainer = opened(folder)

    assert stainer.default_state is not None
    assert np.array_equal(
        stainer.predict(tiles(), stainer.default_state), stainer.predict(tiles(), known)
    )


def test_dropout_is_off(tmp_path: Path) -> None:
    arch = Arch(family="resnet", ngf=4, blocks=1, dropout=True)
    stainer = opened(network_model(tmp_path / "m", arch, norm_mode="frozen", halo=16))
    state = stainer.calibrate(tiles())

    assert np.array_equal(stainer.predict(tiles(), state), stainer.predict(tiles(), state))


def test_low_precision_stays_near_full_precision(tmp_path: Path) -> None:
    folder = resnet_model(tmp_path / "m")
    exact, rough = opened(folder), opened(folder, precision="bf16")
    state = exact.calibrate(tiles())

    apart = np.abs(exact.predict(tiles(), state).astype(int) - rough.predict(tiles(), state))

    assert rough.precision == "bf16"
    assert 0 < apart.mean() < 8


def test_a_network_that_overflows_goes_on_in_full_precision(tmp_path: Path) -> None:
    heard: list[str] = []
    stainer = opened(identity_model(tmp_path / "m"), precision="bf16", notify=heard.append)

    class Overflowing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * float("inf") if torch.is_autocast_enabled("cpu") else x

    stainer._net = Overflowing()

    assert np.array_equal(stainer.predict(tiles(1), SlideState()), tiles(1))
    assert stainer.precision == "fp32"
    assert len(heard) == 1


class Tight(nn.Module):
    """A network on a device with room for so many pixels at once."""

    def __init__(self, net: nn.Module, room_px: int, fail: list[tuple[int, ...]]) -> None:
        super().__init__()
        self.net, self.room_px, self.failed = net, room_px, fail

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] * x.shape[2] * x.shape[3] > self.room_px:
            self.failed.append(tuple(x.shape))
            raise torch.OutOfMemoryError("out of memory")
        result: Tensor = self.net(x)
        return result

    def to(self, *_args: Any, **_options: Any) -> "Tight":
        self.room_px = 1 << 30  # the processor has room
        return self


def test_no_memory_for_a_batch_halves_it_once_and_for_all(tmp_path: Path) -> None:
    heard: list[str] = []
    stainer = opened(resnet_model(tmp_path / "m"), notify=heard.append)
    state = stainer.calibrate(tiles())
    whole = stainer.predict(tiles(), state)
    failed: list[tuple[int, ...]] = []
    stainer._net = Tight(stainer._net, 2 * 128 * 128, failed)

    stained = [stainer.predict(tiles(), state) for _ in range(2)]

    assert all(np.abs(result.astype(int) - whole).max() <= 1 for result in stained)
    assert len(failed) == 1
    assert stainer.batch == 2
    assert len(heard) == 1


def test_no_memory_for_a_tile_cuts_it_and_the_inside_stays_the_same(tmp_path: Path) -> None:
    heard: list[str] = []
    stainer = opened(resnet_model(tmp_path / "m"), notify=heard.append)
    state = stainer.calibrate(tiles())
    big = tissue_image(600, 500)[None, 100:356, 100:356]
    whole = stainer.predict(big, state)
    stainer._net = Tight(stainer._net, 200 * 200, [])

    stained = stainer.predict(big, state)

    inner = np.s_[:, 40:-40, 40:-40]
    assert np.abs(stained[inner].astype(int) - whole[inner]).max() <= 1
    assert stainer.device == "cpu"
    assert len(heard) == 1


def test_no_memory_at_all_goes_on_on_the_processor_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    stainer = opened(unet_model(tmp_path / "m"), notify=heard.append)
    state = stainer.calibrate(tiles())
    whole = stainer.predict(tiles(), state)
    monkeypatch.setattr(network_stainer, "autocast", lambda *_: torch.inference_mode())
    monkeypatch.setattr(network_stainer, "free_memory", lambda _: None)
    stainer._net = Tight(stainer._net, 100, [])
    stainer.batch = 1
    stainer.device = "meta accelerator"
    monkeypatch.setattr(torch.Tensor, "to", keep_on_the_processor(torch.Tensor.to))

    stained = stainer.predict(tiles(), state)

    assert np.abs(stained.astype(int) - whole).max() <= 1
    assert stainer.device == "cpu"
    assert "processor" in heard[-1]


def keep_on_the_processor(to: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def kept(x: Tensor, target: object, *args: Any, **options: Any) -> Tensor:
        return x if isinstance(target, str) else to(x, target, *args, **options)

    return kept


def test_no_memory_on_the_processor_either_is_said(tmp_path: Path) -> None:
    stainer = opened(unet_model(tmp_path / "m"))
    state = stainer.calibrate(tiles())
    stainer._net = Tight(stainer._net, 0, [])

    with pytest.raises(DeviceMemoryError, match="memory"):
        stainer.predict(tiles(), state)


def test_calibration_takes_fewer_tiles_where_memory_is_short(tmp_path: Path) -> None:
    heard: list[str] = []
    stainer = opened(resnet_model(tmp_path / "m"), notify=heard.append)
    stainer._net = Tight(stainer._net, 2 * 128 * 128, [])

    state, stained = stainer.calibrate_and_predict(tiles())

    assert state.tiles == len(stained) == 2
    assert "2 tissue tiles" in heard[-1]


def test_cancelled_prediction_stops_after_the_batch_at_work(tmp_path: Path) -> None:
    stainer = opened(resnet_model(tmp_path / "m"))
    state, token, ran = stainer.calibrate(tiles()), CancelToken(), []
    net = stainer._net

    class Cancelling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            ran.append(len(x))
            token.cancel()
            result: Tensor = net(x)
            return result

    stainer._net, stainer.batch = Cancelling(), 1

    with pytest.raises(Cancelled):
        stainer.predict(tiles(), state, token)
    assert ran == [1]


def test_cancelled_calibration_stops_inside_the_network(tmp_path: Path) -> None:
    stainer = opened(resnet_model(tmp_path / "m"))
    state, token, reached = stainer.calibrate(tiles()), CancelToken(), Event()
    before = stainer.predict(tiles(), state)
    first, *_, last = (m for m in stainer._net.modules() if isinstance(m, nn.Conv2d))
    first.register_forward_hook(lambda *_: token.cancel())
    last.register_forward_hook(lambda *_: reached.set())

    with pytest.raises(Cancelled):
        stainer.calibrate(255 - tiles(), token)

    assert not reached.is_set()
    assert np.array_equal(stainer.predict(tiles(), state), before)


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    folder = pixel_model(tmp_path / "m")
    weights = folder / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")

    with pytest.raises(ModelError, match="not the file its card names"):
        opened(folder)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    folder = pixel_model(tmp_path / "m")
    (folder / WEIGHTS_FILE).unlink()

    with pytest.raises(ModelError, match="cannot be read"):
        opened(folder)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = pixel_model(tmp_path / "m")
    save_file(networks.build(Arch(family="pixel", ngf=5)).state_dict(), folder / WEIGHTS_FILE)
    rewrite(folder, {})

    with pytest.raises(ModelError, match="does not hold the network"):
        opened(folder)


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    stainer = opened(resnet_model(tmp_path / "m"))

    with pytest.raises(ModelError, match="statistics"):
        stainer.predict(tiles(1), SlideState(arrays={"other": np.ones(3, np.float32)}))


def test_a_network_takes_no_template(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="template"):
        opened(pixel_model(tmp_path / "m"), template=tissue_image(200, 200))


def test_a_template_changes_the_result_and_the_digest(tmp_path: Path) -> None:
    folder = classic_model(tmp_path / "m", "macenko")
    plain, template = open_stainer(folder), tissue_image(400, 300, seed=3)

    led = open_stainer(folder, template=template)

    assert led.digest != plain.digest
    state = plain.calibrate(tiles())
    assert not np.array_equal(led.predict(tiles(), state), plain.predict(tiles(), state))


def test_a_classic_state_of_another_method_is_refused(tmp_path: Path) -> None:
    stainer = open_stainer(classic_model(tmp_path / "m", "macenko"))

    with pytest.raises(ModelError, match="calibrate"):
        stainer.predict(tiles(1), SlideState())


def test_a_state_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    state = SlideState(
        arrays={"model.2.mean": np.ones(4, np.float32)},
        lut=np.zeros((2, 2, 2, 3), np.float32),
        glass=(240, 241, 242),
        tiles=7,
    )
    state.save(tmp_path / "new" / "state.npz")

    back = SlideState.load(tmp_path / "new" / "state.npz")

    assert back.digest == state.digest
    assert (back.glass, back.tiles) == ((240, 241, 242), 7)
    assert back.lut is not None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["state.npz"]


def test_a_state_that_would_run_code_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", glass=np.array([Event], dtype=object))

    with pytest.raises(ModelError, match=r"bad\.npz"):
        SlideState.load(tmp_path / "bad.npz")


def rewrite(folder: Path, changes: dict[str, Tensor]) -> None:
    """Change tensors of a model folder and its card with them."""
    # cloned: what is loaded lies on the file that is written again
    tensors = {k: v.clone() for k, v in load_file(folder / WEIGHTS_FILE).items()}
    save_file(tensors | changes, folder / WEIGHTS_FILE)
    card = ModelCard.read(folder)
    replace(card, files={WEIGHTS_FILE: sha256_of(folder / WEIGHTS_FILE)}).write(folder)
