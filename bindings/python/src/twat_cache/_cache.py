"""``Cache``: a mutable mapping over any engine."""

from __future__ import annotations

import copyreg
import functools
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from twat_cache._config import opening
from twat_cache._config import options as _options
from twat_cache._ffi.abi import TTL_NEVER
from twat_cache._ffi.bytecache import ByteCache
from twat_cache._identity import call_keys
from twat_cache._identity.functions import is_coroutine_function
from twat_cache._memoize.single_flight import Flight
from twat_cache._serialize.trusted_types import Types
from twat_cache._serialize.values import Codec, Foreign
from twat_cache.exceptions import CacheOperationError, CacheValueError, ConfigurationError, TwatCacheError
from twat_cache.paths import absolute, text_of

T = TypeVar("T")
_MISSING: Any = object()
# Look-ups of ``setdefault`` beside others that store and delete.
_ROUNDS = 50
Tag = str | Iterable[str] | None


class Cache(MutableMapping[Any, Any]):
    """A mutable mapping over any engine.

    ``options`` are those of the core (docs/options.md), with ``ttl`` in seconds,
    ``compress`` and ``secure`` as the decorators have them.

    >>> with Cache(engine="memory", max_entries=100) as cache:
    ...     cache["a"] = {"b": (1, 2)}
    ...     cache["a"], cache.get("c", "nothing")
    ({'b': (1, 2)}, 'nothing')
    """

    def __init__(self, engine: str = "auto", path: Any = None, **options: Any) -> None:
        if path is not None:
            path = absolute(path)  # another process, or this one after chdir, opens the same store
        if "tiers" in options:
            options = {**options, "tiers": [_tier(tier) for tier in options["tiers"]]}
        self._settings = (engine, path, dict(options))
        self.engine, core = self._core_options(engine, path, dict(options))
        serializer = options.get("serializer", "auto")
        self._codec = Codec(serializer, _options.text("namespace", core.get("namespace")) or "")
        self._core = core
        self._store = self._open()
        self._find = self._codec.finder(self._store, _MISSING)
        self._flight = Flight()
        if not self._store.local:
            self._codec.types = Types()

    def _core_options(self, engine: str, path: Any, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if engine not in ("auto", "tiered"):
            engine = opening.order(engine)
        options.pop("serializer", None)
        core: dict[str, Any] = {}
        if not _options.truth("secure", options.pop("secure", True)):
            core.update(opening.modes(False))
        compress = options.pop("compress", None)
        if compress is not None and _options.truth("compress", compress):
            core["compression"] = "zstd"
        elif compress is not None and engine in ("disk", "file"):
            core["compression"] = "none"  # said: without it the store's own holds
        if "ttl" in options:
            ttl = _options.seconds("ttl", options.pop("ttl"))
            core["ttl_ms"] = opening.milliseconds(ttl)
        if path is not None:
            core["path"] = path
        elif engine in ("disk", "file"):
            raise ConfigurationError(f"path: engine '{engine}' needs a directory, found none")
        self._tiers = options.pop("tiers", ())
        return engine, {**core, **options}

    def _open(self) -> ByteCache:
        return ByteCache(self.engine, self._core, self._tiers)

    # One entry

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key, or the default. An error for one that cannot be read here."""
        found = self._get(call_keys.direct(key))
        return default if found is _MISSING else found

    def _get(self, key: bytes) -> Any:
        if self._store.engine == "file":
            mapped = self._store.get_mapped(key)
            if mapped is None:
                return _MISSING
            return self._decode(key, lambda: self._codec.decode_mapped(key, mapped))
        return self._decode(key, lambda: self._find(key))

    def _decode(self, key: bytes, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Foreign as error:
            if error.corrupt:
                return _MISSING
            raise CacheOperationError(
                f"the value of key {call_keys.undirect(key)!r} cannot be read: {error}"
            ) from error

    def set(self, key: Any, value: Any, ttl: float | None = None, tag: Tag = None) -> None:
        """Stores a value; ``ttl`` in seconds, None for the cache's own, infinity for ever."""
        self._set(call_keys.direct(key), value, ttl, tag, add=False)

    def add(self, key: Any, value: Any, ttl: float | None = None, tag: Tag = None) -> bool:
        """Stores a value where there is none; whether it did."""
        return self._set(call_keys.direct(key), value, ttl, tag, add=True)

    def _set(self, key: bytes, value: Any, ttl: float | None, tag: Tag, *, add: bool) -> bool:
        data = bytes(self._codec.encode(key, value))
        ttl_ms = _ttl(ttl)
        if ttl_ms is None:
            if not add:
                self._store.delete(key)
            return False
        if tag is not None or add:
            return self._store.set_with(key, data, ttl_ms, tags=_tags(tag), add=add)
        self._store.set(key, data, ttl_ms)
        return True

    def setdefault(self, key: Any, default: Any = None, ttl: float | None = None, tag: Tag = None) -> Any:
        """The value of a key, or the default, stored. Of several callers one stores, and all get its value."""
        name = call_keys.direct(key)
        for _ in range(_ROUNDS):
            found = self._get(name)
            if found is not _MISSING or self._set(name, default, ttl, tag, add=True):
                return default if found is _MISSING else found
            if _ttl(ttl) is None:
                return default
        # It cannot be read, and is in the way of a value that can.
        self._set(name, default, ttl, tag, add=False)
        return default

    def delete(self, key: Any) -> bool:
        """Removes an entry; whether there was one."""
        return self._store.delete(call_keys.direct(key))

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        """Removes an entry and returns its value, or the default, or raises KeyError. One of several callers has it."""
        name = call_keys.direct(key)
        found = self._get(name)
        if found is _MISSING or not self._store.delete(name):
            if default is _MISSING:
                raise KeyError(key)
            return default
        return found

    def popitem(self) -> tuple[Any, Any]:
        """Removes some entry and returns its key and value, or raises KeyError. One of several callers has it."""
        for name in self._store.keys():
            found = self._get(name)
            if found is not _MISSING and self._store.delete(name):
                return call_keys.undirect(name), found
        raise KeyError("the cache is empty")

    def incr(self, key: Any, delta: int = 1, default: int = 0, ttl: float | None = None) -> int:
        """Add to a stored integer, atomically between processes.

        Args:
            key: As for ``set``.
            delta: What to add.
            default: What a missing integer starts at.
            ttl: Seconds that a missing one lives. One that is there keeps its time to live.

        Returns:
            The sum.

        Raises:
            CacheOperationError: The key holds anything but an integer.
            CacheValueError: The sum is beyond 64 bits; what is stored stays.
        """
        for what, number in (("delta", delta), ("default", default)):
            if not isinstance(number, int) or not -(2**63) <= number < 2**63:
                raise CacheOperationError(f"{what}: expected an integer of 64 bits, found: {number!r}")
        name, ttl_ms = call_keys.direct(key), _ttl(ttl)
        if ttl_ms is None:
            # A time to live is that of a new counter, and with 0 there is none. One that is there keeps its own.
            if not self._store.contains(name):
                if not -(2**63) <= default + delta < 2**63:
                    raise CacheValueError(f"incr: expected a sum from {-(2**63)} to {2**63 - 1}, got {default + delta}")
                return default + delta
            ttl_ms = 1  # where it vanishes meanwhile
        return self._store.incr(name, delta, default, ttl_ms)

    def decr(self, key: Any, delta: int = 1, default: int = 0, ttl: float | None = None) -> int:
        """Takes from a counter."""
        if not isinstance(delta, int):
            raise CacheOperationError(f"delta: expected an integer of 64 bits, found: {delta!r}")
        return self.incr(key, -delta, default, ttl)

    def touch(self, key: Any, ttl: float | None = None) -> bool:
        """Gives an entry a new time to live; whether there was one."""
        ttl_ms = _ttl(ttl)
        if ttl_ms is None:
            return self.delete(key)
        return self._store.touch(call_keys.direct(key), ttl_ms)

    # Many entries

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        """The values of those keys that there are."""
        wanted = list(keys)
        names = [call_keys.direct(key) for key in wanted]
        found: dict[Any, Any] = {}
        for key, name, data in zip(wanted, names, self._store.get_many(names)):
            if data is not None:
                value = self._decode(name, lambda name=name, data=data: self._codec.decode(name, data))  # type: ignore[misc]
                if value is not _MISSING:
                    found[key] = value
        return found

    def set_many(self, items: Mapping[Any, Any], ttl: float | None = None, tag: Tag = None) -> None:
        """Stores all or, where the engine has transactions, none."""
        names = [call_keys.direct(key) for key in items]
        ttl_ms = _ttl(ttl)
        if ttl_ms is None:
            self._store.delete_many(names)
            return
        values = [bytes(self._codec.encode(name, value)) for name, value in zip(names, items.values())]
        self._store.set_many(names, values, ttl_ms, _tags(tag))

    def delete_many(self, keys: Iterable[Any]) -> int:
        """Removes entries; how many there were."""
        return self._store.delete_many([call_keys.direct(key) for key in keys])

    def delete_prefix(self, prefix: str | bytes) -> int:
        """Remove every entry whose key begins with a text.

        Args:
            prefix: The beginning of the keys, as text or bytes.

        Returns:
            How many entries there were.

        Raises:
            ConfigurationError: The prefix is empty, or neither text nor bytes; ``clear`` removes all.

        Example:
            >>> cache = Cache("memory")
            >>> cache.update({"user:1": "a", "user:2": "b", "report": "c"})
            >>> cache.delete_prefix("user:"), list(cache)
            (2, ['report'])
        """
        if not isinstance(prefix, (str, bytes)) or not prefix:
            raise ConfigurationError(f"prefix: expected text or bytes that are not empty, got: {prefix!r}")
        return self._store.delete_prefix(call_keys.direct(prefix))

    def invalidate_tag(self, tag: str) -> bool:
        """Make every entry with a tag a miss, in constant time.

        Args:
            tag: A tag that ``set`` was given.

        Returns:
            Whether any entry ever had it.

        Raises:
            ConfigurationError: The tag is not text.

        Example:
            >>> cache = Cache("memory")
            >>> cache.set("a", 1, tag="user:7")
            >>> cache.invalidate_tag("user:7"), cache.get("a")
            (True, None)
        """
        if not isinstance(tag, str):
            raise ConfigurationError(f"tag: expected text, got: {tag!r}")
        return self._store.invalidate_tag(_tag(tag))

    def evict(self, tag: str) -> bool:
        """Make every entry with a tag a miss: ``invalidate_tag`` under diskcache's name."""
        return self.invalidate_tag(tag)

    # Get or compute

    def get_or_set(self, key: Any, compute: Callable[[], T], ttl: float | None = None, tag: Tag = None) -> T:
        """Return the value of a key; compute and store it if there is none.

        Of several threads of this process that ask for one key, one computes, and the others get its value.

        Args:
            key: As for ``set``.
            compute: A callable without arguments. Its exceptions are raised and not stored.
            ttl: As for ``set``.
            tag: As for ``set``.

        Returns:
            The stored or computed value.

        Raises:
            ConfigurationError: ``compute`` is not a callable, or is a coroutine function.

        Example:
            >>> cache = Cache("memory")
            >>> cache.get_or_set("a", lambda: 6 * 7), cache.get_or_set("a", lambda: 0)
            (42, 42)
        """
        _check_compute(compute, "get_or_set", coroutine=False)
        name = call_keys.direct(key)
        found = self._get(name)
        if found is not _MISSING:
            return found  # type: ignore[no-any-return]

        def look_or_compute() -> Any:
            if self._flight.landed_lately(name):
                stored = self._get(name)
                if stored is not _MISSING:
                    return stored
            value = compute()
            self._set(name, value, ttl, tag, add=False)
            return value

        return self._flight.run(name, look_or_compute)  # type: ignore[no-any-return]

    async def aget_or_set(
        self, key: Any, compute: Callable[[], Awaitable[T] | T], ttl: float | None = None, tag: Tag = None
    ) -> T:
        """Return the value of a key; compute and store it if there is none.

        Of several tasks of an event loop that ask for one key, one computes, and the others wait for its value.

        Args:
            key: As for ``set``.
            compute: A callable or coroutine function without arguments. Its exceptions are raised and not stored.
            ttl: As for ``set``.
            tag: As for ``set``.

        Returns:
            The stored or computed value.

        Raises:
            ConfigurationError: ``compute`` is not a callable.

        Example:
            >>> import asyncio
            >>> cache = Cache("memory")
            >>> async def compute():
            ...     return 42
            >>> asyncio.run(cache.aget_or_set("a", compute))
            42
        """
        _check_compute(compute, "aget_or_set", coroutine=True)
        name = call_keys.direct(key)
        found = await self.aget(key, _MISSING)
        if found is not _MISSING:
            return found  # type: ignore[no-any-return]

        async def look_or_compute() -> Any:
            if self._async_flight.landed_lately(name):
                stored = await self.aget(key, _MISSING)
                if stored is not _MISSING:
                    return stored
            value: Any = compute()
            if hasattr(value, "__await__"):
                value = await value
            await self.aset(key, value, ttl, tag)
            return value

        return await self._async_flight.run(name, look_or_compute)  # type: ignore[no-any-return]

    @functools.cached_property
    def _async_flight(self) -> Any:
        from twat_cache._memoize.async_flight import AsyncFlight

        return AsyncFlight()

    def expire(self) -> int:
        """Removes what is expired; how many entries."""
        return self._store.expire()

    def clear(self) -> None:
        """Removes every entry of this namespace."""
        self._store.clear()

    # As a mapping

    def __getitem__(self, key: Any) -> Any:
        found = self._get(call_keys.direct(key))
        if found is _MISSING:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        self.set(key, value)

    def __delitem__(self, key: Any) -> None:
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self._store.contains(call_keys.direct(key))

    def iterkeys(self, prefix: Any = None) -> Iterator[Any]:
        """The keys that begin with a text, in no particular order."""
        for name in self._store.keys(b"" if prefix is None else call_keys.direct(prefix)):
            yield call_keys.undirect(name)

    def __iter__(self) -> Iterator[Any]:
        return self.iterkeys()

    def __len__(self) -> int:
        """Count the entries that a get would hit; expired and evicted ones do not count."""
        return self._store.count()

    def __bool__(self) -> bool:
        return True

    # The rest

    def volume(self) -> int:
        """Bytes accounted to the entries."""
        return self._store.stats()["bytes"]

    def stats(self) -> dict[str, Any]:
        """The figures since it was opened."""
        stats: dict[str, Any] = dict(self._store.stats())
        asked = stats["hits"] + stats["misses"]
        return {**stats, "size": self._store.size(), "hit_ratio": stats["hits"] / asked if asked else 0.0}

    def info(self) -> dict[str, Any]:
        """What the core says in words: the engine chosen and why, and what that has to say."""
        return self._store.info()

    def check(self, *, repair: bool = False) -> dict[str, Any]:
        """Verifies every entry."""
        return self._store.check(repair=repair)

    def export(self, file: Any) -> int:
        """Writes every entry to a file; how many."""
        return self._store.export(text_of(file, "file"))

    def import_(self, file: Any) -> int:
        """Sets every entry of an export; how many."""
        return self._store.import_(text_of(file, "file"))

    def flush(self) -> None:
        """Waits until what was stored is as durable as the medium can make it."""
        self._store.flush()

    def memoize(self, ttl: Any = None, **options: Any) -> Callable[..., Any]:
        """A decorator, with or without parentheses, that keeps results in this cache, under keys of their own."""
        from twat_cache._memoize.in_cache import memoize

        if callable(ttl):
            return memoize(self, None, options)(ttl)  # type: ignore[no-any-return]
        return memoize(self, ttl, options)

    def close(self) -> None:
        """Closes it. Calling it again does nothing; every other call raises then."""
        self._store.close()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """The settings, and what a subclass has added. Another process opens the same store."""
        own = {name: value for name, value in self.__dict__.items() if name not in _OURS}
        for name in copyreg._slotnames(type(self)):  # type: ignore[attr-defined]
            if hasattr(self, name):
                own[name] = getattr(self, name)
        return {"settings": self._settings, "own": own}

    def __setstate__(self, state: Any) -> None:
        # Without the ``__init__`` of a subclass, which may take anything.
        settings, own = (state["settings"], state["own"]) if isinstance(state, dict) else (state, {})
        Cache.__init__(self, settings[0], settings[1], **settings[2])
        for name, value in own.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        facts = [repr(self.engine)]
        facts += [f"{name}={'…' if name in ('url', 'password') else value!r}" for name, value in self._core.items()]
        facts += [f"{name}={value}" for name, value in self._figures().items()]
        return f"Cache({', '.join(facts)})"

    def _repr_html_(self) -> str:
        """Return what notebooks show: a table of the same facts."""
        from html import escape

        facts = {"engine": self.engine, **self._core, **self._figures()}
        shown = {name: "…" if name in ("url", "password") else value for name, value in facts.items()}
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in shown.items()
        )
        return f"<table>{rows}</table>"

    def _figures(self) -> dict[str, Any]:
        """Entries and bytes. A server is not asked for them, so that showing a cache never waits."""
        if self._store.closed:
            return {"closed": True}
        if self._store.networked:
            return {}
        try:
            return {"entries": self._store.count(), "bytes": self.volume()}
        except TwatCacheError:
            return {}

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    # Async twins: in a thread where a call may wait, else at once.

    async def _later(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._store.local:
            return function(*args)
        from twat_cache._memoize.stored import to_thread

        return await to_thread(function, *args)

    async def aget(self, key: Any, default: Any = None) -> Any:
        """As ``get``."""
        if self._store.engine == "disk":
            return self.get(key, default)
        return await self._later(self.get, key, default)

    async def aset(self, key: Any, value: Any, ttl: float | None = None, tag: Tag = None) -> None:
        """As ``set``."""
        await self._later(self.set, key, value, ttl, tag)

    async def adelete(self, key: Any) -> bool:
        """As ``delete``."""
        found: bool = await self._later(self.delete, key)
        return found

    async def aget_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        """As ``get_many``."""
        found: dict[Any, Any] = await self._later(self.get_many, list(keys))
        return found

    async def aset_many(self, items: Mapping[Any, Any], ttl: float | None = None, tag: Tag = None) -> None:
        """As ``set_many``."""
        await self._later(self.set_many, items, ttl, tag)

    async def aclear(self) -> None:
        """As ``clear``."""
        await self._later(self.clear)

    async def aclose(self) -> None:
        """As ``close``."""
        await self._later(self.close)

    async def __aenter__(self) -> Cache:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


_OURS = frozenset(("_async_flight", "_codec", "_core", "_find", "_flight", "_settings", "_store", "_tiers", "engine"))


def _check_compute(compute: Any, method: str, *, coroutine: bool) -> None:
    if not callable(compute):
        raise ConfigurationError(f"compute: expected a callable without arguments, got: {compute!r}")
    if not coroutine and is_coroutine_function(compute):
        raise ConfigurationError(f"compute: {method} takes no coroutine function; use aget_or_set")


def _ttl(ttl: float | None) -> int | None:
    """Milliseconds for the core; None where nothing is to be kept."""
    if ttl is None:
        return 0
    if isinstance(ttl, (int, float)) and math.isinf(ttl) and ttl > 0:
        return TTL_NEVER
    value = _options.seconds("ttl", ttl)
    if value == 0:
        return None
    return opening.milliseconds(value)


def tags_of(tag: Tag) -> list[str]:
    """The tags that an option states. Raises ConfigurationError for what is none."""
    return [one.decode() for one in _tags(tag)]


def _tags(tag: Tag) -> list[bytes]:
    if tag is None:
        return []
    if isinstance(tag, str):
        return [_tag(tag)]
    if not isinstance(tag, Iterable) or isinstance(tag, (bytes, bytearray, memoryview)):
        raise ConfigurationError(f"tag: expected text or a list of texts, got: {tag!r}")
    return [_tag(one) for one in tag]


def _tag(tag: str) -> bytes:
    if not isinstance(tag, str):
        raise ConfigurationError(f"tag: expected text or a list of texts, got one that is: {tag!r}")
    try:
        return tag.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"tag: expected text that is UTF-8, got: {tag!r}") from None


def _tier(tier: Any) -> tuple[str, dict[str, Any]]:
    """A tier as a name, a mapping with ``engine``, or what this made of one."""
    if isinstance(tier, str):
        return tier, {}
    if isinstance(tier, tuple):
        return tier
    if not isinstance(tier, Mapping) or "engine" not in tier:
        raise ConfigurationError(f"tiers: expected names of engines or mappings with 'engine', got: {tier!r}")
    options = dict(tier)
    if options.get("path") is not None:
        options["path"] = absolute(options["path"])
    return options.pop("engine"), options
