"""Stands in for `stainapp register`: a real process that does what lines in a file order.

    python fake_registrar.py FOLDER register FIXED MOVING -o OUTPUT ...

Lines appended to ``FOLDER/orders.txt`` are obeyed one by one: "progress SHARE WORDS", "finish"
(``FOLDER/transform.json`` becomes the output), "fail SENTENCE", "die". Its own words are written
to ``FOLDER/asked.json``. As long as it lives, it holds the lock ``FOLDER/alive.lock`` if it can.
"""

import json
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

from stainapp.lifeline import end_with_stdin
from stainapp.slides.file_lock import FileLock, HeldError

ORDERS, TRANSFORM, ASKED, ALIVE = "orders.txt", "transform.json", "asked.json", "alive.lock"
_LOCKS: list[FileLock] = []


def main(folder: Path, words: list[str]) -> int:
    if "--end-with-stdin" in words:
        end_with_stdin()
    with suppress(HeldError):  # by one that was cancelled just now
        _LOCKS.append(FileLock(folder / ALIVE))
    (folder / ASKED).write_text(json.dumps(words), encoding="utf-8")
    output = Path(words[words.index("-o") + 1])
    orders = folder / ORDERS
    obeyed = 0
    while True:
        lines = orders.read_text(encoding="utf-8").splitlines() if orders.exists() else []
        for line in lines[obeyed:]:
            obeyed += 1
            word, _, rest = line.partition(" ")
            if word == "progress":
                share, _, phase = rest.partition(" ")
                event = {"event": "progress", "phase": phase, "share": float(share)}
                print(json.dumps(event), flush=True)  # noqa: T201
            elif word == "finish":
                output.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / TRANSFORM, output)
                return 0
            elif word == "fail":
                sys.stderr.write(f"stainapp: {rest}\n")
                return 1
            else:
                os._exit(3)
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
