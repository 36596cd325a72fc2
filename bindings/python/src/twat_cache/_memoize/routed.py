"""Memoized functions that keep small results as objects and large ones in a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache._config.options import refuse_generator
from twat_cache._memoize.live_table import ObjectStore
from twat_cache._memoize.stored import MISSING, ByteMemo, unwrap
from twat_cache._memoize.wrapper import CacheInfo
from twat_cache._serialize.errors import KeptError, NotKept, time_to_keep
from twat_cache.config import CacheConfig
from twat_cache.exceptions import SerializationError


class RoutedMemo(ByteMemo):
    """``in_memory`` is asked about each result; both places are built once, and looked into in that order."""

    def __init__(self, *args: Any, small: CacheConfig, in_memory: Callable[[Any], bool], **kwargs: Any) -> None:
        self.objects = ObjectStore(
            maxsize=small.get_maxsize(), max_bytes=small.max_bytes, policy=small.policy, ttl=small.ttl
        )
        self._in_memory = in_memory
        super().__init__(*args, **kwargs)

    def look_up(self, key: bytes) -> Any:
        value = self._object(key)
        return super().look_up(key) if value is MISSING else value

    async def _async_look_up(self, key: bytes) -> Any:
        value = self._object(key)
        return await super()._async_look_up(key) if value is MISSING else unwrap(value)

    def _object(self, key: bytes) -> Any:
        entry = self.objects.find(key)
        if entry is None:
            return MISSING
        self.hits += 1
        if self.common.callback is not None and entry[0].__class__ is not KeptError:
            self.common.callback("hit", key, entry[0])
        return entry[0]

    def keep(self, key: bytes, value: Any) -> None:
        refuse_generator(value)
        if not self._in_memory(value):
            super().keep(key, value)
            return
        if self.common.cache_if is None or self.common.cache_if(value):
            self.objects.keep(key, value)
        if self.common.callback is not None:
            self.common.callback("miss", key, value)

    def _encoded(self, key: bytes, value: Any) -> bytes | bytearray | None:
        """Nobody asked for bytes of this result, so one that has none stays an object."""
        try:
            return super()._encoded(key, value)
        except SerializationError:
            self.objects.keep(key, value)
            return None

    def _keep_error(self, key: bytes, error: BaseException) -> None:
        kept, ttl = time_to_keep(error, self.common.exceptions)
        if not kept:
            return
        try:
            self.objects.keep(key, KeptError(error), ttl)
        except NotKept:
            return

    def info(self) -> CacheInfo:
        stored = super().info()
        return stored._replace(currsize=stored.currsize + len(self.objects))

    def clear(self) -> None:
        self.objects.clear()
        super().clear()

    def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        key = self.key(*args, **kwargs)
        gone = self.objects.remove(key)
        return (not self.store.closed and self.store.delete(key)) or gone
