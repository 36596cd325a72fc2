"""One computation for concurrent threads that ask for one key."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from twat_cache._serialize.errors import copied, thrown_from_outside

# A thread that was put off between its look-up and its flight missed at most the
# flights of the others in between.
REMEMBERED = 64
NOTHING: Any = object()


class Call:
    """One computation, and what those that wait for it get."""

    __slots__ = ("computed", "done", "error", "landed", "leads", "owner", "value")

    def __init__(self) -> None:
        self.owner = threading.get_ident()
        self.leads = self.computed = False
        self.done = threading.Event()
        self.landed = False
        self.value: Any = NOTHING
        self.error: BaseException | None = None

    def outcome(self) -> Any:
        """The value; raises a copy of the exception. NOTHING where the caller has to compute itself.

        An interrupt belongs to the thread that it was meant for: it says nothing of the result.
        """
        if self.value is not NOTHING or self.error is None:
            return self.value
        try:
            own = None if thrown_from_outside(self.error) else copied(self.error)
        except (ImportError, OSError):  # a module that cannot be loaded without descriptors
            own = None
        if own is None:
            return NOTHING
        raise own.with_traceback(self.error.__traceback__)


class Flight:
    """For threads. A thread that asks for what it is computing itself computes it again.

    ``begin`` and ``land`` belong to the same call; ``land`` may be called twice, so that
    an interrupt in the midst of one leaves nobody waiting.
    """

    def __init__(self) -> None:
        self._calls: dict[Any, Call] = {}
        self._landed: deque[Any] = deque(maxlen=REMEMBERED)
        self._pid = os.getpid()

    def landed_lately(self, key: Any) -> bool:
        """Whether a computation of the key has just ended, so that a look-up before it may have come too early."""
        return key in self._landed.copy()

    def begin(self, key: Any, mine: Call) -> Any:
        """NOTHING for the caller that is to compute; for others the value of the one that does, or its exception."""
        if self._pid != os.getpid():
            self._forget_the_parents()
        while True:
            theirs = self._calls.setdefault(key, mine)
            if theirs is mine or theirs.owner == mine.owner or _waits_for(mine.owner, theirs):
                mine.leads = True
                return NOTHING
            self._wait(theirs)
            value = theirs.outcome()
            if value is not NOTHING:
                return value
            # It was interrupted: one of those that waited takes over.

    def land(self, key: Any, mine: Call, value: Any = NOTHING, error: BaseException | None = None) -> None:
        """Ends a computation that ``begin`` may have begun."""
        if mine.landed:
            return
        mine.value, mine.error = value, error
        if self._calls.get(key) is mine:
            self._landed.append(key)
            self._calls.pop(key, None)
        mine.done.set()
        mine.landed = True

    def run(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The result of the first caller, for all; its own exceptions too."""
        mine = Call()
        try:
            value = self.begin(key, mine)
            if value is NOTHING:
                value = compute()
                self.land(key, mine, value)
        except BaseException as error:
            self.land(key, mine, error=error)
            del mine  # the frames of the exception would else hold the exception
            raise
        return value

    def _wait(self, call: Call) -> None:
        me = threading.get_ident()
        try:
            _waiting[me] = call
            call.done.wait()
        finally:
            _waiting.pop(me, None)

    def _forget_the_parents(self) -> None:
        self._calls = {}
        self._landed.clear()
        self._pid = os.getpid()


# Which call each thread waits for: two functions that call one another from two
# threads would else wait for each other for ever.
_waiting: dict[int, Call] = {}


def _waits_for(me: int, call: Call | None) -> bool:
    """Whether the owner of a call waits, directly or not, for this thread."""
    for _ in range(1000):
        call = _waiting.get(call.owner) if call is not None else None
        if call is None:
            return False
        if call.owner == me:
            return True
    return True
