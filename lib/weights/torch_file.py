"""Reads files of torch.save without PyTorch and without unpickling them: nothing in a file can be called.

Two forms: a zip archive with data.pkl and one member for each storage (since PyTorch 1.6), and the older one, several
pickles in a row with the storages behind them, which the original's published files have. What a checkpoint holds
besides arrays and plain containers (an optimizer's classes, mmengine's history, dates) is read past: an `Opaque` stands
for it.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..utils.errors import UserError, whole_reason
from .weight_file import MAKERS, Bounded, Machine, RefusedError, Unmade

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the older form
# torch.dtype -> NumPy's code and the storage class; bfloat16 is uint16, its 16 bits: NumPy has no such type
DTYPES = {
    "float64": ("f8", "Double"), "float32": ("f4", "Float"), "float16": ("f2", "Half"), "bfloat16": ("u2", "BFloat16"),
    "int64": ("i8", "Long"), "int32": ("i4", "Int"), "int16": ("i2", "Short"), "int8": ("i1", "Char"),
    "uint8": ("u1", "Byte"), "bool": ("?", "Bool"), "complex64": ("c8", "ComplexFloat"),
    "complex128": ("c16", "ComplexDouble"),
}  # fmt: skip
STORAGES = {f"{kind}Storage": code for code, kind in DTYPES.values()} | {"UntypedStorage": "u1"}
LARGEST_GROWTH = 16  # elements of tensors that share storages, in bytes of the file: more is no checkpoint
TORCH_MAKERS = {
    **{("torch._utils", f"_rebuild_tensor{version}"): "tensor of storage" for version in ("", "_v2")},
    ("torch._utils", "_rebuild_tensor_v3"): "tensor of bytes",
    ("torch._utils", "_rebuild_parameter"): "parameter",
    ("torch._utils", "_rebuild_parameter_with_state"): "parameter",
    ("torch._tensor", "_rebuild_from_type_v2"): "typed tensor",
}


class Opaque:
    """Something in a checkpoint that is no array and no plain container. about: its name in the file."""

    def __init__(self, about: str) -> None:
        self.about = about

    def __repr__(self) -> str:
        return f"<{self.about}>"


class Quantized(Opaque):
    """A quantised tensor, which no pose network here takes."""


class _Storage:
    """`count` numbers of `dtype` in a file; data: None where they have not been read."""

    def __init__(self, dtype: np.dtype | None, count: int, data: bytes | None = None) -> None:
        self.dtype, self.count, self.data = dtype, count, data


def read_torch(path: str | os.PathLike[str]) -> Any:
    """What torch.save wrote: containers of arrays, numbers, text and Opaque; see the top of this file.

    Raises RefusedError for a form that is not read, pickle.UnpicklingError for a damaged file or another kind, OSError.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        with open(path, "rb") as file:
            return _read_legacy(file, Path(path).stat().st_size)
    except (OSError, RefusedError):
        raise
    except Exception as error:  # whatever a damaged file makes of the stack, the numbers and the text
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error


def _read_zip(path: str | os.PathLike[str]) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name == "data.pkl" or name.endswith("/data.pkl")]
        if any("/code/" in name or name.endswith("constants.pkl") for name in names):
            raise RefusedError("it is a TorchScript program (torch.jit.save), not weights: save its state_dict instead")
        if len(pickles) != 1:
            raise RefusedError("the archive is no checkpoint of torch.save (no data.pkl)")
        folder = pickles[0].removesuffix("data.pkl")

        def member(name: str) -> bytes:
            information = archive.getinfo(folder + name)
            if information.compress_type != zipfile.ZIP_STORED:  # torch.save compresses nothing
                raise ValueError(f"{name} is compressed")
            return archive.read(information)

        size = os.path.getsize(path)
        order = member("byteorder").decode("ascii") if folder + "byteorder" in names else "little"
        machine = TorchMachine(size, ">" if order == "big" else "<", lambda key: member(f"data/{key}"))
        with archive.open(archive.getinfo(pickles[0])) as file:
            return machine.run(Bounded(io.BytesIO(file.read(size)), size))


def _read_legacy(file: BinaryIO, size: int) -> Any:
    bounded = Bounded(file, size)
    head = file.read(2)
    file.seek(0)
    if head == b"PK":
        raise EOFError("the archive is cut off")
    if head[:1] != b"\x80":
        raise RefusedError("it is no file of torch.save")
    first = Machine(size).run(bounded)
    if first != MAGIC:
        raise RefusedError("it is a pickle, but none of torch.save")
    if Machine(size).run(bounded) != PROTOCOL:
        raise RefusedError("it is of a form of torch.save that is not known")
    about = Machine(size).run(bounded)
    order = "<" if not isinstance(about, dict) or about.get("little_endian", True) else ">"
    start = file.tell()
    scout = TorchMachine(size, order)  # the storages stand behind the pickle that says how long they are
    scout.run(bounded)
    storages = {}
    for key in Machine(size).run(bounded):
        storage = scout.storages[str(key)]
        count = int.from_bytes(file.read(8), "little" if order == "<" else "big")
        assert storage.dtype is not None
        if count != storage.count:
            raise ValueError("a storage of another length")
        storages[str(key)] = bounded.read(count * storage.dtype.itemsize)
        if len(storages[str(key)]) != count * storage.dtype.itemsize:
            raise EOFError("the file is cut off")
    file.seek(start)
    return TorchMachine(size, order, storages.__getitem__).run(bounded)


class TorchMachine(Machine):
    """A Machine that knows PyTorch's tensors, and reads past everything that it does not know.

    order: < or >, of the bytes of numbers; load_storage: key -> bytes, None: tensors are Opaque, as their numbers are
    not known yet. storages: {key: _Storage} of those that the pickle names.
    """

    def __init__(self, size: int, order: str, load_storage: Callable[[str], bytes] | None = None) -> None:
        super().__init__(size)
        self.order, self.load_storage = order, load_storage
        self.elements = 0
        self.storages: dict[str, _Storage] = {}

    def instruct(self, name: str, argument: Any) -> bool:
        handler = TORCH_HANDLERS.get(name)
        if handler is None:
            return super().instruct(name, argument)
        handler(self, argument)
        return True

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name that is no text")
        kind = TORCH_MAKERS.get((module, name)) or MAKERS.get((module, name))
        if kind and kind not in ("tensor", "older tensor"):  # those two are paddle.save's use of tuple and eval
            self.push_name(kind)
        elif module in ("torch", "torch.storage") and name.endswith("Storage"):
            code = STORAGES.get(name)
            self.stack.append(np.dtype(self.order + code) if code else Quantized(name))
        elif module == "torch" and name in DTYPES:
            self.stack.append(np.dtype(self.order + DTYPES[name][0]))
        elif (module, name) == ("torch._utils", "_rebuild_qtensor"):
            self.stack.append(Quantized("a quantised tensor"))
        elif (module, name) in (("torch", "Size"), ("builtins", "tuple"), ("__builtin__", "tuple")):
            self.push_name("tuple")
        else:
            self.stack.append(Opaque(ascii(f"{module}.{name}")[1:-1][:100]))

    def made_of(self, maker: Any, arguments: Any) -> Any:
        """What a name makes of its arguments; an Opaque where the name is not known or makes no numbers."""
        if isinstance(maker, Opaque):
            return maker
        try:
            return super().made_of(maker, arguments)
        except (AttributeError, RefusedError):  # such as NumPy's array of text
            return Opaque("NumPy's")
        except TypeError:  # such as NumPy's dates: their dtype is an Opaque
            if any(isinstance(argument, Opaque) for argument in arguments):
                return Opaque("NumPy's")
            raise

    def build(self, _: object) -> None:
        """BUILD: sets the state of arrays, and reads past that of everything else."""
        target = self.stack[-2]
        if not isinstance(target, Unmade):  # such as the _metadata of a state_dict
            self.take(1)
            return
        try:
            super().build(None)
        except TypeError:  # an array of an Opaque dtype
            self.stack.append(Opaque("NumPy's"))
            self.memo.update(dict.fromkeys(target.places, self.stack[-1]))

    def set_items(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], Opaque):
            pairs = zip(values[::2], values[1::2], strict=True)
            super().set_items([part for pair in pairs if isinstance(pair[0], (str, int)) for part in pair])

    def append(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], Opaque):
            super().append(values)

    def persistent(self, _: object) -> None:
        """BINPERSID: a storage, by ('storage', its class, key, device, count)."""
        (about,) = self.take(1)
        kind, dtype, key, _device, count, *view = about
        if kind != "storage" or not isinstance(key, str) or not isinstance(count, int) or count < 0:
            raise ValueError("a persistent value that is no storage")
        if isinstance(dtype, Quantized):
            self.stack.append(dtype)
            return
        if view and view[0] is not None:
            raise RefusedError("its storages are views of others, as before PyTorch 0.4: save it anew")
        if key not in self.storages:
            data = self.load_storage(key) if self.load_storage else None
            self.storages[key] = _Storage(dtype, count, data)
        self.stack.append(self.storages[key])

    def _make_tensor_of_storage(self, storage: Any, offset: Any, sizes: Any, strides: Any, *_: object) -> Any:
        return self._tensor(storage, storage.dtype if isinstance(storage, _Storage) else None, offset, sizes, strides)

    def _make_tensor_of_bytes(
        self, storage: Any, offset: Any, sizes: Any, strides: Any, _grad: object, _hooks: object, dtype: Any, *_: object
    ) -> Any:
        return self._tensor(storage, dtype, offset, sizes, strides)

    def _tensor(self, storage: Any, dtype: Any, offset: Any, sizes: Any, strides: Any) -> Any:
        if isinstance(storage, Quantized):
            return storage
        numbers = (offset, *sizes, *strides)
        if len(sizes) != len(strides) or not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ValueError("a tensor of impossible sizes")
        count = math.prod(sizes)
        self.elements += count
        if self.elements > LARGEST_GROWTH * self.size:
            raise ValueError("tensors that are far larger than the file")

        if storage.data is None:
            return Opaque("a tensor")
        values = np.frombuffer(storage.data, dtype) if storage.data else np.zeros(0, dtype)
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if count and last >= len(values):
            raise ValueError("a tensor beyond its storage")
        steps = [stride * values.itemsize for stride in strides]
        start = values[offset:] if count else values[:0]
        view = np.lib.stride_tricks.as_strided(start, sizes, steps, writeable=False)
        return view.astype(values.dtype.newbyteorder("="), copy=False)

    def _make_parameter(self, tensor: Any, *_: object) -> Any:
        return tensor

    def _make_typed_tensor(self, maker: Any, _type: object, arguments: Any, *_: object) -> Any:
        return self.made_of(maker, arguments)

    def _make_tuple(self, values: Any = ()) -> tuple[Any, ...]:
        return tuple(values) if isinstance(values, (list, tuple)) else ()


def _forget_set(machine: Machine, _: object) -> None:
    machine.take_to_mark()
    machine.stack.append(Opaque("a set"))


def _new_with_keywords(machine: Machine, _: object) -> None:
    machine.take(1)  # the keywords
    machine.make(None)


TORCH_HANDLERS: dict[str, Callable[[Any, Any], object]] = {
    "BINPERSID": TorchMachine.persistent,
    "NEWOBJ": lambda machine, _: machine.make(_),
    "NEWOBJ_EX": _new_with_keywords,
    "EMPTY_SET": lambda machine, _: machine.stack.append(Opaque("a set")),
    "ADDITEMS": lambda machine, _: machine.take_to_mark(),
    "FROZENSET": _forget_set,
    "POP": lambda machine, _: machine.take(1),
    "POP_MARK": lambda machine, _: machine.take_to_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
}


def read_checkpoint(path: str | os.PathLike[str]) -> Any:
    """`read_torch`, whose errors are UserErrors of one line that name the file."""
    try:
        return read_torch(path)
    except RefusedError as error:
        raise UserError(f"{path} is not a PyTorch checkpoint that can be read: {error}") from None
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is not a PyTorch checkpoint, or is damaged ({whole_reason(error)}); copy it again"
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
