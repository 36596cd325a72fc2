"""Methods: a table of results for each instance, which it does not keep alive."""

from __future__ import annotations

import weakref
from typing import Any

from twat_cache._memory import ObjectStore


class Instances:
    """The tables, by the instance's address; its end takes its table away before the address is used again."""

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
