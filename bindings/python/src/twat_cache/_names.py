"""What a function is called in a shared store (docs/format.md, "Names")."""

from __future__ import annotations

import os
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any

from twat_cache.exceptions import ConfigurationError


def shared_name(func: Any) -> str:
    """A name that stands for this function and no other, in a store that outlives the program."""
    bound = getattr(func, "__self__", None)
    named = isinstance(func, type) or hasattr(func, "__qualname__")
    if not named or not (bound is None or isinstance(bound, (type, ModuleType))):
        what = f"a {type(func).__module__}.{type(func).__qualname__}"
        raise ConfigurationError(
            f"name: expected one for what has none of its own (a partial, an object, a method of one instance), "
            f"found: {what}; give the decorator name="
        )
    return function_name(func)


def function_name(func: Any) -> str:
    """``module.qualname``, made unique where it is not."""
    bound = getattr(func, "__self__", None)
    func = getattr(func, "__func__", func)
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
    return name + _captured(func)


_SETTLED = (type(None), bool, int, float, complex, str, bytes)


def _captured(func: Any) -> str:
    """What tells apart the functions that one ``def`` makes: the plain values and the functions they captured.

    A variable that the function itself rebinds is its state and does not count; neither does what may change in
    place, or has no form that two runs agree on.
    """
    kept: dict[str, Any] = {}
    for name, cell in zip(func.__code__.co_freevars, func.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:  # Not bound yet: the function itself, or one defined after it.
            continue
        if type(value) in _SETTLED:
            kept[name] = value
        elif isinstance(value, FunctionType) and value is not func and not value.__closure__:
            kept[name] = ["function", function_name(value)]
    if not kept:
        return ""
    rebound = _rebound(func.__code__)
    kept = {name: value for name, value in kept.items() if name not in rebound}
    if not kept:
        return ""
    from twat_cache._keys import ENCODER
    from twat_cache._native._digest import blake3

    return f"~{blake3(bytes(ENCODER.encode(kept))).hex()[:32]}"


def _rebound(code: CodeType) -> set[str]:
    """The captured variables that a function, or one inside it, assigns."""
    import dis

    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("STORE_DEREF", "DELETE_DEREF")}
    return names.union(*(_rebound(constant) for constant in code.co_consts if isinstance(constant, CodeType)))


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
