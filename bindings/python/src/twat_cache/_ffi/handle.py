"""Pointers that Python owns: closed once, never used after, freed at the latest with the object."""

from __future__ import annotations

import os
import sys
import time
import weakref
from typing import Any

from twat_cache.exceptions import CacheOperationError


class Handle:
    """An owned pointer of the core.

    A call that may run beside a close enters ``_busy`` before it reads the
    pointer, under an object of its own; close takes the pointer away first and
    then waits for the calls inside. Adding to a set and discarding from it are
    atomic with and without the interpreter lock, which a counter is not, and an
    interrupt between the two leaves nothing behind.
    """

    __slots__ = ("__weakref__", "_busy", "_pointer")

    def __init__(self, pointer: int) -> None:
        self._pointer: int | None = pointer
        self._busy: set[object] = set()
        _live.add(self)

    def _free(self, pointer: int) -> None:
        raise NotImplementedError

    @property
    def pointer(self) -> int:
        """The live pointer."""
        pointer = self._pointer
        if pointer is None:
            raise CacheOperationError("already closed")
        return pointer

    @property
    def closed(self) -> bool:
        """Whether close was called."""
        return self._pointer is None

    def close(self) -> None:
        """Releases the pointer. Calling it again does nothing."""
        pointer, self._pointer = self._pointer, None
        if pointer is None:
            return
        while self._busy:
            time.sleep(0.0002)
        self._free(pointer)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self, _finalizing: Any = sys.is_finalizing) -> None:
        # At the end the library may be half torn down, and the system takes
        # everything back anyway.
        if not _finalizing() and getattr(self, "_pointer", None) is not None:
            pointer, self._pointer = self._pointer, None
            try:
                self._free(pointer)  # type: ignore[arg-type]
            except Exception:  # noqa: BLE001, S110 - nobody is there to hear it
                pass


_live: weakref.WeakSet[Handle] = weakref.WeakSet()


def _forget_calls_of_threads_that_are_gone() -> None:
    for handle in list(_live):
        handle._busy = set()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_calls_of_threads_that_are_gone)
