"""Readers of what a function captured: each is called with its source, and gives the object that is there now."""

from __future__ import annotations

import types
from typing import Any

from twat_cache._code import Use, uses_of
from twat_cache._live_objects import UNBOUND


def content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return UNBOUND


class OfName:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, scope: dict[str, Any]) -> Any:
        return scope.get(self.name, UNBOUND)


class OfAttribute(OfName):
    __slots__ = ()

    def __call__(self, value: Any) -> Any:
        return instance_attribute(value, self.name)


class HasLength:
    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, value: Any) -> bool:
        return not hasattr(value, "__len__") or len(value) == self.length


def defaults(func: Any) -> Any:
    return func.__defaults__


def code_of(func: Any) -> Any:
    return func.__code__


def kwdefaults(func: Any) -> Any:
    return func.__kwdefaults__


def own(value: Any) -> dict[str, Any]:
    return getattr(value, "__dict__", {})


def size_of_own(value: Any) -> int:
    return len(own(value))


def instance_attribute(value: Any, name: str) -> Any:
    """Return an attribute that is the object's own data, without running its code."""
    own = getattr(value, "__dict__", None)
    if isinstance(own, dict) and name in own:
        return own[name]
    for kind in type(value).__mro__:
        member = kind.__dict__.get(name)
        if isinstance(member, types.MemberDescriptorType):
            try:
                return member.__get__(value)
            except AttributeError:
                return UNBOUND
    return UNBOUND


def read_of(value: Any, use: Use, depth: int = 3) -> set[str]:
    """Return the names of an object's own attributes that code reads, through its methods as well."""
    found: set[str] = set()
    for name in (*use.attributes, *(["__call__"] if use.called else [])):
        method = next((vars(kind)[name] for kind in type(value).__mro__ if name in vars(kind)), None)
        method = getattr(method, "fget", getattr(method, "__func__", method))
        if isinstance(method, types.FunctionType):
            inner = uses_of(method.__code__)
            if depth:
                found |= read_of(value, inner.first, depth - 1) - inner.stored_attributes
        else:
            found.add(name)
    return found
