"""Builds a ``twat_config`` from a dictionary."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

from twat_cache._ffi.handle import Handle
from twat_cache._ffi.lib import held
from twat_cache._ffi.status import check
from twat_cache.exceptions import ConfigurationError, PathError

_U64 = 2**64


class Config(Handle):
    """A configuration under construction."""

    __slots__ = ()

    def __init__(self, engine: str, options: Mapping[str, Any] | None = None) -> None:
        out = ctypes.c_void_p()
        check(held.twat_config_new(_text("engine", engine), ctypes.byref(out)), opening=True)
        super().__init__(out.value or 0)
        for name, value in (options or {}).items():
            self.set(name, value)

    def set(self, name: str, value: Any) -> None:
        """Sets an option; None leaves its default."""
        if value is None:
            return
        key = _text("option", name)
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, int):
            if not 0 <= value < _U64:
                raise ConfigurationError(f"{name}: expected an integer from 0 to 2^64 - 1, found: {value}")
            check(held.twat_config_set_u64(self.pointer, key, value), opening=True)
        elif isinstance(value, str):
            text = _path(value) if name == "path" else _text(name, value)
            check(held.twat_config_set(self.pointer, key, text), opening=True)
        else:
            raise ConfigurationError(f"{name}: expected text, a number or a truth value, found: {value!r}")

    def load(self, options: Mapping[str, Any]) -> None:
        """Lays options over it, tiers included."""
        import json

        data = json.dumps(options).encode()
        check(held.twat_config_load(self.pointer, data, len(data)), opening=True)

    def add_tiers(self, tiers: Sequence[Config]) -> None:
        """Adds tiers below those already there."""
        for tier in tiers:
            check(held.twat_config_add_tier(self.pointer, tier.pointer), opening=True)

    def _free(self, pointer: int) -> None:
        held.twat_config_free(pointer)


def _path(value: str) -> bytes:
    """The bytes of a path, as the system has them; the core takes those that are UTF-8."""
    import os

    data = os.fsencode(value)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise PathError(f"path: expected a name that is UTF-8, got: {value!r}") from None
    return _without_nul("path", data, value)


def _text(name: str, value: str) -> bytes:
    try:
        data = value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{name}: expected UTF-8 text, found: {value!r}") from error
    return _without_nul(name, data, value)


def _without_nul(name: str, data: bytes, value: str) -> bytes:
    if b"\0" in data:
        raise ConfigurationError(f"{name}: expected text without NUL, found: {value!r}")
    return data
