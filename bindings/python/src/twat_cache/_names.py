"""What a function is called in a shared store (docs/format.md, "Names")."""

from __future__ import annotations

import os
import sys
from types import CodeType, ModuleType
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
        if "<lambda>" in qualname:
            # Two lambdas may stand on one line.
            name += f"#{code_hash(func)[:32]}"
            return name
    if not has_file:
        name += f"#{code_hash(func)[:32]}"
    return name


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
