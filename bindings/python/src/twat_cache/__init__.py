"""Memoize functions: in memory, on disk, in files, in redis or in tiers of them.

Decorate a function, and its results are kept:

    from twat_cache import mcache, bcache, fcache, acache, ucache

    @mcache(maxsize=1000)                          # m: memory; live objects
    @bcache(path="~/.cache/reports", ttl="1h")     # b: basic disk; survives the program
    @fcache(path="./models")                       # f: files; large arrays, mapped
    @acache(ttl=60)                                # a: async; concurrent callers wait for one
    @ucache(url="redis://localhost")               # u: universal; any engine

A decorated function f has f.cache_info(), f.cache_clear() and f.invalidate(arguments).

    Cache("disk", "./store")     a mapping over any engine, with get_or_set, tags and times to live
    clear_cache(), report()      all decorated functions of this program
    python -m twat_cache         the engines, and the stores of this user
"""

# Names are loaded when they are first used, so that importing the package costs next to nothing.

from __future__ import annotations

import importlib
import sys
import types

TYPE_CHECKING = False  # importing typing for its own costs more than all of this

if TYPE_CHECKING:
    from typing import Any

    from twat_cache import config as config
    from twat_cache import decorators as decorators
    from twat_cache import exceptions as exceptions
    from twat_cache import keys as keys
    from twat_cache import logging as logging
    from twat_cache import paths as paths
    from twat_cache._cache import (
        Cache as Cache,
    )
    from twat_cache._identity.project import (
        set_project as set_project,
    )
    from twat_cache._memoize.report import (
        report as report,
    )
    from twat_cache.cache import (
        clear_cache as clear_cache,
    )
    from twat_cache.cache import (
        get_stats as get_stats,
    )
    from twat_cache.compat import backend_selector as backend_selector
    from twat_cache.compat import context as context
    from twat_cache.compat import engines as engines
    from twat_cache.compat import type_defs as type_defs
    from twat_cache.compat import utils as utils
    from twat_cache.compat.backend_selector import (
        AccessPattern as AccessPattern,
    )
    from twat_cache.compat.backend_selector import (
        ConcurrencyLevel as ConcurrencyLevel,
    )
    from twat_cache.compat.backend_selector import (
        DataPersistence as DataPersistence,
    )
    from twat_cache.compat.backend_selector import (
        DataSize as DataSize,
    )
    from twat_cache.compat.backend_selector import (
        configure_for_images as configure_for_images,
    )
    from twat_cache.compat.backend_selector import (
        configure_for_json as configure_for_json,
    )
    from twat_cache.compat.backend_selector import (
        configure_for_numpy as configure_for_numpy,
    )
    from twat_cache.compat.backend_selector import (
        configure_for_pandas as configure_for_pandas,
    )
    from twat_cache.compat.backend_selector import (
        configure_for_type as configure_for_type,
    )
    from twat_cache.compat.backend_selector import (
        hybrid_cache_config as hybrid_cache_config,
    )
    from twat_cache.compat.backend_selector import (
        select_backend_for_data as select_backend_for_data,
    )
    from twat_cache.compat.backend_selector import (
        smart_cache_config as smart_cache_config,
    )
    from twat_cache.compat.context import (
        CacheContext as CacheContext,
    )
    from twat_cache.compat.context import (
        engine_context as engine_context,
    )
    from twat_cache.compat.context import (
        get_or_create_engine as get_or_create_engine,
    )
    from twat_cache.config import (
        CacheConfig as CacheConfig,
    )
    from twat_cache.config import (
        create_cache_config as create_cache_config,
    )
    from twat_cache.decorators import (
        acache as acache,
    )
    from twat_cache.decorators import (
        bcache as bcache,
    )
    from twat_cache.decorators import (
        cache as cache,
    )
    from twat_cache.decorators import (
        fcache as fcache,
    )
    from twat_cache.decorators import (
        hybrid_cache as hybrid_cache,
    )
    from twat_cache.decorators import (
        mcache as mcache,
    )
    from twat_cache.decorators import (
        smart_cache as smart_cache,
    )
    from twat_cache.decorators import (
        ucache as ucache,
    )
    from twat_cache.exceptions import (
        CacheKeyError as CacheKeyError,
    )
    from twat_cache.exceptions import (
        CacheOperationError as CacheOperationError,
    )
    from twat_cache.exceptions import (
        CacheValueError as CacheValueError,
    )
    from twat_cache.exceptions import (
        ConcurrencyError as ConcurrencyError,
    )
    from twat_cache.exceptions import (
        ConfigurationError as ConfigurationError,
    )
    from twat_cache.exceptions import (
        EngineError as EngineError,
    )
    from twat_cache.exceptions import (
        EngineNotAvailableError as EngineNotAvailableError,
    )
    from twat_cache.exceptions import (
        PathError as PathError,
    )
    from twat_cache.exceptions import (
        ResourceError as ResourceError,
    )
    from twat_cache.exceptions import (
        SerializationError as SerializationError,
    )
    from twat_cache.exceptions import (
        TwatCacheError as TwatCacheError,
    )
    from twat_cache.paths import (
        get_cache_path as get_cache_path,
    )

    __version__: str

_NAMES = {
    "Cache": "_cache",
    "AccessPattern": "compat.backend_selector",
    "ConcurrencyLevel": "compat.backend_selector",
    "DataPersistence": "compat.backend_selector",
    "DataSize": "compat.backend_selector",
    "configure_for_images": "compat.backend_selector",
    "configure_for_json": "compat.backend_selector",
    "configure_for_numpy": "compat.backend_selector",
    "configure_for_pandas": "compat.backend_selector",
    "configure_for_type": "compat.backend_selector",
    "hybrid_cache_config": "compat.backend_selector",
    "select_backend_for_data": "compat.backend_selector",
    "smart_cache_config": "compat.backend_selector",
    "clear_cache": "cache",
    "get_stats": "cache",
    "CacheConfig": "config",
    "create_cache_config": "config",
    "CacheContext": "compat.context",
    "engine_context": "compat.context",
    "get_or_create_engine": "compat.context",
    "acache": "decorators",
    "bcache": "decorators",
    "cache": "decorators",
    "fcache": "decorators",
    "hybrid_cache": "decorators",
    "mcache": "decorators",
    "smart_cache": "decorators",
    "ucache": "decorators",
    "CacheKeyError": "exceptions",
    "CacheOperationError": "exceptions",
    "CacheValueError": "exceptions",
    "ConcurrencyError": "exceptions",
    "ConfigurationError": "exceptions",
    "EngineError": "exceptions",
    "EngineNotAvailableError": "exceptions",
    "PathError": "exceptions",
    "ResourceError": "exceptions",
    "SerializationError": "exceptions",
    "TwatCacheError": "exceptions",
    "get_cache_path": "paths",
    "report": "_memoize.report",
    "set_project": "_identity.project",
}
_MODULES = frozenset(
    (
        "backend_selector",
        "config",
        "context",
        "decorators",
        "engines",
        "exceptions",
        "keys",
        "logging",
        "paths",
        "type_defs",
        "utils",
    )
)
__all__ = [*_NAMES, "__version__"]


class _Package(types.ModuleType):
    """Importing the modules ``cache`` and ``hybrid_cache`` must not hide the decorators of those names."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("cache", "hybrid_cache") and isinstance(value, types.ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    home = _NAMES.get(name)
    if home is None and name not in _MODULES and name != "__version__":
        raise AttributeError(f"module 'twat_cache' has no attribute {name!r}")
    try:
        value = _loaded(name, home)
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised
        # A missing or wrong core library: the frames of our own imports say nothing.
        raise error.with_traceback(None) from None
    globals()[name] = value
    return value


def _loaded(name: str, home: str | None) -> Any:
    if home is not None:
        return getattr(importlib.import_module(f"twat_cache.{home}"), name)
    if name != "__version__":
        return importlib.import_module(f"twat_cache.{name}")
    from twat_cache._ffi.lib import version

    return version()


# What most programs need. Everything in ``__all__`` can be imported.
_SHOWN = (
    "Cache", "CacheConfig", "CacheContext", "TwatCacheError", "__version__", "acache", "bcache", "cache", "clear_cache",
    "fcache", "get_stats", "hybrid_cache", "mcache", "report", "set_project", "smart_cache", "ucache",
)  # fmt: skip


def __dir__() -> list[str]:
    return list(_SHOWN)
