"""Keys from objects of polars and pyarrow: a hash of their data in Arrow's own format."""

from __future__ import annotations

import io
import sys
from typing import Any

from twat_cache._ffi.digest import blake3
from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable


def write(encoder: Encoder, out: bytearray, value: Any) -> bool:
    """Append an object of one of these libraries; whether it was one that is known."""
    library = type(value).__module__.partition(".")[0]
    found = (_polars if library == "polars" else _pyarrow)(value)
    if found is None:
        return False
    mp.write_named(encoder, out, f"{library}.{found[0]}", found[1])
    return True


def _polars(value: Any) -> tuple[str, list[Any]] | None:
    polars, kind = sys.modules["polars"], type(value)
    if kind is polars.DataFrame:
        return "DataFrame", [*_frame(value), value.height]
    if kind is polars.Series:
        return "Series", [value.name, *_frame(value.to_frame())]
    if isinstance(value, polars.DataType):
        return "DataType", [repr(value)]
    return None


def _frame(frame: Any) -> list[Any]:
    schema = [[name, repr(dtype)] for name, dtype in frame.schema.items()]
    if any("Object" in dtype for _, dtype in schema):
        raise Unencodable("a table of polars with a column of Python objects")
    target = io.BytesIO()
    frame.rechunk().write_ipc(target)
    return [schema, blake3(target.getbuffer())]


def _pyarrow(value: Any) -> tuple[str, list[Any]] | None:
    pa = sys.modules["pyarrow"]
    if isinstance(value, pa.Table):
        return "Table", [_stream(value.schema, value), value.num_rows]
    if isinstance(value, pa.RecordBatch):
        return "RecordBatch", [_stream(value.schema, value), value.num_rows]
    if isinstance(value, pa.ChunkedArray):
        table = pa.table([value], names=[""])
        return "ChunkedArray", [_stream(table.schema, table), value.num_chunks]
    if isinstance(value, pa.Array):
        batch = pa.record_batch([value], names=[""])
        return type(value).__name__, [_stream(batch.schema, batch)]
    if isinstance(value, pa.Scalar):
        batch = pa.record_batch([pa.array([value], type=value.type)], names=[""])
        return type(value).__name__, [_stream(batch.schema, batch)]
    if isinstance(value, pa.Schema):
        return "Schema", [blake3(value.serialize())]
    if isinstance(value, pa.Field):
        return "Field", [blake3(pa.schema([value]).serialize())]
    if isinstance(value, pa.DataType):
        return "DataType", [blake3(pa.schema([pa.field("", value)]).serialize())]
    return None


def _stream(schema: Any, content: Any) -> bytes:
    pa = sys.modules["pyarrow"]
    # It is a module of its own, which pyarrow does not load by itself.
    from pyarrow import ipc

    target = pa.BufferOutputStream()
    with ipc.new_stream(target, schema) as stream:
        stream.write(content)
    return blake3(target.getvalue())
