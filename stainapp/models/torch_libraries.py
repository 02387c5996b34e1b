"""Loads torch's shared libraries without stopping other threads. Imports no torch.

``import torch`` maps some hundred megabytes of libraries while it holds the interpreter's
lock: a window freezes for 0.3 s and more. The C library's own ``dlopen``, called through
ctypes, maps the same libraries without the lock; the import then finds them there.
"""

import ctypes
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path

log = logging.getLogger(__name__)

LIBRARIES = {
    "linux": ("libc10.so", "libtorch_cpu.so", "libtorch_python.so"),
    "darwin": ("libc10.dylib", "libtorch_cpu.dylib", "libtorch_python.dylib"),
}


def preload() -> None:
    """Load the libraries where that helps; what does not load here, the import will report."""
    if "torch" in sys.modules or sys.platform not in LIBRARIES:
        return
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype = ctypes.c_void_p
    for name in LIBRARIES[sys.platform]:
        path = Path(spec.origin).parent / "lib" / name
        if path.is_file() and not dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_GLOBAL):
            log.info("%s was not loaded ahead of torch", name)
