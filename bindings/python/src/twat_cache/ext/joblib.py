"""A store for ``joblib.Memory``.

::

    import joblib
    import twat_cache.ext.joblib  # makes the back end known

    memory = joblib.Memory("results", backend="twat_cache", mmap_mode="r")

    @memory.cache
    def table(n): ...

joblib keeps deciding what a call's key is and when a function has changed; this
keeps what it is given: each result in one mapped file, small ones inside LMDB,
bounded, safe between processes. Pickles are signed, so a file that somebody
else put into the directory is never loaded.

``mmap_mode="r"`` gives arrays as read-only views of the stored file, None gives
copies; ``"c"`` gives copies, and ``"r+"`` and ``"w+"`` are refused, since they would
change what is stored. ``compress`` of any kind means zstd. ``backend_options``
takes ``engine`` (``"file"``, ``"disk"``, or ``"redis"`` with ``url``, where the location is
but a name), ``max_bytes``, ``serializer`` and every other option of the core
(docs/options.md).
``Memory.reduce_size`` removes what was *stored* longest ago.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import time
import warnings
from collections.abc import Iterator
from typing import Any

from joblib import register_store_backend
from joblib._store_backends import CacheItemInfo, CacheWarning, StoreBackendBase, StoreBackendMixin

from twat_cache._cache import Cache
from twat_cache._config.opening import order
from twat_cache.exceptions import ConfigurationError

__all__ = ["TwatStoreBackend"]

_MISSING: Any = object()
_AROUND = 96  # bytes: envelopes and books, about
_OUTPUT, _METADATA, _ITEM, _CODE = "output", "metadata", "item", "func_code"


class TwatStoreBackend(StoreBackendBase, StoreBackendMixin):
    """The store; ``joblib.Memory(…, backend="twat_cache")`` makes it.

    An item has three entries below the call's own name: the result, what joblib
    notes about it, and its size and time for ``reduce_size``.
    """

    def configure(self, location: Any, verbose: int = 1, backend_options: Any = None) -> None:
        """What joblib calls once."""
        options = dict(backend_options or {})
        self.verbose = verbose
        self.compress = options.pop("compress", False)
        self.mmap_mode = options.pop("mmap_mode", None)
        if self.mmap_mode not in (None, "r", "c"):
            raise ConfigurationError(
                f"mmap_mode: expected None, 'r' or 'c', found {self.mmap_mode!r}; a stored result is not to be changed"
            )
        engine = order(options.pop("engine", "file"))
        self.location = str(location)
        options.setdefault("namespace", f"joblib:{location}"[:150] if engine == "redis" else "joblib")
        if self.compress:
            options["compress"] = True
        if engine == "file":
            options.setdefault("inline_max_bytes", 4096)  # joblib's notes are small
        self._place = None if engine == "redis" else os.path.abspath(location)
        self._opened = engine, options
        self._open()

    def _open(self) -> None:
        engine, options = self._opened
        self._store = Cache(engine, self._place, **options)
        self._map()

    def _map(self) -> None:
        self._store._codec.mapped = self.mmap_mode == "r" and not self.compress

    @property
    def _cache(self) -> Cache:
        """The open store. Users of joblib remove its folder while it is in use: then a new one is made."""
        if self._place is not None and not os.path.exists(os.path.join(self._place, "data.mdb")):
            with contextlib.suppress(Exception):  # nothing of it is left to be written
                self._store.close()
            self._open()
        return self._store

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map()

    # Items

    def load_item(self, call_id: Any, verbose: int = 1, timestamp: Any = None, metadata: Any = None) -> Any:
        """The result of a call, or KeyError."""
        if verbose > 1:
            print(f"[Memory]: Loading {_name(call_id)}")
        return self._cache[_name(call_id, _OUTPUT)]

    def dump_item(self, call_id: Any, item: Any, verbose: int = 1) -> None:
        """Stores a result. As with joblib's own store, one that cannot be stored costs a warning."""
        key = _name(call_id, _OUTPUT).encode()
        with _only_a_warning():
            data = bytes(self._cache._codec.encode(key, item))
            self._cache._store.set(key, data)
            self._cache.set(_name(call_id, _ITEM), [len(data) + len(key) + _AROUND, time.time()])

    def contains_item(self, call_id: Any) -> bool:
        """Whether there is a result."""
        return _name(call_id, _OUTPUT) in self._cache

    def clear_item(self, call_id: Any) -> None:
        """Removes a result."""
        self._cache.delete_many([_name(call_id, part) for part in (_OUTPUT, _METADATA, _ITEM)])

    def get_metadata(self, call_id: Any) -> Any:
        """What joblib noted about a call."""
        return self._cache.get(_name(call_id, _METADATA), {})

    def store_metadata(self, call_id: Any, metadata: Any) -> None:
        """Notes something about a call."""
        with _only_a_warning():
            self._cache.set(_name(call_id, _METADATA), metadata)

    # Functions

    def contains_path(self, call_id: Any) -> bool:
        """Whether there is anything of a function."""
        return next(self._cache.iterkeys(_name(call_id, "")), _MISSING) is not _MISSING

    def clear_path(self, call_id: Any) -> None:
        """Removes everything of a function."""
        self._cache._store.delete_prefix(_name(call_id, "").encode())

    def store_cached_func_code(self, call_id: Any, func_code: str | None = None) -> None:
        """Notes the code of a function."""
        if func_code is not None:
            with _only_a_warning():
                self._cache.set(_name(call_id, _CODE), func_code)

    def get_cached_func_code(self, call_id: Any) -> Any:
        """The noted code, or OSError."""
        code = self._cache.get(_name(call_id, _CODE))
        if code is None:
            raise OSError(f"no code is stored for {_name(call_id)}")
        return code

    # The whole

    def clear(self) -> None:
        """Removes everything."""
        self._cache.clear()

    def get_items(self) -> list[CacheItemInfo]:
        """Every result with its size and the time when it was stored."""
        items = []
        for key in self._cache.iterkeys():
            path, _, part = str(key).rpartition("/")
            entry = self._cache.get(key) if part == _ITEM else None
            if isinstance(entry, list) and len(entry) == 2:
                items.append(CacheItemInfo(path, entry[0], datetime.datetime.fromtimestamp(entry[1])))
        return items

    def clear_location(self, location: str) -> None:
        """Removes what lies below a name (of ``get_items``), or everything."""
        if location == self.location:
            self.clear()
        else:
            self._cache._store.delete_prefix(f"{location}/".encode())

    # What the methods above leave without use, and joblib's base class asks for.

    def create_location(self, location: str) -> None:
        """Places need no making."""

    def _open_item(self, f: Any, mode: str) -> Any:
        raise NotImplementedError

    def _item_exists(self, location: str) -> bool:
        raise NotImplementedError

    def _move_item(self, src: str, dst: str) -> None:
        raise NotImplementedError


@contextlib.contextmanager
def _only_a_warning() -> Iterator[None]:
    """A store that fails costs the store, never the result."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the result is there
        warnings.warn(f"Unable to cache to disk. Exception: {error}.", CacheWarning, stacklevel=2)


def _name(call_id: Any, part: str | None = None) -> str:
    """Text for a call's name, which joblib gives as a list of parts."""
    parts = [piece.replace(os.sep, "/") for piece in call_id]
    return "/".join(parts if part is None else [*parts, part])


register_store_backend("twat_cache", TwatStoreBackend)
