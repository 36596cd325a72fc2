"""Types that travel by name: dataclasses, named tuples, enums (extension 11).

Reading never imports: a name is looked for among the modules that the program
has loaded itself, so that bytes in a shared store cannot make code run.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from datetime import datetime, timedelta
from typing import Any

from twat_cache import _msgpack as mp
from twat_cache._msgpack_read import Malformed


def parts(value: Any) -> tuple[str, Any] | None:
    """The name and fields of a value of such a type, else None."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, enum.Enum):
        return name, _member_name(kind, value)
    if dataclasses.is_dataclass(kind):
        return name, {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    if isinstance(value, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
        return name, list(value)
    return None


def exact_parts(value: Any) -> tuple[str, Any] | None:
    """As ``parts``, but only where reading gives an equal value of the very type."""
    found = parts(value)
    kind: Any = type(value)
    if found is None or find(found[0]) is not kind:
        return None
    if isinstance(value, enum.Enum):
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
        if not dataclasses.is_dataclass(base):
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
    if issubclass(kind, enum.Enum) and isinstance(fields, str):
        if fields in kind.__members__:
            return kind[fields]
    elif dataclasses.is_dataclass(kind) and isinstance(fields, dict):
        if {field.name for field in dataclasses.fields(kind)} == fields.keys():
            return _dataclass(kind, fields)
    elif issubclass(kind, tuple) and hasattr(kind, "_make") and isinstance(fields, list):
        if len(fields) == len(kind._fields):
            return tuple.__new__(kind, fields)
    raise Malformed(f"type {name} is not what it was when the value was written")


def _dataclass(kind: Any, fields: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


_BUILT_IN: dict[str, Any] = {
    "builtins.frozenset": frozenset,
    "datetime.datetime": datetime.fromisoformat,
    "datetime.timedelta": lambda parts: timedelta(*parts),
}
