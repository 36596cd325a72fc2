"""A cache of bytes: one method for each call of the core, nothing more."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twat_cache._ffi import abi
from twat_cache._ffi.config import Config
from twat_cache._ffi.handle import Handle
from twat_cache._ffi.lib import freed, held
from twat_cache._ffi.status import check, too_deep
from twat_cache._ffi.values import Mapped, slices, take

_BUFFER = 64 * 1024
_OK, _MISS = abi.OK, abi.MISS
LARGE: Any = object()


class _Buffer:
    """Room for one small value, and the addresses of that room."""

    __slots__ = ("address", "length", "length_address", "room", "view")

    def __init__(self) -> None:
        self.room = ctypes.create_string_buffer(_BUFFER)
        self.view = memoryview(self.room).cast("B")
        self.address = ctypes.addressof(self.room)
        self.length = ctypes.c_size_t()
        self.length_address = ctypes.addressof(self.length)


# Taken out for a call and put back after: safe for threads, signal handlers
# and destructors that call us while a call of ours is under way.
_buffers: list[_Buffer] = []


class ByteCache(Handle):
    """An open cache. ``local``: no call of it waits for a disk or a server. ``networked``: a server has it."""

    __slots__ = ("engine", "local", "networked", "quick", "reads_quickly")

    def __init__(
        self,
        engine: str,
        options: Mapping[str, Any] | None = None,
        tiers: Sequence[tuple[str, Mapping[str, Any]]] = (),
    ) -> None:
        self.engine = engine
        out = ctypes.c_void_p()
        path = (options or {}).get("path")
        with Config(engine, options) as config:
            for name, tier_options in tiers:
                with Config(name, tier_options) as tier:
                    config.add_tiers([tier])
            # Opening may read a disk, so it gives the interpreter lock up.
            check(freed.twat_cache_open(config.pointer, ctypes.byref(out)), opening=True, path=path)
        super().__init__(out.value or 0)
        if engine == "auto":
            engine = "redis" if (options or {}).get("url") else "disk" if path else "memory"
        kinds = {name for name, _ in tiers} or {engine}
        self.local = kinds <= {"memory", "null"}
        self.networked = "redis" in kinds
        # Small look-ups on disk read a mapped page: quick enough to keep the lock.
        self.reads_quickly = kinds <= {"memory", "null", "disk"}
        self.quick = held if self.reads_quickly else freed

    def _free(self, pointer: int) -> None:
        freed.twat_cache_close(pointer)

    # Reading

    def get(self, key: bytes) -> bytes | None:
        """A copy of the value, or None."""
        data = self.get_small(key)
        if data is not LARGE:
            return data  # type: ignore[no-any-return]
        value = self.get_mapped(key)
        if value is None:
            return None
        try:
            return value.tobytes()
        finally:
            value.close()

    def get_small(self, key: bytes) -> Any:
        """A copy of the value, or None, or LARGE for one of more than 64 KiB."""
        busy = self._busy
        try:
            buffer = _buffers.pop() if _buffers else _Buffer()
        except IndexError:
            buffer = _Buffer()
        try:
            busy.add(buffer)
            pointer = self._pointer
            if pointer is None:
                raise_closed()
            status = self.quick.twat_cache_get_into(
                pointer, key, len(key), buffer.address, _BUFFER, buffer.length_address
            )
            if status == _OK:
                return buffer.view[: buffer.length.value].tobytes()
            if status == _MISS:
                return None
            check(status)
            return LARGE
        except ctypes.ArgumentError as error:
            raise too_deep(error) from None
        finally:
            busy.discard(buffer)
            _buffers.append(buffer)

    def get_mapped(self, key: bytes) -> Mapped | None:
        """The value where it lies; it stays there while the result lives."""
        raw = abi.Bytes()
        library = held if self.local else freed
        if self._call(library.twat_cache_get, key, len(key), ctypes.byref(raw)) == _MISS:
            return None
        return Mapped(raw)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """A copy of each value, or None."""
        table, keep = slices(keys)
        values = (abi.Bytes * max(len(keys), 1))()
        self._call(self._library().twat_cache_get_many, table, len(keys), values)
        del keep
        found: list[bytes | None] = []
        for value in values[: len(keys)]:
            found.append(None if value.data is None else take(value))
        return found

    def contains(self, key: bytes) -> bool:
        """Whether a get would hit."""
        return self._call(self.quick.twat_cache_contains, key, len(key)) == _OK

    # Writing

    def set(self, key: bytes, value: bytes, ttl_ms: int = 0) -> None:
        """Stores a value."""
        self._call(self._library().twat_cache_set, key, len(key), value, len(value), ttl_ms)

    def add(self, key: bytes, value: bytes, ttl_ms: int = 0) -> bool:
        """Stores a value where there is none; whether it did."""
        status = self._call(self._library().twat_cache_add, key, len(key), value, len(value), ttl_ms)
        return status == _OK

    def set_with(
        self, key: bytes, value: bytes, ttl_ms: int = 0, *, tags: Sequence[bytes] = (), add: bool = False
    ) -> bool:
        """Stores a value with tags; whether it did."""
        options, keep = _set_options(ttl_ms, tags, add)
        status = self._call(
            self._library().twat_cache_set_with, key, len(key), value, len(value), ctypes.byref(options)
        )
        del keep
        return status == _OK

    def set_many(
        self, keys: Sequence[bytes], values: Sequence[bytes], ttl_ms: int = 0, tags: Sequence[bytes] = ()
    ) -> None:
        """Stores many values, in one transaction where there are any."""
        if len(keys) != len(values):
            raise ValueError(f"expected as many values as keys, found: {len(values)} and {len(keys)}")
        options, keep = _set_options(ttl_ms, tags, False)
        key_table, keep_keys = slices(keys)
        value_table, keep_values = slices(values)
        self._call(self._library().twat_cache_set_many, key_table, value_table, len(keys), ctypes.byref(options))
        del keep, keep_keys, keep_values

    def set_file(self, key: bytes, path: str, ttl_ms: int = 0) -> None:
        """Stores the content of a file."""
        options, _ = _set_options(ttl_ms, (), False)
        name = _path(path)
        self._call(freed.twat_cache_set_file, key, len(key), name, ctypes.byref(options))

    def incr(self, key: bytes, delta: int = 1, initial: int = 0, ttl_ms: int = 0) -> int:
        """Adds to a counter and returns it."""
        out = ctypes.c_int64()
        self._call(self._library().twat_cache_incr, key, len(key), delta, initial, ttl_ms, ctypes.byref(out))
        return out.value

    def touch(self, key: bytes, ttl_ms: int) -> bool:
        """Gives an entry a new time to live; whether there was one."""
        return self._call(self._library().twat_cache_touch, key, len(key), ttl_ms) == _OK

    # Removing

    def delete(self, key: bytes) -> bool:
        """Removes an entry; whether there was one."""
        return self._call(self._library().twat_cache_delete, key, len(key)) == _OK

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Removes entries; how many there were."""
        table, keep = slices(keys)
        out = ctypes.c_uint64()
        self._call(self._library().twat_cache_delete_many, table, len(keys), ctypes.byref(out))
        del keep
        return out.value

    def delete_prefix(self, prefix: bytes) -> int:
        """Removes every key that begins so; how many there were."""
        out = ctypes.c_uint64()
        self._call(self._library().twat_cache_delete_prefix, prefix, len(prefix), ctypes.byref(out))
        return out.value

    def invalidate_tag(self, tag: bytes) -> bool:
        """Makes every entry with a tag a miss; whether any ever had it."""
        return self._call(self._library().twat_cache_invalidate_tag, tag, len(tag)) == _OK

    def expire(self) -> int:
        """Removes what is expired; how many."""
        out = ctypes.c_uint64()
        self._call(self._library().twat_cache_expire, ctypes.byref(out))
        return out.value

    def clear(self) -> None:
        """Removes every entry of this namespace."""
        self._call(self._library().twat_cache_clear)

    # The rest

    def flush(self) -> None:
        """Waits until what was stored is durable."""
        self._call(self._library().twat_cache_flush)

    def count(self) -> int:
        """Counts what a get would hit."""
        out = ctypes.c_uint64()
        self._call(self._library().twat_cache_len, ctypes.byref(out))
        return out.value

    def size(self) -> int:
        """As ``count``; where that fails (a server is down) what the figures say."""
        from twat_cache.exceptions import TwatCacheError

        try:
            return self.count()
        except TwatCacheError:
            return self.stats()["entries"]

    def stats(self) -> dict[str, int]:
        """The core's figures."""
        stats = abi.Stats(struct_size=ctypes.sizeof(abi.Stats))
        self._call(self._library().twat_cache_stats, ctypes.byref(stats))
        return {name: getattr(stats, name) for name in abi.STATS_FIELDS}

    def info(self) -> dict[str, Any]:
        """What the core has to say in words."""
        return self._json(self._library().twat_cache_info)

    def check(self, *, repair: bool = False) -> dict[str, Any]:
        """Verifies every entry."""
        return self._json(freed.twat_cache_check, int(repair))

    def export(self, path: str) -> int:
        """Writes every entry to a file; how many."""
        out = ctypes.c_uint64()
        self._call(freed.twat_cache_export, _path(path), ctypes.byref(out))
        return out.value

    def import_(self, path: str) -> int:
        """Sets every entry of an export; how many."""
        out = ctypes.c_uint64()
        self._call(freed.twat_cache_import, _path(path), ctypes.byref(out))
        return out.value

    def keys(self, prefix: bytes = b"") -> Iterator[bytes]:
        """Walks over the keys that begin so."""
        out = ctypes.c_void_p()
        library = self._library()
        self._call(library.twat_cache_scan, prefix, len(prefix), ctypes.byref(out))
        with _Scan(out.value or 0) as scan:
            while True:
                raw = abi.Bytes()
                if check(library.twat_scan_next(scan.pointer, ctypes.byref(raw))) == _MISS:
                    return
                yield take(raw)

    def _library(self) -> Any:
        return held if self.local else freed

    def _call(self, function: Any, *arguments: Any) -> int:
        busy, me = self._busy, object()
        try:
            busy.add(me)
            status: int = function(self.pointer, *arguments)
        except ctypes.ArgumentError as error:
            raise too_deep(error) from None
        finally:
            busy.discard(me)
        return check(status) if status < 0 else status

    def _json(self, function: Any, *arguments: Any) -> dict[str, Any]:
        import json

        raw = abi.Bytes()
        self._call(function, *arguments, ctypes.byref(raw))
        answer: dict[str, Any] = json.loads(take(raw))
        return answer


class _Scan(Handle):
    __slots__ = ()

    def _free(self, pointer: int) -> None:
        held.twat_scan_free(pointer)


def raise_closed() -> None:
    """Raises what every call on a closed cache raises."""
    from twat_cache.exceptions import CacheOperationError

    raise CacheOperationError("already closed")


def _set_options(ttl_ms: int, tags: Sequence[bytes], add: bool) -> tuple[abi.SetOptions, object]:
    options = abi.SetOptions(struct_size=ctypes.sizeof(abi.SetOptions), ttl_ms=ttl_ms)
    options.flags = abi.SET_ADD if add else 0
    keep: object = None
    if tags:
        table, keep = slices(tags)
        options.tags, options.n_tags = table, len(tags)
        keep = (table, keep)
    return options, keep


def _path(path: str) -> bytes:
    import os

    data = os.fsencode(path)
    if b"\0" in data:
        raise ValueError(f"path: expected text without NUL, found: {path!r}")
    return data
