"""Reads files of paddle.save without unpickling them: nothing in a file can be called.

A pickle is a program for a small machine with a stack, and may name any function to be called. This machine knows the
instructions that arrays and plain containers need; a name in the file is only ever compared with the few that arrays
are made of (MAKERS), and for these the machine does the work itself. Python's unpickler, even where it is told which
names to admit, asks for 64 GB when a file of nine bytes wants it to: its table of objects grows to any number.
"""
from __future__ import annotations

import os
import pickle
import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from ..utils.errors import UserError

NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since NumPy 2
MAKERS = {
    **{(module, "_reconstruct"): "array" for module in NUMPY},
    **{(module, "scalar"): "scalar" for module in NUMPY},
    **{(module, "_frombuffer"): "array of buffer" for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "bytes",  # before protocol 3 bytes are written as text
    ("__builtin__", "bytes"): "bytes",
    ("collections", "OrderedDict"): "dict",
    # paddle.save has a tensor as tuple((its name, array)), an older tensor as eval("data", {"data": array})
    **{(module, "tuple"): "tensor" for module in ("builtins", "__builtin__")},
    **{(module, "eval"): "older tensor" for module in ("builtins", "__builtin__")},
}
VALUES = frozenset(
    (
        "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE",
        "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    )
)  # fmt: skip
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
KINDS = "biufc"  # of numbers; an array of objects would be a pickle in the pickle
NAME_TABLE, SLICES = "StructuredToParameterName@@", "UnpackBigParamInfor@@"  # paddle.save's own


class RefusedError(UserError):
    """A file that holds more than arrays and plain containers."""


def read_paddle(path: str | os.PathLike[str]) -> dict | int | list:
    """What paddle.save wrote, as paddle.load(path, return_numpy=True) gives it; arrays are read-only.

    Dictionaries (of text and whole numbers), lists, tuples, text, numbers and arrays of numbers; tensors are arrays,
    bfloat16 is uint16. Arrays that were cut up because they were too large for the pickle are whole again.
    Raises RefusedError, with the name, where the file asks for anything else, pickle.UnpicklingError where it is
    damaged or no pickle, OSError.
    """
    with open(path, "rb") as file:
        machine = Machine(Path(path).stat().st_size)
        try:
            return _as_saved(machine.run(Bounded(file, machine.size)))
        except RefusedError as error:
            raise RefusedError(f"{path} is not read: {error}") from None
        except OSError:
            raise
        except Exception as error:  # whatever a damaged file makes of the stack, the numbers and the text
            raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error


def _as_saved(content: Any) -> Any:
    """Without what paddle.save added at the top, in place."""
    if isinstance(content, dict):
        content.pop(NAME_TABLE, None)
        for name, how in content.pop(SLICES, {}).items():
            # popped, so that no part counts twice: what comes out is no larger than the file
            content[name] = np.concatenate([content.pop(part) for part in how["slices"]]).reshape(how["OriginShape"])
    return content


class Bounded:
    """A file that is never asked for more than is left of it: a length in the file may be anything."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.size = size
        self.readline = file.readline
        self.tell = file.tell

    def read(self, count: int) -> bytes:
        return self.file.read(min(count, self.size - self.file.tell()))


@dataclass
class _Name:
    """One of MAKERS, on the stack."""

    kind: str


@dataclass
class Unmade:
    """An array or dtype that was announced; its state follows. places: where the memo holds it."""

    dtype: np.dtype | None = None
    places: list[int] = field(default_factory=list)


class Machine:
    """Runs one pickle of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.made = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: Bounded) -> Any:
        for opcode, argument, _ in pickletools.genops(cast(IO[bytes], file)):
            if opcode.name == "STOP":
                return self.stack.pop()
            if not self.instruct(opcode.name, argument):
                raise RefusedError(f"it holds the pickle instruction {opcode.name}, which no arrays need")

    def instruct(self, name: str, argument: Any) -> bool:
        """Does what one instruction says; False where it is not known."""
        if name in VALUES:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in HANDLERS:
            HANDLERS[name](self, argument)
        else:
            return name in ("PROTO", "FRAME")
        return True

    def take(self, count: int) -> list[Any]:
        """The topmost `count` values, off the stack."""
        values = self.stack[len(self.stack) - count :]
        if len(values) != count or (self.marks and len(self.stack) - count < self.marks[-1]):
            raise ValueError("the stack is empty")
        del self.stack[len(self.stack) - count :]
        return values

    def take_to_mark(self) -> list[Any]:
        """Everything since the last MARK, off the stack."""
        return self.take(len(self.stack) - self.marks.pop())

    def remember(self, memo_index: int) -> None:
        """Puts what is on top of the stack in the memo."""
        value = self.stack[-1]
        if isinstance(value, Unmade):
            value.places.append(memo_index)
        self.memo[memo_index] = value

    def name(self, module: Any, name: Any) -> None:
        """Puts a name on the stack, if it is one of MAKERS."""
        kind = MAKERS.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
        if kind is None:
            shown = ascii(f"{module}.{name}")[1:-1][:100]
            raise RefusedError(f"besides arrays it holds {shown}, which could run code when it is loaded")
        self.push_name(kind)

    def push_name(self, kind: str) -> None:
        """Puts one of the values of MAKERS, or of a subclass's, on the stack."""
        self.stack.append(_Name(kind))

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise TypeError("items of no dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, (str, int)):  # to hash nested tuples can take for ever, or all of the stack
                raise TypeError(f"a key is a {type(key).__name__}")
            target[key] = value

    def append(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError("values of no list")
        self.stack[-1].extend(values)

    def make(self, _: object) -> None:
        """REDUCE: what a name makes of its arguments."""
        self.stack.append(self.made_of(*self.take(2)))

    def made_of(self, maker: Any, arguments: Any) -> Any:
        """What a name makes of its arguments."""
        if not isinstance(maker, _Name) or not isinstance(arguments, tuple):
            raise TypeError("only names make something")
        return getattr(self, f"_make_{maker.kind.replace(' ', '_')}")(*arguments)

    def _make_array(self, *_: object) -> Unmade:
        return Unmade()

    def _make_dtype(self, name: Any, *_: object) -> Unmade:
        dtype = np.dtype(name) if isinstance(name, str) and len(name) <= 4 else None
        if dtype is None or dtype.kind not in KINDS:
            raise RefusedError(f"it holds an array of {ascii(name)[:40]}, not of numbers")
        return Unmade(dtype)

    def _make_scalar(self, dtype: Any, data: Any) -> Any:
        return _array(dtype, (), data)[()]

    def _make_array_of_buffer(self, data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
        return _array(dtype, shape, data, order)

    def _make_bytes(self, text: str = "", encoding: str = "latin1") -> bytes:
        data = text.encode("latin-1")
        self.made += len(data)  # the same text again and again would fill the memory
        if encoding != "latin1" or self.made > self.size:
            raise ValueError("bytes that are not the file's")
        return data

    def _make_dict(self, items: Iterable[Any] = ()) -> dict[Any, Any]:
        self.stack.append({})
        for item in items:
            self.set_items(list(item))
        return self.stack.pop()

    def _make_tensor(self, pair: Any) -> np.ndarray:
        name, array = pair
        if not isinstance(name, str) or not isinstance(array, np.ndarray):
            raise RefusedError("it calls builtins.tuple for something else than a tensor")
        return array

    def _make_older_tensor(self, text: Any | None = None, values: Any | None = None, *rest: object) -> np.ndarray:
        if text != "data" or rest or type(values) is not dict or not isinstance(values.get("data"), np.ndarray):
            raise RefusedError("besides arrays it holds builtins.eval, which could run code when it is loaded")
        return values["data"]

    def build(self, _: object) -> None:
        """BUILD: the state of what was announced."""
        unmade, state = self.take(2)
        if not isinstance(unmade, Unmade):
            raise RefusedError(f"it sets the state of a {type(unmade).__name__}, which could run code")
        made: Any
        if unmade.dtype is None:
            _version, shape, dtype, is_fortran, data = state
            data = self._make_bytes(data) if isinstance(data, str) else data  # of Python 2
            made = _array(dtype, shape, data, "F" if is_fortran else "C")
        else:
            made = unmade.dtype.newbyteorder(state[1])
        for memo_index in unmade.places:
            self.memo[memo_index] = made
        self.stack.append(made)


def _array(dtype: Any, shape: Any, data: Any, order: Any = "C") -> np.ndarray:
    """A read-only array over `data`, which is not copied."""
    if not isinstance(dtype, np.dtype) or not isinstance(data, (bytes, bytearray)):
        raise TypeError("an array of something else than numbers")
    array = np.frombuffer(data, dtype) if data else np.zeros(0, dtype)
    return array.reshape(shape, order=order)


HANDLERS: dict[str, Callable[[Machine, Any], object]] = {
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.take_to_mark())),
    "TUPLE1": lambda machine, _: machine.stack.append((*machine.take(1),)),
    "TUPLE2": lambda machine, _: machine.stack.append((*machine.take(2),)),
    "TUPLE3": lambda machine, _: machine.stack.append((*machine.take(3),)),
    "APPEND": lambda machine, _: machine.append(machine.take(1)),
    "APPENDS": lambda machine, _: machine.append(machine.take_to_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.take(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.take_to_mark()),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), lambda machine, index: machine.remember(index)),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, index: machine.stack.append(machine.memo[index])),
    "GLOBAL": lambda machine, name: machine.name(*name.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.take(2)),
    "REDUCE": lambda machine, _: machine.make(_),
    "BUILD": lambda machine, _: machine.build(_),
}  # fmt: skip
