"""CPython's own tests of functools.lru_cache, run on mcache (test_mcache.py collects them)."""

from __future__ import annotations

import functools
import unittest
from types import SimpleNamespace

import twat_cache as tc

try:
    from test.test_functools import TestLRU
except ImportError:  # a Python without its test suite
    TestLRU = None

# Where mcache promises something else, and why.
OTHERWISE = {
    "test_kwargs_order": "keyword order makes no difference",
    "test_lru_with_types": "f(x=3) and f(3) are one call",
    "test_lru_with_keyword_args": "",
    "test_lru_cache_parameters": "cache_parameters() has more than two",
    "test_lru_type_error": "unhashable arguments are accepted",
    "test_lru_hash_only_once": "a hit hashes once (tested here); storing and evicting hash again",
    "test_common_signatures": "each function has the signature of what it wraps",
}
OTHERWISE = {name: why for name, why in OTHERWISE.items() if why}


def lru_cache(maxsize=128, typed=False):
    if callable(maxsize):
        return tc.mcache(128)(maxsize)
    if maxsize is not None and not isinstance(maxsize, int):
        raise TypeError("Expected first argument to be an integer, a callable, or None")
    return tc.mcache(max(maxsize, 0) if maxsize is not None else None, typed=typed)


@lru_cache()
def cached_by_mcache(x, y):
    return 3 * x + y


class McacheAsLruCache(*((TestLRU,) if TestLRU else ()), unittest.TestCase):
    module = SimpleNamespace(
        lru_cache=lru_cache,
        cache=lambda func: tc.mcache(func),
        partial=functools.partial,
        WRAPPER_ASSIGNMENTS=functools.WRAPPER_ASSIGNMENTS,
        _CacheInfo=functools._CacheInfo,
    )
    cached_func = (cached_by_mcache,)

    @lru_cache()
    def cached_meth(self, x, y):
        return 3 * x + y

    @staticmethod
    @lru_cache()
    def cached_staticmeth(x, y):
        return 3 * x + y


for _name in OTHERWISE:
    setattr(McacheAsLruCache, _name, None)
