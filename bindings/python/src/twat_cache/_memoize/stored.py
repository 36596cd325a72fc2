"""Memoized functions whose results lie in a byte engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twat_cache import exceptions as ex
from twat_cache._config.opening import milliseconds, warn_once
from twat_cache._config.options import Common, is_read_once, refuse_generator
from twat_cache._ffi.bytecache import LARGE, ByteCache
from twat_cache._identity.call_keys import call_encoder, encode_call, prefix_of
from twat_cache._identity.functions import is_coroutine_function
from twat_cache._memoize.arguments import UNBOUND_CALL, Arguments, NotBound, not_bound
from twat_cache._memoize.live_table import ObjectStore
from twat_cache._memoize.signature import Signature
from twat_cache._memoize.single_flight import NOTHING, Call, Flight
from twat_cache._memoize.wrapper import CacheInfo, Memo, dress
from twat_cache._serialize.errors import KeptError, NotKept, time_to_keep
from twat_cache._serialize.values import Codec, Foreign

if TYPE_CHECKING:
    from twat_cache._identity.name_watch import Watch

MISSING: Any = object()
_TROUBLES = (ex.CacheOperationError, ex.ResourceError, ex.EngineError)
# What a process without descriptors, memory or a file system raises where a module is loaded or bytes are made.
_LACKS = (ImportError, OSError, MemoryError)


class ByteMemo(Memo):
    """The wrapper, its namespace in a store, and what ties them together.

    ``replaced``: the function was written anew, and this is an earlier form of it.
    """

    replaced = False

    def __init__(
        self,
        func: Callable[..., Any],
        common: Common,
        store: ByteCache,
        codec: Codec,
        *,
        maxsize: int | None = None,
        ttl: float | None = None,
        mapped: bool = False,
        memory: int | None = None,
        single_flight: bool = True,
        version: Any = None,
        argument_serializer: Callable[[Any], Any] | None = None,
        parameters: dict[str, Any] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.func, self.common, self.codec = func, common, codec
        self.name, self.maxsize = common.name, maxsize
        self.parameters = {"maxsize": maxsize, "typed": True, "ttl": ttl, **(parameters or {})}
        self.nothing = maxsize == 0 or (ttl is not None and ttl <= 0)
        self.ttl_ms = milliseconds(ttl)
        self.mapped = mapped
        # What was read lately, with the bytes that it was read from: while the store has those, it is current.
        self.read = ObjectStore(maxsize=memory) if memory else None
        self.use(store)
        self.hits = self.misses = 0
        self.flight = Flight() if single_flight else None
        self.async_flight: Any = None
        self._prefix, self._watch = prefix_of(common.name), watch
        self._version = version
        self._argument_serializer = argument_serializer
        signature = Signature.of(func, common.ignore)
        self._names = signature.key_names
        is_async = is_coroutine_function(func)
        if is_async:
            from twat_cache._memoize.async_flight import AsyncFlight

            self.async_flight = AsyncFlight()
        wrapper, self._key_of = _wrapper_of(self, signature, is_async)
        self.made = dress(wrapper, func, self)

    def use(self, store: ByteCache) -> None:
        """Take results from this store from now on."""
        self.store = store
        self._find = self.codec.finder(store, MISSING)

    # A call

    def encode(self, positional: tuple[Any, ...], keywords: dict[str, Any] | None) -> bytes:
        """The key of bound arguments."""
        if self._argument_serializer is not None:
            one = self._argument_serializer
            positional = tuple(one(value) for value in positional)
            keywords = {name: one(value) for name, value in (keywords or {}).items()}
        prefix = self._prefix if self._watch is None else self._watch.prefix()
        return encode_call(prefix, positional, self._versioned(keywords), self._names)

    def encoder(self) -> Callable[..., bytes]:
        """As ``encode``, without a look at what this function does not have."""
        if self._watch is not None or self._version is not None or self.serializes_arguments:
            return self.encode
        return call_encoder(self._prefix, self._names)

    def encode_custom(self, key: Any) -> bytes:
        """The key that a ``key=`` function gave."""
        prefix = self._prefix if self._watch is None else self._watch.prefix()
        return encode_call(prefix, (key,), self._versioned(None))

    def _versioned(self, keywords: dict[str, Any] | None) -> dict[Any, Any] | None:
        """The keywords, and the version under a name that no keyword has."""
        return keywords if self._version is None else {**(keywords or {}), None: self._version}

    @property
    def serializes_arguments(self) -> bool:
        """Whether the user's function stands between arguments and keys."""
        return self._argument_serializer is not None

    def look_up(self, key: bytes) -> Any:
        """The result, or MISSING. What cannot be read is a miss."""
        try:
            found: Any
            if self.mapped:
                found = self.store.get_mapped(key)
            else:
                found = self._find(key) if self.read is None else self.store.get(key)
        except Foreign as error:
            return self._unreadable(error)
        except (*_TROUBLES, *_LACKS) as error:
            self._trouble(error)
            return MISSING
        if self.mapped or self.read is not None:
            return MISSING if found is None else self._decoded(key, found)
        return found if found is MISSING else self._hit(key, found)

    def _decoded(self, key: bytes, data: Any) -> Any:
        """A hit, unless the bytes cannot be read."""
        known = None if self.read is None else self.read.find(key)
        try:
            if known is not None and known[0][0] == data:
                value = known[0][1]
            else:
                value = self.codec.decode_mapped(key, data) if self.mapped else self.codec.decode(key, data)
        except Foreign as error:
            return self._unreadable(error)
        except (ex.ResourceError, *_LACKS) as error:
            self._trouble(error)
            return MISSING
        if self.read is not None and (known is None or value is not known[0][1]) and not is_read_once(value):
            self.read.put(key, (data, value))
        return self._hit(key, value)

    def _unreadable(self, error: Foreign) -> Any:
        warn_once(f"{self.name}: a stored value is computed anew: {error}")
        return MISSING

    def _hit(self, key: bytes, value: Any) -> Any:
        self.hits += 1
        if self.common.callback is not None and value.__class__ is not KeptError:
            self.common.callback("hit", key, value)
        return value

    # A miss: ``begin``, the function, then ``finish`` or ``fail``. The wrapper calls the
    # function itself, since each frame between costs recursive functions some of their depth.

    def begin(self, key: bytes, call: Call) -> Any:
        """MISSING for the caller that is to compute; else the result of another, or its exception."""
        self.misses += 1
        flight = self.flight
        if flight is None or self.nothing:
            call.leads = True
            return MISSING
        value = flight.begin(key, call)
        if value is not NOTHING:
            return value
        if flight.landed_lately(key):  # since the look-up
            value = self.look_up(key)
            if value is not MISSING:
                self.misses -= 1
                flight.land(key, call, _for_others(value))
                return value
        return MISSING

    def finish(self, key: bytes, call: Call, value: Any) -> None:
        """Stores what was computed and gives it to those that wait."""
        call.computed = True
        self.keep(key, value)
        if self.flight is not None:
            self.flight.land(key, call, _for_others(value))

    def fail(self, key: bytes, call: Call, error: BaseException) -> None:
        """Ends a computation that raised or was interrupted."""
        try:
            if call.leads and not call.computed and self.common.exceptions:
                self._keep_error(key, error)
        except _LACKS as lack:
            self._trouble(lack)
        finally:
            if self.flight is not None:
                self.flight.land(key, call, error=error)

    def keep(self, key: bytes, value: Any) -> None:
        """Stores a result, unless the options or the medium say no."""
        refuse_generator(value)
        kept = not self.nothing and (self._watch is None or self._watch.keeps)
        if kept and (self.common.cache_if is None or self.common.cache_if(value)):
            data = self._encoded(key, value)
            if data is not None:
                self._set(key, data, self.ttl_ms)
        if self.common.callback is not None:
            self.common.callback("miss", key, value)

    def _encoded(self, key: bytes, value: Any) -> bytes | bytearray | None:
        """A value as bytes; None where that takes what the process does not have."""
        try:
            return self.codec.encode(key, value)
        except (ex.ResourceError, *_LACKS) as error:
            self._trouble(error)
            return None
        except ex.SerializationError as error:
            # How deep a result may be nested depends on how deep the caller is in calls of its own.
            if not isinstance(error.__cause__, RecursionError):
                raise
            self._trouble(error)
            return None

    def _set(self, key: bytes, data: Any, ttl_ms: int) -> None:
        try:
            self.store.set(key, bytes(data) if isinstance(data, bytearray) else data, ttl_ms)
        except (ex.CacheValueError, *_TROUBLES, *_LACKS) as error:
            self._trouble(error)

    def _keep_error(self, key: bytes, error: BaseException) -> None:
        kept, ttl = time_to_keep(error, self.common.exceptions)
        if not kept or self.nothing:
            return
        data = self._encoded_error(key, error)
        if data is not None:
            self._set(key, data, self.ttl_ms if ttl is None else milliseconds(ttl))

    def _encoded_error(self, key: bytes, error: BaseException) -> bytes | bytearray | None:
        """An exception as bytes, without its causes if they are what cannot be serialised."""
        try:
            kept = KeptError(error)
        except NotKept:
            return None
        for form in (kept, kept.without_links()):
            try:
                return self._encoded(key, form)
            except ex.SerializationError:
                continue
        return None

    def _trouble(self, error: Exception) -> None:
        """A store that fails costs the store, never the result."""
        warn_once(f"{self.name}: the store failed, results are computed: {error}")

    # A call of a coroutine function

    async def async_call(self, key: bytes, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Looks up without holding the loop for a server; concurrent callers wait for one."""
        value = await self._async_look_up(key)
        if value is not MISSING:
            return value
        self.misses += 1

        computed = False

        async def compute() -> Any:
            nonlocal computed
            computed = True
            if self.async_flight.landed_lately(key):
                value = await self._async_look_up(key)
                if value is not MISSING:
                    self.misses -= 1
                    return value
            try:
                value = await self.func(*args, **kwargs)
            except tuple(self.common.exceptions) as error:
                self._keep_error(key, error)
                raise
            if self.store.engine in ("memory", "null"):
                self.keep(key, value)
            else:
                await to_thread(self.keep, key, value)
            return value

        value = await self.async_flight.run(key, compute)
        if not computed and is_read_once(value):
            value = await self._async_look_up(key)
            return await self.func(*args, **kwargs) if value is MISSING else value
        return value

    async def _async_look_up(self, key: bytes) -> Any:
        """On the loop where that is a bounded look-up, else in a thread."""
        if self.mapped or not self.store.reads_quickly:
            return unwrap(await to_thread(self.look_up, key))
        try:
            data = self.store.get_small(key)
        except (*_TROUBLES, *_LACKS) as error:
            self._trouble(error)
            return MISSING
        if data is LARGE:
            return unwrap(await to_thread(self.look_up, key))
        return MISSING if data is None else unwrap(self._decoded(key, data))

    # Management

    def info(self) -> CacheInfo:
        entries = 0 if self.store.closed else self.store.size()
        return CacheInfo(self.hits, self.misses, self.maxsize, entries)

    def in_force(self) -> dict[str, Any]:
        shown = dict(self.parameters)
        if shown.get("policy", "") is None:  # nobody said one: it is the store's
            shown["policy"] = "lru" if self.store.closed else self.store.info().get("policy", "lru")
        return shown

    def clear(self) -> None:
        if not self.store.closed:
            self._clear_store()
        if self.read is not None:
            self.read.clear()
        self.hits = self.misses = 0

    def _clear_store(self) -> None:
        self.store.clear()

    def key(self, /, *args: Any, **kwargs: Any) -> bytes:
        try:
            key: bytes = self._key_of(*args, **kwargs)
        except NotBound:
            raise not_bound(self.func, self.name, args, kwargs) from None
        return key

    def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        key = self.key(*args, **kwargs)
        if self.read is not None:
            self.read.remove(key)
        return not self.store.closed and self.store.delete(key)


def _for_others(value: Any) -> Any:
    """Return a result for those that wait for it; NOTHING where each has to read one of their own from the store."""
    return NOTHING if is_read_once(value) else value


async def to_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function in a thread of the event loop, or here where there can be no thread."""
    from twat_cache._memoize.async_flight import running_in_trio

    begun: list[None] = []

    def call() -> Any:
        if begun:
            return None  # it was called already, and this thread came late
        begun.append(None)
        return function(*args)

    try:
        if running_in_trio():
            import trio

            return await trio.to_thread.run_sync(call)
        import asyncio

        return await asyncio.to_thread(call)
    except (ImportError, OSError, RuntimeError):
        if begun:
            raise
        return call()


def unwrap(value: Any) -> Any:
    """A result; raises what was kept as an exception."""
    if value.__class__ is KeptError:
        raise value.again()
    return value


def _wrapper_of(memo: ByteMemo, signature: Signature, is_async: bool) -> tuple[Any, Any]:
    """The wrapper of a function, and what makes the key of a call."""
    arguments, own_key = Arguments(signature), memo.common.key
    # With a serializer of arguments it is that which says what a default is.
    omitted = {} if memo.serializes_arguments else signature.omitted()
    bind = arguments.binder({} if own_key else omitted)
    encode, custom, as_call, func = memo.encoder(), memo.encode_custom, arguments.as_call, memo.func
    look_up, begin, finish, fail, async_call = memo.look_up, memo.begin, memo.finish, memo.fail, memo.async_call

    def key_of(*args: Any, **kwargs: Any) -> bytes:
        if own_key is not None:
            args, kwargs = as_call(args, kwargs)
            return custom(own_key(*args, **kwargs))
        bound = bind(*args, **kwargs)
        if bound is UNBOUND_CALL:
            raise NotBound
        return encode(*bound)

    if is_async:

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                key, call = key_of(*args, **kwargs), as_call(args, kwargs)
            except NotBound:
                return await func(*args, **kwargs)
            return await async_call(key, *call)

        return wrapper, key_of

    def wrapper(*args: Any, **kwargs: Any) -> Any:  # type: ignore[no-redef]
        if own_key is None:
            bound = bind(*args, **kwargs)
            if bound is UNBOUND_CALL:
                return func(*args, **kwargs)
            key = encode(*bound)
        else:
            try:
                key = key_of(*args, **kwargs)
            except NotBound:
                return func(*args, **kwargs)
        value = look_up(key)
        if value is MISSING:
            call = Call()
            try:
                value = begin(key, call)
                if value is MISSING:
                    args, kwargs = as_call(args, kwargs)
                    value = func(*args, **kwargs)
                    finish(key, call, value)
            except BaseException as error:
                fail(key, call, error)
                del call  # the frames of the exception would else hold the exception
                raise
        if value.__class__ is KeptError:
            raise value.again()
        return value

    return wrapper, key_of
