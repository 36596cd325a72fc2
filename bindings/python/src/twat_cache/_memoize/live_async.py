"""Coroutine functions whose results are live objects: concurrent callers of one key run it once."""

from __future__ import annotations

from typing import Any

from twat_cache._config.options import refuse_read_once
from twat_cache._memoize.arguments import MISSING, Arguments, NotBound
from twat_cache._memoize.async_flight import AsyncFlight
from twat_cache._memoize.wrapper import dress
from twat_cache._serialize.errors import KeptError


class _Call:
    """A call on its way: where its result goes, and what tells it from others."""

    __slots__ = ("args", "key", "kwargs", "place", "token")

    def __init__(self, place: Any, key: Any, token: Any, args: Any, kwargs: Any) -> None:
        self.place, self.key, self.token, self.args, self.kwargs = place, key, token, args, kwargs


def async_wrapper(memo: Any, arguments: Arguments, whole_key: Any, weighed: Any, copier: Any) -> Any:
    """The wrapper of a coroutine function. ``whole_key`` gives the key of a call that the native part has not found."""

    func, common, results = memo.func, memo.common, memo.results
    native = not hasattr(results, "look_up")
    errors, callback, nothing = tuple(common.exceptions), common.callback, memo.nothing
    finishes, flight = bool(errors or copier or callback), AsyncFlight()

    def finish(event: str, key: Any, value: Any) -> Any:
        if value.__class__ is KeptError and errors:
            raise value.again()
        if copier is not None:
            value = copier(value)
        if callback is not None:
            callback(event, key, value)
        return value

    def put(call: _Call, value: Any, ttl: float | None, cost: int | None, is_error: bool) -> None:
        if native:
            cost = (1 if weighed is None else weighed(value)) if cost is None else cost
            ttl = memo.ttl if ttl is None else ttl
            results.put(value, ttl, cost, is_error, *call.args, **call.kwargs)
        else:
            results.put(call.place, value, ttl, cost)

    async def run(call: _Call) -> Any:
        async def compute() -> Any:
            try:
                value = await func(*call.args, **call.kwargs)
            except errors as error:
                kept = None if nothing else memo.kept_error(error)
                if kept is not None:
                    put(call, kept[0], kept[1], kept[2], True)
                raise
            refuse_read_once(value)
            if not nothing and (common.cache_if is None or common.cache_if(value)):
                put(call, value, None, None, False)
            return value

        value = await flight.run(call.token, compute)
        return finish("miss", call.key, value) if finishes else value

    if native:
        find = results.find

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            value = find(*args, **kwargs)
            if value is not MISSING:
                return finish("hit", memo.key(*args, **kwargs) if callback else None, value) if finishes else value
            try:
                key, token = whole_key(args, kwargs)
                args, kwargs = arguments.as_call(args, kwargs)
            except NotBound:
                return await func(*args, **kwargs)
            return await run(_Call(None, key, token, args, kwargs))

    else:
        look_up, miss_type = results.look_up, results.miss_type

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            value = look_up(args, kwargs)
            if value.__class__ is not miss_type:
                return finish("hit", memo.key(*args, **kwargs) if callback else None, value) if finishes else value
            if value.key is MISSING:
                return await func(*args, **kwargs)
            token = (id(value.table), results.stored_key(value.key))
            return await run(_Call(value, value.key, token, value.args, value.kwargs))

    return dress(wrapper, func, memo)
