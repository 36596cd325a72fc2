"""Types that travel by name: dataclasses, named tuples, enums (extension 11).

Reading never imports: a name is looked for among the modules that the program
has loaded itself, so that bytes in a shared store cannot make code run.
"""

from __future__ import annotations

import sys
from typing import Any

from twat_cache import _msgpack as mp
from twat_cache._msgpack_read import Malformed


def parts(value: Any) -> tuple[str, Any] | None:
    """The name and fields of a value of such a type, else None."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if _is_enum(kind):
        return name, _member_name(kind, value)
    if _is_dataclass(kind):
        return name, {field: getattr(value, field) for field in _fields(kind)}
    if isinstance(value, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
        return name, dict(zip(kind._fields, value))
    return None


def exact_parts(value: Any) -> tuple[str, Any] | None:
    """As ``parts``, but only where reading gives an equal value of the very type."""
    found = parts(value)
    kind: Any = type(value)
    if found is None or find(found[0]) is not kind:
        return None
    if _is_enum(kind):
        return found if kind.__members__.get(found[1]) is value else None
    if isinstance(value, tuple):
        return found
    # More in the instance than its fields, or state of its own making, is not
    # ours to rebuild.
    extra = getattr(value, "__dict__", {}).keys() - found[1].keys()
    return found if not extra and _is_plain_dataclass(kind) else None


def _is_plain_dataclass(kind: Any) -> bool:
    own = {"__getstate__", "__setstate__", "__reduce__", "__reduce_ex__", "__new__"}
    for base in kind.__mro__:
        if base is object or base.__module__ == "typing":
            continue
        if not _is_dataclass(base):
            return False
        # Frozen dataclasses with slots get these from the dataclass decorator.
        given = own & vars(base).keys()
        if any(vars(base)[name].__module__ != "dataclasses" for name in given):
            return False
    return True


def _member_name(kind: Any, value: Any) -> str:
    if isinstance(value.name, str) and value.name in kind.__members__:
        return value.name
    names = [name for name, member in kind.__members__.items() if member.value and member in value]
    if not names:
        raise mp.Unencodable(f"a member of {kind.__qualname__} without a name")
    return "|".join(names)


def find(name: str) -> Any:
    """The type of a qualified name in a module that is loaded, else None."""
    module_name, _, rest = name.rpartition(".")
    path = [rest]
    while module_name:
        module = sys.modules.get(module_name)
        if module is not None:
            found: Any = module
            for step in path:
                found = vars(found).get(step) if isinstance(found, type) or found is module else None
            return found if isinstance(found, type) else None
        module_name, _, rest = module_name.rpartition(".")
        path.insert(0, rest)
    return None


def rebuild(name: str, fields: Any) -> Any:
    """The value, or Malformed where no such type of that kind is loaded."""
    if name in _BUILT_IN:
        return _BUILT_IN[name](fields)
    kind = find(name)
    if kind is None:
        raise Malformed(f"type {name} is not loaded")
    if _is_enum(kind) and isinstance(fields, str):
        if fields in kind.__members__:
            return kind[fields]
    elif _is_dataclass(kind) and isinstance(fields, dict):
        if _fields(kind).keys() == fields.keys():
            return _dataclass(kind, fields)
    elif issubclass(kind, tuple) and hasattr(kind, "_make") and isinstance(fields, dict):
        if kind._fields == tuple(fields):
            return tuple.__new__(kind, fields.values())
    raise Malformed(f"type {name} is not what it was when the value was written")


def _dataclass(kind: Any, fields: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


# Neither module is loaded for their sake: who has such a type has loaded it.


def _is_enum(kind: type) -> bool:
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(kind, enum.Enum)


def _is_dataclass(kind: type) -> bool:
    return hasattr(kind, "__dataclass_fields__") and "dataclasses" in sys.modules


def _fields(kind: Any) -> dict[str, None]:
    return {field.name: None for field in sys.modules["dataclasses"].fields(kind)}


def _time(fields: Any) -> Any:
    from twat_cache._times import read_time

    return read_time(fields)


def _timedelta(parts: list[int]) -> Any:
    from datetime import timedelta

    return timedelta(*parts)


_BUILT_IN: dict[str, Any] = {
    "builtins.frozenset": frozenset,
    "datetime.time": _time,
    "datetime.timedelta": _timedelta,
}
