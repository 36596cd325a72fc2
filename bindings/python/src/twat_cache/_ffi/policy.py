"""An eviction order of the core, for objects that stay in Python."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

from twat_cache._ffi import abi
from twat_cache._ffi.config import Config
from twat_cache._ffi.handle import Handle
from twat_cache._ffi.lib import held, raw_insert
from twat_cache._ffi.status import check

_len = len  # somebody may memoize the built-in one

_ROOM = 64
_OK, _TRUNCATED, _MISS = abi.OK, abi.TRUNCATED, abi.MISS
size, _u64, _pointer = ctypes.c_size_t.from_param, ctypes.c_uint64.from_param, ctypes.c_void_p.from_param
SIZES = [size(n) for n in range(256)]
ONE, ZERO = _u64(1), _u64(0)


def new_policy(options: Mapping[str, Any]) -> int:
    """Makes a policy: its address, which the caller owns."""
    out = ctypes.c_void_p()
    with Config("memory", options) as config:
        check(held.twat_policy_new(config.pointer, ctypes.byref(out)), opening=True)
    return out.value or 0


def figures_of(address: int) -> dict[str, int]:
    """The core's figures of a policy."""
    stats = abi.Stats(struct_size=ctypes.sizeof(abi.Stats))
    check(held.twat_policy_stats(address, ctypes.byref(stats)))
    return {name: getattr(stats, name) for name in abi.STATS_FIELDS}


class Policy(Handle):
    """Slots in, victims out. The caller's lock is around every call.

    The arguments of an insertion are made once, in the form into which ctypes
    turns every argument: a call costs a third then.
    """

    __slots__ = ("_more", "_more_of", "_options", "handle", "needs", "number_out", "outs", "slot_out", "victims_out")

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        pointer = self._new()
        super().__init__(pointer)
        self.needs: int = check(held.twat_policy_needs(pointer))
        self.slot_out = ctypes.c_uint64()
        self.number_out = ctypes.c_size_t()
        self.victims_out = (ctypes.c_uint64 * _ROOM)()
        self._more: list[tuple[Any, Any]] = []
        self._more_of = 0  # the slot whose insertion they belong to
        self.handle = _pointer(pointer)
        outs = [ctypes.byref(out) for out in (self.slot_out, self.victims_out, self.number_out)]
        self.outs = (outs[0], outs[1], size(_ROOM), outs[2])

    def _new(self) -> int:
        return new_policy(self._options)

    def _free(self, pointer: int) -> None:
        if hasattr(self, "handle"):
            self.handle = _pointer(None)  # a late insertion gets an error
        held.twat_policy_free(pointer)

    def renew(self) -> None:
        """Begins anew; what there was is left to its fate (a fork may have torn it)."""
        self._pointer = self._new()
        self.handle = _pointer(self._pointer)

    def insert(self, hits: bytes, fingerprint: int, cost: int) -> tuple[int, Sequence[int]]:
        """Hands hits over, then adds an entry.

        The slot, 0 where it was not admitted, and the slots that have left.
        """
        n = _len(hits) >> 3
        status = raw_insert(
            self.handle,
            hits,
            SIZES[n] if n < 256 else size(n),
            _u64(fingerprint) if fingerprint else ZERO,
            ONE if cost == 1 else _u64(cost),
            *self.outs,
        )
        if status == _OK:
            left = self.number_out.value
            if not left:
                return self.slot_out.value, ()
            if left == 1:
                return self.slot_out.value, (self.victims_out[0],)
            return self.slot_out.value, self.victims_out[:left]
        if status == _MISS:
            return 0, ()
        check(status)
        return self.slot_out.value, self.last_victims()

    def last_victims(self) -> list[int]:
        """Every slot that the last insertion evicted, however often and after whatever interrupt it is asked."""
        if self.slot_out.value != self._more_of:
            self._more, self._more_of = [], self.slot_out.value
        status = _TRUNCATED
        while status == _TRUNCATED:
            # Noted before the core fills them, so that an interrupt loses none.
            room, number = (ctypes.c_uint64 * _ROOM)(), ctypes.c_size_t()
            self._more.append((room, number))
            status = check(held.twat_policy_evicted(self.pointer, room, _ROOM, ctypes.byref(number)))
        victims = self.victims_out[: self.number_out.value]
        for room, number in self._more:
            victims += room[: number.value]
        return victims

    def hits(self, hits: bytes) -> None:
        """Hands hits over: slots of eight bytes, in this machine's order."""
        check(held.twat_policy_hits(self.pointer, hits, _len(hits) >> 3))

    def remove(self, slot: int) -> None:
        """Tells that an entry was removed."""
        check(held.twat_policy_remove(self.pointer, slot))

    def clear(self) -> None:
        """Forgets every slot."""
        check(held.twat_policy_clear(self.pointer))

    def stats(self) -> dict[str, int]:
        """The core's figures."""
        return figures_of(self.pointer)
