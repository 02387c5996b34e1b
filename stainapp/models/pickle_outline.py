"""What a PyTorch pickle describes, found by reading its instructions and running none.

A pickle is a small program. The one that `torch.save` writes for a state dict uses about
thirty instructions and six names, so its tensors' names, types and sizes can be read off
without building a single object of its choice and without taking memory for its tensors.
Imports no torch.
"""

import pickletools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from stainapp.errors import ImportRefusedError

MAX_STEPS = 1_000_000
"""Instructions read before giving up; a state dict needs about 40 a tensor."""

ITEM_BYTES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}

_REBUILD = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_PLAIN = ("collections.OrderedDict", "torch._utils._rebuild_parameter", "torch.Size", *_REBUILD)
_ALLOWED = frozenset((*_PLAIN, *(f"torch.{name}" for name in ITEM_BYTES)))


@dataclass(frozen=True, slots=True)
class StorageOutline:
    """A run of numbers in the file that tensors are views of."""

    key: str
    kind: str
    """PyTorch's name of the type, such as "FloatStorage"."""
    items: int

    @property
    def nbytes(self) -> int:
        return self.items * ITEM_BYTES[self.kind]


@dataclass(frozen=True, slots=True)
class TensorOutline:
    """A tensor that has not been read."""

    shape: tuple[int, ...]
    kind: str
    storage: StorageOutline | None = None
    last: int = 0
    """Index of its last item in the storage."""

    @property
    def is_float(self) -> bool:
        return self.kind in ("DoubleStorage", "FloatStorage", "HalfStorage", "BFloat16Storage")


@dataclass(frozen=True, slots=True)
class _Name:
    """A global that the pickle mentions; it is never looked up."""

    name: str


@dataclass(slots=True)
class _Machine:
    """A pickle's stack and memo, holding outlines where the real ones would hold objects."""

    where: str
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def since_mark(self) -> list[Any]:
        items = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def put(self, value: Any) -> None:
        self.stack.append(value)

    def name(self, dotted: str) -> None:
        if dotted not in _ALLOWED:
            raise foreign_name(dotted, self.where)
        self.put(_Name(dotted))

    def memoise(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def set_items(self, items: list[Any]) -> None:
        self.stack[-1].update(_dictionary(zip(items[::2], items[1::2], strict=True)))

    def reduce(self) -> None:
        function, arguments = self.pop(2)
        self.put(_applied(function.name, arguments))

    def storage(self) -> None:
        _, kind, key, _, items, *_ = self.pop(1)[0]
        name = kind.name.removeprefix("torch.")
        if not isinstance(items, int) or items < 0 or not isinstance(key, str):
            raise ValueError("a storage has no size or no key")
        if name not in ITEM_BYTES:
            raise ValueError("a storage has no type")
        self.put(StorageOutline(key, name, items))


_MARK = object()

_STEPS: dict[str, Callable[[_Machine, Any], object]] = {
    "MARK": lambda m, _: m.put(_MARK),
    "NONE": lambda m, _: m.put(None),
    "NEWTRUE": lambda m, _: m.put(True),
    "NEWFALSE": lambda m, _: m.put(False),
    "EMPTY_DICT": lambda m, _: m.put({}),
    "EMPTY_LIST": lambda m, _: m.put([]),
    "EMPTY_TUPLE": lambda m, _: m.put(()),
    "TUPLE": lambda m, _: m.put(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.put(tuple(m.pop(1))),
    "TUPLE2": lambda m, _: m.put(tuple(m.pop(2))),
    "TUPLE3": lambda m, _: m.put(tuple(m.pop(3))),
    "APPEND": lambda m, _: m.stack[-2].append(m.stack.pop()),
    "APPENDS": lambda m, _: (items := m.since_mark()) and m.stack[-1].extend(items),
    "SETITEM": lambda m, _: m.set_items(m.pop(2)),
    "SETITEMS": lambda m, _: m.set_items(m.since_mark()),
    "BINPUT": lambda m, index: m.memoise(index),
    "LONG_BINPUT": lambda m, index: m.memoise(index),
    "MEMOIZE": lambda m, _: m.memoise(None),
    "BINGET": lambda m, index: m.put(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.put(m.memo[index]),
    "GLOBAL": lambda m, name: m.name(name.replace(" ", ".")),
    "STACK_GLOBAL": lambda m, _: m.name(".".join(m.pop(2))),
    "BINPERSID": lambda m, _: m.storage(),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.pop(1),  # the version notes that a state dict carries
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _, __: None),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
         "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
        lambda m, value: m.put(value),
    ),
}  # fmt: skip


def outline(stream: BinaryIO, where: str) -> object:
    """Read one pickle from ``stream`` and return its contents with tensors as outlines.

    Args:
        stream: positioned at the pickle; afterwards behind it.
        where: the file's name, for messages.

    Raises:
        ImportRefusedError: it names a class or function, or is damaged or endless.
    """
    machine = _Machine(where)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > MAX_STEPS:
                raise ValueError("it has too many instructions")
            _STEPS[opcode.name](machine, argument)
        return machine.pop(1)[0]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ImportRefusedError(
            f"{where} is damaged or not written by torch.save of a state dict: download it again."
        ) from error


_RUNS_CODE = frozenset(
    {"os", "posix", "nt", "subprocess", "sys", "runpy", "shutil", "socket", "importlib", "ctypes"}
    | {"pty", "code", "commands", "webbrowser", "pip", "multiprocessing", "types", "operator"}
    | {"pickle", "marshal", "tempfile", "urllib", "asyncio", "platform"}
)
_RUNS_CODE_BUILTINS = frozenset({"eval", "exec", "compile", "getattr", "setattr", "open"}) | {
    "__import__",
    "apply",
}


def foreign_name(dotted: str, where: str) -> ImportRefusedError:
    """Return the refusal of a pickle that names anything but tensors and dictionaries."""
    module, _, name = dotted.rpartition(".")
    root = module.split(".")[0]
    builtin = root in ("builtins", "__builtin__") and name in _RUNS_CODE_BUILTINS
    if root in _RUNS_CODE or builtin:
        return ImportRefusedError(
            f"{where} would run {dotted!r} when opened, so it may be malicious: delete it and ask "
            "its source for the weights alone (a state dict or safetensors)."
        )
    return ImportRefusedError(
        f"{where} holds a pickled object ({dotted}), which cannot be opened without running its "
        "code: where it was made, save the weights alone, torch.save(network.state_dict(), FILE)."
    )


def _applied(function: str, arguments: tuple[Any, ...]) -> object:
    """Return what one of the allowed functions would have made, as an outline."""
    if function == "collections.OrderedDict":
        return _dictionary(*arguments) if arguments else {}  # with pairs: from Python 2
    if function in ("torch._utils._rebuild_parameter", "torch.Size"):
        return arguments[0]
    if function not in _REBUILD:
        raise ValueError(f"{function} is no function")
    storage, offset, shape, strides, *_ = arguments
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, StorageOutline) or len(shape) != len(strides) or len(shape) > 8:
        raise TypeError("a tensor has no storage")
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise ValueError("a tensor has an impossible shape")
    reach = sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    return TensorOutline(tuple(shape), storage.kind, storage, offset + reach)


def _dictionary(pairs: Iterable[Sequence[Any]]) -> dict[str | int | float, Any]:
    """Return a dictionary of plain keys; nested tuples could take for ever to hash."""
    result = {}
    for key, value in pairs:
        if not isinstance(key, (str, int, float)):
            raise TypeError("a key is not plain")
        result[key] = value
    return result
