"""What ``Cache`` can do beside ``get`` and ``set``, for every engine of a context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AnyMapping
from typing import Any

from twat_cache.exceptions import CacheOperationError

MISSING: Any = object()


class Mapping:
    """Made of ``_value_or_missing``, ``set`` and ``delete``. Engines that can do better do."""

    def __getitem__(self, key: Any) -> Any:
        found = self._value_or_missing(key)  # type: ignore[attr-defined]
        if found is MISSING:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        self.set(key, value)  # type: ignore[attr-defined]

    def __delitem__(self, key: Any) -> None:
        if not self.delete(key):  # type: ignore[attr-defined]
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self._value_or_missing(key) is not MISSING  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return int(self.stats["size"])  # type: ignore[attr-defined]

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        raise CacheOperationError(f"engine '{self.name}' does not list its keys")  # type: ignore[attr-defined]

    def iterkeys(self, prefix: Any = None) -> Iterator[Any]:
        """The keys, or those that begin with a text."""
        return (key for key in self if prefix is None or (isinstance(key, str) and key.startswith(prefix)))

    def keys(self) -> list[Any]:
        """Every key."""
        return list(self)

    def values(self) -> list[Any]:
        """Every value."""
        return [value for _, value in self.items()]

    def items(self) -> list[tuple[Any, Any]]:
        """Every key and value."""
        pairs = [(key, self._value_or_missing(key)) for key in self]  # type: ignore[attr-defined]
        return [(key, value) for key, value in pairs if value is not MISSING]

    def add(self, key: Any, value: Any, ttl: float | None = None, **options: Any) -> bool:
        """Stores a value where there is none; whether it did."""
        if key in self:
            return False
        self.set(key, value, ttl, **options)  # type: ignore[attr-defined]
        return True

    def setdefault(self, key: Any, default: Any = None, ttl: float | None = None) -> Any:
        """The value of a key, or the default, stored."""
        while True:
            try:
                return self[key]
            except KeyError:
                if self.add(key, default, ttl) or ttl == 0:
                    return default

    def pop(self, key: Any, default: Any = MISSING) -> Any:
        """Removes an entry and returns its value, or the default, or raises KeyError."""
        try:
            found = self[key]
        except KeyError:
            found = MISSING
        if found is MISSING or not self.delete(key):  # type: ignore[attr-defined]
            if default is MISSING:
                raise KeyError(key)
            return default
        return found

    def popitem(self) -> tuple[Any, Any]:
        """Removes some entry and returns its key and value, or raises KeyError."""
        for key in list(self):
            found = self.pop(key, MISSING)
            if found is not MISSING:
                return key, found
        raise KeyError("the cache is empty")

    def incr(self, key: Any, delta: int = 1, default: int = 0, ttl: float | None = None) -> int:
        """Adds to a number; ``default`` and ``ttl`` are for a missing one."""
        value: int = (self[key] if key in self else default) + delta
        self.set(key, value, ttl)  # type: ignore[attr-defined]
        return value

    def decr(self, key: Any, delta: int = 1, default: int = 0, ttl: float | None = None) -> int:
        """Takes from a number."""
        return self.incr(key, -delta, default, ttl)

    def touch(self, key: Any, ttl: float | None = None) -> bool:
        """Gives an entry a new time to live; whether there was one."""
        try:
            value = self[key]
        except KeyError:
            return False
        self.set(key, value, ttl)  # type: ignore[attr-defined]
        return True

    def update(self, *others: Any, **items: Any) -> None:
        """Stores every item of mappings."""
        self.set_many(dict(*others, **items))

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        """The values of those keys that there are."""
        pairs = [(key, self._value_or_missing(key)) for key in keys]  # type: ignore[attr-defined]
        return {key: value for key, value in pairs if value is not MISSING}

    def set_many(self, items: AnyMapping[Any, Any], ttl: float | None = None, **options: Any) -> None:
        """Stores every item."""
        for key, value in items.items():
            self.set(key, value, ttl, **options)  # type: ignore[attr-defined]

    def delete_many(self, keys: Iterable[Any]) -> int:
        """Removes entries; how many there were."""
        return sum(bool(self.delete(key)) for key in keys)  # type: ignore[attr-defined]

    def close(self) -> None:
        """As ``cleanup``."""
        self.cleanup()  # type: ignore[attr-defined]

    # Coroutines

    async def _off_loop(self, name: str, *args: Any, **kwargs: Any) -> Any:
        call = getattr(self, name)
        if not self.waits:  # type: ignore[attr-defined]
            return call(*args, **kwargs)
        from twat_cache._memoize.stored import to_thread

        return await to_thread(lambda: call(*args, **kwargs))

    async def aget(self, key: Any, default: Any = None) -> Any:
        """As ``get``."""
        found = await self._off_loop("_value_or_missing", key)
        return default if found is MISSING else found

    async def aset(self, key: Any, value: Any, ttl: float | None = None, **options: Any) -> None:
        """As ``set``."""
        await self._off_loop("set", key, value, ttl, **options)

    async def adelete(self, key: Any) -> bool:
        """As ``delete``."""
        found: bool = await self._off_loop("delete", key)
        return found

    async def aget_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        """As ``get_many``."""
        found: dict[Any, Any] = await self._off_loop("get_many", list(keys))
        return found

    async def aset_many(self, items: AnyMapping[Any, Any], ttl: float | None = None, **options: Any) -> None:
        """As ``set_many``."""
        await self._off_loop("set_many", items, ttl, **options)

    async def aclear(self) -> None:
        """As ``clear``."""
        await self._off_loop("clear")

    async def aclose(self) -> None:
        """As ``close``."""
        await self._off_loop("close")
