"""The name of a function whose state is part of it, kept current from call to call."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from twat_cache._config.opening import warn_user
from twat_cache._identity import closures
from twat_cache._identity.call_keys import ENCODER, prefix_of
from twat_cache._identity.closures import Captured, Held
from twat_cache._identity.live_objects import UNBOUND, process_bytes
from twat_cache._identity.state_readers import content
from twat_cache._serialize.msgpack_writer import Unencodable

_PREFIXES = 64


def has_state(func: FunctionType) -> bool:
    """Whether something besides the code tells a function apart. Those without pay nothing at a call."""
    return bool(func.__closure__) or closures.reads_globals(func)


def _form(value: Any) -> bytes | None:
    try:
        return ENCODER.encode(value)
    except (Unencodable, RecursionError):
        return None


class Watch:
    """Follows what one function captured.

    A variable that is bound anew is seen by identity. What can change in place is read again at each call, which is
    cheap enough for what is small. Larger objects stand for themselves in this process, and are looked through for
    changes; with those that are too large for that (``keeps`` is false) no result is kept.
    """

    __slots__ = (
        "_alone", "_base", "_frozen", "_func", "_held", "_late", "_outlives", "_state", "here_only", "keeps",
        "prefixes", "text",
    )  # fmt: skip

    def __init__(
        self, func: FunctionType, base: str, *, alone: bool, frozen: bool, outlives: bool, late: bool = True
    ) -> None:
        """``late``: a variable that is not bound yet may be bound to anything."""
        self._func, self._base, self._alone = func, base, alone
        self._frozen, self._outlives = frozen, outlives
        cells = zip(func.__code__.co_freevars, func.__closure__ or ())
        unbound = [name for name, cell in cells if content(cell) is UNBOUND]
        self._late = frozenset(unbound if late else ()) - {func.__name__, "__class__"}
        self._held = Held()
        self.prefixes: dict[bytes, None] = {}
        self._read()

    @property
    def follows(self) -> bool:
        """Whether the name may change."""
        checks, contents, volatile, _, _ = self._state
        return bool(checks or contents) or volatile

    def prefix(self) -> bytes:
        """Return what the key of a call begins with now."""
        checks, contents, volatile, process, prefix = self._state
        if volatile or (process is not None and process is not process_bytes()):
            return self._read()
        for reader, source, seen in checks:
            if reader(source) is not seen:
                return self._read()
        for value, form in contents:
            if _form(value) != form:
                return self._read()
        return prefix

    def _read(self) -> bytes:
        found = Captured(frozen=self._frozen, late=self._late, before=self._held)
        form = found.form(self._func, self._alone)
        text = self._base
        if form:
            from twat_cache._ffi.digest import blake3

            text = f"{text}~{blake3(form).hex()[:32]}"
        if found.here_only and (self._outlives or found.unwatched):
            self._warn(found)
        prefix = prefix_of(text)
        self.text, self.here_only, self._held = text, bool(found.here_only), found.held
        self.keeps = not found.unwatched
        # One object, since other threads read it.
        process = process_bytes() if found.here_only else None
        self._state = (tuple(found.checks), tuple(found.contents), found.volatile, process, prefix)
        self.prefixes[prefix] = None
        if len(self.prefixes) > _PREFIXES:
            self.prefixes.pop(next(iter(self.prefixes)), None)
        return prefix

    def _warn(self, found: Captured) -> None:
        names = " ".join(map(repr, found.here_only))
        if found.unwatched or found.large:
            effect = "not kept" if found.unwatched else "kept for this process only"
            warn_user(
                f"{self._base}: the captured {names} would take too long to look at at each call, so results are "
                f"{effect}; pass it as an argument, or give the decorator frozen=True if it never changes"
            )
            return
        warn_user(
            f"{self._base}: the captured {names} cannot be told apart from what another run or another call captures, "
            "so results are kept for this process only; "
            "pass it as an argument, or give the decorator a name= that tells the functions apart"
        )
