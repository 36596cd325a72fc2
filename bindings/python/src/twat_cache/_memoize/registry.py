"""The memoized functions and caches of this program, by name, without keeping them alive."""

from __future__ import annotations

import os
import weakref
from typing import Any

from twat_cache._memoize.pickling import support_picklers
from twat_cache._memoize.wrapper import Memo, memo_of

_memos: list[weakref.ref[Any]] = []


def register_memo(memo: Any) -> Any:
    """Notes the memoized function that a memo has made and returns it."""
    wrapper = memo.made
    del memo.made  # the wrapper holds the memo; the other way round would hold both for ever
    return register(wrapper)


def register(wrapper: Any) -> Any:
    """Notes a memoized function."""
    memo: Any = memo_of(wrapper)
    if not _memos:
        support_picklers()
    _memos.append(weakref.ref(wrapper))
    if memo.parameters.get("folder"):
        from twat_cache._memoize.tally import watch

        watch(live)
    if len(_memos) % 256 == 0:
        _memos[:] = [ref for ref in _memos if ref() is not None]
    return wrapper


def live_wrappers() -> list[Any]:
    """The live ones."""
    return [wrapper for wrapper in [ref() for ref in list(_memos)] if wrapper is not None]


def live(name: str | None = None) -> list[Memo]:
    """What stands behind all of them or those of a name: the function's, its last part, or its folder's."""
    named = [wrapper for wrapper in live_wrappers() if name is None or _answers_to(wrapper, name)]
    return [memo for memo in map(memo_of, named) if memo is not None]


def _answers_to(wrapper: Any, name: str) -> bool:
    memo: Any = memo_of(wrapper)
    folder = memo.parameters.get("folder")
    names = {memo.name, wrapper.__name__, wrapper.__qualname__, f"{wrapper.__module__}.{wrapper.__qualname__}"}
    return name in names or (folder is not None and name in (folder, os.path.basename(folder)))
