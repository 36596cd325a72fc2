"""Memoized functions whose results are live objects."""

from __future__ import annotations

import functools
import itertools
import sys
import weakref
from collections.abc import Callable
from typing import Any

from twat_cache._config.options import Common, refuse_read_once
from twat_cache._ffi import abi
from twat_cache._identity.functions import is_coroutine_function
from twat_cache._identity.hashable import freeze, frozen_defaults
from twat_cache._memoize import clock, generate
from twat_cache._memoize.hit_log import FREE_THREADED, LOG_SIZE, new_list
from twat_cache._memoize.live_table import ObjectStore
from twat_cache._memoize.methods import Instances
from twat_cache._memoize.quick_keep import quick_keep
from twat_cache._memoize.signature import Signature
from twat_cache._memoize.weak_keys import WeakKeys, may_be_method
from twat_cache._memoize.wrapper import CacheInfo, Memo, attach
from twat_cache._serialize.errors import KeptError, NotKept, time_to_keep

# What a kept exception weighs; ``sizeof`` knows results only.
_ERROR_BYTES = 512


class ObjectMemo(Memo):
    """The wrapper, its store, and what ties them together."""

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
        sizeof: Callable[[Any], int] | None = None,
        copy: bool | Callable[[Any], Any] | None = None,
        timer: Callable[[], float] | None = None,
    ) -> None:
        self.common = common
        self.name = common.name
        self.maxsize = maxsize
        self.ttl = ttl
        self.parameters = {
            "maxsize": maxsize, "typed": typed, "ttl": ttl, "policy": policy, "max_bytes": max_bytes,
        }  # fmt: skip
        self.nothing = maxsize == 0 or (ttl is not None and ttl <= 0)
        timed = ttl is not None or any(t is not None for t in common.exceptions.values())
        self.store = ObjectStore(
            maxsize=maxsize,
            max_bytes=max_bytes,
            policy=policy,
            ttl=ttl,
            sizeof=sizeof or (sys.getsizeof if max_bytes else None),
            on_evict=self._evicted if common.callback else None,
            timed=timed,
            timer=timer,
        )
        signature = Signature.of(func, common.ignore)
        self.instances = Instances(self.store) if signature.per_instance and not common.key else None
        self.flight: Any = None
        self.copy = _deepcopy() if copy is True else copy or None
        is_async = is_coroutine_function(func)
        if is_async:
            from twat_cache._memoize.async_flight import AsyncFlight

            self.flight = AsyncFlight()
        plan = generate.Plan(
            needs=self.store.needs,
            ttl=timed,
            typed=typed,
            copy=bool(self.copy),
            callback=common.callback is not None,
            raises=bool(common.exceptions),
            key=common.key is not None,
            asynchronous=is_async,
        )
        self.weak: WeakKeys | None = None
        if common.key is None and may_be_method(func, signature):
            bare = generate.key_source(signature, plan) in signature.named
            self.weak = WeakKeys(func, self.store, signature, bare)
        store, counter, log = self.store, itertools.count(), new_list()
        self.func = func
        rare = generate.Rare(
            func=func,
            table_of=self.instances.table_of if self.instances else None,
            find=store.find,
            drain=store.drain,
            freeze=self._freezer(signature),
            errors=tuple(common.exceptions),
            keep_error=self._keep_error,
            run=self._run,
        )
        cells: dict[str, Any] = {
            "_tc_rare": rare,
            "_tc_defaults": signature.defaults(),
            "_tc_table": store.table,
            "_tc_tables": self.instances.tables if self.instances else None,
            "_tc_log": log,
            "_tc_append": store.marked.append if store.needs == abi.NEEDS_MARK else log.append,
            "_tc_full": LOG_SIZE,
            "_tc_drain": store.drain,
            "_tc_key": common.key,
            "_tc_sorted": lambda mapping: tuple(sorted(mapping.items(), key=_first)),
            "_tc_types": lambda values: tuple(map(type, values)),
            "_tc_kinds": lambda mapping: tuple(type(value) for _, value in sorted(mapping.items(), key=_first)),
            "_tc_without": lambda mapping: {k: v for k, v in mapping.items() if k not in signature.ignore},
            "_tc_now": timer or clock.monotonic,
            "_tc_copy": self.copy,
            "_tc_callback": common.callback,
            "_tc_raised": KeptError,
            "_tc_counter": counter,
            "_tc_next": next,
            "_tc_type": type,
            "_tc_id": id,
            "_tc_len": len,
        }
        made = generate.compile_for(signature, lambda takes: generate.source(takes, plan), cells)
        wrapper, self._key_of, self._counts, *log_functions = made
        store.note, store.take, store.pending = log_functions
        if timer is None:
            cells_of = wrapper.__closure__ or ()
            store.clock_cells = [cell for cell in cells_of if cell.cell_contents is clock.monotonic]
        rare.keep = self._keep = self._keeper()  # it holds the log's functions
        self._counter = counter
        self._reset_hits = 0
        self.wrapper = weakref.ref(wrapper)
        if self.weak is not None:
            self.weak.wrapper = self.wrapper
        self.made = attach(generate.dress(wrapper, func), self)

    def _freezer(self, signature: Signature) -> Callable[..., Any]:
        """What makes keys that can be hashed."""
        defaults = frozen_defaults(signature.defaults().values())
        plain = freeze if not defaults else functools.partial(freeze, defaults=defaults)
        if self.weak is None:
            return plain
        self.weak.freeze = plain
        return self.weak.frozen

    def _keeper(self) -> Callable[..., None]:
        """What stores a result, with no step that the options do not ask for."""
        store = quick_keep(self.store)
        if self.weak is not None:
            store = self._weakly(self.weak, store)
        cache_if = self.common.cache_if
        if self.nothing:
            return lambda key, value, ttl, table: refuse_read_once(value)
        if cache_if is None:
            return store

        def keep(key: Any, value: Any, ttl: float | None, table: dict[Any, Any]) -> None:
            refuse_read_once(value)
            if cache_if(value):
                store(key, value, ttl, table)

        return keep

    @staticmethod
    def _weakly(weak: WeakKeys, store: Callable[..., None]) -> Callable[..., None]:
        def keep(key: Any, value: Any, ttl: float | None, table: dict[Any, Any]) -> None:
            store(weak.key(key), value, ttl, table)
            weak.sweep()

        return keep

    def _keep_error(self, key: Any, error: BaseException, table: dict[Any, Any]) -> None:
        if self.nothing:
            return
        kept, ttl = time_to_keep(error, self.common.exceptions)
        if not kept:
            return
        try:
            value = KeptError(error)
        except NotKept:
            return
        key = key if self.weak is None else self.weak.key(key)
        self.store.keep(key, value, ttl, table, cost=_ERROR_BYTES)

    def _evicted(self, key: Any, value: Any) -> None:
        if self.common.callback is not None:
            self.common.callback("evict", key, value.error if isinstance(value, KeptError) else value)

    async def _run(self, key: Any, table: dict[Any, Any], args: Any, kwargs: Any) -> Any:
        """The miss of a coroutine function."""
        asked = key
        if self.weak is not None:
            key = self.weak.key(key)  # equal instances wait for results of their own

        async def compute() -> Any:
            try:
                value = await self.func(*args, **kwargs)
            except tuple(self.common.exceptions) as error:
                self._keep_error(key, error, table)
                raise
            self._keep(key, value, None, table)
            return value

        value = await self.flight.run((id(table), key), compute)
        if self.copy is not None:
            value = self.copy(value)
        if self.common.callback is not None:
            self.common.callback("miss", asked, value)
        return value

    # Management

    def info(self) -> CacheInfo:
        hits, misses = self._counts()
        if self.store.needs == abi.NEEDS_LOG:
            hits = self.store.logged - self._reset_hits
        elif FREE_THREADED:
            hits = int(repr(self._counter)[6:-1]) - self._reset_hits
        return CacheInfo(hits, misses, self.maxsize, len(self.store))

    def clear(self) -> None:
        self.store.clear()
        self._reset_hits += self.info().hits if not self._counts_itself() else 0
        self._counts(True)

    def _counts_itself(self) -> bool:
        return self.store.needs != abi.NEEDS_LOG and not FREE_THREADED

    def key(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._key_of(*args, **kwargs)[0]

    def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        key, table = self._key_of(*args, **kwargs)
        return self.store.remove(key, table)


def _deepcopy() -> Callable[[Any], Any]:
    from copy import deepcopy

    return deepcopy


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]
