"""Functions for ``key=``: what a call is told apart by."""

from __future__ import annotations

from typing import Any

__all__ = ["digestkey", "hashkey", "methodkey", "stringkey", "typedkey"]


def hashkey(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Equal arguments are one key.

    >>> hashkey(1, a=2) == hashkey(1.0, a=2)
    True
    """
    return (args, tuple(sorted(kwargs.items()))) if kwargs else (args,)


def typedkey(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Equal arguments of equal types are one key.

    >>> typedkey(1) == typedkey(1.0)
    False
    """
    items = sorted(kwargs.items())
    return (*hashkey(*args, **kwargs), tuple(map(type, args)), tuple(type(value) for _, value in items))


def methodkey(self: object, /, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """As ``hashkey`` without the instance: all instances share results."""
    return hashkey(*args, **kwargs)


def _canonical(args: Any, kwargs: Any) -> bytes:
    from twat_cache._identity.call_keys import encode_call, prefix_of

    return encode_call(prefix_of(""), args, kwargs)


def stringkey(*args: Any, **kwargs: Any) -> str:
    """The canonical form of the arguments as hexadecimal text: the same in every run and language."""
    return _canonical(args, kwargs).hex()


def digestkey(*args: Any, **kwargs: Any) -> str:
    """The BLAKE3 of the canonical form, 64 hexadecimal digits whatever the arguments."""
    from twat_cache._ffi.digest import blake3

    return blake3(_canonical(args, kwargs)).hex()
