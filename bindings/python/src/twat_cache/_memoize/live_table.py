"""Live objects in a dictionary, their order in the core.

A hit reads the dictionary and notes the slot in a log; the lock and the core
are met only where something is stored. Everything here that says "locked"
expects the store's lock to be held.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twat_cache._config.options import PLAIN, refuse_read_once
from twat_cache._ffi import abi
from twat_cache._ffi.policy import Policy
from twat_cache._memoize import clock
from twat_cache._memoize.hit_log import HitLog

_len = len  # somebody may memoize the built-in one

NEVER = float("inf")
_MASK = 2**64 - 1
_NOTHING: Sequence[Any] = ()

_MARK = abi.NEEDS_MARK
ORDER: Any = sys.byteorder

# An entry is a list where sieve marks it, else a tuple, without a deadline in
# stores that are not timed. Where hits are told to the core, the slot is in it as
# a text of its eight bytes: texts are joined for the core at half of what joining
# bytes costs, and at a tenth of what turning numbers into an array does.
SLOT_AS = "latin-1"
VALUE, SLOT, DEADLINE, MARKED = 0, 1, 2, 3


def _over(entry: Any, now: Callable[[], float]) -> bool:
    """Whether the time of an entry is over."""
    return _len(entry) > DEADLINE and entry[DEADLINE] <= now()


def _slot(entry: Any) -> int:
    """The slot of an entry, as a number."""
    slot = entry[SLOT]
    return int.from_bytes(slot.encode(SLOT_AS), ORDER) if slot.__class__ is str else slot


class ObjectStore:
    """A bounded dictionary of live objects, or several that share one bound."""

    def __init__(
        self,
        *,
        maxsize: int | None = None,
        max_bytes: int | None = None,
        policy: str = "lru",
        ttl: float | None = None,
        sizeof: Callable[[Any], int] | None = None,
        on_evict: Callable[[Any, Any], None] | None = None,
        timed: bool = True,
        timer: Callable[[], float] | None = None,
    ) -> None:
        self.now: Callable[[], float] = timer or clock.current()
        if timer is None and timed:
            clock.timed.add(self)
        self.table: dict[Any, Any] = {}
        self.marked: list[Any] = []
        self.lock = threading.RLock()
        self.maxsize, self.max_bytes, self.ttl = maxsize, max_bytes, ttl
        self.sizeof, self.on_evict, self.timed = sizeof, on_evict, timed
        self.handed = 0
        options = {"policy": policy, "max_entries": maxsize, "max_bytes": max_bytes}
        self.policy: Policy | None = Policy(options)  # heard even where nothing is bounded: the name may be wrong
        if not maxsize and not max_bytes:
            self.policy.close()
            self.policy = None
        self.needs = self.policy.needs if self.policy else abi.NEEDS_NOTHING
        self.needs_fingerprint = policy == "s3fifo"
        self.log = HitLog(self.drain)
        self.place: dict[int, tuple[dict[Any, Any], Any]] = {}
        self._deadlines: deque[tuple[float, int]] = deque()
        self.inside = False
        self.later: list[Callable[[], None]] = []
        self._mended: list[Any] = []
        self._slots = iter(range(1, 1 << 62))
        _stores.add(self)

    # What callers use

    def find(self, key: Any, table: dict[Any, Any] | None = None) -> Any:
        """The live entry of a key, noted as a hit, or None."""
        entry = (self.table if table is None else table).get(key)
        if entry is None or _over(entry, self.now):
            return None
        if self.needs == abi.NEEDS_LOG:
            self.log.note(entry[SLOT])
        elif self.needs == _MARK and not entry[MARKED]:
            self.marked.append(entry)
            entry[MARKED] = True
        return entry

    def put(self, key: Any, value: Any, ttl: float | None = None) -> None:
        """Stores an object in place of what is there."""
        self.keep(key, value, ttl, self.table, True)

    def keep(
        self,
        key: Any,
        value: Any,
        ttl: float | None = None,
        table: dict[Any, Any] | None = None,
        replace: bool = False,
        cost: int | None = None,
    ) -> None:
        """Stores an object unless a live one is there; what leaves is released outside the lock."""
        if value.__class__ not in PLAIN:
            refuse_read_once(value)
        if cost is None or self.sizeof is None:
            cost = 1 if self.sizeof is None else self.sizeof(value)
        if ttl is None:
            ttl = self.ttl
        if table is None:
            table = self.table
        if ttl is not None and ttl <= 0:
            if replace:
                self.remove(key, table)
            return
        dead: list[tuple[Any, Any]] | None = None
        with self.lock:
            if self.inside and not self.enter():
                return  # a destructor or signal handler in the midst of our own work
            self.inside = True
            dead = self._store(key, value, ttl, table, replace, cost)
            self.leave()
            if self._mended:
                dead = [*(dead or ()), *self._mended]
                self._mended.clear()
        if dead and self.on_evict is not None:
            for gone, entry in dead:
                if entry is not None:
                    self.on_evict(gone, entry[VALUE])

    def remove(self, key: Any, table: dict[Any, Any] | None = None) -> bool:
        """Removes an entry; whether there was a live one."""
        table = self.table if table is None else table
        with self.lock:
            if self.inside and not self.enter():
                self.later.append(lambda: self._remove_later(key, table))
                return key in table
            self.inside = True
            entry = table.pop(key, None)
            if entry is not None:
                self._forget(entry)
            self.leave()
        return entry is not None and not _over(entry, self.now)

    def _remove_later(self, key: Any, table: dict[Any, Any]) -> None:
        self.remove(key, table)

    def clear(self) -> None:
        """Removes every entry."""
        dead: list[Any] = []
        with self.lock:
            if self.inside and not self.enter():
                self.later.append(self.clear)
                return
            self.inside = True
            self._clear_locked(dead)
            self.leave()
        del dead

    def drop(self, table: dict[Any, Any]) -> None:
        """Removes every entry of one of several tables."""
        with self.lock:
            if self.inside and not self.enter():
                self.later.append(lambda: self.drop(table))
                return
            self.inside = True
            dead: list[Any] = list(table.values())
            table.clear()
            for entry in dead:
                self._forget(entry)
            self.leave()
        del dead

    def clock_changed(self, timer: Callable[[], float] | None) -> None:
        """Takes another clock; None is the machine's. Times of the one mean nothing to the other."""
        self.now = timer or clock.current()
        self.expire(sys.float_info.max)  # all but those that never do

    def drain(self) -> None:
        """Hands the log over."""
        with self.lock:
            slots = self._taken()
            if not self.inside and self.policy is not None:
                self.policy.hits(slots)

    def expire(self, at: float | None = None) -> int:
        """Removes every entry whose time is over, now or at another time; how many."""
        dead: list[Any] = []
        with self.lock:
            if self.inside and not self.enter():
                return 0
            self.inside = True
            time_now = self.now() if at is None else at
            for slot, (table, key) in list(self.place.items()):
                entry = table.get(key)
                if entry is not None and _over(entry, lambda: time_now):
                    self._take_out(slot, dead)
            self.leave()
        return _len(dead)

    def __len__(self) -> int:
        """Count the live entries; those whose time is over do not count."""
        with self.lock:
            count, deadlines = _len(self.place), list(self._deadlines)
            if not deadlines:
                return count
            at, place = self.now(), self.place
            return count - sum(1 for deadline, slot in deadlines if deadline <= at and slot in place)

    @property
    def logged(self) -> int:
        """Hits told and to be told, where the policy needs them all."""
        with self.lock:
            return self.handed + _len(self.log.slots)

    # Under the lock.
    #
    # Between ``inside`` being set and unset, a destructor, a weak reference's
    # callback or a signal handler may run our own methods on this very thread:
    # those put what they want to change into ``later``.
    #
    # An exception may come at any moment, also from outside. It leaves ``inside``
    # set, and whoever finds it so without a change on its own stack puts the store
    # in order again. For that a key is in ``place`` before it is in its table, and
    # leaves its table first.

    def enter(self) -> bool:
        """Locked. Whether a change may begin though ``inside`` is set: the last one was interrupted."""
        frame = sys._getframe(1).f_back
        while frame is not None:
            if frame.f_code in CHANGES and self in (frame.f_locals.get("self"), frame.f_locals.get("store")):
                return False
            frame = frame.f_back
        self._mend()
        return True

    def leave(self) -> None:
        """Locked. Ends a change."""
        self.inside = False
        if self.later:
            self.catch_up()

    def _mend(self) -> None:
        """Locked. Puts dictionary and core in order after an interrupt, also of itself."""
        place, policy = self.place, self.policy
        if policy is not None:
            # What the core answered last, which may not have reached us.
            for victim in policy.last_victims():
                self._evict(victim, self._mended)
            if policy.slot_out.value not in place:
                policy.remove(policy.slot_out.value)
        for slot, (table, key) in list(place.items()):
            entry = table.get(key)
            if entry is None or _slot(entry) != slot:
                if policy is not None:
                    policy.remove(slot)
                del place[slot]
        if policy is not None and policy.stats()["entries"] != _len(place):
            self._clear_locked(self._mended)
        entries = [(slot, table[key]) for slot, (table, key) in place.items()]
        if self.needs == _MARK:
            self.marked.clear()
            for _, entry in entries:
                entry[MARKED] = False
        deadlines = [(entry[DEADLINE], slot) for slot, entry in entries if _len(entry) > DEADLINE]
        self._deadlines = deque(sorted(pair for pair in deadlines if pair[0] != NEVER))
        self.inside = False

    def _store(
        self, key: Any, value: Any, ttl: float | None, table: dict[Any, Any], replace: bool, cost: int
    ) -> list[tuple[Any, Any]] | None:
        """Locked. What has left, for the caller to let go of after the lock."""
        old = table.get(key)
        if old is not None:
            if not replace and not _over(old, self.now):
                return None
            del table[key]
            self._forget(old)
        place, policy, needs = self.place, self.policy, self.needs
        tag: Any
        if policy is None:
            slot = tag = next(self._slots)
            victims: Sequence[int] = _NOTHING
        else:
            slot, victims = policy.insert(
                self._taken() if needs else b"", hash(key) & _MASK if self.needs_fingerprint else 0, cost
            )
            if not slot:
                return None
            tag = slot.to_bytes(8, ORDER).decode(SLOT_AS) if needs else slot
        deadline = NEVER if ttl is None else self.now() + ttl
        place[slot] = (table, key)
        if needs == _MARK:
            table[key] = [value, tag, deadline, False]
        else:
            table[key] = (value, tag, deadline) if self.timed else (value, tag)
        dead: list[tuple[Any, Any]] | None = None
        if victims:
            dead = []
            for victim in victims:
                self._evict(victim, dead)
        if ttl is not None:
            self._deadlines.append((deadline, slot))
            dead = [] if dead is None else dead
            self._sweep(dead)
        return dead

    def _evict(self, slot: int, dead: list[Any]) -> None:
        """Removes the entry of a slot that the core has given up."""
        gone = self.place.get(slot)
        if gone is not None:
            entry = gone[0].get(gone[1])
            if entry is not None and _slot(entry) == slot:
                dead.append((gone[1], entry))
                del gone[0][gone[1]]
            del self.place[slot]

    def _sweep(self, dead: list[Any]) -> None:
        """Removes a few entries whose time is over."""
        deadlines, place = self._deadlines, self.place
        time_now = self.now()
        for _ in range(3):
            if not deadlines or deadlines[0][0] > time_now:
                break
            self._take_out(deadlines.popleft()[1], dead)
        if _len(deadlines) > 2 * _len(place) + 64:
            self._deadlines = deque(pair for pair in deadlines if pair[1] in place)

    def _take_out(self, slot: int, dead: list[Any]) -> None:
        place = self.place.get(slot)
        if place is not None:
            entry = place[0].pop(place[1], None)
            if entry is not None:
                self._forget(entry)
                dead.append((place[1], entry))

    def _forget(self, entry: Any) -> None:
        slot = _slot(entry)
        if slot in self.place:
            if self.policy is not None:
                self.policy.remove(slot)
            del self.place[slot]

    def _taken(self) -> bytes:
        """The slots that were hit since they were last taken, as the core reads them."""
        if self.needs == _MARK:
            marked = self.marked[:]
            del self.marked[: _len(marked)]
            for entry in marked:
                entry[MARKED] = False
            return "".join([entry[SLOT] for entry in marked]).encode(SLOT_AS)
        taken = self.log.take()
        self.handed += _len(taken)
        return "".join(taken).encode(SLOT_AS)

    def catch_up(self) -> None:
        while self.later:
            self.later.pop(0)()

    def _clear_locked(self, dead: list[Any]) -> None:
        self._taken()
        for table, key in self.place.values():
            dead.append((key, table.get(key)))
        if self.policy is not None:
            self.policy.clear()
        for table, _ in self.place.values():
            table.clear()
        self.place.clear()
        self._deadlines.clear()

    def after_fork(self) -> None:
        """In a child: a lock that another thread held is of a thread that is gone."""
        if not self.lock.acquire(blocking=False):
            # It was in the midst of a change: begin empty.
            self.inside = False
            for table, _ in list(self.place.values()):
                table.clear()
            self.table.clear()
            self.place.clear()
            self._taken()
            self._deadlines.clear()
            self.later.clear()
            if self.policy is not None:
                self.policy.renew()
        reinit = getattr(self.lock, "_at_fork_reinit", None)
        if reinit is not None:
            reinit()
        else:
            self.lock = threading.RLock()


# The code of what changes a store.
CHANGES: set[Any] = {
    method.__code__
    for method in (ObjectStore.keep, ObjectStore.remove, ObjectStore.clear, ObjectStore.drop, ObjectStore.expire)
}

_stores: weakref.WeakSet[ObjectStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_stores):
        store.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
