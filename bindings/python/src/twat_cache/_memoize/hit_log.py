"""The log of hits: slots in the order in which they were hit, until the core hears of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_len = len  # somebody may memoize the built-in one

LOG_SIZE = 4096


class HitLog:
    """``slots`` grows by one for each hit; whoever finds ``LOG_SIZE`` of them calls ``drain``."""

    __slots__ = ("drain", "slots")

    def __init__(self, drain: Callable[[], None]) -> None:
        self.slots: list[Any] = []
        self.drain = drain

    def note(self, slot: Any) -> None:
        """Append a hit."""
        self.slots.append(slot)
        if _len(self.slots) >= LOG_SIZE:
            self.drain()

    def take(self) -> list[Any]:
        """Take what there is. Another thread may append meanwhile."""
        taken = self.slots[:]
        del self.slots[: _len(taken)]
        return taken
