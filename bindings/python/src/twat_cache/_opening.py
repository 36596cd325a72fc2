"""Opens the store of a memoized function: inherited bounds, fallbacks, and functions that are written anew."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from twat_cache import config
from twat_cache._functions import unwrapped
from twat_cache._names import leads_to
from twat_cache._native._bytecache import ByteCache
from twat_cache._open import open_first, order, warn_once
from twat_cache.config import CacheConfig
from twat_cache.exceptions import ConfigurationError

if TYPE_CHECKING:
    from twat_cache._persistent import Wanted


def open_store(
    func: Any, wanted: Wanted, settings: CacheConfig, path: str, space: str, limits: dict[str, Any], name: str
) -> tuple[ByteCache, str]:
    """The store, and the policy it has."""
    engines = [order(engine) for engine in wanted.engines]
    said = wanted.policy is not None or "policy" in settings.given
    limits = _bounds_of_open_store(path, limits, said)
    old: list[Any] = []
    while True:
        try:
            store = _open_first(engines, settings, path, space, limits, name)
            break
        except ConfigurationError as error:
            if not said and limits["policy"] != "lru" and "policy" in str(error):
                # Every function hears the environment, whatever engine it has.
                warn_once(f"the policy of the environment or the file is left out for lru: {error}")
                limits["policy"] = "lru"
                continue
            old = [] if old else _written_anew(func, path, name)
            if not old:
                raise
            for memo in old:
                memo.store.close()
    for memo in old:
        memo.replaced = True
        if memo.name == name:  # whoever still holds the function keeps what it had
            memo.store = store
    if store.engine in ("disk", "file"):
        _opened[path] = (weakref.ref(store), limits)
    return store, limits["policy"]


def _written_anew(func: Any, path: str, name: str) -> list[Any]:
    """The memoized functions in a folder, if all are earlier forms of this one.

    A cell of a notebook that runs again, or a module that is loaded again, means what it says now.
    """
    from twat_cache._registry import live_wrappers

    found = []
    for wrapper in live_wrappers():
        memo = wrapper.cache
        if memo.parameters.get("folder") != path or memo.store.closed:
            continue
        if not _is_earlier(wrapper, func, name):
            return []
        found.append(memo)
    return found


def _is_earlier(wrapper: Any, func: Any, name: str) -> bool:
    """Whether a function takes the place of one that was memoized before."""
    new, old = unwrapped(getattr(func, "__func__", func)), unwrapped(wrapper)
    if new is old:
        return False
    module, qualname = getattr(new, "__module__", None), getattr(new, "__qualname__", "")
    if module != old.__module__ or qualname != old.__qualname__:
        return False
    if wrapper.cache.replaced:
        return True
    if module == "__main__" and "#" in name and wrapper.cache.name == name:
        return True  # typed in, without a file: a lambda has no name to be found by
    found: Any = sys.modules.get(module or "")
    for step in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(step)
        found = getattr(found, "__func__", found)
    return leads_to(found, wrapper)


def _open_first(
    engines: list[str], settings: CacheConfig, path: str, space: str, limits: dict[str, Any], name: str
) -> ByteCache:
    packing = config.packing(settings)
    on_disk = {"path": path, "namespace": space, **config.modes(settings), **limits, **packing}
    options = {
        "disk": on_disk,
        "file": on_disk,
        "memory": limits,
        "redis": {"namespace": space, "ttl_ms": limits["ttl_ms"], **packing, **config.redis_options(settings)},
    }
    return open_first(engines, options, why=name)


_opened: dict[str, tuple[weakref.ref[ByteCache], dict[str, Any]]] = {}


def _bounds_of_open_store(path: str, limits: dict[str, Any], said: bool) -> dict[str, Any]:
    """Bounds belong to the store: who does not state any takes those it is open with."""
    known = _opened.get(path)
    store = known[0]() if known else None
    if known is None or store is None or store.closed:
        return dict(limits)
    inherited = {name: value for name, value in known[1].items() if name in ("max_entries", "max_bytes")}
    if limits["policy"] == "lru" or not said:
        limits = {**limits, "policy": known[1]["policy"]}
    return {**inherited, **limits}
