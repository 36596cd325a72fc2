"""The registry of this program's caches. Other programs' directories are never touched by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from twat_cache import _registry
from twat_cache.exceptions import TwatCacheError

__all__ = ["CacheEntry", "CacheStats", "clear_cache", "get_stats", "register_cache", "update_stats"]


@dataclass
class CacheStats:
    """Figures of one cache."""

    hits: int = 0
    misses: int = 0
    size: int = 0
    maxsize: int | None = None


class CacheEntry(NamedTuple):
    """A cache that was registered by hand."""

    cache: Any
    wrapper: Any
    stats: CacheStats


_entries: dict[str, CacheEntry] = {}


def register_cache(name: str, cache: Any, wrapper: Any = None, stats: CacheStats | None = None) -> CacheEntry:
    """Makes a cache of one's own known, so that ``clear_cache`` and ``get_stats`` reach it."""
    entry = CacheEntry(cache, wrapper, stats or CacheStats())
    _entries[name] = entry
    return entry


def update_stats(name: str, *, hit: bool = False, miss: bool = False, size: int | None = None) -> None:
    """Counts for a registered cache; an unknown name is left alone."""
    entry = _entries.get(name)
    if entry is None:
        return
    entry.stats.hits += hit
    entry.stats.misses += miss
    if size is not None:
        entry.stats.size = size


def clear_cache(name: str | None = None) -> None:
    """Clears every cache of this program, or those of a function's or folder's name.

    One that cannot be cleared (a server that is down) does not keep the others from it; its error is raised after.
    """
    failed: list[TwatCacheError] = []
    for memo in _registry.live(name):
        try:
            memo.clear()
        except TwatCacheError as error:
            failed.append(error)
    for key, entry in list(_entries.items()):
        if name in (None, key):
            if hasattr(entry.cache, "clear"):
                entry.cache.clear()
            entry.stats.hits = entry.stats.misses = entry.stats.size = 0
    if failed:
        raise failed[0]


def get_stats(name: str | None = None) -> dict[str, Any]:
    """Figures summed over every cache of this program, or over those of a name.

    >>> get_stats("no such function")["hits"]
    0
    """
    figures = [memo.stats for memo in _registry.live(name)]
    figures += [vars(entry.stats) for key, entry in _entries.items() if name in (None, key)]
    total: dict[str, Any] = {field: sum(one[field] for one in figures) for field in ("hits", "misses", "size")}
    bounds = [one["maxsize"] for one in figures]
    total["maxsize"] = sum(bounds) if bounds and None not in bounds else (None if bounds else 0)
    asked = total["hits"] + total["misses"]
    return {"total_caches": len(figures), **total, "hit_ratio": total["hits"] / asked if asked else 0.0}
