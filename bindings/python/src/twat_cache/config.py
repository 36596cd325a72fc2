"""``CacheConfig``: one set of options for every decorator, context and engine."""

from __future__ import annotations

from typing import Any, Literal

from twat_cache._config import sources
from twat_cache._config.opening import ALIASES, milliseconds, warn_once
from twat_cache._config.options import no_more, seconds, size, truth, whole
from twat_cache.exceptions import ConfigurationError

__all__ = ["CacheConfig", "EvictionPolicy", "create_cache_config"]

EvictionPolicy = Literal["lru", "mru", "fifo", "lifo", "lfu", "rr", "sieve", "s3fifo", "tinylfu", "ttl", "none"]

# Field: kind, default. The kinds tell how the environment writes it.
FIELDS: dict[str, tuple[str, Any]] = {
    "maxsize": ("int", None),
    "max_entries": ("int", None),
    "max_bytes": ("int", None),
    "folder_name": ("str", None),
    "cache_dir": ("str", None),
    "preferred_engine": ("str", None),
    "cache_type": ("str", None),
    "ttl": ("float", None),
    "policy": ("str", "lru"),
    "serializer": ("str", "auto"),
    "use_sql": ("bool", False),
    "compress": ("bool", False),
    "compression_level": ("int", 6),
    "secure": ("bool", True),
    "dir_permissions": ("octal", 0o700),
    "file_permissions": ("octal", 0o600),
    "namespace": ("str", None),
    "redis_host": ("str", "localhost"),
    "redis_port": ("int", 6379),
    "redis_db": ("int", 0),
    "redis_password": ("str", None),
    "redis_url": ("str", None),
}
_TYPES = ("memory", "disk", "file", "auto")
# Our scale of 0 to 9, as zlib has it, on zstd's.
_ZSTD = (1, 1, 1, 2, 2, 3, 3, 6, 9, 12)


class CacheConfig:
    """Options, checked when they are set. Precedence: arguments, environment, file, defaults.

    >>> CacheConfig(maxsize=100, ttl=1.5).maxsize
    100
    >>> CacheConfig(maxsize=-1)
    Traceback (most recent call last):
    twat_cache.exceptions.ConfigurationError: maxsize: expected an integer of at least 1 or None, found: -1
    """

    maxsize: int | None
    max_entries: int | None
    max_bytes: int | None
    folder_name: str | None
    cache_dir: str | None
    preferred_engine: str | None
    cache_type: str | None
    ttl: float | None
    policy: str
    serializer: Any
    use_sql: bool
    compress: bool
    compression_level: int
    secure: bool
    dir_permissions: int
    file_permissions: int
    namespace: str | None
    redis_host: str
    redis_port: int
    redis_db: int
    redis_password: str | None
    redis_url: str | None
    given: frozenset[str]

    def __init__(self, **options: Any) -> None:
        no_more({name: None for name in options if name not in FIELDS}, FIELDS)
        values = {name: default for name, (_, default) in FIELDS.items()}
        object.__setattr__(self, "given", frozenset(options))
        secure = options.get("secure")
        if secure is False:
            values.update(dir_permissions=0o755, file_permissions=0o644)
        for source, found in (("file", sources.from_file()), ("environment", self._environment())):
            for name, value in found.items():
                if name not in FIELDS:
                    warn_once(f"the {source} has an option that is unknown and left out: {name}")
                    continue
                try:
                    values[name] = _CHECKS[name](name, value)
                except ConfigurationError as error:
                    warn_once(f"the {source} has a value that is left out: {error}")
        values.update(options)
        for name, value in values.items():
            # What was not given is checked by now, or a default.
            object.__setattr__(self, name, _CHECKS[name](name, value) if name in options else value)

    @staticmethod
    def _environment() -> dict[str, Any]:
        return sources.from_environment({name: kind for name, (kind, _) in FIELDS.items()})

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in FIELDS:
            no_more({name: None}, FIELDS)
        object.__setattr__(self, name, _CHECKS[name](name, value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CacheConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = []
        for name, (_, default) in FIELDS.items():
            value = getattr(self, name)
            if value != default:
                shown.append(f"{name}={'…' if name in ('redis_password', 'redis_url') else repr(value)}")
        return f"CacheConfig({', '.join(shown)})"

    def to_dict(self) -> dict[str, Any]:
        """Every field."""
        return {name: getattr(self, name) for name in FIELDS}

    model_dump = to_dict

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CacheConfig:
        """A configuration from fields."""
        return cls(**data)

    def replace(self, **options: Any) -> CacheConfig:
        """A copy with some fields changed; what was given stays given."""
        made = CacheConfig(**{**self.to_dict(), **options})
        object.__setattr__(made, "given", self.given | frozenset(options))
        return made

    def validate_config(self) -> bool:
        """Check every field again."""
        for name in FIELDS:
            _CHECKS[name](name, getattr(self, name))
        return True

    def get_maxsize(self) -> int | None:
        """Entries at most."""
        return self.maxsize if self.maxsize is not None else self.max_entries

    def get_folder_name(self) -> str | None:
        """The folder."""
        return self.folder_name

    def get_use_sql(self) -> bool:
        """Whether disk was asked for in this way."""
        return self.use_sql

    def get_preferred_engine(self) -> str | None:
        """The engine by the name it was asked for."""
        return self.preferred_engine

    def get_cache_type(self) -> str | None:
        """memory, disk, file or auto."""
        return self.cache_type

    def get_redis_host(self) -> str:
        """The server's host."""
        return self.redis_host

    def get_redis_port(self) -> int:
        """The server's port."""
        return self.redis_port

    def get_redis_db(self) -> int:
        """The number of the database."""
        return self.redis_db

    def get_redis_password(self) -> str | None:
        """The password."""
        return self.redis_password


def create_cache_config(**options: Any) -> CacheConfig:
    """A ``CacheConfig``; unknown options and bad values raise ``ConfigurationError``."""
    return CacheConfig(**options)


# What each field takes


def _at_least_one(name: str, value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ConfigurationError(f"{name}: expected an integer of at least 1 or None, found: {value!r}")
    return value


def _between(low: int, high: int) -> Any:
    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigurationError(f"{name}: expected an integer from {low} to {high}, found: {value!r}")
        return value

    return check


def _text(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected text or None, found: {value!r}")
    return value


def _path(name: str, value: Any) -> str | None:
    from twat_cache.paths import text_of

    return text_of(value, name) if isinstance(value, bytes) or hasattr(value, "__fspath__") else _text(name, value)


def _policy(name: str, value: Any) -> str:
    from twat_cache._ffi.config import Config

    if not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected a name, found: {value!r}")
    with Config("memory", {"policy": value}):
        return value


def _bytes(name: str, value: Any) -> int | None:
    from twat_cache._ffi.config import Config

    value = size(name, value)
    with Config("memory", {"max_bytes": value}):
        return value  # type: ignore[no-any-return]


def _cache_type(name: str, value: Any) -> str | None:
    if value is not None and value not in _TYPES and value not in ALIASES:
        raise ConfigurationError(f"{name}: expected one of {' '.join(_TYPES)}, found: {value!r}")
    return value  # type: ignore[no-any-return]


def _serializer(name: str, value: Any) -> Any:
    from twat_cache._serialize.values import Codec

    if not callable(value) or hasattr(value, "dumps"):
        Codec(value)
    return value


_CHECKS: dict[str, Any] = {
    "maxsize": _at_least_one, "max_entries": whole, "max_bytes": _bytes, "folder_name": _path, "cache_dir": _path,
    "preferred_engine": _text, "cache_type": _cache_type, "ttl": seconds, "policy": _policy,
    "serializer": _serializer, "use_sql": truth, "compress": truth, "compression_level": _between(0, 9),
    "secure": truth, "dir_permissions": _between(0, 0o7777), "file_permissions": _between(0, 0o7777),
    "namespace": _text, "redis_host": _text, "redis_port": _between(1, 65535), "redis_db": _between(0, 2**31),
    "redis_password": _text, "redis_url": _text,
}  # fmt: skip


# What a configuration is for the core


def redis_options(config: CacheConfig) -> dict[str, Any]:
    """Options of the redis engine: a whole url, or one made of host, port and number."""
    url = config.redis_url
    if url is None:
        host = f"[{config.redis_host}]" if ":" in config.redis_host else config.redis_host
        url = f"redis://{host}:{config.redis_port}/{config.redis_db}"
    found: dict[str, Any] = {"url": url}
    if config.redis_password is not None:
        found["password"] = config.redis_password
    return found


def packing(config: CacheConfig) -> dict[str, Any]:
    """Options of compression, if it was said: without them a store keeps its own."""
    if not config.compress:
        return {"compression": "none"} if "compress" in config.given else {}
    return {"compression": "zstd", "compression_level": _ZSTD[config.compression_level]}


def modes(config: CacheConfig) -> dict[str, str]:
    """Permissions of what is made, where they were said: a store that exists has its own."""
    fields = {"dir_mode": "dir_permissions", "file_mode": "file_permissions"}
    return {name: f"{getattr(config, field):04o}" for name, field in fields.items() if _is_said(config, field)}


def _is_said(config: CacheConfig, field: str) -> bool:
    """Whether an argument, the environment or the file says something that is not the default."""
    return field in config.given or getattr(config, field) != FIELDS[field][1]


def bounds(config: CacheConfig) -> dict[str, Any]:
    """Bounds, policy and time to live, where they were said."""
    asked = {
        "max_entries": config.get_maxsize(),
        "max_bytes": config.max_bytes,
        "policy": config.policy if _is_said(config, "policy") else None,
        "ttl_ms": milliseconds(config.ttl),
    }
    return {name: value for name, value in asked.items() if value}
