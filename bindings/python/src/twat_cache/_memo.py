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


def again(error: BaseException) -> BaseException:
    """A kept exception, to be raised: a copy, since what is raised holds on to the frames it went through."""
    import copy

    try:
        made: BaseException = copy.copy(error)
    except Exception:  # noqa: BLE001 - it cannot be made from its arguments
        made = error
    if type(made) is not type(error):
        made = error
    made.__cause__, made.__context__ = error.__cause__, error.__context__
    made.__suppress_context__ = error.__suppress_context__
    return made.with_traceback(None)


def settled_error(error: BaseException, depth: int = 10) -> BaseException:
    """An exception to keep: without the frames, and so the locals, of where it and its causes were raised."""
    made = again(error)
    if depth and made is not error:
        made.__context__ = error.__context__ and settled_error(error.__context__, depth - 1)
        same = error.__cause__ is error.__context__
        cause = made.__context__ if same else error.__cause__ and settled_error(error.__cause__, depth - 1)
        made.__cause__, made.__suppress_context__ = cause, error.__suppress_context__
    return made


class Memo:
    """The management of one memoized function; ``wrapper.cache`` is this object."""

    name: str = ""
    parameters: Mapping[str, Any]

    def info(self) -> CacheInfo:
        """Hits, misses, bound and size."""
        raise NotImplementedError

    def clear(self) -> None:
        """Forgets every result and the counts."""
        raise NotImplementedError

    def key(self, *args: Any, **kwargs: Any) -> Any:
        """The key of a call."""
        raise NotImplementedError

    def invalidate(self, *args: Any, **kwargs: Any) -> bool:
        """Forgets the result of a call; whether there was one."""
        raise NotImplementedError

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
    target.cache_parameters = lambda: dict(memo.parameters)
    target.cache_key = memo.key
    target.invalidate = memo.invalidate
    target.cache = memo
    return wrapper
