"""What a function is, without the module that knows everything about functions.

``inspect`` and what it loads cost more than the rest of this package, so it is
asked only about what is not a plain function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD, VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD = range(5)
EMPTY: Any = type("EMPTY", (), {"__repr__": lambda _: "no default"})()

_VARARGS, _VARKEYWORDS, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x4, 0x8, 0x20, 0x80, 0x200


class Parameter:
    """A parameter: its name, one of the kinds above (``inspect``'s numbers), its default or ``EMPTY``."""

    __slots__ = ("default", "kind", "name")

    def __init__(self, name: str, kind: int, default: Any = EMPTY) -> None:
        self.name, self.kind, self.default = name, kind, default


def parameters_of(func: Callable[..., Any], *, named: bool = False) -> tuple[Parameter, ...]:
    """The parameters of what is called itself, in order. Raises ValueError or TypeError where nobody knows.

    A decorator may add parameters, fill them in or give them other defaults, so neither ``__wrapped__`` nor
    ``__signature__`` is believed. ``named``: the names are needed, so what a signature in C says of itself will do.
    """
    if type(func) is FunctionType:
        return _of_function(func)
    if type(func) is MethodType:
        return _without_first(func.__func__)
    if isinstance(func, functools.partial):
        return _of_partial(func)
    if isinstance(func, type):
        return _of_class(func)
    call = type(func).__call__
    if type(call) is FunctionType:
        return _without_first(call)
    if named:
        return _by_inspect(func)
    raise ValueError("a callable that is not written in Python")


def _without_first(func: Any) -> tuple[Parameter, ...]:
    parameters = parameters_of(func)
    if parameters and parameters[0].kind in (POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD):
        return parameters[1:]
    return parameters


def _of_class(kind: type) -> tuple[Parameter, ...]:
    if type(kind).__call__ is not type.__call__:
        raise ValueError("a class whose metaclass makes its instances")
    made: Any = kind.__new__
    begun: Any = getattr(kind, "__init__")  # noqa: B009 - the type checker takes a class for an instance
    if made is object.__new__ and type(begun) is FunctionType:
        return _without_first(begun)
    if begun is object.__init__ and type(made) is FunctionType:
        return _without_first(made)
    raise ValueError("a class that is not written in Python, or is in two ways")


def _of_partial(func: Any) -> tuple[Parameter, ...]:
    inner = func.func
    parameters_of(inner)  # raises where nobody knows
    if "__signature__" in getattr(inner, "__dict__", ()):
        raise ValueError("a signature that may be another's")
    return _by_inspect(func)


def _by_inspect(func: Any) -> tuple[Parameter, ...]:
    import inspect

    return tuple(
        Parameter(p.name, int(p.kind), EMPTY if p.default is p.empty else p.default)
        for p in inspect.signature(func, follow_wrapped=False).parameters.values()
    )


def _of_function(func: FunctionType) -> tuple[Parameter, ...]:
    code = func.__code__
    names, positional = code.co_varnames, code.co_argcount
    defaults = func.__defaults__ or ()
    first_default = positional - len(defaults)
    found = []
    for n, name in enumerate(names[:positional]):
        kind = POSITIONAL_ONLY if n < code.co_posonlyargcount else POSITIONAL_OR_KEYWORD
        found.append(Parameter(name, kind, defaults[n - first_default] if n >= first_default else EMPTY))
    end = positional + code.co_kwonlyargcount
    star, named = end, func.__kwdefaults__ or {}
    if code.co_flags & _VARARGS:
        found.append(Parameter(names[star], VAR_POSITIONAL))
        star += 1
    found += [Parameter(name, KEYWORD_ONLY, named.get(name, EMPTY)) for name in names[positional:end]]
    if code.co_flags & _VARKEYWORDS:
        found.append(Parameter(names[star], VAR_KEYWORD))
    return tuple(found)


def is_coroutine_function(func: Any) -> bool:
    """Whether calling it gives a coroutine."""
    if type(func) is FunctionType and "_is_coroutine_mark" not in func.__dict__:
        return bool(func.__code__.co_flags & _COROUTINE)
    import inspect

    return inspect.iscoroutinefunction(func)


def is_generator_function(func: Any) -> bool:
    """Whether calling it gives a generator, plain or asynchronous."""
    if type(func) is FunctionType:
        return bool(func.__code__.co_flags & (_GENERATOR | _ASYNC_GENERATOR))
    import inspect

    return inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func)


def unwrapped(func: Any) -> Any:
    """The innermost function of wrappers."""
    for _ in range(1000):
        inner = getattr(func, "__wrapped__", None)
        if inner is None:
            break
        func = inner
    return func
