"""Types for annotations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, ParamSpec, Protocol, TypeVar

from twat_cache.cache import CacheStats
from twat_cache.compat.engines.base import BaseCacheEngine as CacheEngine
from twat_cache.config import CacheConfig

__all__ = [
    "AsyncCacheDecorator",
    "AsyncR",
    "CacheConfig",
    "CacheDecorator",
    "CacheEngine",
    "CacheKey",
    "CacheStats",
    "CacheValue",
    "F",
    "KeyMaker",
    "P",
    "R",
    "Serializer",
    "T",
]

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")
AsyncR = TypeVar("AsyncR")
F = TypeVar("F", bound=Callable[..., Any])

CacheKey = Hashable
CacheValue = Any


class CacheDecorator(Protocol):
    """What turns a function into a memoized one of the same signature."""

    def __call__(self, func: Callable[P, R], /) -> Callable[P, R]: ...


class AsyncCacheDecorator(Protocol):
    """The same for coroutine functions."""

    def __call__(self, func: Callable[P, Awaitable[AsyncR]], /) -> Callable[P, Awaitable[AsyncR]]: ...


class KeyMaker(Protocol):
    """What ``key=`` takes."""

    def __call__(self, *args: Any, **kwargs: Any) -> CacheKey: ...


class Serializer(Protocol):
    """What ``serializer=`` takes besides a name."""

    def dumps(self, value: Any) -> bytes | str: ...

    def loads(self, data: bytes) -> Any: ...
