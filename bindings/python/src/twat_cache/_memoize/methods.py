"""Methods: a table of results for each instance, which it does not keep alive."""

from __future__ import annotations

import weakref
from typing import Any

from twat_cache._memoize.live_table import ObjectStore


class Instances:
    """The tables, by the instance's address; its end takes its table away before the address is used again."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.tables: dict[int, dict[Any, Any]] = {}
        self._refs: dict[int, Any] = {}
        self._held: dict[int, Any] = {}
        self._sweep_at = 64

    def table_of(self, instance: Any) -> dict[Any, Any]:
        """The table of an instance, made on first use."""
        number = id(instance)
        table = self.tables.get(number)
        if table is not None:
            return table
        me = weakref.ref(self)
        released: list[Any] = []

        def gone(_: Any, number: int = number) -> None:
            instances = me()
            if instances is not None:
                instances._drop(number)

        with self.store.lock:
            try:
                self._refs[number] = weakref.ref(instance, gone)
            except TypeError:
                released = self._held_without_results()
                self._held[number] = instance  # it cannot be watched, so it stays as long as its results
            table = self.tables.setdefault(number, {})
        del released  # after the lock: this may run destructors
        return table

    def _held_without_results(self) -> list[Any]:
        """Lets go of instances whose results have all left, now and then. Locked."""
        if len(self._held) < self._sweep_at:
            return []
        empty = [number for number in self._held if not self.tables.get(number)]
        for number in empty:
            self.tables.pop(number, None)
        released = [self._held.pop(number) for number in empty]
        self._sweep_at = max(64, 2 * len(self._held))
        return released

    def _drop(self, number: int) -> None:
        table = self.tables.pop(number, None)
        self._refs.pop(number, None)
        if table is not None:
            self.store.drop(table)
