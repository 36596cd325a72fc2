"""Every exception of the package. A miss is never one."""

from __future__ import annotations

__all__ = [
    "CacheKeyError",
    "CacheOperationError",
    "CacheValueError",
    "ConcurrencyError",
    "ConfigurationError",
    "EngineError",
    "EngineNotAvailableError",
    "PathError",
    "ResourceError",
    "SerializationError",
    "TwatCacheError",
]


class TwatCacheError(Exception):
    """What all of them are."""

    def __init__(self, message: str = "", *args: object) -> None:
        super().__init__(message, *args)
        self.message = message


class ConfigurationError(TwatCacheError, ValueError):
    """An option is unknown, out of range, or contradicts another."""


class EngineError(TwatCacheError):
    """An engine is unknown, cannot be used, or failed."""


class EngineNotAvailableError(EngineError):
    """An engine is known but cannot be used here and now.

    >>> str(EngineNotAvailableError("redis"))
    "Cache engine 'redis' is not available"
    >>> str(EngineNotAvailableError("redis", "no server"))
    "Cache engine 'redis' is not available: no server"
    """

    def __init__(self, name_or_message: str, reason: str | None = None) -> None:
        self.reason = reason
        self.name_or_message = name_or_message
        message = name_or_message
        if " " not in name_or_message:
            message = f"Cache engine '{name_or_message}' is not available"
        if reason:
            message = f"{message}: {reason}"
        super().__init__(message)

    def __reduce__(self) -> tuple[type[EngineNotAvailableError], tuple[str, str | None]]:
        return type(self), (self.name_or_message, self.reason)


class CacheOperationError(TwatCacheError):
    """A call on a cache failed."""


class CacheKeyError(CacheOperationError):
    """A key, or an argument that is part of one, cannot be used."""


class CacheValueError(CacheOperationError):
    """A value cannot be stored."""


class SerializationError(CacheOperationError):
    """A value cannot be turned into bytes, or bytes into a value."""


class ResourceError(TwatCacheError):
    """The operating system refused something."""


class ConcurrencyError(ResourceError):
    """Somebody else holds what is needed."""


class PathError(ResourceError):
    """A path cannot be used."""


class InvalidPathError(PathError, ValueError):
    """A path cannot be used, found out before anything is made."""
