"""The clock by which live objects expire. It goes on while the machine sleeps.

Tests that turn the clock turn this one too: freezegun replaces functions of ``time`` wherever a module has
them, here ``monotonic``, and puts them back. Times of one clock mean nothing to the other, so entries with a time to
live are dropped at each change: a miss, where an entry stored in a frozen future would else never expire.
"""

from __future__ import annotations

import functools
import sys
import time
import types
import weakref
from collections.abc import Callable
from time import monotonic as monotonic
from typing import Any

# What expires by this clock and is told of its changes.
timed: weakref.WeakSet[Any] = weakref.WeakSet()
_known = (monotonic,)


def _of_machine() -> Callable[[], float]:
    # ``time.monotonic`` stops in sleep on Linux and macOS, and these do not.
    number = getattr(
        time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None) if sys.platform == "darwin" else None
    )
    if number is None:
        return _known[0]
    clock = functools.partial(time.clock_gettime, number)
    try:
        clock()
    except OSError:  # a kernel that does not have it
        return _known[0]
    return clock


_machine = _of_machine()


def turned() -> Callable[[], float] | None:
    """The clock that tests have put in place of the machine's."""
    return None if monotonic is _known[0] else monotonic


def current() -> Callable[[], float]:
    """The clock in force."""
    return turned() or _machine


class _Clock(types.ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "monotonic":
            for one in list(timed):
                one.clock_changed(turned())


sys.modules[__name__].__class__ = _Clock
