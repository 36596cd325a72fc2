"""What a function is called in a shared store (docs/format.md, "Names")."""

from __future__ import annotations

import functools
import os
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any

from twat_cache._open import warn_user
from twat_cache.exceptions import ConfigurationError


class StoredName:
    """A function's name in stores, and the name of a folder of its own."""

    __slots__ = ("folder", "text")

    def __init__(self, text: str, folder: str) -> None:
        self.text, self.folder = text, folder


def stored_name(func: Any, *, outlives: bool = True) -> StoredName:
    """A name that stands for this function and no other, in a store that outlives the program."""
    bound = getattr(func, "__self__", None)
    named = isinstance(func, type) or hasattr(func, "__qualname__")
    if not named or not (bound is None or isinstance(bound, (type, ModuleType))):
        what = f"a {type(func).__module__}.{type(func).__qualname__}"
        raise ConfigurationError(
            f"name: expected one for what has none of its own (a partial, an object, a method of one instance), "
            f"found: {what}; give the decorator name="
        )
    base, here_only, form = base_name(func), [], b""
    function = settled(getattr(func, "__func__", func))
    if isinstance(function, FunctionType) and function.__closure__:
        from twat_cache._captured import Captured

        found = Captured()
        form, here_only = found.form(function), found.here_only
    if not form:
        return StoredName(base, base)
    from twat_cache._native._digest import blake3

    name = f"{base}~{blake3(form).hex()[:32]}"
    if not here_only:
        return StoredName(name, name)
    if outlives:
        warn_user(
            f"{base}: the captured {' '.join(map(repr, here_only))} cannot be told apart from what another run or "
            "another call captures, so results are kept for this process only; "
            "pass it as an argument, or give the decorator a name= that tells the functions apart"
        )
    return StoredName(name, base)


def function_name(func: Any) -> str:
    """The name in stores, for what is not to be refused or warned of."""
    try:
        return stored_name(func, outlives=False).text
    except ConfigurationError:
        return base_name(func)


def base_name(func: Any) -> str:
    """``module.qualname``, with more where two functions have that in common, but for what they captured."""
    bound = getattr(func, "__self__", None)
    func = settled(getattr(func, "__func__", func))
    module = getattr(func, "__module__", None) or "builtins"
    qualname = getattr(func, "__qualname__", None) or type(func).__qualname__
    if isinstance(bound, type):
        module, qualname = bound.__module__, f"{bound.__qualname__}.{func.__name__}"
    code = getattr(func, "__code__", None)
    if code is None:
        return f"{module}.{qualname}"
    has_file = os.path.isfile(code.co_filename)
    if module == "__main__":
        module = _main_module(code, has_file)
    name = f"{module}.{qualname}"
    if "<lambda>" in qualname or "<locals>" in qualname:
        name += f"@{code.co_firstlineno}"
    if "<lambda>" in qualname or not has_file:
        # Two lambdas may stand on one line.
        name += f"#{code_hash(func)[:32]}"
    elif hasattr(func, "__wrapped__") and not stands_alone(func):
        # It has the name of what it wraps.
        name += f"#{code_hash(func)[:32]}"
    return name


def settled(func: Any) -> Any:
    """The function whose results a memoized one gives."""
    from twat_cache._memo import Memo

    for _ in range(100):
        ours = isinstance(func, FunctionType) and isinstance(func.__dict__.get("cache"), Memo)
        if not ours and not isinstance(func, _LRU):
            break
        func = func.__wrapped__
    return func


_LRU: Any = functools._lru_cache_wrapper if isinstance(functools._lru_cache_wrapper, type) else ()


def leads_to(wrapper: Any, func: Any) -> bool:
    """Whether a function is another, or wraps it."""
    for _ in range(100):
        if wrapper is func:
            return True
        if not isinstance(wrapper, (FunctionType, *([_LRU] if _LRU else []))):
            return False
        wrapper = getattr(wrapper, "__wrapped__", None)
    return False


def stands_alone(func: Any) -> bool:
    """Whether a function's own name says which it is.

    A wrapper has the name of what it wraps. Under ``@`` that name will be the wrapper's; where it is
    somebody else's already, there may be other wrappers of that name.
    """
    qualname = func.__qualname__
    if "<locals>" in qualname or "<lambda>" in qualname:
        return False
    found: Any = sys.modules.get(func.__module__)
    for step in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(step)
    return found is None or leads_to(found, func) or not leads_to(func, found)


def _main_module(code: CodeType, has_file: bool) -> str:
    if not has_file:
        return "__main__"
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None) or code.co_filename
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        # `python -m package.module`: the module has a name of its own.
        return str(spec.name.removesuffix(".__main__"))
    return os.path.abspath(path)


def code_hash(func: Any) -> str:
    """The BLAKE3 of a function's code: its bytes, constants and names."""
    from twat_cache._native._digest import blake3

    parts: list[bytes] = []
    _code_parts(getattr(func, "__code__", None), parts)
    return blake3(b"\0".join(parts)).hex()


def _code_parts(code: CodeType | None, parts: list[bytes]) -> None:
    if code is None:
        return
    parts += [code.co_code, repr(code.co_names).encode(), repr(code.co_varnames).encode()]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _code_parts(constant, parts)
        elif isinstance(constant, frozenset):
            parts.append(repr(sorted(map(repr, constant))).encode())
        else:
            parts.append(repr(constant).encode("utf-8", "surrogatepass"))
