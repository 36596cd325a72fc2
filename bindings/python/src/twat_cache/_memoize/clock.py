"""The clock by which live objects expire. Tests that turn the clock turn this one too.

freezegun replaces functions of ``time`` wherever a module has them, here as well, and puts them back. Times
of one clock mean nothing to the other, so entries with a time to live are dropped at each change: a miss,
where an entry stored in a frozen future would else never expire.
"""

from __future__ import annotations

import sys
import types
import weakref
from time import monotonic as monotonic
from typing import Any

# Stores whose entries expire by this clock.
timed: weakref.WeakSet[Any] = weakref.WeakSet()


class _Clock(types.ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "monotonic":
            for store in list(timed):
                for cell in store.clock_cells:
                    cell.cell_contents = value
                store.expire(sys.float_info.max)  # all but those that never do


sys.modules[__name__].__class__ = _Clock
