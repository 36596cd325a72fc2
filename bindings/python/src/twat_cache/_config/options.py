"""The options that every decorator shares, checked at decoration time."""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

from twat_cache._identity.functions import is_generator_function
from twat_cache.exceptions import CacheValueError, ConfigurationError

SHARED = ("name", "key", "ignore", "cache_if", "cache_exceptions", "callback", "max_entries", "max_bytes", "secure")
PERSISTENT = ("serializer", "version", "code_hash", "single_flight", "namespace", "memory", "frozen")


class _Unsaid(str):
    """A default that can be told from the same text given outright, which goes before the environment."""

    __slots__ = ()


LRU: str = _Unsaid("lru")


class Common:
    """What they come to."""

    __slots__ = (
        "cache_if", "callback", "exceptions", "ignore", "key", "max_bytes", "max_entries", "name", "secure",
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        key: Callable[..., Any] | None = None,
        ignore: tuple[str, ...] = (),
        cache_if: Callable[[Any], Any] | None = None,
        exceptions: dict[type[BaseException], float | None] | None = None,
        callback: Callable[[str, Any, Any], None] | None = None,
        max_entries: int | None = None,
        max_bytes: int | None = None,
        secure: bool = True,
    ) -> None:
        self.name, self.key, self.ignore, self.cache_if = name, key, ignore, cache_if
        self.exceptions = exceptions or {}
        self.callback, self.max_entries, self.max_bytes, self.secure = callback, max_entries, max_bytes, secure


def common(func: Callable[..., Any], options: dict[str, Any]) -> Common:
    """Takes the shared options out of a dictionary and checks them."""
    name = options.pop("name", None)
    if name is not None and (not isinstance(name, str) or not name):
        raise ConfigurationError(f"name: expected text that is not empty, found: {name!r}")
    ignore = options.pop("ignore", ())
    return Common(
        name=name or _plain_name(func),
        key=_callable("key", options.pop("key", None)),
        ignore=_names("ignore", ignore),
        cache_if=_callable("cache_if", options.pop("cache_if", None)),
        exceptions=_exceptions(options.pop("cache_exceptions", None)),
        callback=_callable("callback", options.pop("callback", None)),
        max_entries=whole("max_entries", options.pop("max_entries", None)),
        max_bytes=size("max_bytes", options.pop("max_bytes", None)),
        secure=truth("secure", options.pop("secure", True)),
    )


def _plain_name(func: Any) -> str:
    func = getattr(func, "__func__", func)
    return f"{getattr(func, '__module__', None)}.{getattr(func, '__qualname__', type(func).__qualname__)}"


def no_more(options: dict[str, Any], known: Iterable[str]) -> None:
    """Refuses what nobody took."""
    for name in options:
        import difflib

        near = difflib.get_close_matches(name, list(known), 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ConfigurationError(f"{name}: unknown option{hint}")


def whole(name: str, value: Any) -> int | None:
    """A bound: None or an integer that is not negative."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
        raise ConfigurationError(f"{name}: expected an integer of at least 0 or None, found: {value!r}")
    return value


def size(name: str, value: Any) -> int | None:
    """A bound in bytes: as ``whole``, or a text such as ``500 MB``."""
    if not isinstance(value, str):
        return whole(name, value)
    from twat_cache._ffi.texts import size_bytes

    try:
        return size_bytes(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def seconds(name: str, value: Any) -> float | None:
    """A time to live: None, seconds that are not negative, a timedelta or a text; infinity is None."""
    if value is None:
        return None
    if isinstance(value, str):
        from twat_cache._ffi.texts import duration_ms

        try:
            return duration_ms(value) / 1000
        except ConfigurationError as error:
            raise ConfigurationError(f"{name}: {error}") from None
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ConfigurationError(f"{name}: expected seconds of at least 0 or None, found: {value!r}")
    return None if math.isinf(value) else float(value)


def truth(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}: expected True or False, found: {value!r}")
    return value


def _callable(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name}: expected something to call or None, found: {value!r}")
    return value


def text(name: str, value: Any) -> str | None:
    """None or text."""
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected text or None, found: {value!r}")
    return value


def _names(option: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    names = tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"{option}: expected names of parameters, found: {value!r}")
    return names


def _exceptions(value: Any) -> dict[type[BaseException], float | None]:
    if value is None:
        return {}
    if isinstance(value, type):
        value = (value,)
    if not isinstance(value, Iterable):
        raise ConfigurationError(f"cache_exceptions: expected exception types, found: {value!r}")
    pairs = value.items() if isinstance(value, dict) else [(kind, None) for kind in value]
    kept: dict[type[BaseException], float | None] = {}
    for kind, ttl in pairs:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ConfigurationError(f"cache_exceptions: expected exception types, found: {kind!r}")
        kept[kind] = seconds("cache_exceptions", ttl)
    return kept


# Types of results that need no look at what they can do, or at what they hold.
PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes))
_CONTAINERS = (list, tuple, dict, set, frozenset, collections.deque)
# How far a result is searched: an iterator inside is rare, and a miss must not take long.
_ITEMS, _DEPTH = 1000, 4


def is_read_once(value: Any) -> bool:
    """Whether reading a result uses it up: iterators, files, coroutines, views of memory that may be gone."""
    return find_read_once(value) is not None


def find_read_once(value: Any, depth: int = _DEPTH) -> Any:
    """Return what is used up by reading: the result itself or what it holds, up to a depth; else None."""
    kind = value.__class__
    if kind in PLAIN:
        return None
    if isinstance(value, _CONTAINERS):
        held: Any = dict.values(value) if isinstance(value, dict) else value
    elif hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__attrs_attrs__"):
        held = [getattr(value, name, None) for name in _field_names(kind)]
    elif _is_once(value, kind):
        return value
    else:
        return None
    if depth:
        some = list(itertools.islice(iter(held), _ITEMS))
        if not PLAIN.issuperset(map(type, some)):
            for each in some:
                found = None if each.__class__ in PLAIN else find_read_once(each, depth - 1)
                if found is not None:
                    return found
    return None


def _field_names(kind: Any) -> Iterable[str]:
    fields = getattr(kind, "__dataclass_fields__", None)
    return fields if fields is not None else [field.name for field in kind.__attrs_attrs__]


def _is_once(value: Any, kind: type) -> bool:
    if kind is memoryview or hasattr(kind, "__next__") or hasattr(kind, "__anext__") or hasattr(kind, "cr_await"):
        return True
    # Context managers made of generators, and wrappers of files, which find their methods when asked.
    return any(
        base.__name__.startswith(_ONCE_NAMES) or (base.__module__ == "tempfile" and hasattr(value, "file"))
        for base in kind.__mro__
    )


_ONCE_NAMES = ("_GeneratorContextManager", "_AsyncGeneratorContextManager", "_wrap_close")


def refuse_read_once(value: Any) -> None:
    """What is kept as the object itself would be used up the second time."""
    found = find_read_once(value)
    if found is not None:
        _refuse(found)


def refuse_generator(value: Any) -> None:
    """A generator cannot be stored as bytes either, as other iterators can."""
    if value.__class__ in _GENERATORS:
        _refuse(value)


def _refuse(value: Any) -> None:
    raise CacheValueError(
        f"results: expected a value that can be used twice, found a {value.__class__.__qualname__}; "
        "return a list or the content, or decorate the function that the generator calls"
    )


def _generators() -> frozenset[type]:
    import types

    return frozenset((types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType))


_GENERATORS = _generators()


def check_function(func: Any) -> None:
    """Refuses what cannot be memoized."""
    if not callable(func):
        raise ConfigurationError(f"expected a function to decorate, found: {func!r}")
    if is_generator_function(func):
        raise ConfigurationError(
            f"{getattr(func, '__qualname__', func)}: expected a function that returns its result, found a generator; "
            "return a list, or decorate the function that the generator calls"
        )
