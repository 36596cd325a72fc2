"""Functions memoized in a ``Cache``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache._config import options as _options
from twat_cache._config.options import seconds, truth
from twat_cache._identity.function_names import stored_name
from twat_cache._memoize.pickling import Recipe
from twat_cache._memoize.registry import register_memo
from twat_cache._memoize.stored import ByteMemo


def memoize(cache: Any, ttl: float | None, options: dict[str, Any]) -> Callable[[Callable[..., Any]], Any]:
    """The decorator of ``Cache.memoize``; ``cache`` is a ``Cache``."""

    def decorate(func: Callable[..., Any]) -> Any:
        _options.check_function(func)
        rest, named = dict(options), None
        frozen = truth("frozen", rest.pop("frozen", False))
        if rest.get("name") is None:
            store = cache._store
            spaced = cache._settings[2].get("namespace") is not None
            named = stored_name(func, outlives=not store.local, shared=store.networked, spaced=spaced, frozen=frozen)
            rest["name"] = named.text
        common = _options.common(func, rest)
        single_flight = truth("single_flight", rest.pop("single_flight", True))
        version = rest.pop("version", None)
        _options.no_more(rest, (*_options.SHARED, "ttl", "single_flight", "version", "frozen"))
        memo = InCache(func, common, cache._store, cache._codec, ttl=seconds("ttl", ttl),
                       single_flight=single_flight, version=version, watch=named.watch if named else None)  # fmt: skip
        memo.recipe = Recipe(cache.memoize, ttl, {"frozen": frozen or None, **options})
        return register_memo(memo)

    return decorate


class InCache(ByteMemo):
    """One whose store others use too: clearing removes this function's keys only."""

    def _clear_store(self) -> None:
        for prefix in [self._prefix] if self._watch is None else list(self._watch.prefixes):
            self.store.delete_prefix(prefix)
