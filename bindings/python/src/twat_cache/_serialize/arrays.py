"""NumPy arrays as values (format 3, extension 10) and as parts of keys.

NumPy is never imported here: an array cannot reach us unless it is loaded, and
a stored one is read with it only if it is installed.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from twat_cache._serialize.msgpack_format import Malformed

if TYPE_CHECKING:
    from twat_cache._ffi.values import Mapped

_KINDS = frozenset("biufcmMSU")
ALIGNMENT = 64
_TYPE_TEXT = re.compile(r"[<>|=][bBifucmMSUVO][0-9]{0,18}(\[[0-9]{0,9}[a-zA-Zμ]{1,2}\])?")


def numpy() -> Any:
    """NumPy, if the program has loaded it, else None."""
    return sys.modules.get("numpy")


def is_array(value: Any) -> bool:
    """Whether a value is exactly an array (or a map of one) of a type that travels."""
    np = numpy()
    return (
        np is not None
        and isinstance(value, np.ndarray)
        and type(value) in (np.ndarray, np.memmap)
        and value.dtype.kind in _KINDS
        and value.dtype.names is None
        and value.dtype.metadata is None
    )


def order_of(array: Any) -> str:
    """How the data lies, or will lie once it is made contiguous."""
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def data_of(array: Any, order: str) -> memoryview:
    """The data in that order, without a copy where it lies so already."""
    np = numpy()
    flat = np.asarray(array, order=order).ravel(order=order)  # a view, if contiguous
    if flat.size == 0:
        return memoryview(b"")
    return memoryview(flat.view(np.uint8)).cast("B")


def encode(array: Any) -> bytearray:
    """A whole value of format 3."""
    order = order_of(array)
    head = _head(array, order)
    data = data_of(array, order)
    value = bytearray(len(head) + data.nbytes)
    value[: len(head)] = head
    value[len(head) :] = data
    return value


def _head(array: Any, order: str) -> bytes:
    kind: bytes = array.dtype.str.encode()
    shape = b"".join(n.to_bytes(8, "little") for n in array.shape)
    head = bytes((3, ord(order), array.ndim, len(kind))) + shape + kind
    return head + bytes(-len(head) % ALIGNMENT)


def decode(value: bytes, *, copy: bool = True) -> Any:
    """An array of its own from a whole value of format 3, or a read-only one of the value's bytes."""
    np = _numpy()
    shape, order, dtype, start = _parse(value, len(value))
    array = np.frombuffer(bytearray(value[start:]) if copy else memoryview(value)[start:], dtype=dtype)
    return array.reshape(shape, order=order)


def decode_mapped(mapped: Mapped) -> Any:
    """A read-only array that looks at the value where it lies."""
    np = _numpy()
    head = mapped.tobytes(0, min(mapped.size, 4 + 8 * 64 + 255))
    shape, order, dtype, start = _parse(head, mapped.size)
    if 0 in shape:
        return np.zeros(shape, dtype)
    view = np.asarray(_Interface(mapped, mapped.address + start, mapped.size - start))
    return view.view(dtype).reshape(shape, order=order)


class _Interface:
    """What NumPy reads: where the bytes are. The array keeps it alive, and it the bytes."""

    __slots__ = ("__array_interface__", "mapped")

    def __init__(self, mapped: Mapped, address: int, size: int) -> None:
        self.mapped = mapped
        self.__array_interface__ = {
            "version": 3,
            "data": (address, True),
            "shape": (size,),
            "typestr": "|u1",
        }


def _parse(head: bytes, size: int) -> tuple[tuple[int, ...], str, Any, int]:
    if len(head) < 4 or head[0] != 3 or head[1:2] not in (b"C", b"F"):
        raise Malformed("an array without its head")
    n, t = head[2], head[3]
    end = 4 + 8 * n + t
    if len(head) < end:
        raise Malformed("an array with half a head")
    shape = tuple(int.from_bytes(head[4 + 8 * i : 12 + 8 * i], "little") for i in range(n))
    dtype = _dtype(head[end - t : end].decode("ascii", "replace"))
    start = end + (-end % ALIGNMENT)
    _check_size(shape, dtype, size - start)
    return shape, chr(head[1]), dtype, start


def _dtype(text: str) -> Any:
    np = _numpy()
    # NumPy takes other text for a description in Python's own syntax and parses it.
    if not _TYPE_TEXT.fullmatch(text):
        raise Malformed(f"an array of an unknown type: {text!r}")
    try:
        dtype = np.dtype(text)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        raise Malformed(f"an array of an unknown type: {text}") from error
    if dtype.kind not in _KINDS or dtype.names is not None:
        raise Malformed(f"an array of a type that is not plain data: {text}")
    return dtype


def _check_size(shape: tuple[int, ...], dtype: Any, size: int) -> None:
    need = dtype.itemsize
    for n in shape:
        need *= n
    if need != size:
        raise Malformed(f"an array of {need} bytes with {size} bytes of data")


def parts(array: Any) -> list[Any]:
    """The fields of extension 10."""
    order = order_of(array)
    return [array.dtype.str, list(array.shape), order, data_of(array, order).tobytes()]


def from_parts(fields: Any) -> Any:
    """The array of extension 10's fields."""
    np = _numpy()
    kinds = [type(field) for field in fields] if isinstance(fields, list) else []
    if kinds != [str, list, str, bytes] or fields[2] not in ("C", "F"):
        raise Malformed("an array without type, shape, order and data")
    text, shape, order, data = fields
    if not all(type(n) is int and n >= 0 for n in shape):
        raise Malformed("an array of an impossible shape")
    dtype = _dtype(text)
    _check_size(tuple(shape), dtype, len(data))
    return np.frombuffer(bytearray(data), dtype=dtype).reshape(shape, order=order)


def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError as error:
        raise Malformed("an array, but NumPy is not installed") from error
    return np
