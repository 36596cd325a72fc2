"""Exceptions that are kept: copies without frames, and the rules for what is kept.

An exception is copied without a call of its ``__init__``, which may want other
arguments than ``args`` has. The original is never changed: its traceback belongs
to whoever caught it.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Mapping
from typing import Any

_DEPTH = 10
_LINKS = ("__cause__", "__context__")
# Fields that are copied on their own, or belong to one raising.
# ``obj`` of an AttributeError would keep an instance alive; ``exceptions`` are a group's, copied one by one.
_NEVER = frozenset(
    ("__traceback__", "__suppress_context__", "__dict__", "__weakref__", "args", "obj", "exceptions", *_LINKS)
)
_FIELDS = (types.MemberDescriptorType, types.GetSetDescriptorType)


class NotKept(Exception):
    """An exception that has no faithful copy."""


def state_of(error: BaseException, depth: int = _DEPTH, links: bool = True) -> dict[str, Any]:
    """Everything that makes an exception, but for its traceback and those of its causes."""
    kind = type(error)
    state: dict[str, Any] = {"type": kind, "args": error.args, "suppress": error.__suppress_context__}
    if _copies_itself(kind):
        state["self"] = _own_copy(error)
    attributes = dict(getattr(error, "__dict__", None) or {})
    notes = attributes.get("__notes__")
    if isinstance(notes, list):
        attributes["__notes__"] = list(notes)
    state["attributes"] = attributes
    state["fields"] = {name: value for name, value in _fields(error) if name not in attributes}
    inner = _inner(error)
    if inner is not None:
        if depth <= 0:
            raise NotKept
        state["args"] = (error.args[0], [state_of(one, depth - 1, links) for one in inner])
        state["group"] = True
    if links and depth > 0:
        for link in _LINKS:
            value = getattr(error, link)
            if value is not None:
                # One that cannot be copied is left out, as are those beyond the depth.
                try:
                    state[link] = state_of(value, depth - 1)
                except NotKept:
                    pass
        if error.__cause__ is error.__context__ and "__cause__" in state:
            state["__context__"] = "cause"
    return state


def from_state(state: dict[str, Any]) -> BaseException:
    """A new exception. Raises NotKept where its class does not let itself be made."""
    kind = state["type"]
    args = state["args"]
    if state.get("group"):
        args = (args[0], [from_state(one) for one in args[1]])
    if "self" in state:
        made = _own_copy(state["self"])
    else:
        try:
            made = _made_in_c(kind).__new__(kind, *args)
        except Exception:  # noqa: BLE001 - whatever it does not take
            raise NotKept from None
        if not state.get("group"):
            made.args = args
    if type(made) is not kind:
        raise NotKept
    for name, value in state["fields"].items():
        try:
            if getattr(made, name, None) is not value:
                setattr(made, name, value)
        except Exception:  # noqa: BLE001, S112 - read-only, made of the others
            continue
    for name, value in state["attributes"].items():
        made.__dict__[name] = list(value) if name == "__notes__" and isinstance(value, list) else value
    links = {link: state[link] for link in _LINKS if link in state}
    cause = from_state(links["__cause__"]) if "__cause__" in links else None
    context = links.get("__context__")
    made.__cause__ = cause
    made.__context__ = cause if context == "cause" else None if context is None else from_state(context)
    made.__suppress_context__ = state["suppress"]
    return made


def copied(error: BaseException) -> BaseException | None:
    """A copy without frames; None where there is no faithful one."""
    try:
        return from_state(state_of(error))
    except NotKept:
        return None


_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())


def _inner(error: Any) -> tuple[BaseException, ...] | None:
    """The exceptions of a group."""
    return error.exceptions if isinstance(error, _GROUP) else None


_HEAP_TYPE = 1 << 9


def _made_in_c(kind: type[BaseException]) -> Any:
    """The nearest class without Python code, whose ``__new__`` takes ``args``."""
    return next(base for base in kind.__mro__ if not base.__flags__ & _HEAP_TYPE)


def _own_copy(error: BaseException) -> BaseException:
    """The copy that a class makes of its exceptions."""
    import copy

    try:
        made = copy.copy(error)
    except Exception:  # noqa: BLE001 - a user's own code
        raise NotKept from None
    if made is error or not isinstance(made, BaseException):
        raise NotKept
    return made.with_traceback(None)


def _copies_itself(kind: type) -> bool:
    """Whether a class says how it is copied."""
    if getattr(kind, "__copy__", None) is not None:
        return True
    for base in kind.__mro__:
        if "__reduce__" in base.__dict__ or "__reduce_ex__" in base.__dict__:
            return base.__module__ != "builtins"
    return False


def _fields(error: BaseException) -> list[tuple[str, Any]]:
    """What C classes and ``__slots__`` hold."""
    found = []
    for base in type(error).__mro__:
        for name, descriptor in base.__dict__.items():
            if name not in _NEVER and isinstance(descriptor, _FIELDS):
                try:
                    found.append((name, descriptor.__get__(error)))
                except AttributeError:
                    continue
    return found


class KeptError:
    """A result that is an exception. In a store it is signed like every pickle."""

    __slots__ = ("_made", "_state")

    def __init__(self, error: BaseException) -> None:
        """Raises NotKept for an exception that has no faithful copy."""
        self._state = state_of(error)
        self._made: BaseException | None = from_state(self._state)

    @property
    def error(self) -> BaseException:
        """The exception, which nobody has raised."""
        if self._made is None:
            self._made = from_state(self._state)
        return self._made

    def again(self) -> BaseException:
        """An exception of its own for each raising, without the tracebacks of earlier ones."""
        return from_state(self._state)

    def without_links(self) -> KeptError:
        """The same without its causes, which may be what cannot be serialised."""
        made = KeptError.__new__(KeptError)
        made._made = None
        made._state = {name: part for name, part in self._state.items() if name not in _LINKS}
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _kept, (self._state,)


def _kept(state: dict[str, Any]) -> KeptError:
    made = KeptError.__new__(KeptError)
    made._state, made._made = state, None
    made._made = from_state(state)  # one that cannot be made is a miss, found out here
    return made


def time_to_keep(error: BaseException, kinds: Mapping[type[BaseException], float | None]) -> tuple[bool, float | None]:
    """Whether an exception is kept, and for how long: its most specific type decides.

    What ends a thread or a task is kept only under its own name: it says nothing of
    the arguments. What was thrown into the thread from outside is not kept.
    """
    for kind in type(error).__mro__:
        if kind in kinds:
            break
    else:
        return False, None
    if not isinstance(error, Exception) and kind is not type(error):
        return False, None
    ttl = kinds[kind]
    if ttl is not None and ttl <= 0:
        return False, None
    return not thrown_from_outside(error), ttl


# Where an exception comes from


def thrown_from_outside(error: BaseException) -> bool:
    """Whether an exception may have been thrown into the computation by something else.

    A soft time limit, ``PyThreadState_SetAsyncExc``, a signal handler and a greenlet's
    ``throw`` raise in the midst of a function that did nothing wrong. Such an exception
    appears where the interpreter looks for it: after a call, at the head of a loop or
    of a function, never at a ``raise``. In doubt the answer is yes.
    """
    interrupting = _interrupting_code()
    if _evidence(error, interrupting) is not False:
        return True
    # What it was raised for counts too, where that is certain.
    for _ in range(_DEPTH):
        reason = error.__cause__ or error.__context__
        if reason is None:
            return False
        if _evidence(reason, interrupting):
            return True
        error = reason
    return False


def _evidence(error: BaseException, interrupting: set[types.CodeType]) -> bool | None:
    """Whether one exception was thrown from outside; None where that cannot be told."""
    if not isinstance(error, Exception):
        return True
    step = error.__traceback__
    if step is None:
        return False
    while step.tb_next is not None:
        if step.tb_frame.f_code in interrupting:
            return True
        step = step.tb_next
    code = step.tb_frame.f_code
    if code in interrupting:
        return True
    name = _instruction(code, step.tb_lasti)
    if name.startswith(("RAISE", "RERAISE")):
        return False
    if name.startswith(_RAISE_NOTHING) or _switches_greenlets(code):
        return True
    return None if _is_as_made_without_arguments(error) else False


# Instructions that raise nothing themselves.
_RAISE_NOTHING = ("RESUME", "JUMP", "POP_JUMP", "RETURN", "INSTRUMENTED_RESUME", "INSTRUMENTED_JUMP", "NOP")


def _instruction(code: types.CodeType, at: int) -> str:
    """The name of the instruction at an offset; empty where there is none, as in frames of Cython."""
    import opcode

    return opcode.opname[code.co_code[at]] if 0 <= at < len(code.co_code) else ""


def _is_as_made_without_arguments(error: Exception) -> bool:
    """Whether an exception may have been made from its class alone, as the interpreter makes those that are thrown."""
    try:
        return type(error)().args == error.args
    except Exception:  # noqa: BLE001 - its class needs arguments
        return False


def _switches_greenlets(code: types.CodeType) -> bool:
    """Whether a frame is where one greenlet gives way to another, and so where another's ``throw`` appears."""
    return "greenlet" in sys.modules and (code.co_name == "switch" or "gevent" in code.co_filename)


def _interrupting_code() -> set[types.CodeType]:
    """The code of signal handlers and of what traces."""
    import signal

    found = set()
    handlers: list[Any] = [sys.gettrace(), sys.getprofile()]
    handlers += [signal.getsignal(number) for number in signal.valid_signals()]
    for handler in handlers:
        function = getattr(handler, "func", handler)  # of a partial
        for one in (getattr(function, "__func__", function), type(function).__dict__.get("__call__")):
            code = getattr(one, "__code__", None)
            if code is not None:
                found.add(code)
    return found
