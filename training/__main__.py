"""``torchrun --nproc-per-node N -m training RECIPE.toml``: several processes at one run.

Says what `stainapp train` says, but for its estimate and its progress bar.
"""

import argparse
import sys
from pathlib import Path

from stainapp.errors import StainAppError
from stainapp.log import log_to_file
from training.start import start_from


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description="Teach a model.")
    parser.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    parser.add_argument("-o", "--output", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the recipe's files lie")
    parser.add_argument("--resume", action="store_true", help="go on with the run")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    log_to_file()
    try:
        _, why = start_from(
            args.recipe,
            output=args.output,
            data=args.data,
            resume=args.resume,
            device=args.device,
        )
    except StainAppError as error:
        print(f"stainapp: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # while the data were opened, or for the second time
        return 1
    return 1 if why == "interrupted" else 0


if __name__ == "__main__":
    sys.exit(main())
