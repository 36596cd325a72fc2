"""Results in the native part: what it needs to know of Python."""

from __future__ import annotations

import functools
from typing import Any

from twat_cache._ffi import abi
from twat_cache._ffi.policy import Policy, new_policy


@functools.lru_cache(maxsize=256)
def _order(policy: str, maxsize: int | None, max_bytes: int | None) -> tuple[Any, int]:
    """What makes the policy of a bounded cache, and what it wants to hear."""
    options = {"policy": policy, "max_entries": maxsize, "max_bytes": max_bytes}
    tried = Policy(options)  # asked even where nothing is bounded: the name may be wrong
    try:
        if not maxsize and not max_bytes:
            return None, abi.NEEDS_NOTHING
        return functools.partial(new_policy, options), tried.needs
    finally:
        tried.close()


def order_of(policy: Any, maxsize: int | None, max_bytes: int | None) -> tuple[Any, int]:
    """As ``_order``, for any object where a policy is expected."""
    return (
        _order(policy, maxsize, max_bytes)
        if isinstance(policy, str)
        else _order.__wrapped__(policy, maxsize, max_bytes)
    )
