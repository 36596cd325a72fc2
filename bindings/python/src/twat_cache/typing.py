"""What a decorated function looks like to a type checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from twat_cache._memoize.wrapper import CacheInfo, Memo

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Cached(Protocol[P, R_co]):
    """A memoized function: the same signature, and the management of its cache."""

    __wrapped__: Callable[..., Any]
    __name__: str
    __qualname__: str
    cache: Memo

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Cached[P, R_co]: ...

    @overload
    def __get__(
        self: Cached[Concatenate[Any, Q], R], instance: object, owner: type | None = None, /
    ) -> Cached[Q, R]: ...

    def cache_info(self) -> CacheInfo: ...

    def cache_clear(self) -> None: ...

    def clear(self) -> None: ...

    def cache_parameters(self) -> dict[str, Any]: ...

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool: ...


class Decorator(Protocol):
    """What a decorator with parentheses gives."""

    def __call__(self, func: Callable[P, R], /) -> Cached[P, R]: ...


__all__ = ["Cached", "Decorator"]
