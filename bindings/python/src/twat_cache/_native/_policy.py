"""An eviction order of the core, for objects that stay in Python."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from twat_cache._native import _abi
from twat_cache._native._config import Config
from twat_cache._native._handle import Handle
from twat_cache._native._lib import held, raw_insert
from twat_cache._native._status import check

LOG_SIZE = 4096
_ROOM = 64
_OK, _TRUNCATED, _MISS = _abi.OK, _abi.TRUNCATED, _abi.MISS
_NONE = ctypes.c_size_t(0)
_ONE, _ZERO = ctypes.c_uint64(1), ctypes.c_uint64(0)


class Policy(Handle):
    """Slots in, victims out. The caller's lock is around every call.

    The arguments of an insertion are made once: ctypes then passes them on as
    they are, which halves the cost of a call.
    """

    __slots__ = ("_handle", "_hits", "_hits_pointer", "_insert", "_n", "_options", "_slot", "_victims", "needs")

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        pointer = self._new()
        super().__init__(pointer)
        self.needs: int = check(held.twat_policy_needs(pointer))
        hits = (ctypes.c_uint64 * LOG_SIZE)()
        self._hits = memoryview(hits).cast("B").cast("Q")
        self._slot = ctypes.c_uint64()
        self._n = ctypes.c_size_t()
        self._victims = (ctypes.c_uint64 * _ROOM)()
        self._hits_pointer = _address(hits)
        self._handle = ctypes.c_void_p(pointer)
        self._insert = (_address(self._slot), _address(self._victims), ctypes.c_size_t(_ROOM), _address(self._n))

    def _new(self) -> int:
        out = ctypes.c_void_p()
        with Config("memory", self._options) as config:
            check(held.twat_policy_new(config.pointer, ctypes.byref(out)), opening=True)
        return out.value or 0

    def _free(self, pointer: int) -> None:
        if hasattr(self, "_handle"):
            self._handle.value = None  # a late insertion gets an error
        held.twat_policy_free(pointer)

    def renew(self) -> None:
        """Begins anew; what there was is left to its fate (a fork may have torn it)."""
        self._pointer = self._handle.value = self._new()

    def insert(self, hits: Sequence[int], fingerprint: int, cost: int) -> tuple[int, Sequence[int]]:
        """Hands hits over (at most LOG_SIZE), then adds an entry.

        The slot, 0 where it was not admitted, and the slots that have left.
        """
        n = _NONE
        if hits:
            n = ctypes.c_size_t(len(hits))
            self._hits[: n.value] = array("Q", hits)
        status = raw_insert(
            self._handle,
            self._hits_pointer,
            n,
            ctypes.c_uint64(fingerprint) if fingerprint else _ZERO,
            _ONE if cost == 1 else ctypes.c_uint64(cost),
            *self._insert,
        )
        if status == _OK:
            left = self._n.value
            if not left:
                return self._slot.value, ()
            if left == 1:
                return self._slot.value, (self._victims[0],)
            return self._slot.value, self._victims[:left]
        if status == _MISS:
            return 0, ()
        check(status)
        slot, victims = self._slot.value, self._victims[: self._n.value]
        while status == _TRUNCATED:
            status = check(held.twat_policy_evicted(self._pointer, self._victims, _ROOM, ctypes.byref(self._n)))
            victims += self._victims[: self._n.value]
        return slot, victims

    def hits(self, hits: Sequence[int]) -> None:
        """Hands hits over (at most LOG_SIZE)."""
        n = len(hits)
        self._hits[:n] = array("Q", hits)
        check(held.twat_policy_hits(self.pointer, self._hits_pointer, n))

    def remove(self, slot: int) -> None:
        """Tells that an entry was removed."""
        check(held.twat_policy_remove(self.pointer, slot))

    def clear(self) -> None:
        """Forgets every slot."""
        check(held.twat_policy_clear(self.pointer))

    def stats(self) -> dict[str, int]:
        """The core's figures."""
        stats = _abi.Stats(struct_size=ctypes.sizeof(_abi.Stats))
        check(held.twat_policy_stats(self.pointer, ctypes.byref(stats)))
        return {name: getattr(stats, name) for name in _abi.STATS_FIELDS}


def _address(thing: Any) -> ctypes.c_void_p:
    """Its address as an argument; the caller keeps the thing itself alive."""
    return ctypes.c_void_p(ctypes.addressof(thing))
