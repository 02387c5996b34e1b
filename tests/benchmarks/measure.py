"""How the benchmarks measure: a thing and its peer by turns, the ratio as the main figure.

A machine's speed drifts with heat and with what else runs, so times of different minutes say
little. Things measured by turns drift alike, and the median of the ratios of neighbours holds.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("STAINAPP_TEST_DATA", ROOT.parent / "shared" / "data"))


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    what: str
    value: float
    unit: str
    aim: float | None = None
    lower: bool = True
    """Whether less is better."""

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.value <= self.aim if self.lower else self.value >= self.aim


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 % of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def by_turns(
    things: Mapping[str, Callable[[], float]], rounds: int, warm: int = 1
) -> dict[str, list[float]]:
    """Let every thing measure itself once a round, and return the numbers by name.

    Args:
        things: name -> a function that does the work and returns its seconds.
        rounds: how often, after ``warm`` rounds that are thrown away.
        warm: rounds that fill the file system's and the libraries' caches.
    """
    found: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(warm + rounds):
        for name, measure in things.items():
            value = measure()
            if turn >= warm:
                found[name].append(value)
    return found


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """Return the median of the ratios of neighbours: below 1 where ours is less."""
    return median([a / b for a, b in zip(ours, peer, strict=True)])


def real_slide(name: str) -> Path | None:
    """Return a real slide's file, or None where it is absent."""
    path = DATA / "slides" / name
    return path if path.is_file() else None


def hardware() -> dict[str, str]:
    """Describe the machine that the figures hold for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": f"{_processor()}, {cores} cores",
        "gpu": _gpu(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
    }


def run(
    name: str, measure: Callable[[argparse.Namespace], list[Figure]], **options: Sequence[int]
) -> None:
    """Measure and print, as a table or as JSON.

    Args:
        name: of the benchmark.
        measure: gets the parsed arguments and returns the figures.
        options: further arguments that take whole numbers, by name, with their defaults.
    """
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it runs")
    for option, default in options.items():
        parser.add_argument("--" + option.replace("_", "-"), nargs="+", type=int, default=default)
    arguments = parser.parse_args()
    machine = hardware()
    figures = measure(arguments)
    if arguments.json:
        rows = [asdict(figure) | {"met": figure.met} for figure in figures]
        print(json.dumps({"benchmark": name, "hardware": machine, "figures": rows}, indent=2))
    else:
        print(as_table(name, machine, figures))


def as_table(name: str, machine: Mapping[str, str], figures: Sequence[Figure]) -> str:
    lines = [name, *(f"  {key}: {value}" for key, value in machine.items()), ""]
    width = max(len(figure.what) for figure in figures)
    for figure in figures:
        aim = "" if figure.aim is None else f"  aim {'<=' if figure.lower else '>='} {figure.aim:g}"
        verdict = {None: "", True: "  met", False: "  MISSED"}[figure.met]
        lines.append(f"{figure.what:{width}} {figure.value:10.4g} {figure.unit:6}{aim}{verdict}")
    return "\n".join(lines)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _gpu() -> str:
    torch = sys.modules.get("torch")  # a benchmark that needs none does not load it for this
    if torch is None or not torch.cuda.is_available():
        return "none used"
    return str(torch.cuda.get_device_name())
