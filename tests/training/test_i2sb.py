"""What a bridge is shown when it is taught, and that it learns from it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stainapp.errors import RecipeError
from stainapp.models.bridge import Schedule, walked
from stainapp.models.card import Arch, Bridge
from stainapp.runs.recipe import Recipe
from tests.training.methods import images, method_of
from tests.training.recipes import SMALL_BRIDGE, SMALL_RESNET, small
from training.export import Taught, export
from training.i2sb import I2sb
from training.method import Images, Setting
from training.processes import ALONE


def taught(recipe: Recipe) -> I2sb:
    method = method_of(recipe)
    assert isinstance(method, I2sb)
    return method


def test_the_loss_is_how_wrong_the_network_is_on_the_label_of_a_drawn_state() -> None:
    method, batch = taught(small("i2sb")), images(3, count=2)
    times, noise = method.chance(batch)
    schedule = Schedule(Bridge())
    x = schedule.noised(batch.target, batch.source, times, noise)
    with torch.inference_mode():
        answer = method.generators["forward"](
            torch.cat([x, batch.source], dim=1), schedule.seen(times)
        )

    losses = method.step(batch)

    ahead = torch.stack([Schedule(Bridge()).forward[time] for time in times]).float()
    label = (x - batch.target) / ahead.sqrt().view(-1, 1, 1, 1)
    torch.testing.assert_close(losses["bridge"], (answer - label).square().mean())


def test_time_and_noise_belong_to_an_image_and_not_to_its_batch_or_its_process() -> None:
    method, whole = taught(small("i2sb")), images(10, count=4)
    times, noise = method.chance(whole)

    second = Images(whole.source[2:], whole.target[2:], first=10, offset=2)
    later = Images(whole.source[2:], whole.target[2:], first=12, offset=0)

    for part in (second, later):
        part_times, part_noise = method.chance(part)
        assert torch.equal(part_times, times[2:])
        assert torch.equal(part_noise, noise[2:])
    other = taught(replace(small("i2sb"), seed=6)).chance(whole)
    assert not torch.equal(other[1], noise)


def test_times_are_drawn_from_all_of_the_interval() -> None:
    method = taught(small("i2sb"))
    some = torch.zeros(400, 3, 1, 1)

    times, noise = method.chance(Images(some, some, first=0, offset=0))

    assert times.min() < 20
    assert times.max() > 980
    assert abs(float(times.float().mean()) - 500) < 60
    assert abs(float(noise.std()) - 1) < 0.1


def test_without_chance_the_state_is_the_mean_of_the_way() -> None:
    recipe = replace(small("i2sb"), bridge=Bridge(ot_ode=True))
    method, batch = taught(recipe), images(3)
    seen: list[Tensor] = []
    method.generators["forward"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))

    method.step(batch)

    times, _ = method.chance(batch)
    mean = Schedule(Bridge()).noised(batch.target, batch.source, times, None)
    torch.testing.assert_close(seen[0][:, :3], mean)


def test_it_learns_a_change_of_colour_that_it_then_makes_in_any_number_of_steps() -> None:
    recipe = small("i2sb", network=replace(SMALL_BRIDGE, ngf=8), rate=5e-3)
    method = taught(recipe)
    for number in range(0, 480, 4):
        source = images(number, count=4, side=16).source
        method.step(Images(source, -0.5 * source, first=number, offset=0))

    source = images(1_000, side=16).source
    for nfe in (1, 4):
        with torch.inference_mode():
            made = walked(
                method.generators["forward"],
                source,
                Bridge(nfe=nfe),
                lambda step: torch.randn(
                    source.shape, generator=torch.Generator().manual_seed(step)
                ),
            )
        left = (made + 0.5 * source).square().mean() / (1.5 * source).square().mean()
        assert left < 0.3


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (
            {"network": SMALL_RESNET},
            "does not teach a network of family resnet; set network.family to bridge",
        ),
        ({"network": replace(SMALL_BRIDGE, in_channels=3)}, "in_channels of a bridge is 6"),
        ({"network": replace(SMALL_BRIDGE, mults=())}, "mults"),
        ({"bridge": Bridge(cond="none")}, "bridge.cond is x1"),
        ({"bridge": Bridge(nfe=0)}, "bridge: nfe cannot be 0"),
    ],
)
def test_what_cannot_be_a_bridge_is_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(RecipeError, match=word):
        replace(small("i2sb"), **changes)  # type: ignore[arg-type] # what is tried


def test_other_methods_teach_no_bridge() -> None:
    with pytest.raises(RecipeError, match="pix2pix does not teach a network of family bridge"):
        small("pix2pix", network=SMALL_BRIDGE)


def going_on(folder: Path, method: str = "i2sb", bridge: Bridge | None = None) -> Recipe:
    """Return a recipe that goes on from a bridge that was taught."""
    recipe = small("i2sb")
    tiles = torch.randint(0, 255, (1, 32, 32, 3), dtype=torch.uint8).numpy()
    net = method_of(recipe).generators["forward"]
    export(folder, recipe, SMALL_BRIDGE, Taught("forward", net.state_dict(), tiles), {})
    asked = small(method)  # type: ignore[arg-type] # one of the methods
    made = replace(asked.model, id="tuned", parent=str(folder / "small"))
    return replace(asked, model=made, network=None, bridge=bridge or Bridge())


def test_steps_and_seed_may_change_from_parent_to_child_and_the_bridge_may_not(
    tmp_path: Path,
) -> None:
    method_of(going_on(tmp_path, bridge=Bridge(nfe=9, seed=4)))

    with pytest.raises(RecipeError, match="write the card's bridge"):
        method_of(going_on(tmp_path, bridge=Bridge(beta_max=1.0)))


def test_a_bridge_is_no_parent_of_a_generator(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is a bridge, which pix2pix does not teach"):
        method_of(going_on(tmp_path, "pix2pix"))


def test_it_takes_a_network_of_any_depth() -> None:
    deep = Arch(family="bridge", in_channels=6, ngf=4, mults=(1, 2, 2, 3), blocks=2, norm="none")
    recipe = small("i2sb", network=deep)

    losses = I2sb(
        {"forward": method_of(recipe).generators["forward"]},
        {},
        Setting(recipe, "cpu", "fp32", ALONE),
    ).step(images())

    assert bool(losses["bridge"].isfinite())
