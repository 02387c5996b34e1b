"""A process that is of use to another one only, and ends with it however that one ends."""

import os
from contextlib import suppress
from threading import Thread

ABANDONED = 1
"""The exit code of a process that was left alone; nobody reads it."""


def end_with_stdin() -> None:
    """End this process as soon as its standard input does.

    Whoever starts it keeps the other end of the pipe open and writes nothing. Every system closes
    that end when its owner is gone, killed or not.
    """
    Thread(target=_wait_for_the_end, name="lifeline", daemon=True).start()


def _wait_for_the_end() -> None:
    with suppress(OSError):  # there is no standard input: nobody to end with
        while os.read(0, 1024):  # not sys.stdin, whose lock would be held at a normal end
            pass
        os._exit(ABANDONED)
