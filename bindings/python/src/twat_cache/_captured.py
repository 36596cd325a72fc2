"""What tells apart the functions that one ``def`` makes: the variables they captured (docs/format.md, "Names").

A value with a canonical form stands for itself, in every run. Any other object
stands for itself in this process only: a function that captured one shares its
results with nobody who might have captured another.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
import types
import weakref
from typing import Any

from twat_cache import _key_rules, _keys, _names
from twat_cache import _msgpack as mp
from twat_cache._msgpack import Encoder, Unencodable

_UNBOUND = object()


class Captured:
    """The variables a function captured, as canonical bytes (none: no bytes).

    ``here_only`` are those whose values stand for themselves in this process only.
    """

    def __init__(self) -> None:
        self.here_only: list[str] = []
        self._inside: list[types.FunctionType] = []

    def form(self, func: types.FunctionType) -> bytes:
        """The canonical map from variable to value."""
        closure = func.__closure__ or ()
        if not closure:
            return b""
        self._inside.append(func)
        kept: list[tuple[bytes, bytes]] = []
        state = _rebound(func.__code__)
        alone = _names.stands_alone(func)
        for name, cell in zip(func.__code__.co_freevars, closure):
            # A class is what the qualified name says. What the function rebinds is its state.
            if name == "__class__" or name in state:
                continue
            try:
                value = cell.cell_contents
            except ValueError:
                value = _UNBOUND
            itself = _names.leads_to(value, func) or (value is _UNBOUND and name == func.__name__)
            if itself or (alone and _names.leads_to(func, value)):
                continue
            form = self._value(name, value, alone)
            if form is not None:
                kept.append((_keys.ENCODER.encode(name), form))
        self._inside.pop()
        out = bytearray()
        mp.write_map_header(out, len(kept))
        for name_bytes, form in sorted(kept):
            out += name_bytes + form
        return bytes(out) if kept else b""

    def _value(self, name: str, value: Any, alone: bool) -> bytes | None:
        """``alone``: nothing but a wrapper made otherwise bears the name, so what has no form may be left out."""
        encoder = Encoder(_keys.TABLE, self._other, canonical=True)
        if value is not _UNBOUND:
            try:
                return encoder.encode(value)
            except (Unencodable, RecursionError):
                pass
        if alone:
            return None
        self.here_only.append(name)
        return _keys.ENCODER.encode(_of_this_process(value))

    def _other(self, encoder: Encoder, out: bytearray, value: Any) -> None:
        """What keys have no form for, because arguments of these kinds are mostly mistakes."""
        value = _names.settled(value)
        if isinstance(value, types.FunctionType):
            self._function(encoder, out, value)
        elif isinstance(value, types.MethodType):
            mp.write_named(encoder, out, "builtins.method", [value.__self__, value.__func__])
        elif isinstance(value, types.BuiltinFunctionType):
            mp.write_named(encoder, out, "builtins.function", [value.__self__, value.__qualname__])
        elif isinstance(value, types.ModuleType):
            mp.write_named(encoder, out, "builtins.module", value.__name__)
        elif isinstance(value, functools.partial):
            mp.write_named(encoder, out, "functools.partial", [value.func, list(value.args), value.keywords])
        elif _is_pattern(value):
            mp.write_named(encoder, out, "re.Pattern", [value.pattern, value.flags])
        else:
            _key_rules.write_other(encoder, out, value)

    def _function(self, encoder: Encoder, out: bytearray, func: types.FunctionType) -> None:
        if func in self._inside:
            mp.write_named(encoder, out, "builtins.function", len(self._inside) - self._inside.index(func))
            return
        before, form = list(self.here_only), self.form(func)
        if self.here_only != before:
            self.here_only = before
            raise Unencodable("a function that captured something of this process")
        mp.write_named(encoder, out, "builtins.function", [_names.base_name(func), form])


def _is_pattern(value: Any) -> bool:
    re = sys.modules.get("re")
    return re is not None and isinstance(value, re.Pattern)


def _rebound(code: types.CodeType) -> set[str]:
    """The captured variables that a function, or one inside it, assigns."""
    import dis

    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("STORE_DEREF", "DELETE_DEREF")}
    return names.union(*(_rebound(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)))


_process: list[bytes] = []
_numbers = itertools.count(1)
_known: dict[int, tuple[weakref.ref[Any], int]] = {}

if hasattr(os, "register_at_fork"):
    # A child counts on from where its parent was, and so would its brothers.
    os.register_at_fork(after_in_child=_process.clear)


def _of_this_process(value: Any) -> list[Any]:
    """What stands for one live object: the same each time, and for nothing else in any process."""
    if not _process:
        _process.append(os.urandom(16))
    return ["in this process", _process[0], _number_of(value)]


def _number_of(value: Any) -> int:
    address = id(value)
    known = _known.get(address)
    if known is not None and known[0]() is value:
        return known[1]
    number = next(_numbers)
    if value is not _UNBOUND:
        try:
            _known[address] = (weakref.ref(value, lambda _: _known.pop(address, None)), number)
        except TypeError:
            pass  # it may be gone tomorrow and another at its address
    return number
