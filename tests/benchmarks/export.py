"""How fast a stained slide is written, and whether its size matters to the memory it takes.

Each export runs in a process of its own, whose peak memory is read at its end. The phantom
serves as the slide: it has any size, and reading it takes no disk.

    python tests/benchmarks/export.py [--json] [--quick] [--sizes 10000 20000 40000]
"""

import argparse
import contextlib
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.benchmarks.measure import Figure, median, run, seconds

# What is heavy is imported in the processes: a child's peak would begin at its parent's.

MODEL = "macenko"
NETWORK_SIZE_PX = 3072
MPX, MIB = 1e6, 2**20
MEMORY_AIM_MIB = 1536
GROWTH_AIM = 1.1


def measure(arguments: argparse.Namespace) -> list[Figure]:
    sizes = [2000, 4000] if arguments.quick else arguments.sizes
    figures, peaks = [], []
    for size in sizes:
        speed, bare, peak = in_own_process(export_classic, size)
        peaks.append(peak)
        figures += [
            Figure(f"{MODEL}, {size} px: export", speed, "Mpx/s"),
            Figure(f"{MODEL}, {size} px: method alone", bare, "Mpx/s"),
            Figure(f"{MODEL}, {size} px: peak memory", peak, "MiB", aim=MEMORY_AIM_MIB),
        ]
    growth = peaks[-1] / peaks[0]
    figures.append(Figure("peak memory, largest over smallest", growth, "", aim=GROWTH_AIM))
    share, speed, _ = in_own_process(
        export_network, NETWORK_SIZE_PX // (3 if arguments.quick else 1)
    )
    figures += [
        Figure("resnet, 6 blocks, ngf 32: export", speed, "Mpx/s"),
        Figure("resnet, 6 blocks, ngf 32: share of the bare network", share, "", 0.9, lower=False),
    ]
    return figures


def in_own_process(work: object, size: int) -> tuple[float, float, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found: tuple[float, float, float] = pool.submit(work, size).result()  # type: ignore[arg-type] # a function of this module
    return found


def export_classic(size: int) -> tuple[float, float, float]:
    """Export a stained phantom: Mpx/s, Mpx/s of the method alone, and peak MiB."""
    import numpy as np

    from resources import resource
    from stainapp.models.calibration import calibrate_slide
    from stainapp.models.opening import open_stainer
    from stainapp.models.virtual_slide import VirtualSlide, provenance
    from stainapp.slides.phantom import open_phantom
    from stainapp.slides.writer import write_slide

    stainer = open_stainer(resource(f"models/{MODEL}"))
    slide = open_phantom(f"phantom:he:{size}:7")
    state = calibrate_slide(slide, stainer)
    tiles = np.random.default_rng(0).integers(0, 255, (1, 2048, 2048, 3), np.uint8)
    alone = median([seconds(lambda: stainer.predict(tiles, state)) for _ in range(5)])
    virtual = VirtualSlide(slide, stainer, state)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(virtual):
        path = Path(folder, "out.ome.tiff")
        taken = seconds(lambda: write_slide(virtual, path, provenance=provenance(virtual)))
    return size * size / MPX / taken, tiles[0, :, :, 0].size / MPX / alone, peak_mib()


def export_network(size: int) -> tuple[float, float, float]:
    """Export through a network: share of the bare network's speed, Mpx/s, and peak MiB."""
    from stainapp.models.calibration import calibrate_slide
    from stainapp.models.card import Arch
    from stainapp.models.opening import open_stainer
    from stainapp.models.virtual_slide import VirtualSlide, provenance
    from stainapp.slides.phantom import open_phantom
    from stainapp.slides.writer import write_slide
    from tests.benchmarks.stain import Recorded, bare_network, drawn_model

    with tempfile.TemporaryDirectory() as folder:
        arch = Arch(family="resnet", blocks=6, ngf=32)
        stainer = open_stainer(drawn_model(arch, Path(folder, "model")), precision="fp32")
        slide = open_phantom(f"phantom:he:{size}:7")
        state = calibrate_slide(slide, stainer)
        recorded = Recorded(stainer)
        virtual = VirtualSlide(slide, recorded, state)
        path = Path(folder, "out.ome.tiff")
        with contextlib.closing(virtual):
            taken = seconds(lambda: write_slide(virtual, path, provenance=provenance(virtual)))
        net = bare_network(stainer, state, recorded.shapes)
        bare = median([seconds(net) for _ in range(3)])
    return bare / taken, size * size / MPX / taken, peak_mib()


def peak_mib() -> float:
    """Return the most memory this process has held."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource as limits  # macOS, in bytes; Windows has none

    return limits.getrusage(limits.RUSAGE_SELF).ru_maxrss / MIB


if __name__ == "__main__":
    run("export", measure, sizes=[10_000, 20_000, 40_000])
