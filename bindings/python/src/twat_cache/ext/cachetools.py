"""``cached`` and ``cachedmethod`` as cachetools has them, over any mapping.

The mapping may be a ``twat_cache.Cache``, so code that is written for cachetools
gets a bounded cache in memory, on disk or on a server by changing two lines::

    from twat_cache import Cache
    from twat_cache.ext.cachetools import cached

    @cached(Cache("disk", "/var/cache/site"), key=stringkey)
    def report(day): ...

A ``Cache`` keeps bytes, so results come back equal, not the same; ``mcache`` keeps
the objects. Keys are those of ``twat_cache.keys``. A stored exception is none: what
raises runs again. With ``condition`` concurrent callers of one key run it once,
with ``lock`` alone the mapping is guarded and the function runs outside.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from twat_cache._memoize.wrapper import CacheInfo
from twat_cache.exceptions import ConfigurationError
from twat_cache.keys import hashkey, methodkey

__all__ = ["cached", "cachedmethod"]

_MISSING: Any = object()
Mapping = MutableMapping[Any, Any]


def cached(
    cache: Mapping | None,
    key: Callable[..., Any] = hashkey,
    lock: AbstractContextManager[Any] | None = None,
    condition: threading.Condition | None = None,
    info: bool = False,
) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that keeps results in a mapping; None keeps nothing.

    The wrapper has ``cache``, ``cache_key``, ``cache_lock``, ``cache_condition`` and
    ``cache_clear()``, and ``cache_info()`` where ``info`` is true.

    >>> kept = {}
    >>> @cached(kept, info=True)
    ... def square(x):
    ...     return x * x
    >>> square(3), square(3), square.cache_info().hits, list(kept.values())
    (9, 9, 1, [9])
    """
    _check(cache)

    def decorate(func: Callable[..., Any]) -> Any:
        core = _Core(lock, condition)

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return core.call(cache, key(*args, **kwargs), functools.partial(func, *args, **kwargs))

        target: Any = wrapper
        target.cache, target.cache_key = cache, key
        target.cache_lock, target.cache_condition = lock or condition, condition
        target.cache_clear = functools.partial(core.clear, cache)
        if info:
            target.cache_info = functools.partial(core.info, cache)
        return wrapper

    return decorate


def cachedmethod(
    cache: Callable[[Any], Mapping | None],
    key: Callable[..., Any] = methodkey,
    lock: Callable[[Any], AbstractContextManager[Any]] | None = None,
    condition: Callable[[Any], threading.Condition] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """The same for methods: ``cache``, ``lock`` and ``condition`` are called with the instance.

    >>> class Shop:
    ...     def __init__(self): self.kept = {}
    ...     @cachedmethod(lambda self: self.kept)
    ...     def price(self, x): return 2 * x
    >>> shop = Shop()
    >>> shop.price(4), shop.price(4), len(shop.kept)
    (8, 8, 1)
    """
    if not callable(cache):
        raise ConfigurationError(f"cache: expected a function from an instance to its mapping, found: {cache!r}")
    waiting: dict[tuple[int, Any], int] = {}

    def decorate(method: Callable[..., Any]) -> Any:
        @functools.wraps(method)
        def wrapper(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            core = _Core(lock(self) if lock else None, condition(self) if condition else None, waiting, id(self))
            return core.call(cache(self), key(self, *args, **kwargs), lambda: method(self, *args, **kwargs))

        target: Any = wrapper
        target.cache, target.cache_key, target.cache_lock, target.cache_condition = cache, key, lock, condition
        return wrapper

    return decorate


def _check(cache: Any) -> None:
    if cache is not None and not (hasattr(cache, "__getitem__") and hasattr(cache, "__setitem__")):
        raise ConfigurationError(f"cache: expected a mapping or None, found: {cache!r}")


class _Core:
    """One look-up, its locks and its counts."""

    def __init__(
        self,
        lock: AbstractContextManager[Any] | None,
        condition: threading.Condition | None,
        waiting: dict[tuple[int, Any], int] | None = None,
        whose: int = 0,
    ) -> None:
        self.lock: AbstractContextManager[Any] = lock or condition or nullcontext()
        self.condition = condition
        self.waiting = {} if waiting is None else waiting
        self.whose = whose
        self.hits = self.misses = 0

    def call(self, cache: Mapping | None, key: Any, compute: Callable[[], Any]) -> Any:
        if cache is None:
            self.misses += 1
            return compute()
        with self.lock:
            found = self._look_up(cache, key)
            if found is not _MISSING:
                self.hits += 1
                return found
            self.misses += 1
            self._enter(key)
        try:
            value = compute()
            with self.lock:
                return self._keep(cache, key, value)
        finally:
            self._leave(key)

    def _look_up(self, cache: Mapping, key: Any) -> Any:
        """What is there, after whoever computes it now; called with the lock held."""
        place = (self.whose, key)
        while self.condition is not None and self.waiting.get(place, threading.get_ident()) != threading.get_ident():
            self.condition.wait()
        try:
            return cache[key]
        except KeyError:
            return _MISSING

    def _keep(self, cache: Mapping, key: Any, value: Any) -> Any:
        if isinstance(self.lock, nullcontext) or self.condition is not None:
            store: Callable[[], Any] = functools.partial(cache.__setitem__, key, value)
        else:
            # Another thread may have been first; all get what it stored.
            try:
                return cache[key]
            except KeyError:
                store = functools.partial(cache.__setitem__, key, value)
        try:
            store()
        except ValueError:
            pass  # too large for the mapping, as cachetools says it
        return value

    def _enter(self, key: Any) -> None:
        if self.condition is not None:
            self.waiting[self.whose, key] = threading.get_ident()

    def _leave(self, key: Any) -> None:
        if self.condition is not None:
            with self.condition:
                self.waiting.pop((self.whose, key), None)
                self.condition.notify_all()

    def clear(self, cache: Mapping | None) -> None:
        with self.lock:
            self.hits = self.misses = 0
            if cache is not None:
                cache.clear()

    def info(self, cache: Mapping | None) -> CacheInfo:
        with self.lock:
            maxsize = getattr(cache, "maxsize", None) if cache is not None else 0
            size = getattr(cache, "currsize", None)
            return CacheInfo(self.hits, self.misses, maxsize, len(cache or ()) if size is None else size)
