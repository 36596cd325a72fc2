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
    form = _form_of_open_store(path, engines[0], settings, "compress" in settings.given and not wanted.implied)
    old: list[Any] = []
    while True:
        try:
            store = _open_first(engines, settings, path, space, limits, form, name)
            break
        except ConfigurationError as error:
            if not said and limits["policy"] != "lru" and "policy" in str(error):
                # Every function hears the environment, whatever engine it has.
                warn_once(f"the policy of the environment or the file is left out for lru: {error}")
                limits["policy"] = "lru"
                continue
            old = [] if old else _written_anew(func, path, name)
            if not old:
                raise _in_decorators_words(error, wanted) from None
            for memo in old:
                memo.store.close()
    for memo in old:
        memo.replaced = True
        if memo.name == name:  # whoever still holds the function keeps what it had
            memo.store = store
    if store.engine in ("disk", "file"):
        others = _opened[path].stores if _is_open(path) else ()
        _opened[path] = _Open([*(ref for ref in others if ref() is not None), weakref.ref(store)], limits, form)
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
    engines: list[str], settings: CacheConfig, path: str, space: str, limits: dict[str, Any], form: dict[str, Any],
    name: str,
) -> ByteCache:  # fmt: skip
    packing = config.packing(settings)
    on_disk = {"path": path, "namespace": space, **config.modes(settings), **limits, **form}
    options = {
        "disk": on_disk,
        "file": on_disk,
        "memory": limits,
        "redis": {"namespace": space, "ttl_ms": limits["ttl_ms"], **packing, **config.redis_options(settings)},
    }
    return open_first(engines, options, why=name)


# What the core says of a store that is open already.
_OTHER = "is open in this process with other options"


class _Open:
    """The handles of one open store, its bounds, and how it stores values."""

    __slots__ = ("form", "limits", "stores")

    def __init__(self, stores: list[weakref.ref[ByteCache]], limits: dict[str, Any], form: dict[str, Any]) -> None:
        self.stores, self.limits, self.form = stores, limits, form


_opened: dict[str, _Open] = {}


def _is_open(path: str) -> bool:
    known = _opened.get(path)
    return known is not None and any(
        store is not None and not store.closed for store in [ref() for ref in known.stores]
    )


def _in_decorators_words(error: ConfigurationError, wanted: Wanted) -> ConfigurationError:
    """Return an error of the core with the names that decorators have for options."""
    text = str(error)
    if _OTHER not in text:
        return error
    if wanted.maxsize is not None:
        text = text.replace("max_bytes:" if wanted.maxsize_is_bytes else "max_entries:", "maxsize:")
    return ConfigurationError(
        f"{text.replace('compression:', 'compress:')}; the first decorator of a folder sets the options of its store: "
        "state them there, or give this one another folder_name="
    )


def _form_of_open_store(path: str, engine: str, settings: CacheConfig, said: bool) -> dict[str, Any]:
    """Return how values are stored: as the open store does it, but for compression that the caller states."""
    packing = config.packing(settings)
    if not _is_open(path):
        return {**packing, "inline_max_bytes": 0 if engine == "file" else 32 << 10}
    form = _opened[path].form
    return {**packing, "inline_max_bytes": form["inline_max_bytes"]} if said else form


def _bounds_of_open_store(path: str, limits: dict[str, Any], said: bool) -> dict[str, Any]:
    """Bounds belong to the store: who does not state any takes those it is open with."""
    if not _is_open(path):
        return dict(limits)
    known = _opened[path].limits
    inherited = {name: value for name, value in known.items() if name in ("max_entries", "max_bytes")}
    if limits["policy"] == "lru" or not said:
        limits = {**limits, "policy": known["policy"]}
    return {**inherited, **limits}
