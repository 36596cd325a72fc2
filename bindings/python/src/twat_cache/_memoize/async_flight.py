"""One computation for concurrent coroutines that ask for one key."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from twat_cache._memoize.single_flight import REMEMBERED
from twat_cache._serialize.errors import copied


class _Task:
    __slots__ = ("task", "waiters", "waits_for")

    def __init__(self) -> None:
        self.task: asyncio.Future[Any]
        self.waiters = 0
        self.waits_for: list[_Task] = []


# The computation that a coroutine is part of.
_inside: contextvars.ContextVar[_Task | None] = contextvars.ContextVar("twat_cache_inside", default=None)


def _would_wait_for_itself(me: _Task | None, other: _Task) -> bool:
    """Whether a computation waits, directly or not, for the one that is about to wait for it."""
    if me is None:
        return False
    seen: set[int] = set()
    ahead = [other]
    while ahead:
        one = ahead.pop()
        if one is me:
            return True
        if id(one) not in seen:
            seen.add(id(one))
            ahead += one.waits_for
    return False


def running_in_trio() -> bool:
    """Whether the caller is a task of trio, whose event loop asyncio does not know."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class AsyncFlight:
    """For coroutines of one event loop each."""

    def __init__(self) -> None:
        self._tasks: dict[Any, _Task] = {}
        self._landed: deque[Any] = deque(maxlen=REMEMBERED)
        self._trio: Any = None

    def landed_lately(self, key: Any) -> bool:
        """Whether a computation of the key has just ended, so that a look-up before it may have come too early."""
        if running_in_trio():
            return self._in_trio().landed_lately(key)  # type: ignore[no-any-return]
        return (asyncio.get_running_loop(), key) in self._landed

    async def run(self, key: Any, compute: Callable[[], Awaitable[Any]]) -> Any:
        """The result of the first caller, for all; its exception too, a copy for each.

        A caller that is cancelled leaves; the last one to leave takes the computation
        with it. A computation that is cancelled by others is taken over by one that waits.
        """
        if running_in_trio():
            return await self._in_trio().run(key, compute)
        loop = asyncio.get_running_loop()
        place = (loop, key)
        me = _inside.get()
        while True:
            running = self._tasks.get(place)
            mine = running is None or running.task.done()
            if running is None or mine:
                running = _Task()
                running.task = loop.create_task(_as_coroutine(compute, running))
                self._tasks[place] = running
                running.task.add_done_callback(lambda task: self._done(place, task))
            elif _would_wait_for_itself(me, running):
                return await compute()
            try:
                return await self._wait(place, running, me)
            except asyncio.CancelledError:
                if mine or not running.task.cancelled() or _is_cancelled():
                    raise
            except Exception as error:
                own = None if mine else copied(error)
                if own is None:
                    raise
                raise own.with_traceback(error.__traceback__) from own.__cause__

    async def _wait(self, place: Any, running: _Task, me: _Task | None) -> Any:
        running.waiters += 1
        if me is not None:
            me.waits_for.append(running)
        try:
            return await asyncio.shield(running.task)
        except asyncio.CancelledError:
            if running.waiters == 1 and not running.task.done():
                self._forget(place, running)
                running.task.cancel()
            raise
        finally:
            running.waiters -= 1
            if me is not None:
                me.waits_for.remove(running)

    def _done(self, place: Any, task: asyncio.Future[Any]) -> None:
        running = self._tasks.get(place)
        if running is not None and running.task is task:
            del self._tasks[place]
        self._landed.append(place)
        if not task.cancelled():
            task.exception()  # whoever still waits has it

    def _forget(self, place: Any, running: _Task) -> None:
        if self._tasks.get(place) is running:
            del self._tasks[place]

    def _in_trio(self) -> Any:
        if self._trio is None:
            from twat_cache._memoize.trio_flight import TrioFlight

            self._trio = TrioFlight()
        return self._trio


def _is_cancelled() -> bool:
    """Whether the caller itself is being cancelled. Before Python 3.11 a task does not say."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    return cancelling is not None and bool(cancelling())


async def _as_coroutine(compute: Callable[[], Awaitable[Any]], task: _Task) -> Any:
    _inside.set(task)
    return await compute()
