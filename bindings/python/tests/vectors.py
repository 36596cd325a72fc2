"""Reads and (with TWAT_BLESS=1) writes tests/vectors: what docs/format.md calls *typed*."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from uuid import UUID

ROOT = Path(__file__).resolve().parents[3] / "tests" / "vectors"


class NotInPython(Exception):
    pass


class Raw(bytes):
    pass


class Json:
    def __init__(self, value):
        self.value = value


class Counter(int):
    pass


def python(typed):
    ((kind, v),) = typed.items()
    return READERS[kind](v)


def array(v):
    import numpy as np

    flat = np.frombuffer(bytes.fromhex(v["data"]), dtype=v["dtype"])
    return flat.reshape(v["shape"], order=v["order"])


def named(v):
    import collections

    name, fields = v[0], python(v[1])
    if name == "builtins.frozenset":
        return frozenset(fields)
    if name == "datetime.datetime":
        return date_time(fields)
    if name == "datetime.time":
        return dt.time.fromisoformat(fields[0]).replace(tzinfo=zone(fields[1]), fold=fields[2])
    if name == "datetime.timedelta":
        return dt.timedelta(*fields)
    if isinstance(fields, dict):
        import dataclasses

        cls = dataclasses.make_dataclass(name.rpartition(".")[2], list(fields))
        made = cls(**fields)
    elif isinstance(fields, list):
        cls = collections.namedtuple(name.rpartition(".")[2], [field for field, _ in fields])
        made = cls(*[value for _, value in fields])
    else:
        import enum

        cls = enum.Enum(name.rpartition(".")[2], {fields: 1})
        made = cls[fields]
    declare(name, cls)
    return made


def declare(name, cls):
    """Let the class be found by its name, as keys want it."""
    import sys
    import types

    cls.__module__, _, cls.__qualname__ = name.rpartition(".")
    module = sys.modules.setdefault(cls.__module__, types.ModuleType(cls.__module__))
    setattr(module, cls.__qualname__, cls)


def zone(described):
    if described is None:
        return None
    if isinstance(described, str):
        from zoneinfo import ZoneInfo

        return ZoneInfo(described)
    shift, name = described
    return dt.timezone(dt.timedelta(microseconds=shift), *([] if name is None else [name]))


def date_time(fields):
    if isinstance(fields, str):
        return dt.datetime.fromisoformat(fields)
    if isinstance(fields[0], str):
        return dt.datetime.fromisoformat(fields[0]).replace(fold=fields[1])
    instant, described, fold, *local = fields
    if local:
        return dt.datetime.fromisoformat(local[0]).replace(tzinfo=zone(described), fold=fold)
    return instant.astimezone(zone(described)).replace(fold=fold)


def default(name):
    from twat_cache._serialize.msgpack_reader import Omitted

    return Omitted(name)


def undefined(_):
    from twat_cache._serialize.msgpack_reader import Undefined

    return Undefined()


READERS = {
    "nil": lambda _: None,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes.fromhex,
    "list": lambda v: [python(x) for x in v],
    "tuple": lambda v: tuple(python(x) for x in v),
    "set": lambda v: {python(x) for x in v},
    "map": lambda v: Pairs([(python(k), python(x)) for k, x in v]).as_dict(),
    "timestamp": lambda v: (
        dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(seconds=v[0], microseconds=v[1] // 1000)
    ),
    "decimal": Decimal,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "uuid": lambda v: UUID(hex=v),
    "complex": lambda v: complex(float(v[0]), float(v[1])),
    "path": Path,
    "array": array,
    "named": named,
    "undefined": undefined,
    "default": default,
    "raw": lambda v: Raw(bytes.fromhex(v)),
    "json": Json,
    "counter": Counter,
    "surrogate": lambda _: "\ud800",
}


class Pairs(list):
    def as_dict(self):
        made = dict(self)
        if len(made) != len(self):
            raise NotInPython("keys of a map that are equal in Python")
        return made


def same(a, b):
    """Equal in value and in type, NaN and -0.0 included."""
    if type(a) is not type(b):
        if not (isinstance(a, Path) and isinstance(b, Path)):
            return False
    if isinstance(a, float):
        return math.copysign(1, a) == math.copysign(1, b) if a == b else a != a and b != b
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(list(x), list(y)) for x, y in zip(a.items(), b.items()))
    if isinstance(a, (set, frozenset)):
        return a == b and {type(x) for x in a} == {type(x) for x in b}
    if isinstance(a, Decimal):
        return str(a) == str(b)
    if isinstance(a, (dt.datetime, dt.time)):
        name = a.tzinfo.tzname(None) == b.tzinfo.tzname(None) if isinstance(a.tzinfo, dt.timezone) else True
        return a.isoformat() == b.isoformat() and a.fold == b.fold and type(a.tzinfo) is type(b.tzinfo) and name
    if type(a).__module__ == "numpy":
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b
