"""Functions memoized in an engine, ours or a user's own: ``engine.cache(func)``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from twat_cache import exceptions as ex
from twat_cache._config.opening import warn_once
from twat_cache._config.options import check_function, refuse_generator
from twat_cache._identity.call_keys import encode_call, prefix_of
from twat_cache._identity.function_names import call_name
from twat_cache._memoize.signature import Signature
from twat_cache._memoize.single_flight import Flight
from twat_cache.compat.engines.mapping import MISSING as _MISSING

_TROUBLES = (ex.CacheOperationError, ex.ResourceError, ex.EngineError)


def memoized(engine: Any, func: Callable[..., Any]) -> Callable[..., Any]:
    """A function's results in an engine; concurrent callers of one key compute it once."""
    check_function(func)
    memo = _EngineMemo(engine, func)
    if not inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return memo.call(args, kwargs)

        return wrapper

    from twat_cache._memoize.async_flight import AsyncFlight

    flight = AsyncFlight()

    @functools.wraps(func)
    async def later(*args: Any, **kwargs: Any) -> Any:
        return await memo.async_call(flight, args, kwargs)

    return later


class _EngineMemo:
    """A store that fails or is closed costs the store, never the result."""

    def __init__(self, engine: Any, func: Callable[..., Any]) -> None:
        self.engine, self.func = engine, func
        self.name, self._watch = call_name(func)
        self.flight = Flight()
        self._prefix = prefix_of(self.name)
        signature = Signature.of(func)
        self._signature, self._names, self._omitted = signature.for_binding(), signature.named, signature.omitted()

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, omitted in self._omitted.items():
            if bound.arguments[name] is self._signature.parameters[name].default:
                bound.arguments[name] = omitted
        prefix = self._prefix if self._watch is None else self._watch.prefix()
        return encode_call(prefix, bound.args, bound.kwargs, self._names).hex()

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = self._key(args, kwargs)
        value = self._find(key)
        if value is not _MISSING:
            return value
        return self.flight.run(key, lambda: self._compute(key, args, kwargs))

    def _compute(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = self._find_again(key) if self.flight.landed_lately(key) else _MISSING
        if value is not _MISSING:
            return value
        value = self.func(*args, **kwargs)
        self._keep(key, value)
        return value

    async def async_call(self, flight: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = self._key(args, kwargs)
        value = await self._later(self._find, key)
        if value is not _MISSING:
            return value

        async def compute() -> Any:
            value = await self._later(self._find_again, key) if flight.landed_lately(key) else _MISSING
            if value is not _MISSING:
                return value
            value = await self.func(*args, **kwargs)
            await self._later(self._keep, key, value)
            return value

        return await flight.run(key, compute)

    async def _later(self, function: Callable[..., Any], *args: Any) -> Any:
        """At once where the engine never waits, else where it does not hold the loop."""
        if not self.engine.waits:
            return function(*args)
        from twat_cache._memoize.stored import to_thread

        return await to_thread(function, *args)

    def _find(self, key: str) -> Any:
        engine = self.engine
        try:
            value = engine._value_or_missing(key)
        except _TROUBLES as error:
            self._trouble(error)
            value = _MISSING
        if not engine.counts:
            engine._misses += value is _MISSING
            engine._hits += value is not _MISSING
        return value

    def _find_again(self, key: str) -> Any:
        """A second look-up of one call, which is counted once."""
        value = self._find(key)
        self.engine._misses -= 1
        return value

    def _keep(self, key: str, value: Any) -> None:
        refuse_generator(value)
        try:
            self.engine.set(key, value)
        except ex.SerializationError:
            raise
        except _TROUBLES as error:
            self._trouble(error)

    def _trouble(self, error: Exception) -> None:
        warn_once(f"{self.name}: engine '{self.engine.name}' failed, results are computed: {error}")
