"""Memoized functions that are pickled by value: they travel as the function and its decorator's arguments.

Functions of modules are pickled by name. Those of ``__main__``, of notebooks and made inside functions are not found by
name elsewhere: cloudpickle (joblib, dask, ray and pyspark use it) and dill then take a function apart. The
parts of a memoized one are locks and open stores, so these picklers are told what to take in place of them.
"""

from __future__ import annotations

import functools
import sys
from types import FunctionType, ModuleType
from typing import Any

from twat_cache._memoize.wrapper import ATTACHED, memo_of
from twat_cache._speedups import speed


class Recipe:
    """How a function was memoized: a decorator, its first argument, and the others that were given."""

    __slots__ = ("decorator", "first", "options")

    def __init__(self, decorator: Any, first: Any, options: dict[str, Any]) -> None:
        self.decorator, self.first = decorator, first
        self.options = {name: value for name, value in options.items() if value is not None}

    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe, (self.decorator, self.first, self.options)

    def make(self, func: Any) -> Any:
        """Memoize a function in the same way."""
        return self.decorator(self.first, **self.options)(func)


def parts_of(func: Any) -> tuple[Any, ...] | None:
    """Return what pickle's protocol calls the reduced value of a memoized function; None for other objects."""
    memo = memo_of(func)
    recipe = None if memo is None else memo.recipe
    inner = None if recipe is None else vars(func).get("__wrapped__")
    if recipe is None or inner is None:
        return None
    from twat_cache._identity.base_names import known_name

    more = {name: value for name, value in vars(func).items() if name not in ATTACHED}
    facts = None
    if isinstance(inner, FunctionType):
        facts = (inner.__name__, inner.__qualname__, inner.__module__, inner.__defaults__, inner.__kwdefaults__)
    return _rebuilt, (recipe, inner, facts, known_name(inner), more)


def _rebuilt(recipe: Recipe, func: Any, facts: Any, name: tuple[str, bool, bool] | None, more: dict[str, Any]) -> Any:
    """Memoize a function that arrives. One that calls itself is not complete yet, so what counts is set first."""
    if facts is not None:
        func.__name__, func.__qualname__, func.__module__, func.__defaults__, func.__kwdefaults__ = facts
    if name is not None:
        from twat_cache._identity.base_names import name_traveller

        name_traveller(func, *name)
    made = recipe.make(func)
    vars(made).update(more)
    return made


def reduced(wrapper: Any) -> Any:
    """Return what a native wrapper is pickled as: its name where that finds it, else its parts."""
    name = getattr(wrapper, "__qualname__", "")
    found: Any = sys.modules.get(getattr(wrapper, "__module__", None) or "")
    for step in name.split("."):
        found = getattr(found, step, None)
    # Under a name that finds nothing, pickle says what is wrong.
    return name if found is wrapper else parts_of(wrapper) or name


# The picklers


def support_picklers() -> None:
    """Tell the picklers that are loaded, and those that will be, how memoized functions travel."""
    if _importer in sys.meta_path:
        return
    sys.meta_path.insert(0, _importer)
    for name, module in list(sys.modules.items()):
        if _is_pickler(name):
            _tell(module)


def _is_pickler(name: str) -> bool:
    return name.endswith("cloudpickle") or name == "dill._dill"


def _tell(module: ModuleType) -> None:
    if module.__name__ == "dill._dill":
        _tell_dill(module)
        return
    pickler: Any = getattr(module, "CloudPickler", None)
    reduce = getattr(pickler, "_function_reduce", None)
    if reduce is None or getattr(reduce, "of_twat_cache", False):
        return

    def function_reduce(self: Any, func: Any) -> Any:
        found = reduce(self, func)
        parts = None if found is NotImplemented else parts_of(func)
        return found if parts is None else parts

    function_reduce.of_twat_cache = True  # type: ignore[attr-defined]
    pickler._function_reduce = function_reduce
    if speed is not None:
        # What is not a function is looked up here.
        pickler.dispatch_table[speed.Memoizer] = functools.partial(_reduced_by_cloudpickle, module)


def _reduced_by_cloudpickle(cloudpickle: Any, wrapper: Any) -> Any:
    """By name where cloudpickle would pickle a function by name: not those of ``__main__``."""
    found = cloudpickle._lookup_module_and_qualname(wrapper, wrapper.__qualname__)
    by_name = found is not None and not cloudpickle._is_registered_pickle_by_value(found[0])
    return wrapper.__qualname__ if by_name else parts_of(wrapper) or wrapper.__qualname__


def _tell_dill(dill: Any) -> None:
    save = dill.Pickler.dispatch.get(FunctionType)
    if save is None or getattr(save, "of_twat_cache", False):
        return

    def save_function(pickler: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        parts = None if dill._locate_function(func, pickler) else parts_of(func)
        if parts is None:
            return save(pickler, func, *args, **kwargs)
        return pickler.save_reduce(*parts, obj=func)

    save_function.of_twat_cache = True  # type: ignore[attr-defined]
    dill.Pickler.dispatch[FunctionType] = save_function
    if speed is not None:

        def save_memoizer(pickler: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
            parts = None if dill._locate_function(func, pickler) else parts_of(func)
            if parts is None:
                return pickler.save_global(func, name=func.__qualname__)
            return pickler.save_reduce(*parts, obj=func)

        dill.Pickler.dispatch[speed.Memoizer] = save_memoizer


class _Importer:
    """Waits for a pickler to be imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if not _is_pickler(name):
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader:
    """Loads a module as its loader does, then tells it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _tell(module)


_importer: Any = _Importer()
