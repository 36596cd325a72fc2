"""What every wrapper carries besides its function, whichever store stands behind it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import FunctionType
from typing import Any, NamedTuple

from twat_cache._speedups import speed


class CacheInfo(NamedTuple):
    """As functools has it."""

    hits: int
    misses: int
    maxsize: int | None
    currsize: int


# The names that ``attach`` and ``functools.wraps`` give a wrapper.
ATTACHED = frozenset("__wrapped__ cache cache_info cache_clear clear cache_parameters cache_key invalidate".split())


# What a wrapper may be.
WRAPPERS: tuple[type, ...] = (FunctionType,) if speed is None else (FunctionType, speed.Memoizer)


class Memo:
    """The management of one memoized function; ``wrapper.cache`` is this object."""

    __slots__ = ()

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


def attach(attributes: dict[str, Any], memo: Memo) -> None:
    """Puts the management of a wrapper into its attributes."""
    attributes["cache_info"] = memo.info
    attributes["cache_clear"] = attributes["clear"] = memo.clear
    attributes["cache_parameters"] = memo.in_force
    attributes["cache_key"] = memo.key
    attributes["invalidate"] = memo.invalidate
    attributes["cache"] = memo


def dressed(func: Any) -> dict[str, Any]:
    """The attributes by which a wrapper looks like what it wraps, as ``functools.update_wrapper`` sets them."""
    found: dict[str, Any] = dict(getattr(func, "__dict__", ()))
    for name in functools.WRAPPER_ASSIGNMENTS:
        try:
            found[name] = getattr(func, name)
        except AttributeError:
            continue
    for other in ATTACHED:
        found.pop(other, None)  # another wrapper's
    found["__wrapped__"] = func
    return found


def dress(wrapper: Any, func: Any, memo: Memo) -> Any:
    """Makes a function look like what it wraps, with the management of a memo."""
    attributes = dressed(func)
    for name in functools.WRAPPER_ASSIGNMENTS:
        if name in attributes:
            setattr(wrapper, name, attributes.pop(name))
    vars(wrapper).update(attributes)
    attach(vars(wrapper), memo)
    return wrapper


def memo_of(wrapper: Any) -> Memo | None:
    """The memo of a memoized function, or None for another object."""
    if speed is not None and type(wrapper) is speed.Memoizer:
        memo = wrapper.__memo__
    elif isinstance(wrapper, FunctionType):
        memo = vars(wrapper).get("cache")
    else:
        return None
    return memo if isinstance(memo, Memo) else None
