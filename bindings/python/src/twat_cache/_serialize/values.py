"""How a result becomes a value and a value a result (docs/format.md, "Values")."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, Any

from twat_cache._ffi.status import error_of
from twat_cache._ffi.values import may_stay_mapped
from twat_cache._serialize import arrays, msgpack_format, named_types
from twat_cache._serialize import msgpack_reader as reader
from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.exact_types import PLAIN, write_loaded
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable
from twat_cache._speedups import speed
from twat_cache.exceptions import ConfigurationError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twat_cache._ffi.bytecache import ByteCache
    from twat_cache._ffi.values import Mapped
    from twat_cache._serialize.trusted_types import Types

RAW, MSGPACK, JSON, ARRAY, COUNTER, PICKLE, PICKLE_OUT = 0, 1, 2, 3, 4, 16, 17
_MAC = 32
_Malformed = msgpack_format.Malformed
_COUNTER = struct.Struct("<q")
_QUICK, _LOCAL, _RAW_BYTES = 1, 2, 4  # as in native/store.c
_HEAD_17 = struct.Struct("<3xIQ")


class Foreign(Exception):
    """A value that cannot be read here; ``corrupt`` says that its signature failed."""

    def __init__(self, text: str, *, corrupt: bool = False) -> None:
        super().__init__(text)
        self.corrupt = corrupt


def _other(encoder: Encoder, out: bytearray, value: Any) -> None:
    parts = _parts(encoder, out, value)
    if isinstance(parts, list):
        inner = bytearray()
        mp.write_items(encoder, inner, parts)
        mp.write_ext(out, msgpack_format.ARRAY, inner)
    elif parts is not None:
        mp.write_named(encoder, out, *parts)


def _parts(encoder: Encoder, out: bytearray, value: Any) -> list[Any] | tuple[str, Any] | None:
    """The fields of an array, the name and fields of a named type, or None once the value is written."""
    if arrays.is_array(value):
        return arrays.parts(value)
    if write_loaded(encoder, out, value):
        return None
    named = named_types.exact_parts(value)
    if named is None:
        raise Unencodable(f"a {type(value).__module__}.{type(value).__qualname__}")
    named_types.written[named[0]] = None
    return named


_TABLE: dict[type, mp.Writer] = {
    **PLAIN,
    float: mp.write_float,
    dict: mp.write_map,
    frozenset: mp.write_frozenset,
    complex: mp.write_complex,
    reader.Undefined: lambda _, out, __: mp.write_ext(out, msgpack_format.UNDEFINED, b""),
}
_ENCODER = Encoder(_TABLE, _other, canonical=False)


def encode_here(value: Any) -> bytes:
    """A value of format 1, by the writer in Python alone."""
    out = bytearray(b"\x01")
    _ENCODER.fresh().write(out, value)
    return bytes(out)


def _rare(value: Any, depth: int) -> bytearray | list[Any] | tuple[str, Any]:
    """What the native writer does not know by itself: bytes, or parts that it writes."""
    encoder, out = _ENCODER.fresh(), bytearray()
    encoder.depth = depth
    writer = _TABLE.get(value.__class__)
    if writer is not None:
        writer(encoder, out, value)
        return out
    parts = _parts(encoder, out, value)
    return out if parts is None else parts


# What Python does for the native codec (native/speed.h).
HOOKS: dict[str, Any] = {
    "malformed": msgpack_format.Malformed,
    "unencodable": Unencodable,
    "read_pure": reader.decode_here,
    "read_extension": reader.read_extension,
    "read_datetime": reader.read_date_time,
    "rebuild": named_types.rebuild,
    "write_rare": _rare,
    "error_of": error_of,
}
if speed is None:
    _encode, _decode = encode_here, reader.decode
else:
    speed.configure(HOOKS)
    _encode, _decode = speed.encode, speed.decode


class Codec:
    """Values of one namespace, by one serializer."""

    __slots__ = ("mapped", "namespace", "serializer", "types")

    def __init__(
        self, serializer: Any = "auto", namespace: str = "", *, mapped: bool = True, types: Types | None = None
    ) -> None:
        """``types``: those that reading may import; None: those that are loaded."""
        names = ("auto", "msgpack", "json", "pickle")
        if serializer is None:
            serializer = "auto"
        if isinstance(serializer, str):
            if serializer not in names:
                raise ConfigurationError(f"serializer: expected one of {' '.join(names)}, found: {serializer}")
        elif not (hasattr(serializer, "dumps") and hasattr(serializer, "loads")):
            raise ConfigurationError(
                f"serializer: expected a name or an object with dumps and loads, found: {serializer!r}"
            )
        self.serializer = serializer
        self.namespace = namespace.encode("utf-8", "replace")
        self.mapped = mapped
        self.types = types

    # Writing

    def encode(self, key: bytes, value: Any) -> bytes | bytearray:
        """A value as bytes. Raises SerializationError, which names the type."""
        kind = self.serializer
        if kind == "auto":
            return self._auto(key, value)
        if kind == "msgpack":
            try:
                return self._msgpack(value)
            except (Unencodable, RecursionError) as error:
                raise _unserializable(value, error) from error
        if kind == "json":
            import json

            try:
                return b"\x02" + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
            except (TypeError, ValueError, RecursionError) as error:
                raise _unserializable(value, error) from error
        if kind == "pickle":
            return self._pickle(key, value)
        try:
            data = kind.dumps(value)
            return b"\x00" + (data.encode() if isinstance(data, str) else bytes(data))
        except Exception as error:
            raise _unserializable(value, error) from error

    def _auto(self, key: bytes, value: Any) -> bytes | bytearray:
        if type(value) is bytes:
            return b"\x00" + value
        if arrays.is_array(value):
            return arrays.encode(value)
        try:
            return self._msgpack(value)
        except (Unencodable, RecursionError):
            return self._pickle(key, value)

    def _msgpack(self, value: Any) -> bytes:
        data = _encode(value)
        if self.types is not None:
            self.types.note_written()
        return data

    def _pickle(self, key: bytes, value: Any) -> bytes | bytearray:
        import pickle

        buffers: list[pickle.PickleBuffer] = []
        try:
            body = _pickled(value, buffers.append)
            views = [buffer.raw() for buffer in buffers]
        except Exception as error:
            raise _unserializable(value, error) from error
        if not views:
            return b"\x10" + self._sign(key, body) + body
        rest = bytearray(_HEAD_17.pack(len(views), len(body)))
        for view in views:
            rest += view.nbytes.to_bytes(8, "little")
        rest += body
        for view in views:
            rest += bytes(-(1 + _MAC + len(rest)) % arrays.ALIGNMENT)
            rest += view
        return b"\x11" + self._sign(key, rest) + rest

    def _sign(self, key: bytes, rest: bytes | bytearray | memoryview) -> bytes:
        from twat_cache._ffi.digest import mac
        from twat_cache._serialize.signing import secret

        return mac(secret(), self.namespace, key, rest)

    # Reading

    def decode(self, key: bytes, data: bytes) -> Any:
        """The value. Raises Foreign for what cannot be read here."""
        kind = data[0] if data else -1
        try:
            if kind == MSGPACK:
                return _decode(data, 1)
            if kind == RAW:
                return self._raw(data[1:])
            if kind == ARRAY:
                return arrays.decode(data)
            return self._rarer(kind, key, data)
        except named_types.NotLoaded as error:
            # A type is loaded once, so this ends.
            if self.types is None or not self.types.load(error.name):
                raise Foreign(str(error)) from error
        except _Malformed as error:
            raise Foreign(str(error)) from error
        return self.decode(key, data)

    def finder(self, store: ByteCache, missing: Any) -> Callable[[bytes], Any]:
        """What looks a key up in a store: the value, or ``missing``. Raises as ``decode`` and ``ByteCache.get`` do."""
        if speed is None:

            def find(key: bytes) -> Any:
                data = store.get(key)
                return missing if data is None else self.decode(key, data)

            return find
        flags = _QUICK * store.reads_quickly | _LOCAL * store.local | _RAW_BYTES * isinstance(self.serializer, str)
        return functools.partial(speed.fetch, store, self.decode, missing, flags)

    def decode_mapped(self, key: bytes, mapped: Mapped) -> Any:
        """The value, arrays as read-only views of where it is stored, or of a copy where there are too many maps."""
        kind = mapped.tobytes(0, 1)[0] if mapped.size and self.mapped else -1
        views = kind in (ARRAY, PICKLE_OUT)
        try:
            if views and may_stay_mapped(mapped):
                if kind == ARRAY:
                    return arrays.decode_mapped(mapped)
                return self._unpickle_out(key, mapped.view_at(0, mapped.size), copy=False)
            data = mapped.tobytes()
            mapped.close()
            if not views:
                return self.decode(key, data)
            if kind == ARRAY:
                return arrays.decode(data, copy=False)
            return self._unpickle_out(key, memoryview(data), copy=False)
        except _Malformed as error:
            raise Foreign(str(error)) from error

    def _raw(self, data: bytes) -> Any:
        if isinstance(self.serializer, str):
            return data
        try:
            return self.serializer.loads(data)
        except Exception as error:
            raise Foreign(f"the serializer cannot read it: {type(error).__name__}: {error}") from error

    def _rarer(self, kind: int, key: bytes, data: bytes) -> Any:
        if kind == JSON:
            import json

            try:
                return json.loads(data[1:])
            except ValueError as error:
                raise Foreign(f"not JSON: {error}") from error
        if kind == COUNTER and len(data) == 9:
            return _COUNTER.unpack_from(data, 1)[0]
        if kind == PICKLE:
            self._verify(key, data[1 : 1 + _MAC], data[1 + _MAC :])
            return _unpickle(data[1 + _MAC :])
        if kind == PICKLE_OUT:
            return self._unpickle_out(key, memoryview(data), copy=True)
        raise Foreign(f"value format {kind}, which Python does not read" if kind >= 0 else "an empty value")

    def _verify(self, key: bytes, found: bytes, rest: bytes | memoryview) -> None:
        from hmac import compare_digest

        if len(found) != _MAC or not compare_digest(found, self._sign(key, rest)):
            raise Foreign("a pickle that was not signed with this secret", corrupt=True)

    def _unpickle_out(self, key: bytes, view: memoryview, *, copy: bool) -> Any:
        start = 1 + _MAC
        self._verify(key, bytes(view[1:start]), view[start:])
        n, size = _HEAD_17.unpack_from(view, start)
        at = start + _HEAD_17.size
        lengths = [int.from_bytes(view[at + 8 * i : at + 8 * i + 8], "little") for i in range(n)]
        at += 8 * n
        body = view[at : at + size]
        at += size
        buffers = []
        for length in lengths:
            at += -at % arrays.ALIGNMENT
            piece = view[at : at + length]
            buffers.append(bytearray(piece) if copy else piece)
            at += length
        return _unpickle(body, buffers)


def _pickled(value: Any, keep: Callable[[Any], Any]) -> bytes:
    import pickle
    import sys

    torch: Any = sys.modules.get("torch")
    if torch is None:
        return pickle.dumps(value, protocol=5, buffer_callback=keep)
    import io

    class Pickler(pickle.Pickler):
        def reducer_override(self, it: Any) -> Any:
            # Some releases of torch pickle a view that is conjugated or negated when it is read as its plain data.
            if isinstance(it, torch.Tensor) and (it.is_conj() or it.is_neg()):
                return it.resolve_conj().resolve_neg().__reduce_ex__(5)
            return NotImplemented

    target = io.BytesIO()
    Pickler(target, protocol=5, buffer_callback=keep).dump(value)
    return target.getvalue()


def _unpickle(body: Any, buffers: Any = ()) -> Any:
    """Only ever called with bytes whose signature was verified."""
    import pickle

    try:
        return pickle.loads(body, buffers=buffers)  # noqa: S301
    except Exception as error:
        raise Foreign(f"a pickle that cannot be read: {type(error).__name__}: {error}") from error


def _unserializable(value: Any, error: Exception) -> SerializationError:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return SerializationError(f"a result of type {kind} cannot be serialised: {error}")
