"""``python -m stainapp``, and what the ``stainapp`` command calls."""

import sys

from stainapp.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
