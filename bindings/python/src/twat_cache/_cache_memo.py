"""Functions memoized in a ``Cache``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twat_cache import _options
from twat_cache._byte_memo import ByteMemo
from twat_cache._names import stored_name
from twat_cache._options import seconds, truth
from twat_cache._registry import register_memo

if TYPE_CHECKING:
    from twat_cache._cache import Cache


def memoize(cache: Cache, ttl: float | None, options: dict[str, Any]) -> Callable[[Callable[..., Any]], Any]:
    """The decorator of ``Cache.memoize``."""

    def decorate(func: Callable[..., Any]) -> Any:
        _options.check_function(func)
        rest = dict(options)
        if rest.get("name") is None:
            rest["name"] = stored_name(func, outlives=not cache._store.local).text
        common = _options.common(func, rest)
        single_flight = truth("single_flight", rest.pop("single_flight", True))
        version = rest.pop("version", None)
        _options.no_more(rest, (*_options.SHARED, "ttl", "single_flight", "version"))
        memo = InCache(func, common, cache._store, cache._codec, ttl=seconds("ttl", ttl),
                       single_flight=single_flight, version=version)  # fmt: skip
        return register_memo(memo)

    return decorate


class InCache(ByteMemo):
    """One whose store others use too: clearing removes this function's keys only."""

    def _clear_store(self) -> None:
        self.store.delete_prefix(self._prefix)
