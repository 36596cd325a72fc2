"""What a function takes, once, at decoration time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twat_cache._identity import functions as kinds
from twat_cache._identity.functions import EMPTY, Parameter, parameters_of
from twat_cache._serialize.msgpack_reader import Omitted
from twat_cache.exceptions import ConfigurationError

if TYPE_CHECKING:
    import inspect

_POSITIONAL = (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)


class Signature:
    """The parameters of a function, and how its arguments are bound to them.

    ``named`` are those that hold one argument, in signature order. A function
    whose signature Python does not know takes anything.
    """

    __slots__ = ("ignore", "method", "named", "parameters", "var_keyword", "var_positional")

    def __init__(self, parameters: tuple[Parameter, ...], ignore: Iterable[str] = ()) -> None:
        self.parameters = parameters
        self.named = tuple(p.name for p in parameters if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD))
        self.var_positional = _one_of(parameters, kinds.VAR_POSITIONAL)
        self.var_keyword = _one_of(parameters, kinds.VAR_KEYWORD)
        self.ignore = _ignored(ignore, {p.name for p in parameters}, self.var_keyword is not None)
        first = parameters[0] if parameters else None
        self.method = first is not None and first.name == "self" and first.kind in _POSITIONAL

    @classmethod
    def of(cls, func: Callable[..., Any], ignore: Iterable[str] = ()) -> Signature:
        """The signature, with some parameters left out of keys."""
        try:
            parameters = parameters_of(func, named=bool(ignore))
        except (ValueError, TypeError):
            parameters = (
                Parameter("args", kinds.VAR_POSITIONAL),
                Parameter("kwargs", kinds.VAR_KEYWORD),
            )
        return cls(parameters, ignore)

    def renamed(self, names: dict[str, str]) -> Signature:
        """The same with other names for parameters."""
        parameters = tuple(Parameter(names.get(p.name, p.name), p.kind, p.default) for p in self.parameters)
        return Signature(parameters, [names.get(name, name) for name in self.ignore])

    @property
    def key_names(self) -> tuple[str, ...]:
        """The named parameters that are part of a key."""
        return tuple(name for name in self.named if name not in self.ignore)

    @property
    def stars_in_key(self) -> bool:
        """Whether a key holds any number of arguments."""
        return any(name is not None and name not in self.ignore for name in (self.var_positional, self.var_keyword))

    @property
    def per_instance(self) -> bool:
        """Whether each instance has results of its own: a method that does not leave it out of keys."""
        return self.method and "self" not in self.ignore

    def text(self) -> str:
        """The parameter list as source; the defaults are ``_tc_defaults['name']``."""
        parts: list[str] = []
        slash = star = False
        for p in self.parameters:
            if slash and p.kind is not kinds.POSITIONAL_ONLY:
                parts.append("/")
                slash = False
            if p.kind is kinds.POSITIONAL_ONLY:
                slash = True
            if p.kind is kinds.VAR_POSITIONAL:
                star = True
                parts.append(f"*{p.name}")
                continue
            if p.kind is kinds.VAR_KEYWORD:
                parts.append(f"**{p.name}")
                continue
            if p.kind is kinds.KEYWORD_ONLY and not star:
                parts.append("*")
                star = True
            default = "" if p.default is EMPTY else f"=_tc_defaults[{p.name!r}]"
            parts.append(p.name + default)
        if slash:
            parts.append("/")
        return ", ".join(parts)

    def call(self) -> str:
        """The argument list, as source, that passes the parameters on."""
        parts: list[str] = []
        for p in self.parameters:
            if p.kind is kinds.VAR_POSITIONAL:
                parts.append(f"*{p.name}")
            elif p.kind is kinds.VAR_KEYWORD:
                parts.append(f"**{p.name}")
            elif p.kind is kinds.KEYWORD_ONLY:
                parts.append(f"{p.name}={p.name}")
            else:
                parts.append(p.name)
        return ", ".join(parts)

    def omitted(self) -> dict[str, Omitted]:
        """What stands in keys for the parameters that are omitted and whose default has no canonical form."""
        return {
            p.name: Omitted(p.name)
            for p in self.parameters
            if p.default is not EMPTY and p.name not in self.ignore and not _has_form(p.default)
        }

    def for_binding(self) -> inspect.Signature:
        """The same, as the standard library has it."""
        import inspect

        empty = inspect.Parameter.empty
        return inspect.Signature(
            [
                inspect.Parameter(
                    p.name, inspect._ParameterKind(p.kind), default=empty if p.default is EMPTY else p.default
                )
                for p in self.parameters
            ]
        )

    def defaults(self) -> dict[str, Any]:
        """Parameter name to default."""
        return {p.name: p.default for p in self.parameters if p.default is not EMPTY}


_PLAIN = frozenset((type(None), bool, int, float, str, bytes))


def _has_form(default: Any) -> bool:
    if type(default) in _PLAIN:
        return True
    from twat_cache._identity.call_keys import ENCODER

    try:
        ENCODER.encode(default)
    except Exception:  # noqa: BLE001 - a ``__cache_key__`` may raise whatever it likes
        return False
    return True


def _one_of(parameters: tuple[Parameter, ...], kind: int) -> str | None:
    return next((p.name for p in parameters if p.kind == kind), None)


def _ignored(ignore: Iterable[str], known: set[str], open_ended: bool) -> frozenset[str]:
    names = frozenset([ignore] if isinstance(ignore, str) else ignore)
    unknown = sorted(names - known)
    if unknown and not open_ended:
        raise ConfigurationError(
            f"ignore: expected names of parameters ({' '.join(sorted(known)) or 'there are none'}), found: {unknown[0]}"
        )
    return names
