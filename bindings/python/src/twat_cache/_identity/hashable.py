"""Keys in memory from arguments that cannot be hashed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twat_cache._identity import call_keys
from twat_cache._identity.key_rules import write_other
from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize import named_types
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable
from twat_cache.exceptions import CacheKeyError

# An object of this process, by its number; in no key that is stored.
_HERE = 127


class Frozen(tuple):  # type: ignore[type-arg]
    """The canonical bytes of an unhashable argument, and the objects in it that are only themselves."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return other.__class__ is Frozen and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__


def freeze(key: tuple[Any, ...], error: TypeError, defaults: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The key with what cannot be hashed replaced by its canonical bytes; of ``defaults``, by their number."""
    frozen = tuple(_freeze(value, defaults) for value in key)
    if all(new is old for new, old in zip(frozen, key)):
        raise error  # the hashing was not what failed
    return frozen


def _freeze(value: Any, defaults: Sequence[Any] = ()) -> Any:
    try:
        hash(value)
    except TypeError:
        pass
    else:
        return value
    for number, default in enumerate(defaults):
        if value is default:
            return Frozen((b"", number))
    encoder = _HereEncoder()
    try:
        return Frozen((encoder.encode(value), *encoder.objects))
    except Unencodable as error:
        raise CacheKeyError(
            f"arguments: expected values that can be hashed or have a canonical form, found {error}; "
            "give the decorator a key= function, or leave the argument out with ignore="
        ) from None


def frozen_defaults(defaults: Iterable[Any]) -> list[Any]:
    """Those that have neither a hash nor a canonical form, and stand for themselves in keys."""
    found = []
    for default in defaults:
        try:
            _freeze(default)
        except (CacheKeyError, RecursionError):
            found.append(default)
    return found


class _HereEncoder(Encoder):
    """Writes what has a canonical form, and refers to other objects that can be hashed."""

    __slots__ = ("objects",)

    def __init__(self) -> None:
        super().__init__(call_keys.TABLE, _other, canonical=True)
        self.objects: list[Any] = []

    def refer(self, out: bytearray, value: Any) -> None:
        """Append the number of an object that is compared as a key of a dictionary is."""
        mp.write_ext(out, _HERE, len(self.objects).to_bytes(4, "big"))
        self.objects.append(value)


def _other(encoder: Encoder, out: bytearray, value: Any) -> None:
    assert isinstance(encoder, _HereEncoder)
    start, objects = len(out), len(encoder.objects)
    try:
        write_other(encoder, out, value)
    except Unencodable:
        del out[start:], encoder.objects[objects:]
        if _is_hashable(value):
            encoder.refer(out, value)
        elif not _write_local(encoder, out, value):
            raise


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _write_local(encoder: _HereEncoder, out: bytearray, value: Any) -> bool:
    """An instance of a class that is not found by its name: the class is referred to."""
    found = named_types.parts(value, local=True)
    if found is None:
        return False
    mp.write_array_header(out, 2)
    encoder.refer(out, type(value))
    encoder.write(out, list(map(list, found[1].items())) if isinstance(found[1], dict) else found[1])
    return True
