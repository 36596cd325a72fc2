"""The decorators. Each works with and without parentheses, on plain and coroutine functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from twat_cache._config import options as _options
from twat_cache._config.opening import EngineName, order, resolve, warn_once, warn_user
from twat_cache._config.options import seconds, truth, whole
from twat_cache._identity.functions import is_coroutine_function
from twat_cache._memoize.build import KNOWN, build_persistent, prepare
from twat_cache._memoize.function_store import Wanted
from twat_cache._memoize.pickling import Recipe
from twat_cache._memoize.wrapper import memo_of
from twat_cache.config import CacheConfig
from twat_cache.exceptions import ConfigurationError
from twat_cache.typing import Cached, Decorator, P, R

__all__ = ["acache", "bcache", "cache", "fcache", "hybrid_cache", "make_key", "mcache", "smart_cache", "ucache"]

# Names that people's code asks for. Each job is always done here.
HAS_AIOCACHE = HAS_CACHEBOX = HAS_CACHETOOLS = HAS_DISKCACHE = HAS_FUNCTOOLS = True
HAS_JOBLIB = HAS_KLEPTO = HAS_MEMORY = HAS_DISK = HAS_FILE = HAS_ASYNC = HAS_REDIS = True

# Types of twat-cache 2.x, which are loaded where they are asked for.
_TYPES = ("CacheDecorator", "AsyncCacheDecorator")


def __getattr__(name: str) -> Any:
    if name in _TYPES:
        from twat_cache.compat import type_defs

        return getattr(type_defs, name)
    raise AttributeError(f"module 'twat_cache.decorators' has no attribute {name!r}")


T = TypeVar("T")
Config = CacheConfig | dict[str, Any] | None


def _decorate(name: str, first: Any, given: dict[str, Any], build: Callable[[Any, Any], Any]) -> Any:
    """Tell ``@deco`` from ``@deco(first, …)``, and reach through static and class methods.

    ``name`` is the decorator's and ``given`` what it was given, so that a function can be memoized in the same way
    in another process.
    """

    def apply(target: Any, argument: Any) -> Any:
        if isinstance(target, (staticmethod, classmethod)):
            return type(target)(apply(target.__func__, argument))
        _options.check_function(target)
        made = build(target, argument)
        memo_of(made).recipe = Recipe(globals()[name], argument, given)  # type: ignore[union-attr]
        return made

    if isinstance(first, (staticmethod, classmethod)) or callable(first):
        return apply(first, None)
    if hasattr(type(first), "__get__"):
        _options.check_function(first)  # a property is neither a function nor an option
    return lambda target: apply(target, first)


# In memory


def _memory(
    target: Any, *, maxsize: Any, ttl: Any, policy: Any, options: dict[str, Any],
    typed: bool = False, sizeof: Any = None, copy: Any = None,
) -> Any:  # fmt: skip
    from twat_cache._memoize.live import memoized
    from twat_cache._memoize.registry import register

    rest = dict(options)
    for name in ("path", "folder_name", "url"):
        if rest.get(name) is not None:
            raise ConfigurationError(
                f"{name}: results in memory have none; use bcache for a store on disk, ucache(url=) for a server"
            )
    common = _options.common(target, rest)
    timer = rest.pop("timer", None)
    if timer is not None and not callable(timer):
        raise ConfigurationError(f"timer: expected a callable that gives seconds, or None, got: {timer!r}")
    _options.no_more(rest, ("maxsize", "ttl", "policy", "typed", "sizeof", "copy", "timer", *_options.SHARED))
    maxsize, ttl = whole("maxsize", maxsize), seconds("ttl", ttl)
    maxsize = common.max_entries if maxsize is None else maxsize
    if sizeof is not None and not callable(sizeof):
        raise ConfigurationError(f"sizeof: expected something to call or None, found: {sizeof!r}")
    if copy is not None and not isinstance(copy, bool) and not callable(copy):
        raise ConfigurationError(f"copy: expected True, False or something to call, found: {copy!r}")
    if policy == "tinylfu":
        return _tinylfu(target, maxsize, ttl, sizeof, copy, options)
    if policy == "ttl" and ttl is None:
        raise ConfigurationError("policy: 'ttl' needs a ttl, found none")
    wrapper = memoized(
        target, common, maxsize=maxsize, max_bytes=common.max_bytes, ttl=ttl,
        policy="lru" if policy == "ttl" else policy, typed=truth("typed", typed), sizeof=sizeof, copy=copy,
        timer=timer,
    )  # fmt: skip
    return register(wrapper)


def _place(folder: Any, path: Any, settings: CacheConfig) -> Any:
    """The folder of a store: ``path`` is a directory, ``folder_name`` a name below the cache directory."""
    if path is None:
        return settings.folder_name if folder is None else folder
    if folder is not None:
        raise ConfigurationError("path: expected path or folder_name, got both")
    from twat_cache.paths import directory

    return directory(path)


def _said(policy: Any) -> Any:
    return None if policy is _options.LRU else policy


def _from_outside(maxsize: Any, ttl: Any, policy: Any, settings: CacheConfig) -> tuple[Any, Any, Any]:
    """What the code leaves open, as ``config``, the environment or a file has it."""
    if maxsize is None:
        maxsize = settings.get_maxsize()
    if policy is _options.LRU:
        policy = _usable_in_memory(settings)
    return maxsize, settings.ttl if ttl is None else ttl, policy


def _with_bytes(options: dict[str, Any], config: Config, settings: CacheConfig) -> dict[str, Any]:
    """The options, with the bound in bytes that a ``config`` states."""
    if config is None or settings.max_bytes is None or "max_bytes" in options:
        return options
    return {**options, "max_bytes": settings.max_bytes}


def _usable_in_memory(settings: CacheConfig) -> str:
    if settings.policy == "tinylfu" or (settings.policy == "ttl" and settings.ttl is None):
        warn_once(f"the policy of the environment or the file orders no objects in memory, lru does: {settings.policy}")
        return "lru"
    return settings.policy


def _tinylfu(
    target: Any, maxsize: int | None, ttl: float | None, sizeof: Any, copy: Any, options: dict[str, Any]
) -> Any:
    """moka has no form that orders objects of ours, so results go through bytes."""
    if sizeof is not None:
        raise ConfigurationError(
            "sizeof: policy 'tinylfu' weighs the bytes it keeps, so expected None; max_bytes bounds"
        )
    if callable(copy):
        raise ConfigurationError(
            "copy: policy 'tinylfu' gives every caller a new object, so expected True, False or None"
        )
    warn_once("policy 'tinylfu' keeps results as bytes: each hit gives a new, equal object")
    wanted = Wanted(["memory"], maxsize=maxsize, ttl=ttl, policy="tinylfu", options=options)
    return build_persistent(target, wanted)


@overload
def mcache(maxsize: Callable[P, R], /) -> Cached[P, R]: ...
@overload
def mcache(
    maxsize: int | None = None, ttl: float | None = None, policy: str = _options.LRU, *,
    typed: bool = False, sizeof: Callable[[Any], int] | None = None, copy: Any = None, config: Config = None,
    **options: Any,
) -> Decorator: ...  # fmt: skip
def mcache(
    maxsize: Any = None, ttl: float | None = None, policy: str = _options.LRU, *,
    typed: bool = False, sizeof: Callable[[Any], int] | None = None, copy: Any = None, config: Config = None,
    **options: Any,
) -> Any:  # fmt: skip
    """Keeps results in memory as they are: a second call gives the same object.

    ``maxsize`` counts entries, ``ttl`` seconds; ``typed`` tells 1 from 1.0; ``sizeof``
    weighs results against ``max_bytes``; ``copy`` (True, or a function) gives every
    caller a copy.

    >>> @mcache(maxsize=100)
    ... def square(x):
    ...     return x * x
    >>> square(4), square(x=4), square.cache_info().hits
    (16, 16, 1)
    """

    given = {
        "ttl": ttl, "policy": _said(policy), "typed": typed, "sizeof": sizeof, "copy": copy, "config": config,
        **options,
    }  # fmt: skip

    def build(target: Any, size: Any) -> Any:
        settings = _settings(config)
        bound, lives, order = _from_outside(size, ttl, policy, settings)
        return _memory(
            target, maxsize=bound, ttl=lives, policy=order, typed=typed, sizeof=sizeof, copy=copy,
            options=_with_bytes(options, config, settings),
        )  # fmt: skip

    return _decorate("mcache", maxsize, given, build)


@overload
def acache(maxsize: Callable[P, R], /) -> Cached[P, R]: ...
@overload
def acache(
    maxsize: int | None = None, ttl: float | None = None, policy: str = _options.LRU, *, config: Config = None,
    **options: Any,
) -> Decorator: ...  # fmt: skip
def acache(
    maxsize: Any = None, ttl: float | None = None, policy: str = _options.LRU, *, config: Config = None, **options: Any
) -> Any:
    """Keeps results of ``async def`` functions; concurrent callers of one key run it once.

    >>> import asyncio
    >>> @acache(ttl=60)
    ... async def fetch(url):
    ...     return url.upper()
    >>> asyncio.run(fetch("a"))
    'A'
    """

    given = {"ttl": ttl, "policy": _said(policy), "config": config, **options}

    def build(target: Any, size: Any) -> Any:
        if not is_coroutine_function(target):
            raise ConfigurationError(
                f"{getattr(target, '__qualname__', target)}: expected an async def function, found a plain one; "
                "use mcache for it"
            )
        settings = _settings(config)
        bound, lives, order = _from_outside(size, ttl, policy, settings)
        return _memory(target, maxsize=bound, ttl=lives, policy=order, options=_with_bytes(options, config, settings))

    return _decorate("acache", maxsize, given, build)


# In stores


@overload
def bcache(folder_name: Callable[P, R], /) -> Cached[P, R]: ...
@overload
def bcache(
    folder_name: Any = None, maxsize: int | None = None, ttl: float | None = None, policy: str = _options.LRU, *,
    use_sql: bool = True, compress: bool = False, engine: str | None = None, config: Config = None, path: Any = None,
    **options: Any,
) -> Decorator: ...  # fmt: skip
def bcache(
    folder_name: Any = None, maxsize: int | None = None, ttl: float | None = None, policy: str = _options.LRU, *,
    use_sql: bool = True, compress: bool = False, engine: str | None = None, config: Config = None, path: Any = None,
    **options: Any,
) -> Any:  # fmt: skip
    """Keeps results on disk: they survive the program, and other programs share them.

    ``max_entries`` and ``max_bytes`` bound it; ``maxsize`` counts entries, from 65,536 on bytes.
    Functions that name one folder share its store, each in a namespace of its own.

    >>> import tempfile
    >>> @bcache(folder_name=tempfile.mkdtemp(), ttl=3600)
    ... def report(day):
    ...     return {"day": day}
    >>> report("monday") == report("monday"), report.cache_info().hits
    (True, 1)
    """
    truth("use_sql", use_sql)
    engines = ["disk", "memory"] if engine is None else [order(engine)]
    said = None if policy is _options.LRU else policy

    given = {
        "maxsize": maxsize, "ttl": ttl, "policy": _said(policy), "use_sql": use_sql, "compress": compress,
        "engine": engine, "config": config, "path": path, **options,
    }  # fmt: skip

    def build(target: Any, folder: Any) -> Any:
        settings = _settings(config)
        place = _place(folder, path, settings)
        bound = _bound("bcache", maxsize)
        wanted = Wanted(list(engines), place, *bound, ttl, said, compress or None, options=dict(options))
        return build_persistent(target, wanted, settings)

    return _decorate("bcache", folder_name, given, build)


@overload
def fcache(folder_name: Callable[P, R], /) -> Cached[P, R]: ...
@overload
def fcache(
    folder_name: Any = None, maxsize: int | None = None, ttl: float | None = None, *,
    compress: bool = False, mmap: bool = True, config: Config = None, path: Any = None, **options: Any,
) -> Decorator: ...  # fmt: skip
def fcache(
    folder_name: Any = None, maxsize: int | None = None, ttl: float | None = None, *,
    compress: bool = False, mmap: bool = True, config: Config = None, path: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """Keeps large results, one file each; arrays come back as read-only views of the mapped file.

    ``max_entries`` and ``max_bytes`` bound it; ``maxsize`` counts entries, from 65,536 on bytes.
    ``mmap=False`` gives arrays of their own, which can be written.

    >>> import tempfile
    >>> @fcache(folder_name=tempfile.mkdtemp())
    ... def blob(n):
    ...     return bytes(n)
    >>> len(blob(100_000)), len(blob(100_000)), blob.cache_info().hits
    (100000, 100000, 1)
    """
    truth("mmap", mmap)

    given = {"maxsize": maxsize, "ttl": ttl, "compress": compress, "mmap": mmap, "config": config, "path": path}
    given.update(options)

    def build(target: Any, folder: Any) -> Any:
        settings = _settings(config)
        place = _place(folder, path, settings)
        wanted = Wanted(
            ["file", "disk", "memory"], place, *_bound("fcache", maxsize), ttl, None, compress or None, mmap,
            options=dict(options),
        )  # fmt: skip
        return build_persistent(target, wanted, settings)

    return _decorate("fcache", folder_name, given, build)


# What ``maxsize`` is at least where it means bytes, as in twat-cache 2.x.
_BYTES_FROM = 65_536


def _bound(decorator: str, maxsize: Any) -> tuple[int | None, bool]:
    """The bound of a persistent decorator, and whether it is one of bytes."""
    bound = whole("maxsize", maxsize)
    if bound is None or bound < _BYTES_FROM:
        return bound, False
    warn_user(
        f"{decorator}: maxsize={bound} is bytes, since it is {_BYTES_FROM} or more; write max_bytes={bound}, or "
        f"max_entries={bound} for entries"
    )
    return bound, True


# Choosing


@overload
def ucache(folder_name: Callable[P, R], /) -> Cached[P, R]: ...
@overload
def ucache(
    folder_name: Any = None, maxsize: int | None = None, ttl: float | None = None, policy: str | None = None,
    preferred_engine: str | None = None, *, use_sql: bool = False, compress: bool = False,
    use_async: bool | None = None, config: Config = None, engine: str | None = None, path: Any = None,
    url: str | None = None, **options: Any,
) -> Decorator: ...  # fmt: skip
def ucache(
    folder_name: Any = None, maxsize: int | None = None, ttl: float | None = None, policy: str | None = None,
    preferred_engine: str | None = None, *, use_sql: bool = False, compress: bool = False,
    use_async: bool | None = None, config: Config = None, engine: str | None = None, path: Any = None,
    url: str | None = None, **options: Any,
) -> Any:  # fmt: skip
    """Chooses: what is preferred, else memory for coroutines, disk where a folder is named, memory.

    ``preferred_engine`` falls back to others, ``engine`` is required. ``maxsize`` counts entries. ``url`` names a
    redis server and ``path`` a directory.

    >>> @ucache(maxsize=10)
    ... def total(items):
    ...     return sum(items)
    >>> total([1, 2, 3]), total([1, 2, 3]), total.cache_info().hits
    (6, 6, 1)
    """
    settings = _settings(config)
    # What the code says outright goes before the configuration.
    said = {
        "maxsize": maxsize, "ttl": ttl, "policy": policy, "preferred_engine": preferred_engine,
        "use_sql": truth("use_sql", use_sql) or path is not None or None,
        "compress": truth("compress", compress) or None, "redis_url": url,
    }  # fmt: skip
    if url is not None and engine is None and preferred_engine is None:
        engine = "redis"
    zero = maxsize == 0 and maxsize is not False
    if zero:
        said["maxsize"] = None
    settings = settings.replace(**{name: value for name, value in said.items() if value is not None})
    ordered = None if engine is None else order(engine)

    given = {
        "maxsize": maxsize, "ttl": ttl, "policy": policy, "preferred_engine": preferred_engine, "use_sql": use_sql,
        "compress": compress, "use_async": use_async, "config": config, "engine": engine, "path": path, "url": url,
        **options,
    }  # fmt: skip

    def build(target: Any, folder: Any) -> Any:
        place = _place(folder, path, settings)
        chosen = [ordered] if ordered else _select(settings, is_coroutine_function(target) or bool(use_async), place)
        bound = 0 if zero else settings.maxsize
        if chosen[0] == "memory" and settings.serializer == "auto" and not _PERSISTENT & options.keys():
            more = {name: getattr(settings, name) for name in ("max_entries", "max_bytes")}
            limits = {name: value for name, value in more.items() if value is not None}
            return _memory(
                target, maxsize=bound, ttl=settings.ttl, policy=settings.policy, options={**limits, **options}
            )
        wanted = Wanted(chosen, place, bound, ttl=settings.ttl, policy=settings.policy, options=options)
        return build_persistent(target, wanted, settings)

    return _decorate("ucache", folder_name, given, build)


_PERSISTENT = frozenset(("version", "code_hash", "serializer"))


def _settings(config: Config) -> CacheConfig:
    if config is None:
        return CacheConfig()
    if isinstance(config, dict):
        return CacheConfig(**{name: value for name, value in config.items() if name not in _OF_DECORATORS})
    if not isinstance(config, CacheConfig):
        raise ConfigurationError(f"config: expected a CacheConfig or a dict, found: {config!r}")
    return config


# What ``hybrid_cache_config`` and ``smart_cache_config`` say besides the fields of a configuration.
_OF_DECORATORS = frozenset(
    ("small_result_engine", "large_result_engine", "size_threshold", "analyze_first_call", "analyze_every_call")
)


def _select(settings: CacheConfig, is_async: bool, folder: Any) -> list[str]:
    """Engines to try, in order."""
    kind = settings.cache_type if settings.cache_type != "auto" else None
    preferred = settings.preferred_engine or kind
    rest = ["memory"]
    if not is_async and (folder is not None or settings.use_sql):
        rest = ["disk", "memory"]
    if preferred is None:
        return rest
    found = resolve(preferred)
    if found is None:
        warn_once(f"preferred_engine: unknown and left out: {preferred}")
        return rest
    if not _has(found):
        warn_once(f"engine '{found}' is not available; falls back to {rest[0]}")
        return rest
    if found == "file" and "disk" not in rest:
        rest = ["disk", *rest]
    return [found, *(name for name in rest if name != found)]


def _has(engine: str) -> bool:
    from twat_cache._ffi.lib import has_engine

    return has_engine(engine)


def hybrid_cache(
    small_result_config: Config = None, large_result_config: Config = None, size_threshold: int | None = None,
    analyze_first_call: bool | None = None, *, small_result_engine: str | None = None,
    large_result_engine: str | None = None, config: Config = None, **options: Any,
) -> Any:  # fmt: skip
    """Keeps small results in memory and large ones on disk, compressed.

    ``size_threshold`` is in bytes (1 MiB). With ``analyze_first_call=False`` every result goes to memory.
    ``small_result_engine`` and ``large_result_engine`` name the engines alone.

    >>> @hybrid_cache(size_threshold=1000)
    ... def numbers(n):
    ...     return list(range(n))
    >>> numbers(3) == numbers(3), len(numbers(10_000)) == len(numbers(10_000))
    (True, True)
    """
    said = config if isinstance(config, dict) else {}

    def chosen(name: str, value: Any, default: Any) -> Any:
        return said.get(name, default) if value is None else value

    limit = whole("size_threshold", chosen("size_threshold", size_threshold, 1 << 20)) or 0
    analyze = truth("analyze_first_call", chosen("analyze_first_call", analyze_first_call, True))
    small_engine = order(chosen("small_result_engine", small_result_engine, "memory"), "small_result_engine")
    large_engine = order(chosen("large_result_engine", large_result_engine, "disk"), "large_result_engine")

    def in_memory(value: Any) -> bool:
        from twat_cache.compat.backend_selector import estimate_data_size

        small = not analyze or int(estimate_data_size(value)) <= limit
        return (small_engine if small else large_engine) == "memory"

    given = {
        "large_result_config": large_result_config, "size_threshold": size_threshold,
        "analyze_first_call": analyze_first_call, "small_result_engine": small_result_engine,
        "large_result_engine": large_result_engine, "config": config, **options,
    }  # fmt: skip

    def build(target: Any, first: Any) -> Any:
        base = _settings(config)
        stated = base.given
        small = _settings(first) if first is not None else base
        if first is None and not {"maxsize", "max_entries", "max_bytes"} & stated:
            small = base.replace(maxsize=128)
        large = _settings(large_result_config) if large_result_config is not None else base
        if large_result_config is None:
            stored = small_engine if large_engine == "memory" else large_engine
            large = base.replace(preferred_engine=stored, **({} if "compress" in stated else {"compress": True}))
        return _routed(target, small, large, in_memory, options, implied=large_result_config is None)

    return _decorate("hybrid_cache", small_result_config, given, build)


def smart_cache(config: Config = None, analyze_every_call: bool = False, **options: Any) -> Any:
    """Keeps each result where its type and size belong: objects in memory, arrays and large data in a store.

    A type that was seen small stays in memory; ``analyze_every_call=True`` looks at each result.

    >>> @smart_cache()
    ... def squares(n):
    ...     return [i * i for i in range(n)]
    >>> squares(3), squares(3)
    ([0, 1, 4], [0, 1, 4])
    """
    from twat_cache.compat.backend_selector import detect_result_type, select_backend_for_data

    if isinstance(config, dict):
        analyze_every_call = config.get("analyze_every_call", analyze_every_call)
    analyze = truth("analyze_every_call", analyze_every_call)

    given = {"analyze_every_call": analyze_every_call, **options}

    def build(target: Any, first: Any) -> Any:
        settings = _settings(first) if first is not None else CacheConfig(cache_type="auto")
        seen: dict[str, bool] = {}

        def in_memory(value: Any) -> bool:
            kind = detect_result_type(value)
            if analyze or not seen.get(kind, False):
                seen[kind] = select_backend_for_data(data=value, config=settings) == "memory"
            return seen[kind]

        return _routed(target, settings, settings, in_memory, options)

    return _decorate("smart_cache", config, given, build)


def _routed(
    target: Any, small: CacheConfig, large: CacheConfig, in_memory: Callable[[Any], bool], options: dict[str, Any],
    implied: bool = False,
) -> Any:  # fmt: skip
    from twat_cache._memoize.registry import register_memo
    from twat_cache._memoize.routed import RoutedMemo

    engine = resolve(large.preferred_engine or "disk")
    engines = [engine if engine in ("disk", "file", "redis") and _has(engine) else "disk", "memory"]
    wanted = Wanted(engines, large.folder_name, None, ttl=large.ttl, policy=large.policy, options=dict(options),
                    implied=implied)  # fmt: skip
    parts = prepare(target, wanted, large)
    arguments = {**parts.arguments, "maxsize": small.get_maxsize()}
    memo = RoutedMemo(target, parts.common, parts.store, parts.codec, small=small, in_memory=in_memory, **arguments)
    return register_memo(memo)


def cache(config: Any = None, **options: Any) -> Any:
    """Takes every option: ``ucache`` with every field of ``CacheConfig`` as an option.

    >>> @cache(maxsize=10)
    ... def f(x):
    ...     return x
    >>> f(1), f.cache_info().maxsize
    (1, 10)
    """
    from twat_cache.config import FIELDS

    given = dict(options)

    mine = {name: options.pop(name) for name in list(options) if name in FIELDS and name not in KNOWN}
    shared = ("max_entries", "max_bytes", "serializer", "namespace")
    own: dict[str, Any] = {name: options.pop(name) for name in shared if name in options}
    if callable(own.get("serializer")) and not hasattr(own["serializer"], "dumps"):
        options["serializer"] = own.pop("serializer")
    mine.update(own)

    def build(target: Any, first: Any) -> Any:
        settings = _settings(first)
        return ucache(config=settings.replace(**mine) if mine else settings, **options)(target)

    return _decorate("cache", config, given, build)


# Helpers that people's code calls


def get_cache_dir(folder_name: str | None = None) -> Any:
    """The directory of a folder, or of all of them, made."""
    from twat_cache.paths import get_cache_path

    return get_cache_path(folder_name)


def _create_engine(config: CacheConfig, engine_name: str | None = None) -> Any:
    """An engine for a configuration, as twat-cache 2.x made it."""
    from twat_cache.compat.engines.manager import get_engine_manager

    return get_engine_manager().make(config, engine_name)


def make_key(serializer: Callable[[Any], Any] | None, /, *args: Any, **kwargs: Any) -> str:
    """JSON text of arguments.

    >>> make_key(None, 1, a=2)
    '[[1], {"a": 2}]'
    """
    import json

    if serializer is not None:
        args = tuple(map(serializer, args))
        kwargs = {name: serializer(value) for name, value in kwargs.items()}
    return json.dumps([args, kwargs], sort_keys=True, default=repr)


def _get_available_backends() -> dict[str, bool]:
    return {name: _has(name) for name in ("memory", "disk", "file", "redis")}


def _select_best_backend(preferred: str | None = None, *, is_async: bool = False, needs_disk: bool = False) -> str:
    settings = CacheConfig(preferred_engine=preferred, use_sql=needs_disk)
    return EngineName(_select(settings, is_async and not needs_disk, None)[0])
