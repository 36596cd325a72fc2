"""What the code of a function says: a hash of it, which definition it is, and how it uses its variables."""

from __future__ import annotations

import functools
import sys
from types import CodeType
from typing import Any

# Methods of the built-in containers that change them. A dropped result was not read.
_CHANGES = frozenset(
    "add append appendleft clear discard extend extendleft insert remove reverse rotate setdefault sort update pop "
    "popleft popitem difference_update intersection_update symmetric_difference_update subtract".split()
)
_READS = frozenset(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"))
_GLOBALS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"))
_SKIPPED = frozenset(("CACHE", "EXTENDED_ARG", "NOP"))


def code_hash(func: Any) -> str:
    """Return the BLAKE3 of a function's code: its bytes, constants and names."""
    return hash_of(getattr(func, "__code__", None))


def hash_of(*codes: CodeType | None) -> str:
    """Return the BLAKE3 of several codes and of those inside them, without their lines."""
    from twat_cache._ffi.digest import blake3

    parts: list[bytes] = []
    for code in codes:
        _parts(code, parts)
    return blake3(b"\0".join(parts)).hex()


def _parts(code: CodeType | None, parts: list[bytes]) -> None:
    if code is None:
        return
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & 0x2AF)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    parts += [code.co_code, getattr(code, "co_exceptiontable", b""), repr((shape, names)).encode()]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _parts(constant, parts)
        elif isinstance(constant, frozenset):
            parts.append(repr(sorted(map(repr, constant))).encode())
        else:
            parts.append(repr(constant).encode("utf-8", "surrogatepass"))


# Definitions


def _stub() -> None: ...


def definitions_of_one_name(code: CodeType) -> tuple[list[CodeType], bool]:
    """Return the codes that share their name with another one where they are defined, and whether that was seen.

    Under ``@`` the module's or class's code runs: it is on the stack, with all its definitions. So the answer is the
    same in every run, whichever of the definitions came first.
    """
    shared: list[CodeType] = []
    seen = False
    frame: Any = sys._getframe(1)
    for _ in range(500):
        if frame is None:
            break
        inside = _defined_in(frame.f_code)
        if any(each is code for each in inside):
            seen = True
            others = [each for each in inside if each.co_name == code.co_name and not _is_stub(each)]
            if len(others) > 1:
                shared.append(code)
            code = frame.f_code
        frame = frame.f_back
    return shared, seen


def _defined_in(code: CodeType) -> list[CodeType]:
    found: list[CodeType] = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            generic = constant.co_name.startswith("<generic parameters")
            found += _defined_in(constant) if generic else [constant]
    return found


def _is_stub(code: CodeType) -> bool:
    """Whether code is an overload's ``...``, which is never what its name stands for."""
    return code.co_code == _stub.__code__.co_code and not any(each not in (None, ...) for each in code.co_consts)


# Variables


class Use:
    """How code uses a variable. ``read``: by more than changing it. ``attributes``: those it asks the variable for."""

    __slots__ = ("attributes", "called", "read")

    def __init__(self) -> None:
        self.read = self.called = False
        self.attributes: set[str] = set()


class Uses:
    """The variables of a code and of the codes inside it: captured, global, and the first argument's attributes."""

    __slots__ = ("assigned", "captured", "first", "globals", "globals_assigned", "stored_attributes")

    def __init__(self) -> None:
        self.captured: dict[str, Use] = {}
        self.globals: dict[str, Use] = {}
        self.assigned: set[str] = set()
        self.globals_assigned: set[str] = set()
        self.first = Use()
        self.stored_attributes: set[str] = set()


@functools.lru_cache(maxsize=1024)
def uses_of(code: CodeType) -> Uses:
    """Return how a code uses its variables."""
    found = Uses()
    _collect(code, found)
    return found


def _collect(code: CodeType, found: Uses) -> None:
    import dis

    steps = [step for step in dis.get_instructions(code) if step.opname not in _SKIPPED]
    first = code.co_varnames[0] if code.co_argcount else None
    for at, step in enumerate(steps):
        name = step.opname
        if name in _READS:
            _use(found.captured.setdefault(step.argval, Use()), steps, at)
            if step.argval == first:
                _use(found.first, steps, at)
        elif name in _GLOBALS:
            _use(found.globals.setdefault(step.argval, Use()), steps, at)
        elif name in ("STORE_DEREF", "DELETE_DEREF"):
            found.assigned.add(step.argval)
        elif name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            found.globals_assigned.add(step.argval)
        elif name == "STORE_ATTR":
            found.stored_attributes.add(step.argval)
        elif "LOAD_FAST" in name and first in _loaded(step):
            if _loaded(step)[-1] == first:
                _use(found.first, steps, at)
            else:
                found.first.read = found.first.called = True  # one step loads two; this one is used later
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = uses_of(constant)
            if first in constant.co_freevars and first in inner.captured:
                _merge({first: found.first}, {first: inner.captured[first]})
            # An inner variable of the same name that is not captured is another one.
            _merge(found.captured, {name: use for name, use in inner.captured.items() if name in constant.co_freevars})
            _merge(found.globals, inner.globals)
            found.assigned |= inner.assigned.intersection(constant.co_freevars)
            found.globals_assigned |= inner.globals_assigned


def _loaded(step: Any) -> tuple[Any, ...]:
    """Return the variables that a step loads, which may store another one before."""
    names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
    return names[1:] if step.opname.startswith("STORE_FAST_LOAD_FAST") else names


def _merge(into: dict[str, Use], more: dict[str, Use]) -> None:
    for name, use in more.items():
        known = into.setdefault(name, Use())
        known.read, known.called = known.read or use.read, known.called or use.called
        known.attributes |= use.attributes


def _use(use: Use, steps: list[Any], at: int) -> None:
    """Note what the steps after a load do with the object."""
    after = steps[at + 1] if at + 1 < len(steps) else None
    if after is not None and after.opname in ("LOAD_ATTR", "LOAD_METHOD"):
        use.attributes.add(after.argval)
        if after.argval in _CHANGES and _result_is_dropped(steps, at):
            return
    elif _is_stored_into(steps, at):
        return
    else:
        use.called = True  # it may be, or be handed to somebody who does anything with it
    use.read = True


def _result_is_dropped(steps: list[Any], at: int) -> bool:
    """Whether a method is called on the object that step ``at`` loads, and the result thrown away."""
    import dis

    depth = 1
    for number in range(at + 1, len(steps)):
        step = steps[number]
        if step.opcode in dis.hasjrel or step.opcode in dis.hasjabs or step.opname.startswith(("YIELD", "RETURN")):
            return False
        depth += dis.stack_effect(step.opcode, step.arg)
        if depth < 1:
            return False
        if depth == 1:
            return bool(step.opname.startswith("CALL") and steps[number + 1].opname == "POP_TOP")
    return False


def _is_stored_into(steps: list[Any], at: int) -> bool:
    """Whether an item is set: ``x[k] = v``, or ``x[k] += v``, which reads nothing but what it sets."""
    names = [step.opname for step in steps[at + 1 : at + 10]]
    if len(names) < 2 or not names[0].startswith("LOAD_"):
        return False
    if names[1] == "STORE_SUBSCR":
        return True
    rest = names[2:] if names[1] == "DUP_TOP_TWO" else names[3:] if names[1:3] == ["COPY", "COPY"] else []
    if len(rest) < 4 or rest[0] not in ("BINARY_SUBSCR", "BINARY_OP") or not rest[1].startswith("LOAD_"):
        return False
    if rest[2] != "BINARY_OP" and not rest[2].startswith("INPLACE_"):
        return False
    return rest[3:5] == ["ROT_THREE", "STORE_SUBSCR"] or rest[3:6] == ["SWAP", "SWAP", "STORE_SUBSCR"]
