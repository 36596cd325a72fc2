"""Keys from objects of pandas: labels, columns by their dtype, and all that has a name."""

from __future__ import annotations

import sys
from typing import Any

from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable


def write(encoder: Encoder, out: bytearray, value: Any) -> bool:
    """Append an object of pandas; whether it was one that is known."""
    pd, kind = sys.modules["pandas"], type(value)
    if kind is pd.DataFrame:
        columns = [_cells(value.iloc[:, n].array) for n in range(value.shape[1])]
        fields: Any = [_index(value.columns), _index(value.index), columns, *_labels(value)]
    elif kind is pd.Series:
        fields = [value.name, _index(value.index), _cells(value.array), *_labels(value)]
    elif isinstance(value, pd.Index):
        fields = _index(value)
    elif isinstance(value, pd.api.extensions.ExtensionArray):
        fields = _cells(value)
    elif isinstance(value, pd.api.extensions.ExtensionDtype):
        fields = _dtype(value)
    else:
        fields = _scalar(pd, value)
        if fields is None:
            return False
    mp.write_named(encoder, out, f"pandas.{kind.__name__}", fields)
    return True


def _labels(value: Any) -> list[Any]:
    return [value.attrs, bool(value.flags.allows_duplicate_labels)]


def _scalar(pd: Any, value: Any) -> Any:
    """A single value, or a column's missing one; None for what is neither."""
    kind = type(value)
    if value is pd.NA or value is pd.NaT:
        return []
    if kind is pd.Timestamp:
        naive = value.tz_localize(None) if value.tzinfo is None else value.tz_convert("UTC").tz_localize(None)
        return [int(naive.asm8.view("i8")), value.unit, _zone(value.tzinfo), value.fold]
    if kind is pd.Timedelta:
        return [int(value.asm8.view("i8")), value.unit]
    if kind is pd.Period:
        return [value.ordinal, value.freqstr]
    if kind is pd.Interval:
        return [value.left, value.right, value.closed]
    if isinstance(value, pd.offsets.BaseOffset) and getattr(pd.offsets, kind.__name__, None) is kind:
        return [value.freqstr, value.n, bool(value.normalize), [[k, v] for k, v in sorted(value.kwds.items())]]
    return None


def _zone(zone: Any) -> Any:
    from twat_cache._identity.call_keys import ENCODER
    from twat_cache._serialize.times import describe_zone

    return None if zone is None else [str(zone), describe_zone(ENCODER, zone)]


# Labels


def _index(index: Any) -> list[Any]:
    pd = sys.modules["pandas"]
    kind = type(index)
    if getattr(pd, kind.__name__, None) is not kind:
        raise Unencodable(f"an index of the type {kind.__module__}.{kind.__qualname__}")
    named = [kind.__name__, list(index.names)]
    if kind is pd.RangeIndex:
        return [*named, index.start, index.stop, index.step]
    if kind is pd.MultiIndex:
        levels = [_index(level) for level in index.levels]
        return [*named, levels, [_numbers(codes) for codes in index.codes], index.sortorder]
    return [*named, _cells(index.array), getattr(index, "freqstr", None)]


def _numbers(codes: Any) -> Any:
    return sys.modules["numpy"].asarray(codes, dtype="int64")


# Columns


def _cells(array: Any) -> list[Any]:
    """A column by its dtype."""
    pd = sys.modules["pandas"]
    dtype = array.dtype
    if type(dtype).__name__ in ("NumpyEADtype", "PandasDtype"):  # since pandas 2.1, and before
        dtype = dtype.numpy_dtype
    if isinstance(dtype, sys.modules["numpy"].dtype):
        values = array.to_numpy()
        return [str(dtype), getattr(array, "freqstr", None), values if not dtype.hasobject else values.tolist()]
    described = _dtype(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return [described, _numbers(array.codes)]
    if isinstance(dtype, (pd.DatetimeTZDtype, pd.PeriodDtype)):
        return [described, array.asi8, getattr(array, "freqstr", None)]
    if isinstance(dtype, pd.IntervalDtype):
        return [described, _index(array.left), _index(array.right)]
    if isinstance(dtype, pd.SparseDtype):
        places = array.sp_index.to_int_index().indices
        return [described, len(array), array.kind, array.sp_values, places]
    if isinstance(dtype, pd.StringDtype):
        return [described, array.to_numpy(dtype=object).tolist()]
    if isinstance(dtype, pd.ArrowDtype):
        return [described, _arrow(array)]
    mask = getattr(array, "_mask", None)
    if mask is not None and hasattr(array, "_data"):
        # What lies under a mask is no part of the value.
        data = array._data.copy()
        data[mask] = 0
        return [described, data, mask]
    raise Unencodable(f"a column of the type {dtype}")


def _arrow(array: Any) -> Any:
    data = array.__arrow_array__()
    return data.combine_chunks() if hasattr(data, "combine_chunks") else data


def _dtype(dtype: Any) -> list[Any]:
    pd, kind = sys.modules["pandas"], type(dtype)
    if kind.__module__.partition(".")[0] != "pandas":
        raise Unencodable(f"a column of the type {kind.__module__}.{kind.__qualname__}")
    if isinstance(dtype, pd.CategoricalDtype):
        categories = None if dtype.categories is None else _index(dtype.categories)
        return ["category", categories, bool(dtype.ordered)]
    if isinstance(dtype, pd.DatetimeTZDtype):
        return ["datetime", dtype.unit, _zone(dtype.tz)]
    if isinstance(dtype, pd.IntervalDtype):
        return ["interval", str(dtype.subtype), dtype.closed]
    if isinstance(dtype, pd.SparseDtype):
        return ["sparse", str(dtype.subtype), dtype.fill_value]
    if isinstance(dtype, pd.StringDtype):
        return ["string", dtype.storage, getattr(dtype, "na_value", None)]
    if isinstance(dtype, pd.ArrowDtype):
        return ["arrow", dtype.pyarrow_dtype]
    return [str(dtype)]
