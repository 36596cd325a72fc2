"""An eviction order of the core, for objects that stay in Python."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from twat_cache._native import _abi
from twat_cache._native._config import Config
from twat_cache._native._handle import Handle
from twat_cache._native._lib import held
from twat_cache._native._status import check

LOG_SIZE = 4096
_ROOM = 64
_OK, _TRUNCATED, _MISS = _abi.OK, _abi.TRUNCATED, _abi.MISS


class Policy(Handle):
    """Slots in, victims out. The caller's lock is around every call."""

    __slots__ = ("_hits", "_insert", "_n", "_slot", "_victims", "hits_address", "needs")

    def __init__(self, options: Mapping[str, Any]) -> None:
        out = ctypes.c_void_p()
        with Config("memory", options) as config:
            check(held.twat_policy_new(config.pointer, ctypes.byref(out)), opening=True)
        super().__init__(out.value or 0)
        self.needs: int = check(held.twat_policy_needs(self.pointer))
        self._hits = (ctypes.c_uint64 * LOG_SIZE)()
        self.hits_address = ctypes.addressof(self._hits)
        self._slot = ctypes.c_uint64()
        self._n = ctypes.c_size_t()
        self._victims = (ctypes.c_uint64 * _ROOM)()
        addresses = [ctypes.addressof(x) for x in (self._slot, self._victims, self._n)]
        self._insert = (*addresses[:2], _ROOM, addresses[2])

    def _free(self, pointer: int) -> None:
        held.twat_policy_free(pointer)

    def insert(self, hits: list[int], fingerprint: int, cost: int) -> tuple[int, list[int]]:
        """Hands hits over (at most LOG_SIZE), then adds an entry.

        The slot, 0 where it was not admitted, and the slots that have left.
        """
        n = len(hits)
        if n:
            self._hits[:n] = hits
        status = held.twat_policy_insert(
            self._pointer, self.hits_address, n, fingerprint, cost, *self._insert
        )
        if status == _OK:
            left = self._n.value
            if not left:
                return self._slot.value, []
            if left == 1:
                return self._slot.value, [self._victims[0]]
            return self._slot.value, self._victims[:left]
        if status == _MISS:
            return 0, []
        check(status)
        slot, victims = self._slot.value, self._victims[: self._n.value]
        while status == _TRUNCATED:
            status = check(
                held.twat_policy_evicted(
                    self._pointer, self._victims, _ROOM, ctypes.byref(self._n)
                )
            )
            victims += self._victims[: self._n.value]
        return slot, victims

    def hits(self, hits: list[int]) -> None:
        """Hands hits over (at most LOG_SIZE)."""
        n = len(hits)
        self._hits[:n] = hits
        check(held.twat_policy_hits(self._pointer, self.hits_address, n))

    def remove(self, slot: int) -> None:
        """Tells that an entry was removed."""
        check(held.twat_policy_remove(self._pointer, slot))

    def clear(self) -> None:
        """Forgets every slot."""
        check(held.twat_policy_clear(self._pointer))

    def stats(self) -> dict[str, int]:
        """The core's figures."""
        stats = _abi.Stats(struct_size=ctypes.sizeof(_abi.Stats))
        check(held.twat_policy_stats(self._pointer, ctypes.byref(stats)))
        return {name: getattr(stats, name) for name, _ in _abi.Stats._fields_[1:]}
