"""The registry of this program's caches. Other programs' directories are never touched by it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from twat_cache._memoize import registry
from twat_cache.exceptions import TwatCacheError

__all__ = ["CacheEntry", "CacheStats", "clear_cache", "get_stats", "register_cache", "update_stats"]


class CacheStats(NamedTuple):
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
_active_caches = _entries  # the name of twat-cache 2.x


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
    old = entry.stats
    stats = old._replace(hits=old.hits + hit, misses=old.misses + miss, size=old.size if size is None else size)
    _entries[name] = entry._replace(stats=stats)


def clear_cache(name: str | None = None, *, folder_name: Any = None, cache_dir: Any = None) -> None:
    """Clears every cache of this program, or those of a function's or folder's name.

    With ``folder_name`` or ``cache_dir`` the stores there are cleared, whoever made them.
    One that cannot be cleared (a server that is down) does not keep the others from it; its error is raised after.
    """
    if folder_name is not None or cache_dir is not None:
        _clear_stores(folder_name, cache_dir)
        return
    failed: list[TwatCacheError] = []
    for memo in registry.live(name):
        try:
            memo.clear()
        except TwatCacheError as error:
            failed.append(error)
    for key, entry in list(_entries.items()):
        if name in (None, key):
            if hasattr(entry.cache, "clear"):
                entry.cache.clear()
            _entries[key] = entry._replace(stats=CacheStats(maxsize=entry.stats.maxsize))
    if failed:
        raise failed[0]


def _clear_stores(folder_name: Any, cache_dir: Any) -> None:
    from twat_cache import paths

    root = str(paths.get_cache_path(folder_name, create=False, cache_dir=cache_dir))
    is_open = False
    for memo in registry.live():
        folder = memo.parameters.get("folder")
        if folder and (folder == root or (folder_name is None and os.path.dirname(folder) == root)):
            memo.clear()
            is_open = True
    # The files of a store that is open here are not taken away under it.
    if not is_open:
        paths.clear_cache(folder_name, cache_dir)


def get_stats(name: str | None = None) -> dict[str, Any]:
    """Figures summed over every cache of this program, or over those of a name.

    >>> get_stats("no such function")["hits"]
    0
    """
    figures = [memo.stats for memo in registry.live(name)]
    figures += [entry.stats._asdict() for key, entry in _entries.items() if name in (None, key)]
    total: dict[str, Any] = {field: sum(one[field] for one in figures) for field in ("hits", "misses", "size")}
    bounds = [one["maxsize"] for one in figures]
    total["maxsize"] = sum(bounds) if bounds and None not in bounds else (None if bounds else 0)
    asked = total["hits"] + total["misses"]
    return {
        "total_caches": len(figures),
        **total,
        "hit_ratio": total["hits"] / asked if asked else 0.0,
    }
