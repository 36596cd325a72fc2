"""One computation for concurrent tasks of trio (or of anyio over it) that ask for one key."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from twat_cache._memoize.single_flight import NOTHING, REMEMBERED
from twat_cache._serialize.errors import copied


class _Call:
    __slots__ = ("done", "error", "value", "waits_for")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.value: Any = NOTHING
        self.error: Exception | None = None
        self.waits_for: _Call | None = None


# The computation that a task is part of; tasks that it starts inherit it.
_inside: contextvars.ContextVar[_Call | None] = contextvars.ContextVar("twat_cache_inside_trio", default=None)


class TrioFlight:
    """The first caller computes in its own task: nothing outlives the nursery of whoever asked.

    Where it is cancelled, one of those that wait takes over.
    """

    def __init__(self) -> None:
        self._calls: dict[Any, _Call] = {}
        self._landed: deque[Any] = deque(maxlen=REMEMBERED)

    def landed_lately(self, key: Any) -> bool:
        """Whether a computation of the key has just ended, so that a look-up before it may have come too early."""
        return (trio.lowlevel.current_trio_token(), key) in self._landed

    async def run(self, key: Any, compute: Callable[[], Awaitable[Any]]) -> Any:
        """The result of the first caller, for all; its exception too, a copy for each."""
        place = (trio.lowlevel.current_trio_token(), key)
        me = _inside.get()
        while True:
            running = self._calls.get(place)
            if running is None:
                return await self._compute(place, compute)
            if _leads_to(running, me):
                return await compute()
            await _wait(running, me)
            if running.error is not None:
                own = copied(running.error)
                if own is not None:
                    raise own.with_traceback(running.error.__traceback__)
            elif running.value is not NOTHING:
                return running.value

    async def _compute(self, place: Any, compute: Callable[[], Awaitable[Any]]) -> Any:
        call = self._calls[place] = _Call()
        token = _inside.set(call)
        try:
            call.value = await compute()
        except Exception as error:
            call.error = error
            raise
        finally:
            _inside.reset(token)
            del self._calls[place]
            self._landed.append(place)
            call.done.set()
        return call.value


async def _wait(running: _Call, me: _Call | None) -> None:
    if me is not None:
        me.waits_for = running
    try:
        await running.done.wait()
    finally:
        if me is not None:
            me.waits_for = None


def _leads_to(running: _Call | None, me: _Call | None) -> bool:
    """Whether a computation waits, directly or not, for the one that is about to wait for it."""
    while me is not None and running is not None:
        if running is me:
            return True
        running = running.waits_for
    return False
