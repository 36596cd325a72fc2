"""Builds memoized functions over stores: folders, namespaces, fallbacks."""

from __future__ import annotations

from typing import Any

from twat_cache import paths
from twat_cache._config import options as _options
from twat_cache._config.opening import folder_of, milliseconds, warn_lack
from twat_cache._config.options import Common, seconds, truth, whole
from twat_cache._ffi.bytecache import ByteCache
from twat_cache._identity.call_keys import ENCODER, namespace_of
from twat_cache._identity.code import code_hash
from twat_cache._identity.function_names import StoredName, stored_name
from twat_cache._memoize.function_store import Wanted, open_store
from twat_cache._memoize.stored import ByteMemo
from twat_cache._serialize.msgpack_writer import Unencodable
from twat_cache._serialize.trusted_types import Types
from twat_cache._serialize.values import Codec
from twat_cache.config import CacheConfig
from twat_cache.exceptions import ConfigurationError, PathError

KNOWN = (
    "folder_name", "maxsize", "ttl", "policy", "use_sql", "compress", "engine", "mmap", "config",
    *_options.SHARED, *_options.PERSISTENT,
)  # fmt: skip


class Parts:
    """A checked request: everything that a memo is made of, but the memo."""

    __slots__ = ("arguments", "codec", "common", "store")

    def __init__(self, common: Common, store: ByteCache, codec: Codec, arguments: dict[str, Any]) -> None:
        self.common, self.store, self.codec, self.arguments = common, store, codec, arguments


def build_persistent(func: Any, wanted: Wanted, settings: CacheConfig | None = None) -> Any:
    """A wrapper over the first of the engines that opens."""
    from twat_cache._memoize.registry import register_memo

    parts = prepare(func, wanted, settings)
    return register_memo(ByteMemo(func, parts.common, parts.store, parts.codec, **parts.arguments))


def prepare(func: Any, wanted: Wanted, settings: CacheConfig | None = None) -> Parts:
    """Checks the options, opens the store."""
    settings = CacheConfig() if settings is None else settings
    options = dict(wanted.options)
    if "secure" in options:
        settings = settings.replace(secure=truth("secure", options["secure"]))
        if "dir_permissions" not in settings.given:
            open_to_all = not settings.secure
            settings.dir_permissions = 0o755 if open_to_all else 0o700
            settings.file_permissions = 0o644 if open_to_all else 0o600
    named, frozen = None, truth("frozen", options.pop("frozen", False))
    if options.get("name") is None:
        outlives = any(engine not in ("memory", "null") for engine in wanted.engines)
        spaced = options.get("namespace", settings.namespace) is not None
        named = stored_name(
            func, outlives=outlives, shared="redis" in wanted.engines, spaced=spaced, frozen=frozen
        )  # fmt: skip
        options["name"] = named.text
    common = _options.common(func, options)
    named = StoredName(common.name, common.name) if named is None else named
    serializer = options.pop("serializer", settings.serializer)
    version = options.pop("version", None)
    _check_version(version)
    if truth("code_hash", options.pop("code_hash", False)):
        version = [version, code_hash(func)]
    single_flight = truth("single_flight", options.pop("single_flight", True))
    namespace = _options.text("namespace", options.pop("namespace", settings.namespace))
    memory = whole("memory", options.pop("memory", None))
    if memory and (wanted.engines[0] == "file" or wanted.mmap is not None):
        raise ConfigurationError("memory: expected None for files, which are mapped and not read anew, found: a number")
    _options.no_more(options, KNOWN)
    argument_serializer = None
    if callable(serializer) and not hasattr(serializer, "dumps"):
        serializer, argument_serializer = "auto", serializer
    space = namespace_of(common.name if not namespace else f"{namespace}/{common.name}")
    bound, limits = _limits(wanted, common, settings)
    ttl = settings.ttl if wanted.ttl is None else seconds("ttl", wanted.ttl)
    mapped = wanted.mmap is not False
    if wanted.compress is not None:
        settings = settings.replace(compress=truth("compress", wanted.compress))
    limits["ttl_ms"] = milliseconds(ttl)
    place = folder_of(named.folder) if wanted.folder_name is None else wanted.folder_name
    path = _path(wanted, place, settings, common.name)
    if bound == 0 or (ttl is not None and ttl <= 0):
        _check(limits, space)
        store, policy = ByteCache("null", {}), limits["policy"]
    else:
        store, policy = open_store(func, wanted, settings, path, space, limits, common.name)
    parameters: dict[str, Any] = {"policy": policy, "engine": store.engine}
    if store.engine in ("disk", "file"):
        parameters["folder"] = path
    arguments = {
        "maxsize": bound, "ttl": ttl, "single_flight": single_flight, "version": version,
        "argument_serializer": argument_serializer, "parameters": parameters,
        "mapped": mapped and "file" in (store.engine, wanted.engines[0]) and store.engine in ("disk", "file"),
        "memory": memory, "watch": named.watch,
    }  # fmt: skip
    types = None if store.local else Types(func)
    return Parts(common, store, Codec(serializer, space, mapped=mapped, types=types), arguments)


def _path(wanted: Wanted, place: Any, settings: CacheConfig, name: str) -> str:
    """The directory of the store; empty where there is none and an engine is asked for that needs none."""
    try:
        return paths.folder_path(place, settings.cache_dir)
    except PathError as error:
        without = [engine for engine in wanted.engines if engine not in ("disk", "file")]
        if not without:
            raise
        warn_lack(f"{name}: falls back to {without[0]} ({error})", str(error))
        wanted.engines = without
        return ""


def _limits(wanted: Wanted, common: Common, settings: CacheConfig) -> tuple[int | None, dict[str, Any]]:
    """The bound as it was stated, and bounds and policy for the core."""
    bound = whole("maxsize", wanted.maxsize)
    entries, size = common.max_entries, common.max_bytes
    if bound is not None and wanted.maxsize_is_bytes:
        size = bound
    elif bound is not None:
        entries = bound
    limits = {
        "max_entries": settings.get_maxsize() if entries is None else entries,
        "max_bytes": settings.max_bytes if size is None else size,
        "policy": wanted.policy or settings.policy,
    }
    return bound, {name: value for name, value in limits.items() if value}


def _check_version(version: Any) -> None:
    try:
        ENCODER.encode(version)
    except (Unencodable, RecursionError) as error:
        raise ConfigurationError(f"version: expected a value that has a canonical form, found: {error}") from None


def _check(limits: dict[str, Any], namespace: str) -> None:
    """Lets the core judge options of a store that will not be opened."""
    from twat_cache._ffi.config import Config

    Config("disk", {**limits, "namespace": namespace}).close()
