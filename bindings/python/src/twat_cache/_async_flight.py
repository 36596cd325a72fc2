"""One computation for concurrent coroutines that ask for one key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


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
