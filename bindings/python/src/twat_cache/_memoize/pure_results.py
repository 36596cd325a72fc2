"""Results without the native part: a dictionary, and closures over it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from twat_cache._ffi import abi
from twat_cache._memoize.arguments import MISSING, Arguments, Keys, NotBound
from twat_cache._memoize.hit_log import LOG_SIZE
from twat_cache._memoize.live_table import DEADLINE, MARKED, SLOT, VALUE, ObjectStore
from twat_cache._memoize.methods import Instances
from twat_cache._memoize.weak_keys import WeakKeys

_len = len  # somebody may memoize the built-in one


class Miss:
    """A call without a result, with its defaults; ``key`` is ``MISSING`` where the function does not take it."""

    __slots__ = ("args", "key", "kwargs", "table")

    def __init__(self, key: Any, table: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.key, self.table, self.args, self.kwargs = key, table, args, kwargs


class PureResults:
    """The results of one memoized function. ``look_up(args, kwargs)`` gives a value or a ``Miss``."""

    def __init__(
        self,
        arguments: Arguments,
        keys: Keys,
        store: ObjectStore,
        *,
        freeze: Callable[..., Any],
        instances: Instances | None,
        weak: WeakKeys | None,
    ) -> None:
        self.arguments, self.keys, self.store = arguments, keys, store
        self.instances, self.weak = instances, weak
        self._freeze = freeze
        self.miss_type = Miss
        self._misses = itertools.count()
        self._begun = [0, 0]  # the counts at the last ``clear``
        self.look_up, self._hits = _look_up(self)

    def place(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[Any, Any]]:
        """The key of a call, which has a hash, and the table that it belongs to."""
        key, table = self.keys.of(args, kwargs), self.store.table
        if self.instances is not None:
            table = self.instances.table_of(self.arguments.bind(args, kwargs)[0][0])
        return self.hashable(key), table

    def hashable(self, key: Any) -> Any:
        """The key, or what stands for it where it has no hash."""
        try:
            hash(key)
        except TypeError as error:
            bare = self.keys.bare or key.__class__ is not tuple
            return (self._freeze if self.weak is None else self.weak.frozen)((key,) if bare else key, error)
        return key

    def miss(self, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any, table: Any) -> Miss:
        """Counts a miss."""
        next(self._misses)
        if _len(args) != self.arguments.count or kwargs or not self.arguments.plain:
            args, kwargs = self.arguments.as_call(args, kwargs)
        return Miss(key, table, args, kwargs)

    def stored_key(self, key: Any) -> Any:
        """The key to store under."""
        return key if self.weak is None else self.weak.key(key)

    def put(self, miss: Miss, value: Any, ttl: float | None, cost: int | None = None) -> None:
        """Stores what a call gave, unless something is there by now."""
        self.store.keep(self.stored_key(miss.key), value, ttl, miss.table, cost=cost)
        if self.weak is not None:
            self.weak.sweep()

    def remove(self, /, *args: Any, **kwargs: Any) -> bool:
        """Forgets the result of a call; whether there was a live one."""
        key, table = self.place(args, kwargs)
        return self.store.remove(key, table)

    def clear(self) -> None:
        """Forgets all results, and the counts."""
        self.store.clear()
        hits, misses, _ = self.counts()
        self._begun = [self._begun[0] + hits, self._begun[1] + misses]

    def counts(self) -> tuple[int, int, int]:
        """Hits, misses, live results."""
        hits = self.store.logged if self.store.needs == abi.NEEDS_LOG else self._hits()
        return hits - self._begun[0], _value_of(self._misses) - self._begun[1], _len(self.store)

    def content(self) -> list[tuple[Any, Any, int]]:
        """Key, value and slot of each result."""
        places = list(self.store.place.items())
        return [(key, table[key][VALUE], slot) for slot, (table, key) in places if key in table]

    def figures(self) -> dict[str, int] | None:
        """The core's figures, where anything is bounded."""
        return None if self.store.policy is None else self.store.policy.stats()


def _value_of(counter: Any) -> int:
    """The next number of an ``itertools.count``, without taking it: counting by it is atomic in every build."""
    return int(repr(counter)[6:-1])


def _look_up(results: PureResults) -> tuple[Callable[..., Any], Callable[[], int]]:
    """The look-up, and the number of hits where the core does not hear of them."""
    store, place, miss = results.store, results.place, results.miss
    needs, log, marked = store.needs, store.log, store.marked
    slots, append, timed = log.slots, log.slots.append, store.timed
    table, exact, bare = store.table, results.keys.exact, results.keys.bare
    logs, marks, counter = needs == abi.NEEDS_LOG, needs == abi.NEEDS_MARK, itertools.count()
    if results.instances is not None:
        exact = -1

    def look_up(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            if kwargs or _len(args) != exact:
                key, entries = place(args, kwargs)
            else:
                key, entries = args[0] if bare else args, table
            entry = entries.get(key)
        except NotBound:
            return Miss(MISSING, None, args, kwargs)
        except TypeError as error:
            if kwargs or _len(args) != exact:
                raise
            key = results.hashable(key)
            entry = entries.get(key)
            del error
        if entry is None or (timed and entry[DEADLINE] <= store.now()):
            return miss(args, kwargs, key, entries)
        if logs:
            append(entry[SLOT])
            if _len(slots) >= LOG_SIZE:
                log.drain()
        else:
            next(counter)
            if marks and not entry[MARKED]:
                marked.append(entry)
                entry[MARKED] = True
        return entry[VALUE]

    return look_up, lambda: _value_of(counter)
