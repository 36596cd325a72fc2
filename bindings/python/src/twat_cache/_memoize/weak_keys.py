"""Methods whose first parameter is not called ``self``.

At decoration time nothing tells such a method from a static one, so the wrapper
is that of a plain function, whose key has the first argument in it. Only where a
result is stored is it found out whether that argument's class has the function
as its method: then the stored key has, in place of the instance, what is equal to
that one instance and does not keep it alive. Looking up needs nothing new: the
dictionary compares what is stored with the instance itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from twat_cache._identity.hashable import freeze
from twat_cache._memoize.live_table import ObjectStore
from twat_cache._memoize.receivers import Receivers
from twat_cache._memoize.signature import Signature


class Me:
    """Equal to one object only, whatever that says of equality. Hashes as the object does, if it does."""

    __slots__ = ("_hash", "of")

    def __init__(self, instance: Any, gone: Callable[[Any], object]) -> None:
        try:
            self._hash = hash(instance)
        except TypeError:
            self._hash = id(instance)
        try:
            self.of: Callable[[], Any] = weakref.ref(instance, gone)
        except TypeError:
            self.of = lambda: instance  # it cannot be watched, so it stays as long as its results

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        mine = self.of()
        return other is self or (mine is not None and (other.of() if other.__class__ is Me else other) is mine)


class WeakKeys:
    """Puts ``Me`` into the keys of one memoized function where they belong."""

    def __init__(self, receivers: Receivers, store: ObjectStore, signature: Signature, bare: bool) -> None:
        """``bare``: a key is the first argument itself."""
        self._receivers = receivers
        self._store = store
        self._bare = bare
        self._nested = not signature.named and signature.var_keyword is not None
        self.freeze: Callable[..., tuple[Any, ...]] = freeze
        self._dead: list[Any] = []
        self._sweep_at = 64

    def key(self, key: Any) -> Any:
        """The key to store under."""
        if not self._bare:
            return self._of_tuple(key)
        return Me(key, self._dead.append) if self._is_receiver(key) else key

    def frozen(self, key: tuple[Any, ...], error: TypeError) -> tuple[Any, ...]:
        """As ``freeze``, for a key that cannot be hashed."""
        key = self._of_tuple(key)
        try:
            hash(key)
        except TypeError:
            return self.freeze(key, error)
        return key

    def _of_tuple(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        if not key:
            return key
        first, rest = key[0], key[1:]
        if self._nested and first.__class__ is tuple and first:
            return ((Me(first[0], self._dead.append), *first[1:]), *rest) if self._is_receiver(first[0]) else key
        return (Me(first, self._dead.append), *rest) if self._is_receiver(first) else key

    def _is_receiver(self, first: Any) -> bool:
        return first.__class__ is not Me and self._receivers(first)

    def sweep(self) -> None:
        """Removes the results of instances that are gone, once there are enough of them."""
        table = self._store.table
        if len(self._dead) < self._sweep_at:
            return
        self._dead.clear()
        for key in list(table):
            if self._is_of_the_dead(key):
                self._store.remove(key)
        self._sweep_at = max(64, len(table) // 4)

    def _is_of_the_dead(self, key: Any) -> bool:
        first = key[0] if key.__class__ is tuple and key else key
        if self._nested and first.__class__ is tuple and first:
            first = first[0]
        return first.__class__ is Me and first.of() is None
