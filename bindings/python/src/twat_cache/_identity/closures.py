"""What tells apart the functions that one ``def`` makes: the variables they captured (docs/format.md, "Names").

A value with a canonical form stands for itself, in every run. Any other object
stands for itself in this process only: a function that captured one shares its
results with nobody who might have captured another.

Code outside of files (a notebook's cell, ``exec``) is not told apart by where it
is. There the globals that it reads are treated like captured variables.
"""

from __future__ import annotations

import functools
import types
from collections import Counter, defaultdict, deque
from typing import Any

from twat_cache._identity import base_names, call_keys, key_rules
from twat_cache._identity import state_readers as readers
from twat_cache._identity.code import Use, hash_of, uses_of
from twat_cache._identity.live_objects import UNBOUND, number_of, process_bytes
from twat_cache._identity.origin import is_typed_in, module_prefix, origin_of
from twat_cache._memoize.wrapper import ATTACHED
from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable

# What is larger is not looked at again at each call.
CHEAP_FORM, CHEAP_DATA = 1 << 14, 1 << 20
_OBJECTS = 1000
_FUNCTIONS = 200
_CONTAINERS = frozenset((list, dict, set, bytearray, deque, Counter, defaultdict))
# What holds objects in ways that its form shows; other objects are looked at through their attributes.
_HOLDERS = (*_CONTAINERS, tuple, functools.partial, types.FunctionType, types.BuiltinFunctionType)


class Held:
    """Objects that stand for themselves, and their numbers in this process.

    A large one has a number for each content that was seen, and what tells whether it still is that (None: nothing).
    """

    __slots__ = ("large", "numbers")

    def __init__(self) -> None:
        self.numbers: dict[int, tuple[Any, int]] = {}
        self.large: dict[int, tuple[Any, readers.Unchanged | None, int]] = {}


class _TooLarge(Exception):
    """An object holds more than can be looked through at each call."""


class _Body:
    __slots__ = ("kind",)

    def __init__(self, kind: type) -> None:
        self.kind = kind


class Captured:
    """The state of one function, read once.

    After ``form``, ``here_only`` are the variables whose values stand for themselves in this process only, ``large``
    those of them that have a form which is too large to be made at each call. ``checks`` are pairs of a reader and
    the object that it gave; ``contents`` are objects that can change in place, and their form; ``volatile`` says that
    there are more of those, ``unwatched`` that there are some that are too large to be looked at.
    """

    def __init__(self, *, frozen: bool = False, late: frozenset[str] = frozenset(), before: Held | None = None) -> None:
        self.here_only: list[str] = []
        self.large: list[str] = []
        self.checks: list[tuple[Any, Any, Any]] = []
        self.contents: list[tuple[Any, bytes]] = []
        self.volatile = self.unwatched = False
        self.held = Held()
        self._before = Held() if before is None else before
        self._frozen, self._late = frozen, late
        self._inside: list[Any] = []
        self._count = 0
        self._walked: dict[int, Any] = {}
        self._permissive = False

    def form(self, func: types.FunctionType, alone: bool | None = None) -> bytes:
        """Return the canonical map from variable to value (no bytes if it is empty).

        ``alone``: nothing but a wrapper made otherwise bears the name, so what has no form may be left out.
        """
        self._count += 1
        if self._count > _FUNCTIONS:
            raise Unencodable("a function that leads to too many others")
        alone = base_names.stands_alone(func) if alone is None else alone
        top = not self._inside
        self._inside.append(func)
        try:
            kept = dict(self._variables(func, alone, top))
            if reads_globals(func):
                kept.update(self._globals(func))
        finally:
            self._inside.pop()
        out = bytearray()
        mp.write_map_header(out, len(kept))
        for name_bytes, form in sorted((call_keys.ENCODER.encode(name), form) for name, form in kept.items()):
            out += name_bytes + form
        return bytes(out) if kept else b""

    def _variables(self, func: types.FunctionType, alone: bool, top: bool) -> Any:
        uses = uses_of(func.__code__) if func.__closure__ else None
        for name, cell in zip(func.__code__.co_freevars, func.__closure__ or ()):
            # What the function rebinds is its state.
            if uses is None or name in uses.assigned:
                continue
            value = readers.content(cell)
            self.checks.append((readers.content, cell, value))
            if name == "__class__" and (value is UNBOUND or readers.is_found(value)):
                continue  # a class is what the qualified name says
            itself = base_names.leads_to(value, func) or (value is UNBOUND and name == func.__name__)
            if itself or (alone and base_names.leads_to(func, value)):
                continue
            form = self._body_of(value) if name == "__class__" else None
            if form is None:
                form = self._value(name, value, alone, uses.captured.get(name), late=top and name in self._late)
            if form is not None:
                yield name, form

    def _body_of(self, kind: type) -> bytes | None:
        """Return the form of a class by what it holds: the class that a method's ``__class__`` and ``super`` mean."""
        return self._form_of(_Body(kind))

    def _globals(self, func: types.FunctionType) -> Any:
        scope, uses = func.__globals__, uses_of(func.__code__)
        for name, use in uses.globals.items():
            if name in uses.globals_assigned:
                continue
            value = scope.get(name, UNBOUND)
            self.checks.append((readers.OfName(name), scope, value))
            if value is UNBOUND or base_names.leads_to(value, func) or value is func:
                continue
            form = self._value(name, value, False, use)
            if form is not None:
                yield f"global {name}", form

    def _value(self, name: str, value: Any, alone: bool, use: Use | None, late: bool = False) -> bytes | None:
        if use is not None and not use.read and value.__class__ in _CONTAINERS:
            return None  # it is written to, like a log
        large = id(value) in self._before.large
        form = None if large or value is UNBOUND else self._form_of(value)
        if form is not None:
            fixed = self._frozen or readers.is_fixed(value)
            large = not fixed and (len(form) > CHEAP_FORM or readers.data_size(value) > CHEAP_DATA)
            if not fixed and not large:
                self._look_again(value, form)
            if not large and not late:
                return form if use is None else self._with_members(form, value, use)
        elif alone and not large:
            return None
        self.here_only.append(name)
        if form is None and not large:
            form = self._of_this_process(value, use)
            large = form is None
        if large or form is None:
            self.large.append(name)
            form = self._large(value)
        return call_keys.ENCODER.encode(["in this process", process_bytes(), form])

    def _with_members(self, form: bytes, value: Any, use: Use) -> bytes:
        """Return the form of a module or class, and the constants in it that the code reads."""
        if isinstance(value, (type, types.ModuleType)) and not self._frozen:
            members = self._attributes(value, use)
            return call_keys.ENCODER.encode([form, members]) if members else form
        return form

    def _large(self, value: Any) -> bytes:
        """Return what stands for a large object and what it holds now, in this process."""
        _, unchanged, number = self._before.large.get(id(value), (None, None, 0))
        if unchanged is None or not unchanged(value):
            known = id(value) in self._before.large and unchanged is None
            unchanged = None if known else readers.Unchanged.of(value, call_keys.ENCODER.encode)
            number = number_of(UNBOUND)
        self.held.large[id(value)] = (value, unchanged, number)
        if unchanged is None:
            self.unwatched = self.volatile = True
        else:
            self.checks.append((unchanged, value, True))
        return call_keys.ENCODER.encode(number)

    def _look_again(self, value: Any, form: bytes) -> None:
        """See to it that a value that can change in place is encoded at each call."""
        try:
            if call_keys.ENCODER.encode(value) == form:
                self.contents.append((value, form))
                return
        except (Unencodable, RecursionError):
            pass
        self.volatile = True  # its form depends on more than the value

    def _form_of(self, value: Any) -> bytes | None:
        before, checks = list(self.here_only), len(self.checks)
        try:
            return Encoder(call_keys.TABLE, self._other, canonical=True).encode(value)
        except (Unencodable, RecursionError):
            self.here_only[:] = before
            del self.checks[checks:]
            return None

    # What has a form besides the values of keys

    def _other(self, encoder: Encoder, out: bytearray, value: Any) -> None:
        """What keys have no form for, because arguments of these kinds are mostly mistakes."""
        given, value = value, base_names.settled(value)
        if isinstance(value, types.FunctionType):
            self._function(encoder, out, value, given)
        elif isinstance(value, types.MethodType):
            mp.write_named(encoder, out, "builtins.method", [value.__self__, value.__func__])
        elif isinstance(value, types.BuiltinFunctionType):
            mp.write_named(encoder, out, "builtins.function", [value.__self__, value.__qualname__])
        elif isinstance(value, types.ModuleType):
            mp.write_named(encoder, out, "builtins.module", module_prefix(value.__name__)[:-1])
        elif isinstance(value, functools.partial):
            mp.write_named(encoder, out, "functools.partial", [value.func, list(value.args), value.keywords])
        elif readers.is_pattern(value):
            mp.write_named(encoder, out, "re.Pattern", [value.pattern, value.flags])
        elif isinstance(value, type):
            self._class(encoder, out, value)
        elif isinstance(value, _Body):
            self._body(encoder, out, value.kind)
        else:
            key_rules.write_other(encoder, out, value)

    def _function(self, encoder: Encoder, out: bytearray, func: types.FunctionType, given: Any) -> None:
        if func in self._inside:
            mp.write_named(encoder, out, "builtins.function", len(self._inside) - self._inside.index(func))
            return
        before, form = len(self.here_only), self.form(func)
        if len(self.here_only) > before and not self._permissive:
            raise Unencodable("a function that captured something of this process")
        parts: list[Any] = [base_names.base_name(func), form]
        local = "<locals>" in func.__qualname__ or "<lambda>" in func.__qualname__
        more = self._settings(func, given)
        if local or more:
            # Where the code was is not seen any more once the outer function has returned.
            parts += [hash_of(func.__code__) if local else None, more]
        mp.write_named(encoder, out, "builtins.function", parts)

    def _settings(self, func: types.FunctionType, given: Any) -> dict[str, Any]:
        """Return defaults, keyword defaults and attributes of a function, which can be set at any time."""
        attributes = {name: value for name, value in readers.own(given).items() if name not in ATTACHED}
        self.checks += [
            (readers.defaults, func, func.__defaults__), (readers.kwdefaults, func, func.__kwdefaults__),
            (readers.code_of, func, func.__code__), (readers.size_of_own, given, len(readers.own(given))),
        ]  # fmt: skip
        if func.__kwdefaults__ or attributes or not all(map(readers.is_fixed, func.__defaults__ or ())):
            self.volatile = self.volatile or not self._frozen
        found: dict[str, Any] = {}
        for name, value in (
            ("defaults", list(func.__defaults__ or ())),
            ("kwdefaults", func.__kwdefaults__ or {}),
            ("attributes", attributes),
        ):
            if value:
                found[name] = value
        return found

    def _class(self, encoder: Encoder, out: bytearray, kind: type) -> None:
        if not readers.is_found(kind):
            raise Unencodable(f"a class that its name does not find: {kind.__qualname__}")
        if is_typed_in(kind.__module__):
            self._body(encoder, out, kind)
        else:
            mp.write_named(encoder, out, "builtins.type", f"{module_prefix(kind.__module__)}{kind.__qualname__}")

    def _body(self, encoder: Encoder, out: bytearray, kind: type) -> None:
        """Write a class with all it holds, since its name does not say which it is."""
        if kind in self._inside:
            mp.write_named(encoder, out, "builtins.type", len(self._inside) - self._inside.index(kind))
            return
        body = {name: readers.of_body(value) for name, value in vars(kind).items() if name not in readers.OF_CLASSES}
        bases = [base for base in kind.__bases__ if base is not object]
        self.volatile = self.volatile or not self._frozen  # its attributes can be set
        self._inside.append(kind)
        try:
            name = f"{module_prefix(kind.__module__)}{kind.__qualname__}"
            mp.write_named(encoder, out, "builtins.type", [name, bases, body])
        finally:
            self._inside.pop()

    # What has none

    def _of_this_process(self, value: Any, use: Use | None) -> bytes | None:
        """Return what stands for a live object and what it holds, in this process; None if that is too much."""
        try:
            data = self._live_form(value) if isinstance(base_names.settled(value), _HOLDERS) else None
            attributes = {} if use is None else self._attributes(value, use)
        except _TooLarge:
            return None
        number = self._number(value) if data is None else data
        return call_keys.ENCODER.encode([number, attributes])

    def _live_form(self, value: Any) -> bytes | None:
        """Return the form of a value in which live objects stand for themselves, with what they hold."""
        names, checks, outer = list(self.here_only), len(self.checks), self._permissive
        self._permissive = True
        try:
            form = Encoder(call_keys.TABLE, self._other_or_itself, canonical=True).encode(value)
            if not readers.is_fixed(value):
                self.volatile = self.volatile or not self._frozen
        except (Unencodable, RecursionError) as error:
            del self.checks[checks:]
            if self._frozen:
                return None
            raise _TooLarge from error  # nested too deep to be looked at
        finally:
            self._permissive = outer
            self.here_only[:] = names
        if len(form) > readers.WATCHED_FORM and not self._frozen:
            raise _TooLarge
        return form

    def _other_or_itself(self, encoder: Encoder, out: bytearray, value: Any) -> None:
        mark, checks = len(out), len(self.checks)
        try:
            if isinstance(value, types.MethodType):
                raise Unencodable("a method of an object")
            self._other(encoder, out, value)
        except Unencodable:
            del out[mark:]
            del self.checks[checks:]
            if isinstance(value, types.MethodType):
                encoder.write(out, ("a method", value.__func__.__qualname__))
                value = value.__self__
            encoder.write(out, ("an object", self._number(value), self._content(value)))

    def _content(self, value: Any) -> dict[str, Any]:
        """Return what an object of the program's own classes holds. Those of libraries are not looked into."""
        if self._frozen or id(value) in self._walked:
            return {}
        self._walked[id(value)] = value
        if len(self._walked) > _OBJECTS:
            raise _TooLarge
        found = {name: readers.instance_attribute(value, name) for name in readers.own_names(value)}
        found[""] = readers.inside(value)
        return {name: inner for name, inner in found.items() if inner is not UNBOUND}

    def _attributes(self, value: Any, use: Use) -> dict[str, Any]:
        """Return the attributes of an object that the code is seen to read, where they are data."""
        found: dict[str, Any] = {}
        if isinstance(value, types.MethodType):
            use, value = uses_of(value.__func__.__code__).first, value.__self__
        constant = isinstance(value, (type, types.ModuleType))
        if isinstance(value, types.FunctionType):
            return found
        reader: Any = readers.OfMember if constant else readers.OfAttribute
        for name in sorted(use.attributes if constant else readers.read_of(value, use)):
            inner = reader(name)(value)
            self.checks.append((reader(name), value, inner))
            form = None if inner is UNBOUND else self._attribute(inner)
            if form is not None:
                found[name] = form
        held = UNBOUND if constant or self._frozen else readers.inside(value)
        form = None if held is UNBOUND else self._attribute(held)
        if form is not None:
            found[""] = form
            self.volatile = True
        return found

    def _attribute(self, value: Any) -> bytes | None:
        if id(value) in self._before.large:
            return self._large(value)
        form = self._form_of(value)
        if form is None:
            try:
                form = self._live_form(value)
            except _TooLarge:
                return self._large(value)
        elif not (self._frozen or readers.is_fixed(value)):
            if len(form) > CHEAP_FORM or readers.data_size(value) > CHEAP_DATA:
                return self._large(value)
            self.volatile = True
        return form

    def _number(self, value: Any) -> int:
        known = self._before.numbers.get(id(value)) or self.held.numbers.get(id(value))
        number = known[1] if known is not None else number_of(value)
        self.held.numbers[id(value)] = (value, number)
        return number


def reads_globals(func: types.FunctionType) -> bool:
    """Whether the globals that a function reads are part of what tells it apart."""
    return not origin_of(func).in_module
