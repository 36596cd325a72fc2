"""Keys from NumPy's arrays and scalars: type, shape, order in memory and a hash of the data."""

from __future__ import annotations

import sys
from typing import Any

from twat_cache._serialize import arrays
from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.msgpack_format import ARRAY
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable


def write(encoder: Encoder, out: bytearray, value: Any) -> bool:
    """Append an object of NumPy; whether it was one that is known."""
    np: Any = sys.modules["numpy"]
    kind: Any = type(value)
    if kind is np.ndarray:
        write_array(encoder, out, value)
    elif kind is np.memmap:
        name = None if value.filename is None else str(value.filename)
        mp.write_named(encoder, out, "numpy.memmap", [value.view(np.ndarray), name, value.offset, value.mode])
    elif kind is np.ma.MaskedArray:
        _write_masked(encoder, out, value)
    elif kind in (np.matrix, np.recarray):
        _no_attributes(value)
        mp.write_named(encoder, out, f"numpy.{kind.__name__}", value.view(np.ndarray))
    elif kind is type(np.ma.masked):
        mp.write_named(encoder, out, "numpy.ma.masked", None)
    elif isinstance(value, np.generic) and kind.__module__ == "numpy":
        write_scalar(encoder, out, value)
    elif isinstance(value, np.dtype):
        mp.write_named(encoder, out, "numpy.dtype", describe(encoder, value))
    elif kind is np.ufunc and getattr(np, repr(value)[8:-2], None) is value:
        mp.write_named(encoder, out, "numpy.ufunc", repr(value))
    else:
        return False
    return True


def write_array(encoder: Encoder, out: bytearray, array: Any) -> None:
    """Append an array, of whatever class, by what every array has."""
    inner = bytearray()
    mp.write_items(
        encoder, inner, [type_text(encoder, array.dtype), list(array.shape), order_of(array), _digest(encoder, array)]
    )
    mp.write_ext(out, ARRAY, inner)


def write_scalar(encoder: Encoder, out: bytearray, value: Any) -> None:
    """Append a scalar of NumPy, which is no array of no dimensions."""
    dtype = value.dtype
    data = value.item() if dtype.hasobject else value.tobytes()
    mp.write_named(encoder, out, "numpy.generic", [type_text(encoder, dtype), data])


# The attributes that every masked array has.
_MASKED = frozenset(
    ("_mask", "_fill_value", "_hardmask", "_sharedmask", "_isfield", "_baseclass", "_optinfo", "_basedict")
)


def _write_masked(encoder: Encoder, out: bytearray, value: Any) -> None:
    np = sys.modules["numpy"]
    own = vars(value).keys() - _MASKED
    extra = {**value._optinfo, **value._basedict}
    extra = {name: item for name, item in extra.items() if name not in vars(value)}
    if own or value._baseclass is not np.ndarray:
        raise Unencodable("a masked array with attributes of its own")
    mask = None if value.mask is np.ma.nomask else value.mask
    fill = value._fill_value
    fields = [value.data, mask, None if fill is None else np.asarray(fill), bool(value._hardmask), extra]
    mp.write_named(encoder, out, "numpy.ma.MaskedArray", fields)


def _no_attributes(value: Any) -> None:
    if getattr(value, "__dict__", {}).keys() - {"_getitem"}:  # a matrix notes in it that it is being sliced
        raise Unencodable(f"a numpy.{type(value).__name__} with attributes of its own")


def order_of(array: Any) -> str:
    """How the axes follow each other in memory: ``C``, ``F``, or their numbers from the widest step on."""
    flags = array.flags
    if flags.c_contiguous:
        return "C"
    if flags.f_contiguous:
        return "F"
    steps = [(-abs(step), axis) for axis, (step, n) in enumerate(zip(array.strides, array.shape)) if n > 1]
    axes = [axis for _, axis in sorted(steps)]
    if axes == sorted(axes):
        return "C"
    return "F" if axes == sorted(axes, reverse=True) else ",".join(map(str, axes))


def _digest(encoder: Encoder, array: Any) -> bytes:
    from twat_cache._ffi.digest import blake3

    if _is_opaque(array.dtype):
        return blake3(encoder.encode(array.ravel(order="C").tolist()))
    return blake3(arrays.data_of(array, "C"))


def _is_opaque(dtype: Any) -> bool:
    """Whether the data are addresses: of objects, or of texts of any length."""
    return bool(dtype.hasobject) or dtype.kind == "T"


def type_text(encoder: Encoder, dtype: Any) -> str:
    """The type text of NumPy's array interface where that says all."""
    simple = dtype.names is None and dtype.subdtype is None and dtype.metadata is None and dtype.kind in "biufcmMSUVO"
    if simple and dtype.type.__module__ == "numpy" and (dtype.kind != "V" or dtype.type.__name__ == "void"):
        return str(dtype.str)
    return repr(describe(encoder, dtype))


def describe(encoder: Encoder, dtype: Any) -> Any:
    """All that a type is, as lists and text."""
    body = _body(encoder, dtype)
    return ["metadata", encoder.encode(dict(dtype.metadata)), body] if dtype.metadata else body


def _body(encoder: Encoder, dtype: Any) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return ["shaped", describe(encoder, base), list(shape)]
    if dtype.names is not None:
        fields = [
            [name, describe(encoder, dtype.fields[name][0]), *(str(more) for more in dtype.fields[name][1:])]
            for name in dtype.names
        ]
        return ["struct", fields, dtype.itemsize, bool(dtype.isalignedstruct), _class_of(dtype)]
    return [str(dtype.str), _class_of(dtype), repr(dtype)]


def _class_of(dtype: Any) -> str:
    return f"{dtype.type.__module__}.{dtype.type.__qualname__}"
