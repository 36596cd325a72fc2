"""What a function is called but for the state that it captured (docs/format.md, "Names")."""

from __future__ import annotations

import functools
import os
import sys
import weakref
from types import FunctionType
from typing import Any

from twat_cache._config.opening import warn_lack
from twat_cache._identity.code import definitions_of_one_name, hash_of
from twat_cache._identity.functions import unwrapped
from twat_cache._identity.origin import origin_of, set_origin
from twat_cache._identity.project import stated_project
from twat_cache._speedups import speed


def base_name(func: Any) -> str:
    """Return the name but for what the function captured."""
    return base_of(func)[0]


# Functions that came from another process by value, and their names there.
_travelled: weakref.WeakKeyDictionary[Any, tuple[str, bool]] = weakref.WeakKeyDictionary()


def name_traveller(func: Any, name: str, unique: bool, in_module: bool) -> None:
    """Give a function that was pickled by value the name it had. Its globals were a module's, or were not."""
    _travelled[func] = name, unique
    set_origin(func, in_module)


def is_traveller(func: Any) -> bool:
    """Whether a function has a name from another process."""
    return func in _travelled


def known_name(func: Any) -> tuple[str, bool, bool] | None:
    """Return what ``name_traveller`` takes, for a function that was memoized in a store."""
    known = _known.get(func) if isinstance(func, FunctionType) else None
    return None if known is None else (known[1], known[3], origin_of(func).in_module)


def base_of(func: Any, *, shared: bool = False, spaced: bool = False) -> tuple[str, bool]:
    """Return the name but for what was captured, and whether nothing but a wrapper made otherwise bears it."""
    key = getattr(func, "__func__", func)
    known = _known.get(key) if isinstance(key, FunctionType) and key is func else None
    stated = stated_project()
    if known is None or known[0] != stated:
        known = (stated, *_made(func))
        if isinstance(func, FunctionType):
            _known[func] = known  # what is on the stack now is not there at a later call
    _, name, alone, unique, code = known
    if shared and not unique:
        name += f"#{code}" if code and "#" not in name else ""
        name += "" if spaced else f"!{_machine(name)}"
    return name, alone


_known: weakref.WeakKeyDictionary[Any, tuple[str | None, str, bool, bool, str]] = weakref.WeakKeyDictionary()


def _made(func: Any) -> tuple[str, bool, bool, str]:
    """Return the name, whether it says which function it is, whether it does on every machine, and a code's hash."""
    bound = getattr(func, "__self__", None)
    func = settled(getattr(func, "__func__", func))
    inner = unwrapped(func)
    if isinstance(func, FunctionType) and func in _travelled:
        name, unique = _travelled[func]
        return name, stands_alone(func), unique, hash_of(*_chain(func))[:32]
    origin = origin_of(inner)
    qualname = getattr(func, "__qualname__", None) or type(func).__qualname__
    if isinstance(bound, type):
        origin = origin_of(bound) if not hasattr(inner, "__code__") else origin
        qualname = f"{bound.__qualname__}.{func.__name__}"
    name = f"{origin.prefix()}{qualname}"
    code = getattr(inner, "__code__", None)
    alone = stands_alone(func)
    if code is not None:
        others, seen = definitions_of_one_name(code)
        alone = alone and not others
        if "<lambda>" in qualname or "<locals>" in qualname:
            name += f"@{code.co_firstlineno}"
        # Two lambdas may stand on one line, and a wrapper has the name of what it wraps.
        told_apart = origin.in_file and "<lambda>" not in qualname and (alone or inner is func) and not others
        if not told_apart or not (seen or _is_current(func)):
            name += f"#{hash_of(*_chain(func), *others)[:32]}"
        name = _unlike_others(name, inner, bound, origin.file)
    return name, alone, origin.unique, hash_of(*_chain(func))[:32] if not origin.unique and code else ""


def _machine(name: str) -> str:
    from twat_cache._identity.machine import machine_identity

    warn_lack(
        f"{name}: other machines may have another function of this path, so results in the shared store are kept for "
        "this machine only; give the decorator a name= or namespace=, or state a project "
        "(twat_cache.set_project, TWAT_CACHE_PROJECT, [project] in pyproject.toml)",
        "a name of one machine",
    )
    return machine_identity().hex()


def _chain(func: Any) -> list[Any]:
    """The codes of a function and of those it wraps."""
    codes = []
    for _ in range(100):
        codes.append(getattr(func, "__code__", None))
        func = getattr(func, "__wrapped__", None)
        if func is None:
            break
    return codes


def _is_current(func: Any) -> bool:
    """Whether a name finds this function, or nothing yet, or nothing that could be found."""
    found = _found(func)
    return found is None or leads_to(found, func) or "<locals>" in func.__qualname__


class _Bearer:
    """A function that has a name: what it is bound to, its code's file, and its module's spec.

    The spec is another one once the module is loaded again.
    """

    __slots__ = ("bound", "file", "func", "spec")

    def __init__(self, func: Any, bound: Any, file: str | None) -> None:
        self.func = weakref.ref(func)
        self.bound = weakref.ref(bound) if isinstance(bound, type) else None
        self.file, self.spec = file, func.__globals__.get("__spec__")

    def has_code_of(self, func: Any) -> bool:
        """Whether both functions were made by one piece of code."""
        mine = self.func()
        return mine is not None and mine.__code__ is func.__code__

    def unlike(self, other: _Bearer) -> str:
        """Return what tells this function from another one of its name; nothing if it takes that one's place."""
        mine, theirs = self.func(), other.func()
        if mine is None or theirs is None or (mine.__code__ is theirs.__code__ and self.bound is None):
            return ""
        if mine.__code__ is not theirs.__code__ and self.file != other.file:
            return _text_hash(self.file or "")
        if mine.__globals__ is not theirs.__globals__ or self.spec is not other.spec:
            return ""
        if self.bound is not None and other.bound is not None and self.bound() is not other.bound():
            return os.urandom(16).hex() if other.bound() is not None else ""
        code = hash_of(mine.__code__)
        return "" if code == hash_of(theirs.__code__) else code[:32]


_bearers: dict[str, list[_Bearer]] = {}


def _unlike_others(name: str, func: Any, bound: Any, file: str | None) -> str:
    """Tell a function from those that are alive, have its name and are something else.

    Not seen in the code are files that are loaded under one name, parts of one file that are executed one by one, and
    classes that one body makes. A module that is loaded again takes its old functions' place.
    """
    try:
        mine = _Bearer(func, bound, file)
    except (AttributeError, TypeError):
        return name  # a function of another language
    others = [bearer for bearer in _bearers.get(name, ()) if bearer.func() is not None]
    found = next(filter(None, map(mine.unlike, others)), "")
    # Of the functions that one code makes, the last one stands for all.
    _bearers[name] = [bearer for bearer in others if bearer.bound or not bearer.has_code_of(func)] + [mine]
    return f"{name}#{found}" if found else name


def _text_hash(text: str) -> str:
    from twat_cache._ffi.digest import blake3

    return blake3(text.encode("utf-8", "surrogatepass")).hex()[:32]


def settled(func: Any) -> Any:
    """Return the function whose results a memoized one gives."""
    from twat_cache._memoize.wrapper import memo_of

    for _ in range(100):
        if memo_of(func) is None and not isinstance(func, _LRU):
            break
        func = func.__wrapped__
    return func


_LRU: Any = functools._lru_cache_wrapper if isinstance(functools._lru_cache_wrapper, type) else ()
_WRAPPERS: tuple[type, ...] = (FunctionType, *([_LRU] if _LRU else []), *([speed.Memoizer] if speed else []))


def leads_to(wrapper: Any, func: Any) -> bool:
    """Whether a function is another, or wraps it."""
    for _ in range(100):
        if wrapper is func:
            return True
        if not isinstance(wrapper, _WRAPPERS):
            return False
        wrapper = getattr(wrapper, "__wrapped__", None)
    return False


def stands_alone(func: Any) -> bool:
    """Whether a function's own name says which it is.

    A wrapper has the name of what it wraps. Under ``@`` that name will be the wrapper's. Where another function has
    it already, there may be other wrappers of that name.
    """
    qualname = getattr(func, "__qualname__", "<locals>")
    if "<locals>" in qualname or "<lambda>" in qualname:
        return False
    found = _found(func)
    return found is None or leads_to(found, func) or not leads_to(func, found)


def _found(func: Any) -> Any:
    found: Any = sys.modules.get(func.__module__ or "")
    for step in func.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(step)
        found = getattr(found, "__func__", found)
    return found
