"""Keys from types that the table of exact types does not have: one rule each (docs/python.md, "How keys are made").

A rule writes all that a function can see of a value. Where it cannot, it raises
Unencodable: a key that leaves something out would answer for another value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize import named_types
from twat_cache._serialize.exact_types import write_loaded
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable

# The top-level package of a type -> the module here whose ``write`` knows its types.
_LIBRARIES = {
    "numpy": "numpy_keys",
    "pandas": "pandas_keys",
    "polars": "table_keys",
    "pyarrow": "table_keys",
    "scipy": "science_keys",
    "xarray": "science_keys",
    "astropy": "science_keys",
    "torch": "science_keys",
}


def write_other(encoder: Encoder, out: bytearray, value: Any) -> None:
    """What the table does not know by its exact type."""
    kind = type(value)
    stands = getattr(kind, "__cache_key__", None)
    if stands is not None:
        encoder.write(out, stands(value))
    elif write_loaded(encoder, out, value) or _write_standard(encoder, out, value):
        return
    elif issubclass(kind, type):
        _write_class(encoder, out, value)
    elif not (
        _write_library(encoder, out, value)
        or named_types.write(encoder, out, value)
        or _write_subclass(encoder, out, value)
    ):
        raise Unencodable(f"a {named_types.name_of(kind)}")


def _write_library(encoder: Encoder, out: bytearray, value: Any) -> bool:
    module = _LIBRARIES.get(str(type(value).__module__).partition(".")[0])
    if module is None:
        return False
    rule: Callable[[Encoder, bytearray, Any], bool] = import_module(f"twat_cache._identity.{module}").write
    return rule(encoder, out, value)


# CPython's Py_TPFLAGS_HEAPTYPE: a type that a class statement, or its like, has made.
_MADE_BY_CLASS = 1 << 9


def _write_class(encoder: Encoder, out: bytearray, value: type) -> None:
    """A class is what its name says; that is how class methods are told apart."""
    name = named_types.name_of(value)
    # The types of None, functions and the like have no name in their module.
    if named_types.find(name) is not value and not (
        value.__module__ == "builtins" and not value.__flags__ & _MADE_BY_CLASS
    ):
        raise Unencodable(f"the class {name}, which is not the one that is found by this name")
    mp.write_named(encoder, out, "builtins.type", name)


def _write_subclass(encoder: Encoder, out: bytearray, value: Any) -> bool:
    """A subclass of a type with a form: what it is as one of those, and what else it holds."""
    kind = type(value)
    root: Any = next((base for base in kind.__mro__ if base in _ROOTS), None)
    if root is None:
        root = _date_root(kind)
        if root is None:
            return False
    name = named_types.name_of(kind)
    if named_types.find(name) is not kind:
        raise Unencodable(f"a {name} whose class is not the one that is found by this name")
    plain = _ROOTS[root](value) if root in _ROOTS else _plain_date(root, value)
    mp.write_named(encoder, out, name, [plain, named_types.state_of(value, root)])
    return True


# Their own methods, since those of a subclass may give something else.
_ROOTS: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)) + b"",
    tuple: lambda value: tuple(tuple.__iter__(value)),
    list: lambda value: list(list.__iter__(value)),
    dict: lambda value: [[key, item] for key, item in dict.items(value)],
    set: lambda value: set(set.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
}


def _date_root(kind: type) -> Any:
    """The class of dates or times that a class is of, whatever the module has in its place now."""
    for base in kind.__mro__[1:]:
        if base.__module__ == "datetime" and base.__name__ in ("date", "datetime", "time", "timedelta"):
            return base
    return None


def _plain_date(root: Any, value: Any) -> Any:
    if root.__name__ == "timedelta":
        return root(value.days, value.seconds, value.microseconds)
    parts = ["year", "month", "day"] if root.__name__ in ("date", "datetime") else []
    if root.__name__ in ("datetime", "time"):
        parts += ["hour", "minute", "second", "microsecond", "tzinfo"]
    made = root(*(getattr(value, part) for part in parts))
    return made.replace(fold=1) if getattr(value, "fold", 0) else made


# Types of the standard library


def _write_standard(encoder: Encoder, out: bytearray, value: Any) -> bool:
    kind = type(value)
    rule = _STANDARD.get((kind.__module__, kind.__qualname__))
    if rule is None:
        return _write_alias(encoder, out, value)
    if getattr(sys.modules.get(kind.__module__), kind.__qualname__, kind) is not kind:
        return False
    mp.write_named(encoder, out, named_types.name_of(kind), rule(encoder, value))
    return True


def _memoryview(_: Encoder, value: memoryview) -> list[Any]:
    return [value.format, list(value.shape or ()), value.tobytes()]


def _zone(encoder: Encoder, value: Any) -> Any:
    from twat_cache._serialize.times import describe_zone

    return describe_zone(encoder, value)


_Describe = Callable[[Encoder, Any], Any]
_STANDARD: dict[tuple[str, str], _Describe] = {
    ("builtins", "bytearray"): lambda _, value: bytes(value),
    ("builtins", "memoryview"): _memoryview,
    ("builtins", "range"): lambda _, value: [value.start, value.stop, value.step],
    ("builtins", "slice"): lambda _, value: [value.start, value.stop, value.step],
    ("builtins", "ellipsis"): lambda _, __: None,
    ("array", "array"): lambda _, value: [value.typecode, value.tobytes()],
    ("collections", "OrderedDict"): lambda _, value: [[key, item] for key, item in value.items()],
    ("collections", "Counter"): lambda _, value: dict(value),
    ("collections", "defaultdict"): lambda _, value: [value.default_factory, dict(value)],
    ("collections", "deque"): lambda _, value: [list(value), value.maxlen],
    ("fractions", "Fraction"): lambda _, value: [value.numerator, value.denominator],
    ("pathlib", "PurePosixPath"): lambda _, value: str(value),
    ("pathlib", "PureWindowsPath"): lambda _, value: str(value),
    ("datetime", "timezone"): _zone,
    ("zoneinfo", "ZoneInfo"): _zone,
    ("ipaddress", "IPv4Address"): lambda _, value: str(value),
    ("ipaddress", "IPv6Address"): lambda _, value: str(value),
    ("types", "MappingProxyType"): lambda _, value: dict(value),
    ("builtins", "mappingproxy"): lambda _, value: dict(value),
}


def _write_alias(encoder: Encoder, out: bytearray, value: Any) -> bool:
    """Generic aliases (``list[int]``, ``Box[int]``, unions): what they are made of."""
    kind = type(value)
    module = kind.__module__
    if module not in ("typing", "types"):
        return False
    arguments = getattr(value, "__args__", None)
    if isinstance(arguments, tuple):
        origin = None if kind.__name__ == "UnionType" else getattr(value, "__origin__", None)
        metadata = getattr(value, "__metadata__", None)
        unpacked = bool(getattr(value, "__unpacked__", False))
        name = getattr(value, "_name", None)
        fields = [kind.__qualname__, name, origin, list(arguments), metadata, unpacked]
    elif kind.__name__.endswith("SpecialForm") or (kind.__name__.endswith("Alias") and hasattr(value, "_name")):
        fields = [kind.__qualname__, value._name]
    else:
        return False
    mp.write_named(encoder, out, "typing.alias", fields)
    return True
