"""What every wrapper carries besides its function, whichever store stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class CacheInfo(NamedTuple):
    """As functools has it."""

    hits: int
    misses: int
    maxsize: int | None
    currsize: int


# The names that ``attach`` and ``functools.wraps`` give a wrapper.
ATTACHED = frozenset("__wrapped__ cache cache_info cache_clear clear cache_parameters cache_key invalidate".split())


class Memo:
    """The management of one memoized function; ``wrapper.cache`` is this object."""

    # How the function was memoized (a ``Recipe``), where it can be done again elsewhere.
    recipe: Any = None
    name: str = ""
    parameters: Mapping[str, Any]

    def info(self) -> CacheInfo:
        """Hits, misses, bound and size."""
        raise NotImplementedError

    def clear(self) -> None:
        """Forgets every result and the counts."""
        raise NotImplementedError

    def key(self, /, *args: Any, **kwargs: Any) -> Any:
        """The key of a call."""
        raise NotImplementedError

    def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        """Forgets the result of a call; whether there was one."""
        raise NotImplementedError

    def in_force(self) -> dict[str, Any]:
        """The parameters, with what the store decides."""
        return dict(self.parameters)

    @property
    def stats(self) -> dict[str, Any]:
        """The figures as a dictionary."""
        info = self.info()
        return {"hits": info.hits, "misses": info.misses, "size": info.currsize, "maxsize": info.maxsize}


def attach(wrapper: Callable[..., Any], memo: Memo) -> Any:
    """Gives a wrapper its cache_* functions."""
    target: Any = wrapper
    target.cache_info = memo.info
    target.cache_clear = target.clear = memo.clear
    target.cache_parameters = memo.in_force
    target.cache_key = memo.key
    target.invalidate = memo.invalidate
    target.cache = memo
    return wrapper
