"""What a recipe's losses weigh. A method takes those that are its own."""

from dataclasses import dataclass
from typing import Literal

from stainapp.runs.methods import MethodName, method_info
from stainapp.runs.problems import Problem, at_least, in_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What the losses weigh. A method takes those that are its own."""

    adversarial: float = 1.0
    gan: Literal["lsgan", "bce"] = "lsgan"
    cycle: float = 10.0
    identity: float = 5.0
    identity_images: int = 0
    """CycleGAN: images after which the identity loss ends; 0 never. It guides the beginning, and
    later holds on to hues that a stain has to change."""
    l1: float = 100.0
    pyramid_octaves: int = 0
    """Pix2Pix and ASP: blurred octaves beside the full one, for pairs not aligned to the pixel;
    0..5. Pix2Pix weighs all alike, ASP the coarser more."""
    nce: float = 0.5
    """CUT and its kin: PatchNCE, by which each patch of what is made must be known by its source.
    CUT trains on the mean of this and ``nce_identity``, so half of each."""
    nce_identity: float = 0.5
    """The same for target images, which must come out as they went in; 0 spares their pass."""
    temperature: float = 0.07
    """What cosines of patches are divided by: the lower, the more the nearest others matter."""
    patches: int = 256
    """Of each image and layer that are compared."""
    flip_equivariance: bool = False
    """Whether half of the images go in mirrored, and are compared mirrored back."""
    supervised_nce: float = 10.0
    """ASP: the same between what is made and the target of its pair, each patch weighed by
    likeness as the rate falls."""
    mse: float = 100.0
    """U-Net: of the mean squared difference, in units of half the range of grey levels."""
    tissue_density: float = 0.15
    """U-Net: optical density ``-ln(v / 255)`` above which, in any channel, the target is tissue."""
    glass_weight: float = 0.1
    """U-Net: what a pixel of the rest counts beside one of tissue."""
    histogram: float = 1.0
    """U-Net: of the Kullback-Leibler divergence between the histograms of optical density of
    target and generated, in nats; 0 leaves it out."""
    histogram_bins: int = 32
    """U-Net: their bins, from 0 to an optical density of 3."""
    histogram_bandwidth: float = 0.1
    """U-Net: standard deviation, in optical density, of the Gaussian by which a pixel is shared
    among bins; about the distance of two bins."""
    density: float = 0.0
    """Distillation: weight of the difference in optical density, beside that in colour (`l1`)."""
    style: float = 1.0
    """Neural style transfer: weight of the style's statistics of features."""
    content: float = 1.0
    """Neural style transfer: weight of the structure that is kept."""
    vgg: str = ""
    """Neural style transfer: a file of VGG-19's weights (``features.N.weight``), whose features
    are used; "" for those of random filters, which need no file."""

    def problems(self) -> list[Problem]:
        anywhere = ("adversarial", "cycle", "identity", "l1", "mse", "histogram", "density")
        by_patches = ("nce", "nce_identity", "supervised_nce", "style", "content")
        return [
            *(in_range(name, getattr(self, name), 0, 1e6) for name in anywhere + by_patches),
            at_least("identity_images", self.identity_images, 0),
            in_range("pyramid_octaves", self.pyramid_octaves, 0, 5),
            in_range("temperature", self.temperature, 0.001, 10),
            in_range("patches", self.patches, 2, 65_536),
            in_range("tissue_density", self.tissue_density, 0, 2),
            in_range("glass_weight", self.glass_weight, 0.001, 1),
            in_range("histogram_bins", self.histogram_bins, 2, 256),
            in_range("histogram_bandwidth", self.histogram_bandwidth, 0.01, 1),
        ]


UNSAID = Losses()


def losses_of(method: MethodName) -> Losses:
    """Return what a method's losses weigh where nobody says otherwise: as in its paper."""
    return Losses(**method_info(method).losses)
