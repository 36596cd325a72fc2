"""Keys in memory from arguments that cannot be hashed."""

from __future__ import annotations

from typing import Any

from twat_cache import _keys
from twat_cache._msgpack import Unencodable
from twat_cache.exceptions import CacheKeyError


class Frozen(tuple):  # type: ignore[type-arg]
    """The canonical bytes of an unhashable argument; equal to nothing else."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return other.__class__ is Frozen and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__


def freeze(key: tuple[Any, ...], error: TypeError) -> tuple[Any, ...]:
    """The key with what cannot be hashed replaced by its canonical bytes."""
    frozen = tuple(map(_freeze, key))
    if all(new is old for new, old in zip(frozen, key)):
        raise error  # the hashing was not what failed
    return frozen


def _freeze(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        pass
    else:
        return value
    try:
        return Frozen((_keys.ENCODER.encode(value),))
    except (Unencodable, RecursionError):
        pass
    if type(value) in (list, tuple):
        # Objects that are only themselves, in a list: the list is what they are.
        return Frozen((type(value), *map(_freeze, value)))
    if type(value) is dict:
        return Frozen((dict, frozenset((key, _freeze(item)) for key, item in value.items())))
    raise CacheKeyError(
        f"arguments: expected values that can be hashed or have a canonical form, found a "
        f"{type(value).__module__}.{type(value).__qualname__}; "
        "give the decorator a key= function, or leave the argument out with ignore="
    )
