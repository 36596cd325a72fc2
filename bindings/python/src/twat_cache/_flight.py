"""One computation for concurrent callers of one key, in threads and in coroutines."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any


class _Call:
    __slots__ = ("done", "error", "owner", "value")

    def __init__(self) -> None:
        self.owner = threading.get_ident()
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None


class Flight:
    """For threads. A thread that asks for what it is computing itself computes it again."""

    def __init__(self) -> None:
        self._calls: dict[Any, _Call] = {}
        self._pid = os.getpid()

    def run(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The result of the first caller, for all; its exception too."""
        if self._pid != os.getpid():
            self._forget_the_parents()
        mine = _Call()
        theirs = self._calls.setdefault(key, mine)
        if theirs is not mine:
            if theirs.owner == mine.owner or _waits_for(mine.owner, theirs):
                return compute()
            return self._wait(theirs)
        try:
            mine.value = compute()
        except BaseException as error:
            mine.error = error
            raise
        finally:
            self._calls.pop(key, None)
            mine.done.set()
        return mine.value

    def _wait(self, call: _Call) -> Any:
        me = threading.get_ident()
        _waiting[me] = call
        try:
            call.done.wait()
        finally:
            _waiting.pop(me, None)
        if call.error is not None:
            raise call.error
        return call.value

    def _forget_the_parents(self) -> None:
        self._calls = {}
        self._pid = os.getpid()


# Which call each thread waits for: two functions that call one another from two
# threads would else wait for each other for ever.
_waiting: dict[int, _Call] = {}


def _waits_for(me: int, call: _Call | None) -> bool:
    """Whether the owner of a call waits, directly or not, for this thread."""
    for _ in range(1000):
        call = _waiting.get(call.owner) if call is not None else None
        if call is None:
            return False
        if call.owner == me:
            return True
    return True


class _Task:
    __slots__ = ("task", "waiters")

    def __init__(self, task: asyncio.Future[Any]) -> None:
        self.task = task
        self.waiters = 0


class AsyncFlight:
    """For coroutines of one event loop each."""

    def __init__(self) -> None:
        self._tasks: dict[Any, _Task] = {}

    async def run(self, key: Any, compute: Callable[[], Awaitable[Any]]) -> Any:
        """The result of the first caller, for all; its exception too.

        A caller that is cancelled leaves; the last one to leave takes the
        computation with it.
        """
        loop = asyncio.get_running_loop()
        place = (loop, key)
        running = self._tasks.get(place)
        if running is None or running.task.done() or running.task is asyncio.current_task():
            running = _Task(loop.create_task(_as_coroutine(compute)))
            self._tasks[place] = running
            running.task.add_done_callback(lambda task: self._done(place, task))
        running.waiters += 1
        try:
            return await asyncio.shield(running.task)
        except asyncio.CancelledError:
            if running.waiters == 1 and not running.task.done():
                self._forget(place, running)
                running.task.cancel()
            raise
        finally:
            running.waiters -= 1

    def _done(self, place: Any, task: asyncio.Future[Any]) -> None:
        running = self._tasks.get(place)
        if running is not None and running.task is task:
            del self._tasks[place]
        if not task.cancelled():
            task.exception()  # it was heard by whoever still waits

    def _forget(self, place: Any, running: _Task) -> None:
        if self._tasks.get(place) is running:
            del self._tasks[place]


async def _as_coroutine(compute: Callable[[], Awaitable[Any]]) -> Any:
    return await compute()
