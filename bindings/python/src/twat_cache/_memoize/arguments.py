"""The arguments of calls: bound to the parameters of a function, and as keys.

Keyword order and omitted defaults make no difference. ``native_binder`` gives what
does the same in the native part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twat_cache._identity import functions as kinds
from twat_cache._identity.functions import EMPTY
from twat_cache._memoize.signature import Signature
from twat_cache._speedups import speed

_len = len  # somebody may memoize the built-in one

# A call that has no result, and a parameter that has no default.
MISSING: Any = type("MISSING", (), {"__repr__": lambda _: "missing"})()
_POSITIONAL = (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
_NONE, _IGNORED, _IN_KEY = range(3)
UNBOUND_CALL = MISSING


class NotBound(TypeError):
    """The function does not take these arguments; it says best itself what is wrong."""


def not_bound(func: Any, name: str, args: Any, kwargs: Any) -> TypeError:
    """What to raise where a key is asked for."""
    import inspect

    try:
        inspect.signature(func, follow_wrapped=False).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return TypeError(f"{name}: {error}")
    return TypeError(f"{name}: expected arguments that the function takes, got others")


class Arguments:
    """Binds calls of one function."""

    __slots__ = ("_defaults", "_indexes", "_names", "_only", "_positional", "key_indexes", "signature")

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        named = [p for p in signature.parameters if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)]
        self._names = tuple(p.name for p in named)
        self._defaults = tuple(MISSING if p.default is EMPTY else p.default for p in named)
        self._positional = sum(p.kind in _POSITIONAL for p in named)
        self._only = sum(p.kind == kinds.POSITIONAL_ONLY for p in named)
        self._indexes = {name: i for i, name in enumerate(self._names) if i >= self._only}
        self.key_indexes = tuple(i for i, name in enumerate(self._names) if name not in signature.ignore)

    @property
    def count(self) -> int:
        """The number of named parameters."""
        return _len(self._names)

    @property
    def plain(self) -> bool:
        """Whether the arguments of a call that gives all of them by position are its key."""
        signature = self.signature
        stars = signature.var_positional or signature.var_keyword
        return not stars and not signature.ignore and self._positional == _len(self._names)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], tuple[Any, ...], dict[str, Any]]:
        """The value of each named parameter, the other positional arguments, and the other keywords."""
        taken, signature = self._positional, self.signature
        values = [*args[:taken], *self._defaults[min(_len(args), taken) :]]
        star, more = args[taken:], {}
        if star and signature.var_positional is None:
            raise NotBound
        given = _len(args)
        for name, value in kwargs.items():
            index = self._indexes.get(name)
            if index is None:
                more[name] = value
            elif index < taken and index < given:
                raise NotBound
            else:
                values[index] = value
        if (more and signature.var_keyword is None) or any(value is MISSING for value in values):
            raise NotBound
        return values, star, more

    def as_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The same call, with the defaults as they were at decoration time."""
        values, star, more = self.bind(args, kwargs)
        end = self._positional
        return (*values[:end], *star), {**dict(zip(self._names[end:], values[end:])), **more}

    def binder(self, stand_ins: dict[str, Any]) -> Callable[..., Any]:
        """What gives, for a call, the positional part of its key and its keywords or None; else ``UNBOUND_CALL``.

        ``stand_ins`` are put in place of defaults.
        """
        if speed is not None:
            instead = tuple(stand_ins.get(name, MISSING) for name in self._names)
            return self.native_binder(instead if stand_ins else None)  # type: ignore[no-any-return]
        signature, indexes = self.signature, self.key_indexes
        star_in_key = signature.var_positional is not None and signature.var_positional not in signature.ignore
        double_in_key = signature.var_keyword is not None and signature.var_keyword not in signature.ignore
        ignore, names, defaults = signature.ignore, self._names, self._defaults

        def bind(*args: Any, **kwargs: Any) -> Any:
            try:
                values, star, more = self.bind(args, kwargs)
            except NotBound:
                return UNBOUND_CALL
            if stand_ins:
                values = [
                    stand_ins.get(name, value) if value is default else value
                    for name, value, default in zip(names, values, defaults)
                ]
            positional = [values[index] for index in indexes]
            if star_in_key:
                positional += star
            if not double_in_key:
                return tuple(positional), None
            return tuple(positional), {name: value for name, value in more.items() if name not in ignore}

        return bind

    def native_binder(self, stand_ins: tuple[Any, ...] | None = None) -> Any:
        """The same in the native part."""
        assert speed is not None
        signature, ignore = self.signature, self.signature.ignore
        stars = [
            _NONE if name is None else _IGNORED if name in ignore else _IN_KEY
            for name in (signature.var_positional, signature.var_keyword)
        ]
        return speed.Binder(
            self._names, self._defaults, MISSING, tuple(name not in ignore for name in self._names), self._only,
            self._positional, *stars, ignore or None, stand_ins,
        )  # fmt: skip


class Keys:
    """The keys of a function's calls in memory. An instance is not part of them: it has a table of its own.

    ``own`` is the user's function that gives the whole key.
    """

    __slots__ = ("_arguments", "_bare", "_double", "_indexes", "_own", "_star", "_typed", "exact")

    def __init__(self, arguments: Arguments, *, typed: bool, own: Callable[..., Any] | None) -> None:
        signature = arguments.signature
        self._arguments, self._typed, self._own = arguments, typed, own
        start = 1 if signature.per_instance else 0
        self._indexes = arguments.key_indexes[start:]
        self._star = signature.var_positional is not None and signature.var_positional not in signature.ignore
        self._double = signature.var_keyword is not None and signature.var_keyword not in signature.ignore
        # A key of one argument is that argument.
        self._bare = _len(self._indexes) == 1 and not (typed or self._star or self._double)
        # The number of positional arguments that are a key as they are, or no number.
        self.exact = arguments.count if arguments.plain and not typed and own is None else -1

    @property
    def bare(self) -> bool:
        """Whether a key is its only argument."""
        return self._bare

    def of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The key of a call, whether or not it has a hash."""
        values, star, more = self._arguments.bind(args, kwargs)
        if self._own is not None:
            args, kwargs = self._arguments.as_call(args, kwargs)
            return self._own(*args, **kwargs)
        items = [values[index] for index in self._indexes]
        if self._bare:
            return items[0]
        types: list[Any] = [*map(type, items)] if self._typed else []
        if self._double:
            ignore = self._arguments.signature.ignore
            pairs = tuple(sorted((pair for pair in more.items() if pair[0] not in ignore), key=_name))
            if self._star:
                items.append(star)
            items.append(pairs or None)
            if self._typed:
                types += [tuple(map(type, star)) if self._star else (), tuple(type(value) for _, value in pairs)]
        elif self._star:
            items += star
            types += map(type, star) if self._typed else ()
        return (*items, *types)


def _name(pair: tuple[str, Any]) -> str:
    return pair[0]
