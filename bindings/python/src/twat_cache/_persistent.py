"""Builds memoized functions over stores: folders, namespaces, fallbacks."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from twat_cache import _options, paths
from twat_cache._byte_memo import ByteMemo
from twat_cache._codec import Codec
from twat_cache._keys import namespace_of
from twat_cache._names import code_hash
from twat_cache._native._bytecache import ByteCache
from twat_cache._open import folder_of, milliseconds, open_first, order, store_options
from twat_cache._options import seconds, truth, whole
from twat_cache._registry import register_memo
from twat_cache.exceptions import ConfigurationError

_KNOWN = (
    "folder_name", "maxsize", "ttl", "policy", "use_sql", "compress", "engine", "mmap",
    *_options.SHARED, *_options.PERSISTENT,
)  # fmt: skip


def build_persistent(
    func: Any,
    engines: Sequence[str],
    *,
    folder_name: Any = None,
    maxsize: Any = None,
    ttl: Any = None,
    policy: str = "lru",
    compress: bool = False,
    mmap: bool | None = None,
    ordered: bool = False,
    options: dict[str, Any],
    counts_entries: bool = False,
    extra: dict[str, dict[str, Any]] | None = None,
    cache_dir: Any = None,
) -> Any:
    """A wrapper over the first of the engines that opens.

    ``ordered`` says that the engine was asked for by name, so that nothing stands in for it.
    """
    common = _options.common(func, options)
    serializer = options.pop("serializer", "auto")
    version = options.pop("version", None)
    if truth("code_hash", options.pop("code_hash", False)):
        version = [version, code_hash(func)]
    single_flight = truth("single_flight", options.pop("single_flight", True))
    namespace = options.pop("namespace", None)
    _options.no_more(options, _KNOWN)
    argument_serializer = None
    if callable(serializer) and not hasattr(serializer, "dumps"):
        serializer, argument_serializer = "auto", serializer
    bound = whole("maxsize", maxsize)
    max_entries = common.max_entries if not counts_entries or bound is None else bound
    max_bytes = common.max_bytes if counts_entries or bound is None else bound
    ttl = seconds("ttl", ttl)
    space = namespace_of(common.name if namespace is None else f"{namespace}/{common.name}")
    nothing = bound == 0 or (ttl is not None and ttl <= 0)
    codec = Codec(serializer, space, mapped=mmap is not False)
    memo_options: dict[str, Any] = {
        "maxsize": bound, "ttl": ttl, "single_flight": single_flight, "version": version,
        "argument_serializer": argument_serializer,
    }  # fmt: skip
    wanted = [order(name) for name in engines] if ordered else list(engines)
    bounds = {"max_entries": max_entries, "max_bytes": max_bytes, "policy": policy, "ttl_ms": milliseconds(ttl)}
    path = paths.folder_path(folder_of(common.name) if folder_name is None else folder_name, cache_dir)
    packing = {"compression": "zstd"} if compress else {}
    bounds = _open_bounds(path, bounds, engines)
    on_disk = store_options(path, space, common.secure, **_given(bounds), **packing)
    per_engine: dict[str, dict[str, Any]] = {
        "disk": on_disk,
        "file": on_disk,
        "memory": _given(bounds),
        "redis": {"namespace": space, "ttl_ms": milliseconds(ttl), **packing, **((extra or {}).get("redis") or {})},
    }
    if nothing:
        store = ByteCache("null", {})
    else:
        store = open_first(wanted, per_engine, why=common.name)
    if mmap is None:
        mapped = False
    else:
        mapped = store.engine == "file"
    if store.engine in ("disk", "file"):
        _opened[str(path)] = (weakref.ref(store), bounds)
    parameters = {"policy": policy, "engine": store.engine}
    if store.engine in ("disk", "file"):
        parameters["folder"] = str(path)
    memo = ByteMemo(func, common, store, codec, mapped=mapped, parameters=parameters, **memo_options)
    return register_memo(memo)


_opened: dict[str, tuple[weakref.ref[ByteCache], dict[str, Any]]] = {}


def _open_bounds(path: paths.Path, bounds: dict[str, Any], engines: Sequence[str]) -> dict[str, Any]:
    """Bounds belong to the store: who does not state any takes those it is open with."""
    known = _opened.get(str(path))
    store = known[0]() if known else None
    if known is None or store is None or store.closed or "redis" in engines:
        return bounds
    shared = {name: known[1][name] for name in ("max_entries", "max_bytes") if not bounds[name]}
    if bounds["policy"] == "lru":
        shared["policy"] = known[1]["policy"]
    return {**bounds, **shared}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}


def refuse_folder(folder_name: Any) -> None:
    """Checks a folder name without making anything."""
    if folder_name is not None and not isinstance(folder_name, str) and not hasattr(folder_name, "__fspath__"):
        raise ConfigurationError(f"folder_name: expected text or a path, found: {folder_name!r}")
