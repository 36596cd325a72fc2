"""Which functions are methods of their first argument, though that is not called ``self``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache._identity.base_names import leads_to
from twat_cache._memoize.signature import Signature


def may_be_method(func: Any, signature: Signature) -> bool:
    """Whether a function was made in the body of a class, and takes a first argument that counts."""
    made_in, _, _ = getattr(func, "__qualname__", "").rpartition(".")
    first = signature.named[0] if signature.named else signature.var_positional
    in_class = bool(made_in) and not made_in.endswith("<locals>")
    return in_class and not signature.method and first is not None and first not in signature.ignore


class Receivers:
    """Tells the instances whose method a memoized function is."""

    __slots__ = ("_name", "wrapper")

    def __init__(self, func: Any) -> None:
        self._name = func.__name__
        self.wrapper: Callable[[], Any] = lambda: None

    def __call__(self, first: Any) -> bool:
        """Whether this function is a method of the object, or a class method of the class."""
        for kind in type(first).__mro__:
            found = kind.__dict__.get(self._name)
            if found is not None:
                return leads_to(getattr(found, "fget", found), self.wrapper())
        for kind in first.__mro__ if isinstance(first, type) else ():
            found = kind.__dict__.get(self._name)
            if found is not None:
                return isinstance(found, classmethod) and leads_to(found.__func__, self.wrapper())
        return False
