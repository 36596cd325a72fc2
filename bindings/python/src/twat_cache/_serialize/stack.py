"""Tells a caller that is deep in calls from a value that is deep in itself."""

from __future__ import annotations

import sys
from typing import Any

# What reading or writing the deepest value that is stored as data may take.
_ENOUGH = 600


def is_nearly_full() -> bool:
    """Whether the calls of the program have left less room than any value needs."""
    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return sys.getrecursionlimit() - depth < _ENOUGH


def holds_itself(value: Any) -> bool:
    """Whether a list, tuple or dictionary is somewhere inside itself."""
    above: set[int] = set()
    ends: set[int] = set()
    todo: list[tuple[Any, bool]] = [(value, True)]
    while todo:
        item, enters = todo.pop()
        if not enters:
            above.discard(id(item))
            ends.add(id(item))
            continue
        if id(item) in ends or not isinstance(item, (list, tuple, dict)):
            continue
        if id(item) in above:
            return True
        above.add(id(item))
        todo.append((item, False))
        todo += [(inside, True) for inside in (item.values() if isinstance(item, dict) else item)]
    return False
