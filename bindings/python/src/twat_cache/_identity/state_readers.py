"""Readers of what a function captured: each is called with its source, and gives the object that is there now."""

from __future__ import annotations

import operator
import sys
import types
from collections import deque
from collections.abc import Callable
from typing import Any

from twat_cache._identity.code import Use, uses_of
from twat_cache._identity.live_objects import UNBOUND
from twat_cache._identity.origin import is_of_library

# What is looked through at each call: bytes of a form, items of a flat container, bytes of data.
WATCHED_FORM, WATCHED_ITEMS, WATCHED_DATA = 1 << 18, 1 << 20, 1 << 24
_FIXED = frozenset(
    (int, str, bytes, bool, float, complex, type(None), type(...), range, types.ModuleType, types.FunctionType)
)
_FIXED_MODULES = frozenset(("datetime", "decimal", "fractions", "pathlib", "pathlib._local", "uuid", "zoneinfo"))
_SCALARS = frozenset((int, str, bytes, bool, float, complex, type(None)))


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


class OfMember(OfName):
    __slots__ = ()

    def __call__(self, value: Any) -> Any:
        return member(value, self.name)


class Unchanged:
    """Whether a large object still holds what it held.

    Flat containers are compared with a copy, item by item and by identity; anything else by a hash of its form.
    """

    __slots__ = ("_encode", "_hash", "_items")

    def __init__(self, encode: Callable[[Any], bytes], items: tuple[Any, ...] | None, digest: bytes) -> None:
        self._encode, self._items, self._hash = encode, items, digest

    @classmethod
    def of(cls, value: Any, encode: Callable[[Any], bytes]) -> Unchanged | None:
        """Return what tells, or None where that would take too long at each call."""
        items = _flat(value)
        if items is not None:
            return cls(encode, items, b"") if len(items) <= WATCHED_ITEMS else None
        if data_size(value) > WATCHED_DATA:
            return None
        try:
            form = encode(value)
        except Exception:  # noqa: BLE001 - a value of a kind that only the first look at it could describe
            return None
        return cls(encode, None, _digest(form)) if len(form) <= WATCHED_FORM else None

    def __call__(self, value: Any) -> bool:
        try:
            if self._items is None:
                return _digest(self._encode(value)) == self._hash
            items = _items(value)
        except Exception:  # noqa: BLE001 - another thread changes it, or it holds something else now
            return False
        return len(items) == len(self._items) and all(map(operator.is_, items, self._items))


def _digest(form: bytes) -> bytes:
    from twat_cache._ffi.digest import blake3

    return blake3(form)


def _items(value: Any) -> tuple[Any, ...]:
    return (*value, *value.values()) if value.__class__ is dict else tuple(value)


def _flat(value: Any) -> tuple[Any, ...] | None:
    """Return the items of a container that holds nothing but numbers and text, else None."""
    if value.__class__ not in (list, dict, set, deque):
        return None
    items = _items(value)
    return items if _SCALARS.issuperset(map(type, items)) else None


def data_size(value: Any) -> int:
    size = getattr(value, "nbytes", 0)
    return size if isinstance(size, int) else 0


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


# Modules of the standard library whose objects hold what the program puts into them.
_DATA_MODULES = frozenset(("argparse", "collections", "configparser", "optparse", "types"))


def inside(value: Any) -> Any:
    """Return what an object holds besides its attributes, as far as it tells without running the program's code."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name in ("_io.StringIO", "_io.BytesIO"):
        return [value.closed, None if value.closed else [value.getvalue(), value.tell()]]
    if name in ("_contextvars.ContextVar", "builtins.ContextVar"):
        return value.get(None)
    for root in kind.__mro__[1:]:
        if root is dict:
            return dict(dict.items(value))
        if root in (list, set, bytearray, deque):
            return list(root.__iter__(value))
    return UNBOUND


def own_names(value: Any) -> set[str]:
    """Return the names of all data that an object of one of the program's own classes holds."""
    kind = type(value)
    if kind.__module__ not in _DATA_MODULES and is_of_library(kind.__module__):
        return set()
    found = {name for name in own(value) if isinstance(name, str)}
    for base in kind.__mro__:
        found |= {name for name, each in vars(base).items() if isinstance(each, types.MemberDescriptorType)}
    return found


def member(value: Any, name: str) -> Any:
    """Return a constant of a module or class: what is no code, and cannot change in place if it is a library's."""
    scopes = [vars(value)] if isinstance(value, types.ModuleType) else map(vars, value.__mro__)
    found = next((scope[name] for scope in scopes if name in scope), UNBOUND)
    if callable(found) or isinstance(found, types.ModuleType) or hasattr(type(found), "__get__"):
        return UNBOUND
    library = is_of_library(value.__name__ if isinstance(value, types.ModuleType) else value.__module__)
    return UNBOUND if library and type(found) not in _SCALARS else found


def read_of(value: Any, use: Use, depth: int = 3) -> set[str]:
    """Return the names of an object's own attributes that code reads, through its methods as well.

    They are all that it has, where it is handed to somebody who may do anything with it.
    """
    found: set[str] = own_names(value) if use.called else set()
    for name in (*use.attributes, *(["__call__"] if use.called else [])):
        method = next((vars(kind)[name] for kind in type(value).__mro__ if name in vars(kind)), None)
        method = getattr(method, "fget", getattr(method, "__func__", method))
        if isinstance(method, types.FunctionType):
            inner = uses_of(method.__code__)
            if depth:
                found |= read_of(value, inner.first, depth - 1)
                found -= inner.stored_attributes
        else:
            found.add(name)
    return found


def is_fixed(value: Any) -> bool:
    """Whether an object cannot change in place."""
    kind = value.__class__
    if kind in (tuple, frozenset):
        return all(map(is_fixed, value))
    if kind in (types.MethodType, types.BuiltinFunctionType):
        return is_fixed(value.__self__)
    return kind in _FIXED or isinstance(value, type) or kind.__module__ in _FIXED_MODULES or is_pattern(value)


def is_found(kind: Any) -> bool:
    found: Any = sys.modules.get(getattr(kind, "__module__", ""))
    for step in getattr(kind, "__qualname__", "").split("."):
        found = getattr(found, "__dict__", {}).get(step)
    return found is kind


# What Python itself puts into a class, which says nothing of it.
OF_CLASSES = frozenset(
    "__module__ __dict__ __weakref__ __doc__ __qualname__ __firstlineno__ __static_attributes__ __annotations__ "
    "__annotate_func__ __annotations_cache__ __dataclass_fields__ __dataclass_params__ __abstractmethods__ _abc_impl "
    "__parameters__ __orig_bases__".split()
)


def of_body(value: Any) -> Any:
    if isinstance(value, (staticmethod, classmethod)):
        return [type(value).__name__, value.__func__]
    if isinstance(value, property):
        return ["property", value.fget, value.fset, value.fdel]
    return value


def is_pattern(value: Any) -> bool:
    re = sys.modules.get("re")
    return re is not None and isinstance(value, re.Pattern)
