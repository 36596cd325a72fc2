"""One computation for concurrent threads that ask for one key."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

# A thread that was put off between its look-up and its flight missed at most the
# flights of the others in between.
REMEMBERED = 64


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
        self._landed: deque[Any] = deque(maxlen=REMEMBERED)
        self._pid = os.getpid()

    def landed_lately(self, key: Any) -> bool:
        """Whether a computation of the key has just ended, so that a look-up before it may have come too early."""
        return key in self._landed.copy()

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
            self._landed.append(key)
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
        self._landed.clear()
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
