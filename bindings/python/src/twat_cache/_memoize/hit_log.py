"""The log of hits: slots in the order in which they were hit, until they are handed over.

Writing to a place of a list that is there already is what costs least, and the
end of the list of numbers says by itself that the log is full. Without the
interpreter lock two threads could write to one place, so there the log is a list
that grows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

LOG_SIZE = 4096
FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()

# The number after each: taking it from here costs less than making a new one.
# The last has none. Threads that come while one hands the full log over write
# to the places behind it, one each.
AFTER = list(range(1, LOG_SIZE))
_SPARE = 256

# Source of the three functions, for the wrappers that have them inside. In
# ``take`` nothing runs between the reading and the setting of the number.
FIXED = """\
def _tc_note(_tc_slot):
    nonlocal _tc_n
    if _tc_n >= _tc_full - 1:
        _tc_drain()
    _tc_log[_tc_n] = _tc_slot
    _tc_n += 1
def _tc_take():
    nonlocal _tc_n
    _tc_taken = _tc_log[:_tc_n]
    _tc_n = 0
    return _tc_taken
def _tc_pending():
    return _tc_n
"""
GROWING = """\
def _tc_note(_tc_slot):
    _tc_append(_tc_slot)
    if _tc_len(_tc_log) >= _tc_full:
        _tc_drain()
def _tc_take():
    _tc_taken = _tc_log[:]
    del _tc_log[:_tc_len(_tc_taken)]
    return _tc_taken
def _tc_pending():
    return _tc_len(_tc_log)
"""


def indented(text: str) -> list[str]:
    """The lines of one of them inside a function."""
    return ["    " + line for line in text.splitlines()]


def new_list() -> list[Any]:
    """What the log is written to."""
    return [] if FREE_THREADED else ["\0" * 8] * (LOG_SIZE + _SPARE)  # no slot, of the size of one


def make_log(drain: Callable[[], None]) -> tuple[Callable[[int], None], Callable[[], Any], Callable[[], int]]:
    """note, take and pending of a log of its own."""
    lines = ["def _tc_make(_tc_log, _tc_append, _tc_len, _tc_full, _tc_drain):", "    _tc_n = 0"]
    lines += indented(GROWING if FREE_THREADED else FIXED)
    lines.append("    return _tc_note, _tc_take, _tc_pending")
    scope: dict[str, Any] = {}
    exec(_compiled("\n".join(lines) + "\n"), scope)  # noqa: S102 - the source above
    log: list[Any] = new_list()
    made: tuple[Any, Any, Any] = scope["_tc_make"](log, log.append, len, LOG_SIZE, drain)
    return made


_code: dict[str, Any] = {}


def _compiled(text: str) -> Any:
    if text not in _code:
        _code[text] = compile(text, "<twat_cache log>", "exec")
    return _code[text]
