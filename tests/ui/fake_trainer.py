"""Stands in for the trainer: a real process that does what files in the run folder order.

Lines appended to ``orders.txt`` are obeyed one by one: step, sample, validate, evaluate, finish,
early, fail, die. Pause, stop and live are heard through the run folder, as the real one does.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from stainapp.runs.folder import Events, RunFolder
from stainapp.runs.recipe import Recipe

TOTAL, BATCH = 100, 5
ORDERS, TEMPLATE = "orders.txt", "template"


class FakeTrainer:
    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.recipe: Recipe = run.recipe()
        self.events = Events(run.events_file)
        self.memory = run.checkpoints / "memory.json"
        known = json.loads(self.memory.read_text()) if self.memory.exists() else {}
        self.step, self.obeyed = known.get("step", 0), known.get("obeyed", 0)
        self.heard = run.control()
        self.paused = False

    @property
    def images(self) -> int:
        return int(self.step * BATCH)

    def train(self) -> int:
        self.events.write(
            "start",
            step=self.step,
            images=self.images,
            total_images=TOTAL,
            device="cpu",
            precision="fp32",
            processes=1,
            rejected=0,
            tiles={"train": 40, "validation": 8},
            resumed=self.step > 0,
        )
        while True:
            code = self.listen()
            if code is None and not self.paused:
                code = self.obey()
            if code is not None:
                return code
            time.sleep(0.01)

    def listen(self) -> int | None:
        word, wish = self.run.control()
        before, self.heard = self.heard, (word, wish)
        if wish != before[1]:
            self.write_models(self.run.live)
            self.events.write(
                "live",
                step=self.step,
                images=self.images,
                model=f"live/{self.recipe.model.id}",
                wish=wish,
            )
        if word == "stop":
            return self.end("stopped")
        if (word == "pause") != self.paused:
            self.paused = word == "pause"
            self.events.write("paused" if self.paused else "going-on")
        return None

    def obey(self) -> int | None:
        orders = self.run.path / ORDERS
        lines = orders.read_text().split() if orders.exists() else []
        if len(lines) <= self.obeyed:
            return None
        order = lines[self.obeyed]
        self.obeyed += 1
        code: int | None = getattr(self, f"do_{order}")()
        self.remember()
        return code

    def remember(self) -> None:
        self.run.checkpoints.mkdir(exist_ok=True)
        self.memory.write_text(json.dumps({"step": self.step, "obeyed": self.obeyed}))

    def do_step(self) -> None:
        self.step += 1
        self.events.write(
            "step",
            step=self.step,
            images=self.images,
            losses={"generator": 2.0 / self.step, "discriminator": 0.25, "cycle": 1.0 / self.step},
            rate=2e-4,
            images_per_s=4.2,
            eta_s=5400.0,
        )

    def do_sample(self) -> None:
        self.run.samples.mkdir(exist_ok=True)
        name = f"samples/{self.images:08d}.png"
        Image.new("RGB", (300, 200), (180, 40 + self.step, 140)).save(self.run.path / name)
        self.events.write("sample", step=self.step, images=self.images, file=name, worst=[1, 0])

    def do_validate(self) -> None:
        self.write_models(self.run.model)
        self.events.write(
            "validation",
            step=self.step,
            images=self.images,
            metrics={"psnr": 21.0},
            score=0.3,
            best=True,
        )

    def do_evaluate(self) -> None:
        self.run.samples.mkdir(exist_ok=True)
        for direction in ("forward", "inverse"):
            rows: list[dict[str, Any]] = [
                {**row, "subject": subject, "better": "higher", "n": 8, "clusters": 2}
                for subject in ("model", "macenko", "parent", "reinhard")
                for row in (
                    {"measure": "PSNR", "estimate": 24.31, "low": 23.9, "high": 24.8, "unit": "dB"},
                    {"measure": "SSIM", "estimate": 0.812, "low": 0.79, "high": 0.83, "unit": ""},
                )
            ]
            name = f"samples/worst-{direction}.png"
            Image.new("RGB", (300, 100), (90, 40, 140)).save(self.run.path / name)
            self.events.write("evaluation", direction=direction, rows=rows, worst=[], figure=name)

    def do_finish(self) -> int:
        return self.end("finished")

    def do_fail(self) -> int:
        self.events.write("failed", message="The loss became NaN; lower training.rate and resume.")
        return 1

    def do_die(self) -> int:
        sys.stderr.write("stainapp: The disk is full; free some space and resume.\n")
        return 1

    def end(self, why: str) -> int:
        self.remember()
        self.write_models(self.run.model)
        self.events.write("done", step=self.step, images=self.images, model="model", why=why)
        return 0

    def write_models(self, into: Path) -> None:
        """Copy the model that the test has laid beside the runs, as the way there and back."""
        template = self.run.path.parent / TEMPLATE
        made = self.recipe.model
        ways = [(made.id, made.inverse_id, made.source_stain, made.target_stain)]
        if made.inverse_id:
            ways.append((made.inverse_id, made.id, made.target_stain, made.source_stain))
        for name, inverse, source, target in ways:
            place = into / name
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(template, place)
            card = json.loads((place / "card.json").read_text())
            card |= {"id": name, "inverse": inverse or None, "name": f"{source} to {target}"}
            card |= {"source_stain": source, "target_stain": target}
            (place / "card.json").write_text(json.dumps(card))


def check(recipe: Recipe) -> dict[str, object]:
    """Answer as ``--check --json`` does; a slide named "blank" has no tissue."""
    origins = [*recipe.data.source, *recipe.data.target]
    if any("blank" in one.slide for one in origins):
        return {"ok": False, "problem": "No tissue was found on blank; draw regions on it."}
    split = []
    for stain, parts in (("source", recipe.data.source), ("target", recipe.data.target)):
        for origin in parts:
            for number, name in enumerate(("train", "validation")):
                x = 200 + 1400 * number
                squares = [[x + 260 * (n % 4), 300 + 260 * (n // 4), 240] for n in range(16)]
                area = [x, 300, 1040, 1040]
                split.append(
                    {
                        "stain": stain,
                        "slide": origin.slide,
                        "split": name,
                        "name": f"piece {number + 1}",
                        "area": area,
                        "squares": squares,
                    }
                )
    return {
        "ok": True,
        "problem": None,
        "tiles": {"train": 1234, "validation": 210},
        "split": split,
        "estimate": {
            "images_per_s": 1.42,
            "seconds": 12_100,
            "memory_bytes": 2.3e9,
            "disk_bytes": 3.1e8,
            "device": "cpu",
            "precision": "bf16",
        },
    }


def main(words: list[str]) -> int:
    recipe, run = Path(words[1]), RunFolder(Path(words[3]))
    if "--check" in words:
        from stainapp.runs.recipe_file import read_recipe

        sys.stdout.write(json.dumps(check(read_recipe(recipe))))
        return 0
    if (run.path / "refuse.txt").exists():
        sys.stderr.write("stainapp: The recipe names no tiles; choose others.\n")
        return 1
    lock = run.lock()
    try:
        return FakeTrainer(run).train()
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
