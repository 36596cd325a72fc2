"""Opens the store of a memoized function: inherited bounds, fallbacks, and functions that are written anew."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Sequence
from typing import Any

from twat_cache import config
from twat_cache._config.opening import open_first, order, warn_once
from twat_cache._ffi.bytecache import ByteCache
from twat_cache._identity.base_names import leads_to
from twat_cache._identity.functions import unwrapped
from twat_cache._memoize.wrapper import memo_of
from twat_cache.config import CacheConfig
from twat_cache.exceptions import ConfigurationError


class Wanted:
    """What a decorator asks a store for. None leaves it to the configuration."""

    __slots__ = (
        "compress", "engines", "folder_name", "implied", "maxsize", "maxsize_is_bytes", "mmap", "options", "policy",
        "ttl",
    )  # fmt: skip

    def __init__(
        self,
        engines: Sequence[str],
        folder_name: Any = None,
        maxsize: Any = None,
        maxsize_is_bytes: bool = False,
        ttl: Any = None,
        policy: str | None = None,
        compress: bool | None = None,
        mmap: bool | None = None,
        *,
        options: dict[str, Any],
        implied: bool = False,
    ) -> None:
        """``implied``: the configuration is the decorator's own, so nobody stated what it says."""
        self.engines, self.folder_name = engines, folder_name
        self.maxsize, self.maxsize_is_bytes = maxsize, maxsize_is_bytes
        self.ttl, self.policy, self.compress, self.mmap = ttl, policy, compress, mmap
        self.options, self.implied = options, implied


def open_store(
    func: Any, wanted: Wanted, settings: CacheConfig, path: str, space: str, limits: dict[str, Any], name: str
) -> tuple[ByteCache, str | None]:
    """The store, and the policy that was said; None where it is the store's own."""
    engines = [order(engine) for engine in wanted.engines]
    said = wanted.policy is not None or "policy" in settings.given
    compress = "compress" in settings.given and not wanted.implied
    limits = dict(limits)
    if limits["policy"] == "lru" and (not said or _is_open(path)):
        del limits["policy"]  # the store's own, which is lru where nobody said anything
    packing = {} if _is_open(path) and not compress else config.packing(settings)
    old: list[Any] = []
    while True:
        try:
            store = _open_first(engines, settings, path, space, limits, packing, name)
            break
        except ConfigurationError as error:
            if not said and "policy" in limits and "policy" in str(error):
                # Every function hears the environment, whatever engine it has.
                warn_once(f"the policy of the environment or the file is left out for lru: {error}")
                del limits["policy"]
                continue
            old = [] if old else _written_anew(func, path, name)
            if not old:
                raise _in_decorators_words(error, wanted) from None
            for memo in old:
                memo.store.close()
    for memo in old:
        memo.replaced = True
        if memo.name == name:  # whoever still holds the function keeps what it had
            memo.use(store)
    if store.engine not in ("disk", "file"):
        return store, limits.get("policy", "lru")
    others = _opened[path] if _is_open(path) else ()
    _opened[path] = [*(ref for ref in others if ref() is not None), weakref.ref(store)]
    return store, limits.get("policy")


def _written_anew(func: Any, path: str, name: str) -> list[Any]:
    """The memoized functions in a folder, if all are earlier forms of this one.

    A cell of a notebook that runs again, or a module that is loaded again, means what it says now.
    """
    from twat_cache._memoize.registry import live_wrappers

    found = []
    for wrapper in live_wrappers():
        memo: Any = memo_of(wrapper)
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
    memo: Any = memo_of(wrapper)
    if memo.replaced:
        return True
    if module == "__main__" and "#" in name and memo.name == name:
        return True  # typed in, without a file: a lambda has no name to be found by
    found: Any = sys.modules.get(module or "")
    for step in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(step)
        found = getattr(found, "__func__", found)
    return leads_to(found, wrapper)


def _open_first(
    engines: list[str], settings: CacheConfig, path: str, space: str, limits: dict[str, Any], packing: dict[str, Any],
    name: str,
) -> ByteCache:  # fmt: skip
    on_disk = {"path": path, "namespace": space, **config.modes(settings), **limits, **packing}
    options = {
        "disk": on_disk,
        "file": on_disk,
        "memory": limits,
        "redis": {
            "namespace": space,
            "ttl_ms": limits["ttl_ms"],
            **config.packing(settings),
            **config.redis_options(settings),
        },
    }
    return open_first(engines, options, why=name)


# What the core says of a store that is open already.
_OTHER = "is open in this process with other options"

# The handles of each open store.
_opened: dict[str, list[weakref.ref[ByteCache]]] = {}


def _is_open(path: str) -> bool:
    """Whether a store that a decorator opened is still open."""
    handles = [ref() for ref in _opened.get(path, ())]
    return any(store is not None and not store.closed for store in handles)


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
