"""Objects that go by the name of their type and what they hold (extension 11): one rule for keys and values.

Enums, named tuples, dataclasses, classes of attrs and models of pydantic. All that an instance holds is
counted, not its declared fields alone: a key must differ wherever a function can
see a difference, and a value is written so only where reading gives back all of it.

Reading never imports: a name is looked for among the modules that the program
has loaded itself, so that bytes in a shared store cannot make code run.
"""

from __future__ import annotations

import sys
import types
import weakref
from typing import Any

from twat_cache._identity.origin import loaded_modules, type_name
from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.msgpack_format import NAMED, Malformed
from twat_cache._serialize.msgpack_writer import Unencodable


class NotLoaded(Malformed):
    """A type of this name is in no module that is loaded."""

    def __init__(self, name: str) -> None:
        super().__init__(f"type {name} is not loaded")
        self.name = name


name_of = type_name
# The names of the types of values that this process has written.
written: dict[str, None] = {}
_PYDANTIC_SLOTS = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
# attrs keeps the hash of an instance in it, which differs in each process.
_NOT_STATE = frozenset(("_attrs_cached_hash",))


class _Kind:
    """What is known of a class, as long as it is found by its name."""

    __slots__ = ("_attribute", "_home", "_loaded", "_module", "expected", "form", "kind", "name", "plain")

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.name = name_of(kind)
        self.form = _form_of(kind)
        self.expected = _expected(kind) if self.form is _record else None
        self.plain = self.form is not None and _is_plain(kind)
        self._module, self._attribute = kind.__module__, kind.__qualname__
        self._loaded = sys.modules.get(self._module)
        self._home = getattr(self._loaded, "__dict__", {})

    def is_found(self) -> bool:
        """Whether the class is that of its name, without a search."""
        return self._home.get(self._attribute) is self.kind and sys.modules.get(self._module) is self._loaded


# The search for a name and the look at what a class is cost more than all the rest of a key.
_kinds: dict[Any, _Kind] = {}
_MANY_KINDS = 4096


def _known(kind: Any) -> _Kind:
    known = _kinds.get(kind)
    if known is not None and known.is_found():
        return known
    known = _Kind(kind)
    if known.is_found() and find(known.name) is kind:
        if len(_kinds) >= _MANY_KINDS:
            _kinds.clear()
        _kinds[kind] = known
    return known


def parts(value: Any, *, local: bool = False) -> tuple[str, Any] | None:
    """The name and all that a value of such a type holds, else None.

    Raises Unencodable for what a name and fields do not describe. ``local``: the type need not be
    the one of that name, since the caller knows it by itself.
    """
    known = _known(type(value))
    return None if known.form is None else _parts(known, value, local)


def _parts(known: _Kind, value: Any, local: bool = False) -> tuple[str, Any]:
    if not local and not known.is_found() and find(known.name) is not known.kind:
        raise Unencodable(f"a {known.name} whose class is not the one that is found by this name")
    return known.name, known.form(known.kind, value)


def exact_parts(value: Any) -> tuple[str, Any] | None:
    """As ``parts``, but only where reading gives an equal value of the very type."""
    known = _known(type(value))
    if not known.plain:
        return None
    name, state = found = _parts(known, value)
    expected = known.expected
    if expected is None or list(state) == list(expected):
        return found
    return (name, {field: state[field] for field in expected}) if state.keys() == expected.keys() else None


def _form_of(kind: Any) -> Any:
    if _is_enum(kind):
        return _member
    if issubclass(kind, tuple):
        return _named_tuple if isinstance(getattr(kind, "_fields", None), tuple) else None
    return _record if _expected(kind) is not None else None


def _expected(kind: Any) -> dict[str, None] | None:
    """The names of the declared fields of a class that declares them, in order."""
    # None of these packages is loaded for its sake: who has such a type has loaded it.
    if hasattr(kind, "__dataclass_fields__") and "dataclasses" in sys.modules:
        return dict.fromkeys(field.name for field in sys.modules["dataclasses"].fields(kind))
    if isinstance(getattr(kind, "__attrs_attrs__", None), tuple):
        return dict.fromkeys(field.name for field in kind.__attrs_attrs__)
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and issubclass(kind, pydantic.BaseModel):
        return dict.fromkeys((*kind.__pydantic_fields__, *_PYDANTIC_SLOTS))
    return None


# What an instance holds


def _record(kind: type, value: Any) -> dict[str, Any]:
    return state_of(value)


def state_of(value: Any, root: type = object) -> dict[str, Any]:
    """Every attribute that an instance of a class written in Python holds; one that is not set is left out.

    ``root``: the class written in C that it is of, whose own content is not counted.
    """
    slots = _layout(type(value)) if root is object else _measured(type(value), root)
    if slots is None:
        raise Unencodable(f"a {name_of(type(value))}, which holds more than attributes")
    state: dict[str, Any] = {}
    for name, slot in slots:
        try:
            state[name] = slot.__get__(value)
        except AttributeError:
            continue
    own = getattr(value, "__dict__", None)
    if own:
        if not state.keys().isdisjoint(own):
            raise Unencodable(f"a {name_of(type(value))} with two attributes of one name")
        state = {**own, **state}
    for name in _NOT_STATE & state.keys():
        del state[name]
    return state


_layouts: weakref.WeakKeyDictionary[type, Any] = weakref.WeakKeyDictionary()


def _layout(kind: Any) -> tuple[tuple[str, Any], ...] | None:
    """The slots of a class; None if its instances hold something that is in no slot and no dictionary."""
    try:
        known: tuple[tuple[str, Any], ...] | None = _layouts[kind]
    except KeyError:
        known = _layouts[kind] = _measured(kind)
    return known


def _measured(kind: Any, root: type = object) -> tuple[tuple[str, Any], ...] | None:
    slots = [
        (name, slot)
        for base in reversed(kind.__mro__)
        if not issubclass(root, base)
        for name, slot in vars(base).items()
        if type(slot) is types.MemberDescriptorType
    ]
    if len({name for name, _ in slots}) != len(slots):
        return None
    if sys.implementation.name == "cpython":
        # What a base class written in C holds makes its instances larger than the slots account for.
        word = tuple.__itemsize__
        room = kind.__basicsize__ - word * (len(slots) + _words(kind) - _words(root))
        if room != root.__basicsize__ or kind.__itemsize__ != root.__itemsize__:
            return None
    elif any(base.__module__ == "builtins" and not issubclass(root, base) for base in kind.__mro__):
        return None
    return tuple(slots)


def _words(kind: Any) -> int:
    """How many of the words of an instance are for its dictionary and its weak references."""
    # The offset is negative where the interpreter has the dictionary before the instance, which takes no room in it,
    # and, of instances of variable size, where it is at their end.
    offset: int = kind.__dictoffset__
    return int(offset > 0 or (offset < -1 and kind.__itemsize__ > 0)) + int(kind.__weakrefoffset__ > 0)


def _named_tuple(kind: Any, value: Any) -> dict[str, Any]:
    if len(value) != len(kind._fields) or getattr(value, "__dict__", None):
        raise Unencodable(f"a {name_of(kind)} that holds more than its fields")
    return dict(zip(kind._fields, tuple.__iter__(value)))


def _member(kind: Any, value: Any) -> Any:
    if isinstance(value.name, str) and kind.__members__.get(value.name) is value:
        return value.name
    if issubclass(kind, sys.modules["enum"].Flag) and type(value.value) is int:
        # Several flags together, which may have bits that no member has.
        names = [name for name, member in kind.__members__.items() if member.value and member.value & ~value.value == 0]
        return ["|".join(names), value.value]
    raise Unencodable(f"a {name_of(kind)} that is none of its members")


def _is_enum(kind: type) -> bool:
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(kind, enum.Enum)


# What reading can rebuild

_HOOKS = frozenset(("__getstate__", "__setstate__", "__reduce__", "__reduce_ex__", "__new__"))


def _is_plain(kind: Any) -> bool:
    """Whether instances are made and pickled in no way of their own."""
    if _is_enum(kind):
        return True
    is_tuple = issubclass(kind, tuple)
    for base in kind.__mro__:
        if base in (object, tuple) or base.__module__ == "typing" or base.__module__.startswith("pydantic."):
            continue
        given = vars(base)
        if is_tuple:
            # The class that declares the fields has a ``__new__`` made for it.
            hooks = (_HOOKS - {"__new__"} if "_fields" in given else _HOOKS) & given.keys()
            if hooks:
                return False
        elif _expected(base) is None or any(not _is_generated(given[name]) for name in _HOOKS & given.keys()):
            return False
    return True


def _is_generated(hook: Any) -> bool:
    """Whether the decorator of dataclasses or attrs has given it, as to classes with slots."""
    if getattr(hook, "__module__", None) == "dataclasses":
        return True
    attrs = sys.modules.get("attr._make")
    return attrs is not None and getattr(hook, "__globals__", None) is vars(attrs)


def find(name: str) -> Any:
    """The type of a qualified name in a module that is loaded, else None."""
    module_name, _, rest = name.rpartition(".")
    path = [rest]
    while module_name:
        modules = loaded_modules(module_name)
        for module in modules:
            found: Any = module
            for step in path:
                found = vars(found).get(step) if isinstance(found, type) or found is module else None
            if isinstance(found, type):
                return found
        if modules:
            return None
        module_name, _, rest = module_name.rpartition(".")
        path.insert(0, rest)
    return None


_by_name: dict[str, _Kind] = {}


def rebuild(name: str, fields: Any) -> Any:
    """The value, or Malformed where no such type of that kind is loaded."""
    if name in _BUILT_IN:
        return _BUILT_IN[name](fields)
    if name.startswith("js."):
        # A kind of JavaScript's own: the nearest value is what is inside.
        return fields
    known = _by_name.get(name)
    if known is None or not known.is_found():
        kind = find(name)
        if kind is None:
            raise NotLoaded(name)
        known = _by_name[name] = _known(kind)
        if len(_by_name) > _MANY_KINDS:
            _by_name.clear()
    kind, form = known.kind, known.form
    if form is _member:
        found = _read_member(kind, fields)
        if found is not None:
            return found
    elif form is _record and isinstance(fields, dict):
        expected = known.expected
        if expected is not None and expected.keys() == fields.keys() and _layout(kind) is not None:
            return _instance(kind, fields)
    elif form is _named_tuple and isinstance(fields, dict):
        if kind._fields == tuple(fields):
            return tuple.__new__(kind, fields.values())
    raise Malformed(f"type {name} is not what it was when the value was written")


def _read_member(kind: Any, fields: Any) -> Any:
    if isinstance(fields, str):
        found = kind.__members__.get(fields)
        # A name that is an alias now was a member of its own when it was written.
        return found if found is not None and found.name == fields else None
    if isinstance(fields, list) and issubclass(kind, sys.modules["enum"].Flag) and type(fields[1]) is int:
        found = kind(fields[1])
        return found if _member(kind, found) == fields else None
    return None


def _instance(kind: Any, fields: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _time(fields: Any) -> Any:
    from twat_cache._serialize.times import read_time

    return read_time(fields)


def _timedelta(fields: list[int]) -> Any:
    from datetime import timedelta

    return timedelta(*fields)


_BUILT_IN: dict[str, Any] = {
    "builtins.frozenset": frozenset,
    "datetime.time": _time,
    "datetime.timedelta": _timedelta,
}


def write(encoder: mp.Encoder, out: bytearray, value: Any) -> bool:
    """Append such a value to a key; whether it was one."""
    found = parts(value)
    if found is None:
        return False
    name, fields = found
    if not isinstance(value, tuple):
        mp.write_named(encoder, out, name, fields)
        return True
    # Whoever has a tuple sees the order of its fields, which a map does not keep in keys.
    inner = bytearray(b"\x92")
    mp.write_str(encoder, inner, name)
    mp.write_array_header(inner, len(fields))
    for field, item in fields.items():
        inner.append(0x92)
        mp.write_str(encoder, inner, field)
        encoder.write(inner, item)
    mp.write_ext(out, NAMED, inner)
    return True
