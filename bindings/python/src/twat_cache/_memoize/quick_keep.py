"""The store of a result where the options ask for nothing special, in one function.

It does what ``ObjectStore.keep`` does for a store with a policy that wants a log
or nothing, no ttl, no weights and no callback: the usual ``mcache(maxsize=n)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache._config.options import PLAIN, refuse_read_once
from twat_cache._ffi import abi
from twat_cache._ffi.lib import raw_insert
from twat_cache._ffi.policy import ONE, SIZES, ZERO, size
from twat_cache._ffi.status import check
from twat_cache._memoize.live_table import CHANGES, ORDER, SLOT_AS, ObjectStore


def quick_keep(store: ObjectStore) -> Callable[..., None]:
    """``store.keep``, or the short form of it."""
    policy, keep_in_full = store.policy, store.keep
    plain = not store.timed and store.sizeof is None and store.on_evict is None and not store.needs_fingerprint
    # Without a lock that begins anew in place, a fork would leave us the old one.
    plain = plain and hasattr(store.lock, "_at_fork_reinit")
    if policy is None or not plain or store.max_bytes or store.needs == abi.NEEDS_MARK:
        return keep_in_full
    tells = store.needs == abi.NEEDS_LOG
    place, take, lock = store.place, store.take, store.lock
    slot_at, victims_at, room, number_at = policy.outs
    slot_out, victims_out, number_out = policy.slot_out, policy.victims_out, policy.number_out

    def keep(key: Any, value: Any, ttl: float | None, table: dict[Any, Any]) -> None:
        if value.__class__ not in PLAIN:
            refuse_read_once(value)
        dead: Any = None
        with lock:
            if store.inside and not store.enter():
                return  # a destructor or signal handler in the midst of our own work
            store.inside = True
            if key in table:
                store.leave()
                return
            hits, n = b"", 0
            if tells:
                taken = take()
                if taken:
                    n = len(taken)
                    store.handed += n
                    hits = "".join(taken).encode(SLOT_AS)
            status = raw_insert(
                policy.handle,
                hits,
                SIZES[n] if n < 256 else size(n),
                ZERO,
                ONE,
                slot_at,
                victims_at,
                room,
                number_at,
            )
            if status:
                store.leave()
                check(status)
                return  # not admitted; it never has several victims, which all weigh the same
            slot = slot_out.value
            place[slot] = (table, key)
            table[key] = (value, slot.to_bytes(8, ORDER).decode(SLOT_AS) if tells else slot)
            if number_out.value:
                victim = victims_out[0]
                gone = place.get(victim)
                if gone is not None:
                    dead = gone[0].pop(gone[1], None)
                    del place[victim]
            store.inside = False
            if store.later:
                store.catch_up()
        del dead  # what has left is let go of after the lock

    CHANGES.add(keep.__code__)
    return keep
