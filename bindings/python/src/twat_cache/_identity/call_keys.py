"""How a call becomes the bytes of a key (docs/format.md, "Keys of memoized calls")."""

from __future__ import annotations

import functools
from builtins import len
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twat_cache._identity.key_rules import write_other
from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.exact_types import PLAIN
from twat_cache._serialize.msgpack_format import DEFAULT, UNDEFINED
from twat_cache._serialize.msgpack_reader import Omitted, Undefined
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable
from twat_cache._serialize.stack import holds_itself, is_nearly_full
from twat_cache._speedups import speed
from twat_cache.exceptions import CacheKeyError

_WAYS_OUT = "give the decorator a key= function, or leave the argument out with ignore="


TABLE: dict[type, mp.Writer] = {
    **PLAIN,
    float: mp.write_canonical_float,
    dict: mp.write_sorted_map,
    frozenset: mp.write_frozenset,
    Undefined: lambda _, out, __: mp.write_ext(out, UNDEFINED, b""),
    Omitted: lambda _, out, omitted: mp.write_ext(out, DEFAULT, omitted.name.encode()),
    complex: mp.write_complex,
}

ENCODER = Encoder(TABLE, write_other, canonical=True)


def prefix_of(name: str) -> bytes:
    """What every key of a function begins with."""
    out = bytearray(b"\x94\x03")
    try:
        mp.write_str(ENCODER, out, name)
    except Unencodable as error:
        raise CacheKeyError(f"name: {error}") from None
    return bytes(out)


def encode_call(
    prefix: bytes,
    positional: Iterable[Any],
    keywords: Mapping[Any, Any] | None = None,
    names: Iterable[str] = (),
) -> bytes:
    """The key of a call. ``names`` are those of the positional arguments, for errors."""
    arguments = positional if isinstance(positional, (tuple, list)) else list(positional)
    out = bytearray(prefix)
    table = TABLE
    try:
        mp.write_array_header(out, len(arguments))
        for value in arguments:
            table.get(value.__class__, write_other)(ENCODER, out, value)
        if keywords:
            mp.write_sorted_map(ENCODER, out, dict(keywords))
        else:
            out.append(0x80)
    except (Unencodable, RecursionError) as error:
        raise _blame(error, arguments, keywords or {}, list(names)) from None
    return bytes(out)


def _written_here(value: Any) -> bytearray:
    """The canonical form of one value that the native writer does not know."""
    out = bytearray()
    TABLE.get(value.__class__, write_other)(ENCODER, out, value)
    return out


if speed is not None:
    speed.configure_keys({"write_key": _written_here, "key_pure": encode_call})


def call_encoder(prefix: bytes, names: Iterable[str]) -> Callable[..., bytes]:
    """``encode_call`` of one function: it takes the positional arguments and the keywords, or None."""
    names = tuple(names)
    if speed is not None:
        return functools.partial(speed.encode_call, prefix, names)
    return lambda positional, keywords: encode_call(prefix, positional, keywords, names)


def _blame(error: Exception, arguments: Any, keywords: Mapping[Any, Any], names: list[str]) -> Exception:
    labelled = [(repr(names[i]) if i < len(names) else f"number {i}", value) for i, value in enumerate(arguments)]
    labelled += [(repr(name), value) for name, value in keywords.items()]
    for label, value in labelled:
        try:
            ENCODER.encode(value)
        except Unencodable as found:
            return CacheKeyError(
                f"argument {label}: expected a value that has a canonical form, found {found}; {_WAYS_OUT}"
            )
        except RecursionError:
            if holds_itself(value):
                return CacheKeyError(f"argument {label}: expected a value that ends, found one that holds itself")
            if is_nearly_full():
                return RecursionError(f"argument {label}: maximum recursion depth exceeded while encoding it")
            return CacheKeyError(f"argument {label}: expected fewer levels, found a value that is nested too deeply")
    if isinstance(error, RecursionError):
        return error
    return CacheKeyError(f"the arguments have no canonical form: {error}; {_WAYS_OUT}")


def direct(key: Any) -> bytes:
    """The key of ``Cache.set`` and its like."""
    if type(key) is bytes:
        return key
    if type(key) is str:
        try:
            return key.encode()
        except UnicodeEncodeError:
            raise CacheKeyError("key: expected text that is UTF-8, found a lone surrogate") from None
    if isinstance(key, (bytes, bytearray, memoryview)):
        return bytes(memoryview(key))
    if isinstance(key, str):
        return direct(str.__str__(key))
    if isinstance(key, (bool, int, tuple)):
        try:
            return b"\x00\xff" + ENCODER.encode(_as_equal(key))
        except (Unencodable, RecursionError) as error:
            raise CacheKeyError(f"key: expected text, bytes, an integer or a tuple of them, found {error}") from None
    raise CacheKeyError(f"key: expected text, bytes, an integer or a tuple of them, found: {type(key).__qualname__}")


def _as_equal(key: Any) -> Any:
    """The plain form of what equals it, as in a dictionary: an ``IntEnum`` is its number."""
    kind = type(key)
    if kind is tuple:
        return tuple([_as_equal(part) for part in key])
    if isinstance(key, str):
        return str.__str__(key)
    return int.__int__(key) if isinstance(key, int) and kind is not bool else key


def undirect(key: bytes) -> Any:
    """The key that ``direct`` made these bytes from: text where they are UTF-8."""
    if key[:2] == b"\x00\xff":
        from twat_cache._serialize.msgpack_format import Malformed
        from twat_cache._serialize.msgpack_reader import decode

        try:
            return decode(key[2:])
        except Malformed:
            return key
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key


def namespace_of(name: str) -> str:
    """The namespace that bears a function's name."""
    data = name.encode("utf-8", "replace")
    if len(data) <= 200:
        return data.decode()
    from twat_cache._ffi.digest import blake3

    return data[:135].decode("utf-8", "ignore") + "~" + blake3(data).hex()
