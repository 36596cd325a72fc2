"""Which engine suits which data. The tables are data, here and nowhere else."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from typing import Any

from twat_cache._config.opening import ALIASES, EngineName, resolve, warn_once
from twat_cache.config import CacheConfig

__all__ = [
    "ACCESS_PATTERN_POLICIES", "ACCESS_TO_BACKEND", "ALTERNATIVE_BACKENDS", "CONCURRENCY_TO_BACKEND",
    "PERSISTENCE_TO_BACKEND", "SIZE_THRESHOLDS", "SIZE_TO_BACKEND", "TYPE_TO_BACKEND",
    "CONCURRENCY_BACKENDS", "PERSISTENCE_BACKENDS", "SIZE_BACKENDS", "SIZE_LIMITS",
    "TYPE_BACKENDS", "AccessPattern", "ConcurrencyLevel", "DataAmount", "DataPersistence", "DataSize",
    "DecoratorOptions",
    "analyze_function_return_type", "configure_for_images", "configure_for_json", "configure_for_numpy",
    "configure_for_pandas", "configure_for_type", "detect_result_type", "estimate_data_size",
    "get_available_backend", "get_type_based_backend", "hybrid_cache_config", "is_backend_available",
    "select_backend_for_data", "size_class", "smart_cache_config",
]  # fmt: skip


class DataSize(str, Enum):
    """How large a result is."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    VERY_LARGE = "very_large"


class DataPersistence(str, Enum):
    """How long it is wanted."""

    EPHEMERAL = "ephemeral"
    SESSION = "session"
    LONG_TERM = "long_term"


class AccessPattern(str, Enum):
    """How it is asked for."""

    READ_HEAVY = "read_heavy"
    WRITE_HEAVY = "write_heavy"
    BALANCED = "balanced"
    TEMPORAL = "temporal"
    FREQUENCY = "frequency"
    SPATIAL = "spatial"
    RANDOM = "random"


class ConcurrencyLevel(str, Enum):
    """Who asks for it."""

    SINGLE_THREAD = "single_thread"
    MULTI_THREAD = "multi_thread"
    MULTI_PROCESS = "multi_process"
    DISTRIBUTED = "distributed"


KB, MB = 1 << 10, 1 << 20
SIZE_LIMITS: tuple[tuple[int, DataSize], ...] = (
    (10 * KB, DataSize.SMALL), (MB, DataSize.MEDIUM), (100 * MB, DataSize.LARGE),
)  # fmt: skip
SIZE_BACKENDS = {
    DataSize.SMALL: "memory", DataSize.MEDIUM: "memory", DataSize.LARGE: "disk", DataSize.VERY_LARGE: "file",
}  # fmt: skip
TYPE_BACKENDS: dict[str, str] = {
    **dict.fromkeys(("int", "float", "str", "bool", "NoneType", "complex", "bytes", "bytearray", "Decimal"), "memory"),
    **dict.fromkeys(("list", "tuple", "dict", "set", "frozenset"), "memory"),
    **dict.fromkeys(("numpy.ndarray", "pandas.DataFrame", "pandas.Series", "pandas.Index"), "file"),
    **dict.fromkeys(("torch.Tensor", "tensorflow.Tensor", "scipy.sparse", "sklearn.base.BaseEstimator"), "file"),
    **dict.fromkeys(("PIL.Image.Image", "json", "image"), "disk"),
}
PERSISTENCE_BACKENDS = {
    DataPersistence.EPHEMERAL: None, DataPersistence.SESSION: "disk", DataPersistence.LONG_TERM: "disk",
}  # fmt: skip
ACCESS_PATTERN_POLICIES = {
    AccessPattern.RANDOM: "rr", AccessPattern.FREQUENCY: "lfu", AccessPattern.TEMPORAL: "lru",
}  # fmt: skip
CONCURRENCY_BACKENDS = {
    ConcurrencyLevel.SINGLE_THREAD: None, ConcurrencyLevel.MULTI_THREAD: None,
    ConcurrencyLevel.MULTI_PROCESS: "disk", ConcurrencyLevel.DISTRIBUTED: "redis",
}  # fmt: skip
_MODEL_PACKAGES = frozenset(
    ("torch", "tensorflow", "sklearn", "scipy", "xgboost", "lightgbm", "keras", "polars", "pyarrow")
)
_SAMPLE = 200

# The tables under the names of twat-cache 2.x, which has types as keys and names an engine for every row.
TYPE_TO_BACKEND: dict[Any, str] = {
    **{name: EngineName(engine) for name, engine in TYPE_BACKENDS.items()},
    **dict.fromkeys((int, float, str, bool, list, dict, set, tuple), EngineName("memory")),
    **dict.fromkeys((Awaitable, Coroutine), EngineName("memory")),
    object: EngineName("disk"),
}
SIZE_TO_BACKEND = {size: EngineName(engine) for size, engine in SIZE_BACKENDS.items()}
SIZE_THRESHOLDS = {size: limit for limit, size in SIZE_LIMITS}
PERSISTENCE_TO_BACKEND = {kind: EngineName(engine or "memory") for kind, engine in PERSISTENCE_BACKENDS.items()}
ACCESS_TO_BACKEND = dict.fromkeys(AccessPattern, EngineName("memory"))
CONCURRENCY_TO_BACKEND = {level: EngineName(engine or "memory") for level, engine in CONCURRENCY_BACKENDS.items()}
_ALTERNATIVES = {
    "memory": ["disk"],
    "disk": ["file", "memory"],
    "file": ["disk", "memory"],
    "redis": ["disk", "memory"],
}
ALTERNATIVE_BACKENDS = {
    name: [EngineName(other) for other in _ALTERNATIVES[engine]]
    for name, engine in ALIASES.items()
    if engine in _ALTERNATIVES
}


class DataAmount(int):
    """A number of bytes, which equals its ``DataSize`` too."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return size_class(int(self)) is other if isinstance(other, DataSize) else int(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__


def estimate_data_size(data: Any) -> int:
    """Bytes, about: buffers exactly, collections by a sample of their items.

    >>> estimate_data_size(b"abc") == DataSize.SMALL
    True
    """
    return DataAmount(_estimate(data, 4))


def _estimate(data: Any, depth: int) -> int:
    nbytes = getattr(data, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes
    if hasattr(data, "memory_usage"):
        try:
            usage = data.memory_usage(deep=False)
            return int(usage.sum()) if hasattr(usage, "sum") else int(usage)
        except (TypeError, ValueError):
            pass
    size = sys.getsizeof(data, 64)
    if depth == 0:
        return size
    if isinstance(data, dict):
        return size + _sampled(
            data.items(), len(data), depth, lambda pair: _estimate(pair[0], 0) + _estimate(pair[1], depth - 1)
        )
    if isinstance(data, (list, tuple, set, frozenset)):
        return size + _sampled(data, len(data), depth, lambda item: _estimate(item, depth - 1))
    inside = getattr(data, "__dict__", None)
    return size + (_estimate(inside, depth - 1) if inside else 0)


def _sampled(items: Any, n: int, depth: int, size: Callable[[Any], int]) -> int:
    """The sum over the first items, stretched to all of them."""
    total = seen = 0
    for item in items:
        total += size(item)
        seen += 1
        if seen >= _SAMPLE:
            break
    return total * n // seen if seen else 0


def size_class(n: int) -> DataSize:
    """The class of a number of bytes."""
    for limit, size in SIZE_LIMITS:
        if n < limit:
            return size
    return DataSize.VERY_LARGE


def detect_result_type(result: Any) -> str:
    """A type's name: "int", "numpy.ndarray", "pandas.DataFrame", "CustomClass".

    >>> detect_result_type([1]), detect_result_type(1.5)
    ('list', 'float')
    """
    return _type_name(type(result))


def _type_name(kind: Any) -> str:
    if kind is None:
        return "NoneType"
    module = getattr(kind, "__module__", "")
    name = getattr(kind, "__name__", str(kind))
    package = module.partition(".")[0]
    if package in ("numpy", "pandas", *_MODEL_PACKAGES):
        return f"{package}.{name}"
    if package == "PIL":
        return "PIL.Image.Image"
    return str(name)


def analyze_function_return_type(func: Callable[..., Any]) -> Any:
    """The annotated result type of a function, None where there is none."""
    try:
        hint = typing.get_type_hints(func).get("return")
    except Exception:  # noqa: BLE001 - annotations are any expression
        hint = inspect.signature(func).return_annotation if callable(func) else None
        if hint is inspect.Signature.empty or isinstance(hint, str):
            return None
    return hint


def get_type_based_backend(data_type: Any) -> str:
    """The engine for a type or a type's name.

    >>> get_type_based_backend(int), get_type_based_backend("numpy.ndarray")
    ('memory', 'file')
    """
    return EngineName(_by_type(typing.get_origin(data_type) or data_type))


def _by_type(data_type: Any) -> str:
    name = data_type if isinstance(data_type, str) else _type_name(data_type)
    found = TYPE_BACKENDS.get(name)
    if found is not None:
        return found
    if name.partition(".")[0] in _MODEL_PACKAGES:
        return "file"
    if isinstance(data_type, type):
        if issubclass(data_type, (Awaitable, Coroutine)):
            return "memory"
        for base in data_type.__mro__[1:-1]:
            if _type_name(base) in TYPE_BACKENDS:
                return TYPE_BACKENDS[_type_name(base)]
    return "disk"


def is_backend_available(name: str) -> bool:
    """Whether an engine, by any of its names, can be used here."""
    from twat_cache.compat.engines.manager import get_engine_manager

    try:
        engine = get_engine_manager().get_engine(name)
        return engine is not None and engine.is_available()
    except Exception:  # noqa: BLE001 - unknown, or a user's engine that fails to tell
        return False


def get_available_backend(preferred: str | None = None, *, needs_disk: bool = False) -> str:
    """Our name of the preferred engine if it can be used, else of what stands in."""
    if preferred is not None:
        if is_backend_available(preferred):
            return EngineName(resolve(preferred) or preferred)
        warn_once(f"engine '{preferred}' is not available; falls back to another")
    return EngineName("disk" if needs_disk else "memory")


def select_backend_for_data(
    data: Any = None,
    data_type: Any = None,
    size: Any = None,
    persistence: DataPersistence | str | None = None,
    access_pattern: AccessPattern | str | None = None,
    concurrency: ConcurrencyLevel | str | None = None,
    config: CacheConfig | None = None,
) -> str:
    """The engine for what is known. Preference first, then type, size, persistence, concurrency, memory.

    >>> select_backend_for_data(concurrency="distributed")
    'redis'
    """
    if config is not None:
        for asked in (config.preferred_engine, config.cache_type, "disk" if config.use_sql else None):
            if asked and asked != "auto":
                return get_available_backend(asked)
    if access_pattern is not None and config is not None and "policy" not in config.given:
        policy = ACCESS_PATTERN_POLICIES.get(AccessPattern(access_pattern))
        if policy is not None:
            config.policy = policy
    # Machines and processes leave no choice.
    shared = CONCURRENCY_BACKENDS[ConcurrencyLevel(concurrency)] if concurrency is not None else None
    if shared == "redis":
        return EngineName(shared)
    found = None
    if data_type is not None or data is not None:
        found = get_type_based_backend(type(data) if data_type is None else data_type)
    if found in (None, "memory"):
        if size is None and data is not None:
            size = estimate_data_size(data)
        if size is not None:
            known = (
                size if isinstance(size, DataSize) else DataSize(size) if isinstance(size, str) else size_class(size)
            )
            found = SIZE_BACKENDS[known]
    if found in (None, "memory") and persistence is not None:
        found = PERSISTENCE_BACKENDS[DataPersistence(persistence)] or found
    if found in (None, "memory") and shared is not None:
        found = shared
    return EngineName(found or "memory")


# Configurations


def configure_for_type(data_type: Any, **options: Any) -> CacheConfig:
    """A configuration for results of a type."""
    backend = get_type_based_backend(data_type)
    name = data_type if isinstance(data_type, str) else _type_name(typing.get_origin(data_type) or data_type)
    own = {} if backend == "memory" else {"folder_name": f"{name.rpartition('.')[2].lower()}_cache"}
    return CacheConfig(**{"preferred_engine": backend, **own, **options})


def _needs(package: str, what: str) -> bool:
    from twat_cache.compat.engines.common import is_package_available

    if is_package_available(package):
        return True
    warn_once(f"{package} is not installed; falls back to a generic configuration for {what}")
    return False


def configure_for_numpy(**options: Any) -> CacheConfig:
    """Arrays: one file each, read in place."""
    preferred = {"preferred_engine": EngineName("file")} if _needs("numpy", "arrays") else {}
    return CacheConfig(**{"folder_name": "numpy_cache", **preferred, **options})


def configure_for_pandas(**options: Any) -> CacheConfig:
    """Frames: one file each, compressed."""
    preferred = {"preferred_engine": EngineName("file"), "compress": True} if _needs("pandas", "frames") else {}
    return CacheConfig(**{"folder_name": "pandas_cache", **preferred, **options})


def configure_for_images(**options: Any) -> CacheConfig:
    """Images, which are compressed already: on disk."""
    return CacheConfig(**{"preferred_engine": EngineName("disk"), "folder_name": "image_cache", **options})


def configure_for_json(**options: Any) -> CacheConfig:
    """JSON: on disk, compressed."""
    own = {"preferred_engine": EngineName("disk"), "folder_name": "json_cache", "compress": True}
    return CacheConfig(**{**own, **options})


class DecoratorOptions(dict[str, Any]):
    """Options for ``config=`` of a decorator, which can be read as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def hybrid_cache_config(
    small_result_engine: str = "memory", large_result_engine: str = "disk", size_threshold: int = MB, **options: Any
) -> DecoratorOptions:
    """Options for ``hybrid_cache(config=…)``."""
    return DecoratorOptions(
        small_result_engine=get_available_backend(small_result_engine),
        large_result_engine=get_available_backend(large_result_engine),
        size_threshold=size_threshold,
        **options,
    )


def smart_cache_config(func: Callable[..., Any] | None = None, **options: Any) -> DecoratorOptions:
    """Options for ``smart_cache(config=…)``, fit to the annotated result of a function."""
    kind = None if func is None else analyze_function_return_type(func)
    own: dict[str, Any] = {"cache_type": "auto"}
    if kind is not None:
        own["preferred_engine"] = get_available_backend(get_type_based_backend(kind))
    return DecoratorOptions({**own, **options})
