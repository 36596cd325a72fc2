"""The decorators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache import _options
from twat_cache._object_memo import ObjectMemo
from twat_cache._options import seconds, truth, whole
from twat_cache.exceptions import ConfigurationError

__all__ = ["bcache", "mcache"]


def decorate(func: Any, build: Callable[[Any], Any]) -> Any:
    """Applies a decorator with or without parentheses, through static and class methods."""

    def apply(target: Any) -> Any:
        if isinstance(target, (staticmethod, classmethod)):
            return type(target)(build(target.__func__))
        _options.check_function(target)
        return build(target)

    return apply if func is None else apply(func)


def as_function(first: Any) -> tuple[Any, Any]:
    """Tells ``@deco`` from ``@deco(first)``: the function, and the first argument."""
    if callable(first) or isinstance(first, (staticmethod, classmethod)):
        return first, None
    return None, first


def mcache(
    maxsize: Any = None, ttl: Any = None, policy: str = "lru", *,
    typed: bool = False, sizeof: Any = None, copy: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """Keeps results in memory as they are: a second call gives the same object.

    >>> @mcache(maxsize=100)
    ... def square(x):
    ...     return x * x
    >>> square(4), square(4), square.cache_info().hits
    (16, 16, 1)
    """
    func, maxsize = as_function(maxsize)

    def build(target: Any) -> Any:
        from twat_cache._registry import register_memo

        rest = dict(options)
        common = _options.common(target, rest)
        _options.no_more(rest, ("maxsize", "ttl", "policy", "typed", "sizeof", "copy", *_options.SHARED))
        memo = ObjectMemo(
            target, common,
            maxsize=_entries(maxsize, common.max_entries), max_bytes=common.max_bytes,
            ttl=seconds("ttl", ttl), policy=_policy(policy, ttl),
            typed=truth("typed", typed), sizeof=sizeof, copy=copy,
        )  # fmt: skip
        return register_memo(memo)

    return decorate(func, build)


def _entries(maxsize: Any, max_entries: int | None) -> int | None:
    maxsize = whole("maxsize", maxsize)
    return max_entries if maxsize is None else maxsize


def _policy(policy: Any, ttl: Any) -> str:
    if not isinstance(policy, str):
        raise ConfigurationError(f"policy: expected a name, found: {policy!r}")
    if policy == "ttl":
        if not ttl:
            raise ConfigurationError("policy: 'ttl' needs a ttl, found none")
        return "lru"
    return policy


def bcache(
    folder_name: Any = None, maxsize: Any = None, ttl: Any = None, policy: str = "lru", *,
    use_sql: bool = True, compress: bool = False, engine: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """Keeps results on disk, where they survive the program and other programs find them."""
    func, folder_name = as_function(folder_name)

    def build(target: Any) -> Any:
        from twat_cache._persistent import build_persistent

        truth("use_sql", use_sql)
        order = ["disk", "memory"] if engine is None else [engine]
        return build_persistent(
            target, order, folder_name=folder_name, maxsize=maxsize, ttl=ttl, policy=_policy(policy, ttl),
            compress=truth("compress", compress), ordered=engine is not None, options=dict(options),
        )  # fmt: skip

    return decorate(func, build)
