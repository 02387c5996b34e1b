"""Open a model folder as a stainer, whatever its method."""

from dataclasses import replace
from pathlib import Path

from stainapp.errors import ModelError
from stainapp.models.card import Kind, ModelCard, sha256_of
from stainapp.models.classic_stainer import ClassicStainer
from stainapp.models.stainer import Notify, Stainer
from stainapp.models.torch_libraries import preload
from stainapp.slides.reader import RgbImage


def open_stainer(
    folder: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    template: RgbImage | None = None,
    steps: int | None = None,
    notify: Notify | None = None,
    kind: Kind = "stainer",
) -> Stainer:
    """Open a model folder, having verified every file against its card.

    Args:
        folder: holds ``card.json`` and what it names.
        device: "auto", "cpu", "mps", "cuda" or "cuda:<n>".
        precision: "auto" (measured once per device), "fp32", "bf16" or "fp16".
        template: an image to normalise to, instead of the card's reference.
        steps: of a bridge, instead of its card's.
        notify: told what the user should know while staining.
        kind: what the model must be; a segmenter's pictures are maps of probabilities.

    Raises:
        ModelError: the card, the weights, the device or the template cannot be used.
    """
    card = ModelCard.read(folder)
    card.must_be(kind)
    card = card if steps is None else _in_steps(card, steps)
    _verify(folder, card)
    if card.classic is not None:
        return ClassicStainer(card, template)
    if template is not None and not card.takes_template:
        raise ModelError(
            f"{card.name} cannot take a template image; Reinhard, Macenko and DCGMM can."
        )
    preload()  # networks need torch, and only they wait for it
    if card.takes_template:
        from stainapp.models.dcgmm_stainer import DcgmmStainer

        return DcgmmStainer(card, folder, device, precision, notify, template)
    from stainapp.models.network_stainer import NetworkStainer

    return NetworkStainer(card, folder, device, precision, notify)


def _in_steps(card: ModelCard, steps: int) -> ModelCard:
    if card.bridge is None:
        raise ModelError(f"{card.name} takes no steps, as only a bridge does; leave them out.")
    return replace(card, bridge=replace(card.bridge, nfe=steps))


def _verify(folder: Path, card: ModelCard) -> None:
    for name, expected in card.files.items():
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            raise ModelError(
                f"{folder / name} cannot be read; install the model {card.id!r} again."
            ) from error
        if found != expected:
            raise ModelError(
                f"{folder / name} is not the file its card names; "
                f"install the model {card.id!r} again."
            )
