"""Memoized functions whose results are live objects, in the native part or without it."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from typing import Any

from twat_cache import _speedups
from twat_cache._config.options import Common, refuse_read_once
from twat_cache._identity.functions import is_coroutine_function
from twat_cache._identity.hashable import freeze, frozen_defaults
from twat_cache._memoize import clock
from twat_cache._memoize.arguments import MISSING, Arguments, Keys, NotBound, not_bound
from twat_cache._memoize.receivers import Receivers, may_be_method
from twat_cache._memoize.signature import Signature
from twat_cache._memoize.wrapper import CacheInfo, Memo, attach, dress, dressed
from twat_cache._serialize.errors import KeptError, NotKept, time_to_keep

# What a kept exception weighs; ``sizeof`` knows results only.
_ERROR_BYTES = 512


class ObjectMemo(Memo):
    """What stands behind a memoized function: its options and its results. It does not hold the wrapper."""

    __slots__ = ("__weakref__", "_ttl_policy", "common", "func", "max_bytes", "maxsize", "recipe", "results", "typed")

    def __init__(
        self,
        func: Callable[..., Any],
        common: Common,
        *,
        maxsize: int | None,
        max_bytes: int | None,
        ttl: float | None,
        policy: str,
        typed: bool = False,
    ) -> None:
        self.func, self.common, self.recipe = func, common, None
        self.maxsize, self.max_bytes, self.typed, self._ttl_policy = maxsize, max_bytes, typed, (ttl, policy)
        self.results: Any = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """What the function is called."""
        return self.common.name

    @property
    def ttl(self) -> float | None:
        """How long results live."""
        return self._ttl_policy[0]

    @property
    def parameters(self) -> dict[str, Any]:  # type: ignore[override]
        """The options, as they were given."""
        ttl, policy = self._ttl_policy
        return {
            "maxsize": self.maxsize, "typed": self.typed, "ttl": ttl, "policy": policy, "max_bytes": self.max_bytes,
        }  # fmt: skip

    @property
    def nothing(self) -> bool:
        """Whether no result is kept."""
        ttl = self._ttl_policy[0]
        return self.maxsize == 0 or (ttl is not None and ttl <= 0)

    # What the wrapper asks

    def kept_error(self, error: BaseException) -> tuple[KeptError, float | None, int] | None:
        """What is kept of an exception, its time to live and its weight."""
        kept, ttl = time_to_keep(error, self.common.exceptions)
        if not kept:
            return None
        try:
            return KeptError(error), ttl, _ERROR_BYTES if self.max_bytes else 1
        except NotKept:
            return None

    def attach(self, attributes: dict[str, Any]) -> None:
        """Puts the management into the attributes of a native wrapper, which has them made when they are asked for."""
        attach(attributes, self)

    def reduced(self, wrapper: Any) -> Any:
        """What a native wrapper is pickled as."""
        from twat_cache._memoize.pickling import reduced

        return reduced(wrapper)

    def clock_changed(self, timer: Callable[[], float] | None) -> None:
        """Takes another clock."""
        self.results.set_timer(timer)

    # Management

    def _signature(self) -> Signature:
        return Signature.of(self.func, self.common.ignore)

    def _keys(self) -> Keys:
        return keys_of(Arguments(self._signature()), self.typed, self.common)

    def key(self, /, *args: Any, **kwargs: Any) -> Any:
        keys = self._keys()
        try:
            key = keys.of(args, kwargs)
        except NotBound:
            raise not_bound(self.func, self.name, args, kwargs) from None
        try:
            hash(key)
        except TypeError as error:
            return _freezer(self._signature())((key,) if keys.bare or key.__class__ is not tuple else key, error)
        return key

    def info(self) -> CacheInfo:
        hits, misses, live = self.results.counts()
        return CacheInfo(hits, misses, self.maxsize, live)

    def clear(self) -> None:
        self.results.clear()

    def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        try:
            gone = self.results.remove(*args, **kwargs)
        except NotBound:
            gone = MISSING
        if gone is MISSING:
            raise not_bound(self.func, self.name, args, kwargs)
        return bool(gone)

    def content(self) -> dict[Any, Any]:
        """Key to result, as they are stored: for tests and tools."""
        rows = self.results.content()
        return {key[0] if self._stores_tuples and len(key) == 1 else key: value for key, value, _ in rows}

    def figures(self) -> dict[str, int] | None:
        """The core's figures, where anything is bounded and stored: for tests and tools."""
        if not self._stores_tuples:
            return self.results.figures()  # type: ignore[no-any-return]
        from twat_cache._ffi.policy import figures_of

        address = self.results.policy
        return None if address is None else figures_of(address)

    @property
    def _stores_tuples(self) -> bool:
        return _speedups.speed is not None and isinstance(self.results, _speedups.speed.Results)


def keys_of(arguments: Arguments, typed: bool, common: Common) -> Keys:
    """The keys of a function in memory."""
    return Keys(arguments, typed=typed, own=common.key)


def _freezer(signature: Signature) -> Callable[..., Any]:
    """What makes keys that have a hash."""
    defaults = signature.defaults()
    unfrozen = frozen_defaults(defaults.values()) if defaults else []
    return freeze if not unfrozen else functools.partial(freeze, defaults=unfrozen)


def _deepcopy() -> Callable[[Any], Any]:
    from copy import deepcopy

    return deepcopy


def _report_eviction(callback: Callable[..., Any], key: Any, value: Any) -> None:
    callback("evict", key, value.error if isinstance(value, KeptError) else value)


def memoized(
    func: Callable[..., Any],
    common: Common,
    *,
    maxsize: int | None,
    max_bytes: int | None,
    ttl: float | None,
    policy: str,
    typed: bool = False,
    sizeof: Callable[[Any], int] | None = None,
    copy: bool | Callable[[Any], Any] | None = None,
    timer: Callable[[], float] | None = None,
) -> Any:
    """Memoizes a function: its memo and the wrapper."""
    memo = ObjectMemo(func, common, maxsize=maxsize, max_bytes=max_bytes, ttl=ttl, policy=policy, typed=typed)
    signature = Signature.of(func, common.ignore)
    arguments = Arguments(signature)
    receivers = Receivers(func) if common.key is None and may_be_method(func, signature) else None
    weighed = sizeof or (sys.getsizeof if max_bytes else None)
    make = _native if _speedups.speed is not None else _pure
    memo.results = make(memo, arguments, receivers, weighed, timer)
    copier = _deepcopy() if copy is True else copy or None
    if is_coroutine_function(func):
        from twat_cache._memoize.live_async import async_wrapper

        # The native part keeps only what a hit takes; a miss is long.
        whole_key = whole_keys(memo, arguments, keys_of(arguments, memo.typed, common), receivers)
        wrapper: Any = async_wrapper(memo, arguments, whole_key, weighed, copier)
    elif _speedups.speed is not None:
        wrapper = _speedups.speed.Memoizer(
            func, memo.results, memo, dressed(func), refuse_read_once, common.cache_if, weighed, copier,
            common.callback, tuple(common.exceptions) or None, memo.nothing,
        )  # fmt: skip
    else:
        wrapper = _pure_wrapper(memo, copier)
    if receivers is not None:
        receivers.wrapper = weakref.ref(wrapper)
    return wrapper


def whole_keys(
    memo: ObjectMemo, arguments: Arguments, keys: Keys, receivers: Receivers | None
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """What gives the key of a call that the native part has not found, and what tells it from all other calls."""
    freezer = _freezer(arguments.signature)
    own_tables = arguments.signature.per_instance and memo.common.key is None

    def whole_key(args: Any, kwargs: Any) -> tuple[Any, Any]:
        key, receiver = keys.of(args, kwargs), 0
        if own_tables or receivers is not None:
            values, star, _ = arguments.bind(args, kwargs)
            first = (values or star or (None,))[0]
            if own_tables or (receivers is not None and receivers(first)):
                # A call holds its arguments while it runs, so the address is that of one object.
                receiver = id(first)
                key = keys.of((None, *args[1:]), kwargs) if args and not own_tables else key
        try:
            hash(key)
        except TypeError as error:
            key = freezer((key,) if keys.bare or key.__class__ is not tuple else key, error)
        return key, (receiver, key)

    return whole_key


# In the native part


def _native(memo: ObjectMemo, arguments: Arguments, receivers: Any, weighed: Any, timer: Any) -> Any:
    from twat_cache._memoize.native_results import order_of

    common, signature = memo.common, arguments.signature
    ttl, policy = memo._ttl_policy
    opener, needs = order_of(policy, memo.maxsize, memo.max_bytes)
    own = common.key
    if own is None and common.callback is not None:
        # The callback is told the whole key.
        keys = keys_of(arguments, memo.typed, common)
        own = functools.partial(_key_of, keys)
    if timer is None and (ttl is not None or common.exceptions):
        clock.timed.add(memo)
        timer = clock.turned()
    evicted = None if common.callback is None else functools.partial(_report_eviction, common.callback)
    return _speedups.speed.Results(  # type: ignore[union-attr]
        arguments.native_binder(), _freezer(signature), opener, needs, ttl, memo.typed,
        signature.per_instance and common.key is None, own, receivers, evicted, timer,
    )  # fmt: skip


def _key_of(keys: Keys, /, *args: Any, **kwargs: Any) -> Any:
    return keys.of(args, kwargs)


# In Python


def _pure(memo: ObjectMemo, arguments: Arguments, receivers: Any, weighed: Any, timer: Any) -> Any:
    from twat_cache._memoize.live_table import ObjectStore
    from twat_cache._memoize.methods import Instances
    from twat_cache._memoize.pure_results import PureResults
    from twat_cache._memoize.weak_keys import WeakKeys

    common, signature = memo.common, arguments.signature
    ttl, policy = memo._ttl_policy
    store = ObjectStore(
        maxsize=memo.maxsize, max_bytes=memo.max_bytes, policy=policy, ttl=ttl, sizeof=weighed,
        on_evict=None if common.callback is None else functools.partial(_report_eviction, common.callback),
        timed=ttl is not None or any(one is not None for one in common.exceptions.values()), timer=timer,
    )  # fmt: skip
    keys = keys_of(arguments, memo.typed, common)
    freezer = _freezer(signature)
    weak = None
    if receivers is not None:
        weak = WeakKeys(receivers, store, signature, keys.bare)
        weak.freeze = freezer
    instances = Instances(store) if signature.per_instance and not common.key else None
    return PureResults(arguments, keys, store, freeze=freezer, instances=instances, weak=weak)


def _pure_wrapper(memo: ObjectMemo, copier: Any) -> Any:
    from twat_cache._memoize.pure_results import Miss

    func, common, results = memo.func, memo.common, memo.results
    look_up, errors = results.look_up, tuple(common.exceptions)
    callback, cache_if, nothing = common.callback, common.cache_if, memo.nothing
    finishes = bool(errors or copier or callback)

    def finish(event: str, key: Any, value: Any) -> Any:
        if value.__class__ is KeptError and errors:
            raise value.again()
        if copier is not None:
            value = copier(value)
        if callback is not None:
            callback(event, key, value)
        return value

    def keep(miss: Miss, value: Any) -> Any:
        refuse_read_once(value)
        if not nothing and (cache_if is None or cache_if(value)):
            results.put(miss, value, None)
        return finish("miss", miss.key, value) if finishes else value

    def keep_error(miss: Miss, error: BaseException) -> None:
        kept = None if nothing or miss.key is MISSING else memo.kept_error(error)
        if kept is not None:
            results.put(miss, kept[0], kept[1], kept[2])

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value = look_up(args, kwargs)
        if value.__class__ is not Miss:
            if not finishes:
                return value
            return finish("hit", None if callback is None else results.place(args, kwargs)[0], value)
        miss = value
        try:
            value = func(*miss.args, **miss.kwargs)
        except errors as error:
            keep_error(miss, error)
            raise
        return value if miss.key is MISSING else keep(miss, value)

    return dress(wrapper, func, memo)
