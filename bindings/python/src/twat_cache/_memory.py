"""Live objects in a dictionary, their order in the core.

A hit reads the dictionary and notes the slot in a log; the lock and the core
are met only where something is stored. Everything here that says "locked"
expects the store's lock to be held.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from twat_cache._native import _abi
from twat_cache._native._policy import LOG_SIZE, Policy

now = time.monotonic
NEVER = float("inf")
_MASK = 2**64 - 1

# An entry is a list where sieve marks it, else a tuple.
VALUE, SLOT, DEADLINE, MARK = 0, 1, 2, 3


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
    ) -> None:
        self.table: dict[Any, Any] = {}
        self.log: list[Any] = []
        self.lock = threading.RLock()
        self.maxsize, self.max_bytes, self.policy_name = maxsize, max_bytes, policy
        self.ttl = ttl
        self.sizeof = sizeof
        self.on_evict = on_evict
        self.handed = 0
        self.bytes = 0
        self._options = {"policy": policy, "max_entries": maxsize, "max_bytes": max_bytes}
        self.policy: Policy | None = None
        if maxsize or max_bytes:
            self.policy = Policy(self._options)
        elif policy not in ("lru", None):
            Policy(self._options).close()  # only to hear what is wrong with it
        self.needs = self.policy.needs if self.policy else _abi.NEEDS_NOTHING
        self._needs_fingerprint = policy == "s3fifo"
        self._place: dict[int, tuple[dict[Any, Any], Any]] = {}
        self._deadlines: deque[tuple[float, int]] = deque()
        self._inside = False
        self._later: list[Callable[[], None]] = []
        self._slots = iter(range(1, 1 << 62))
        _stores.add(self)

    # What callers use

    def find(self, key: Any, table: dict[Any, Any] | None = None) -> Any:
        """The live entry of a key, noted as a hit, or None."""
        entry = (self.table if table is None else table).get(key)
        if entry is None or entry[DEADLINE] <= now():
            return None
        self.hit(entry)
        return entry

    def hit(self, entry: Any) -> None:
        """Notes a hit as the policy needs it."""
        needs = self.needs
        if needs == _abi.NEEDS_LOG:
            self.log.append(entry[SLOT])
            if len(self.log) >= LOG_SIZE:
                self.drain()
        elif needs == _abi.NEEDS_MARK and not entry[MARK]:
            entry[MARK] = True
            self.log.append(entry)

    def keep(
        self, key: Any, value: Any, ttl: float | None = None, table: dict[Any, Any] | None = None
    ) -> None:
        """Stores an object unless a live one is there; what leaves is released outside the lock."""
        self._store(key, value, ttl, self.table if table is None else table, False)

    def put(self, key: Any, value: Any, ttl: float | None = None) -> None:
        """Stores an object in place of what is there."""
        self._store(key, value, ttl, self.table, True)

    def remove(self, key: Any, table: dict[Any, Any] | None = None) -> bool:
        """Removes an entry; whether there was a live one."""
        table = self.table if table is None else table
        with self.lock:
            if self._inside:
                self._later.append(lambda: self.remove(key, table) and None)
                return key in table
            entry = table.pop(key, None)
            if entry is None:
                return False
            self._forget(entry)
        return bool(entry[DEADLINE] > now())

    def clear(self) -> None:
        """Removes every entry."""
        dead: list[Any] = []
        with self.lock:
            if self._inside:
                self._later.append(self.clear)
                return
            self._clear_locked(dead)
        del dead

    def drop(self, table: dict[Any, Any]) -> None:
        """Removes every entry of one of several tables."""
        with self.lock:
            if self._inside:
                self._later.append(lambda: self.drop(table))
                return
            dead = list(table.values())
            table.clear()
            for entry in dead:
                self._forget(entry)
        del dead

    def drain(self) -> None:
        """Hands the log over."""
        with self.lock:
            if not self._inside:
                self._inside = True
                try:
                    self._hand_over(self._take_log())
                finally:
                    self._inside = False

    def __len__(self) -> int:
        return len(self._place)

    @property
    def logged(self) -> int:
        """Hits told and to be told, where the policy needs them all."""
        with self.lock:
            return self.handed + len(self.log)

    # Under the lock

    # Between ``_inside`` being set and unset, a destructor, a weak reference's
    # callback or a signal handler may run our own methods on this very thread:
    # those put what they want to change into ``_later``.

    def _store(self, key: Any, value: Any, ttl: float | None, table: dict[Any, Any], replace: bool) -> None:
        cost = self.sizeof(value) if self.sizeof is not None else 1
        if ttl is None:
            ttl = self.ttl
        if ttl is not None and ttl <= 0:
            if replace:
                self.remove(key)
            return
        dead: list[Any] = []
        with self.lock:
            if self._inside:
                return  # a destructor or signal handler in the midst of our own work
            self._inside = True
            try:
                self._store_locked(key, value, ttl, table, replace, cost, dead)
            finally:
                self._inside = False
                while self._later:
                    self._later.pop(0)()
        if dead and self.on_evict is not None:
            for gone, entry in dead:
                self.on_evict(gone, entry[VALUE])

    def _store_locked(
        self,
        key: Any,
        value: Any,
        ttl: float | None,
        table: dict[Any, Any],
        replace: bool,
        cost: int,
        dead: list[Any],
    ) -> None:
        old = table.get(key)
        if old is not None:
            if not replace and old[DEADLINE] > now():
                return
            del table[key]
            self._forget(old)
            dead_old = old  # noqa: F841 - lives until the lock is released
        if self.policy is None:
            slot, victims = next(self._slots), ()
        else:
            fingerprint = hash(key) & _MASK if self._needs_fingerprint else 0
            slot, victims = self.policy.insert(self._take_log() if self.log else (), fingerprint, cost)
            if not slot:
                return
        deadline = NEVER if ttl is None else now() + ttl
        marked = self.needs == _abi.NEEDS_MARK
        entry = [value, slot, deadline, False] if marked else (value, slot, deadline)
        try:
            table[key] = entry
        except BaseException:
            if self.policy is not None:
                self.policy.remove(slot)
            raise
        self._place[slot] = (table, key)
        for victim in victims:
            place = self._place.pop(victim, None)
            if place is not None:
                dead.append((place[1], place[0].pop(place[1], None)))
        if ttl is not None:
            self._deadlines.append((deadline, slot))
            self._sweep(dead)

    def _sweep(self, dead: list[Any]) -> None:
        """Removes a few entries whose time is over."""
        deadlines, place = self._deadlines, self._place
        time_now = now()
        for _ in range(3):
            if not deadlines or deadlines[0][0] > time_now:
                break
            self._take_out(deadlines.popleft()[1], dead)
        if len(deadlines) > 2 * len(place) + 64:
            self._deadlines = deque(pair for pair in deadlines if pair[1] in place)

    def _take_out(self, slot: int, dead: list[Any]) -> None:
        place = self._place.get(slot)
        if place is not None:
            entry = place[0].pop(place[1], None)
            if entry is not None:
                self._forget(entry)
                dead.append((place[1], entry))

    def expire(self) -> int:
        """Removes every entry whose time is over; how many."""
        dead: list[Any] = []
        with self.lock:
            if self._inside:
                return 0
            time_now = now()
            over = [slot for slot, (table, key) in self._place.items() if table[key][DEADLINE] <= time_now]
            for slot in over:
                self._take_out(slot, dead)
        return len(dead)

    def _forget(self, entry: Any) -> None:
        if self._place.pop(entry[SLOT], None) is not None and self.policy is not None:
            self.policy.remove(entry[SLOT])

    def _take_log(self) -> list[int]:
        """The log as slots, at most LOG_SIZE of them; what is more is told at once."""
        log = self.log
        taken = log[:]
        del log[: len(taken)]
        if self.needs == _abi.NEEDS_MARK:
            for entry in taken:
                entry[MARK] = False
            taken = [entry[SLOT] for entry in taken]
        self.handed += len(taken)
        while len(taken) > LOG_SIZE:
            self._hand_over(taken[:LOG_SIZE])
            taken = taken[LOG_SIZE:]
        return taken

    def _hand_over(self, slots: list[int]) -> None:
        if slots and self.policy is not None:
            self.policy.hits(slots)

    def _clear_locked(self, dead: list[Any]) -> None:
        self.handed += len(self.log)
        del self.log[:]
        dead.extend((key, table.get(key)) for table, key in self._place.values())
        for table, _ in self._place.values():
            table.clear()
        self._place.clear()
        self._deadlines.clear()
        if self.policy is not None:
            self.policy.clear()
        if self.on_evict is not None:
            dead.clear()  # a clear is no eviction

    def after_fork(self) -> None:
        """In a child: a lock that another thread held is of a thread that is gone."""
        if not self.lock.acquire(blocking=False):
            # It was in the midst of a change: begin empty.
            self._inside = False
            for table, _ in list(self._place.values()):
                table.clear()
            self.table.clear()
            self._place = {}
            self.log.clear()
            self._deadlines.clear()
            self._later.clear()
            if self.policy is not None:
                self.policy = Policy(self._options)
        self.lock = threading.RLock()


_stores: weakref.WeakSet[ObjectStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_stores):
        store.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Instances:
    """A table for each instance of a class, which it does not keep alive."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.tables: dict[int, dict[Any, Any]] = {}
        self._refs: dict[int, Any] = {}

    def table_of(self, instance: Any) -> dict[Any, Any]:
        """The table of an instance, made on first use."""
        number = id(instance)
        table = self.tables.get(number)
        if table is not None:
            return table
        me = weakref.ref(self)

        def gone(_: Any, number: int = number) -> None:
            instances = me()
            if instances is not None:
                instances._drop(number)

        with self.store.lock:
            try:
                self._refs[number] = weakref.ref(instance, gone)
            except TypeError:
                self._refs[number] = instance  # it cannot be watched, so it must stay
            return self.tables.setdefault(number, {})

    def _drop(self, number: int) -> None:
        table = self.tables.pop(number, None)
        self._refs.pop(number, None)
        if table is not None:
            self.store.drop(table)
