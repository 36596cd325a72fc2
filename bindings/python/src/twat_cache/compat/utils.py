"""The helpers of ``twat_cache.engines.common``, under the name people know."""

from __future__ import annotations

from twat_cache.compat.engines.common import (
    create_cache_key,
    ensure_dir_exists,
    get_func_qualified_name,
    is_package_available,
    safe_key_serializer,
    safe_temp_file,
    safe_value_serializer,
)
from twat_cache.decorators import get_cache_dir, make_key
from twat_cache.paths import get_cache_path

__all__ = [
    "create_cache_key",
    "ensure_dir_exists",
    "get_cache_dir",
    "get_cache_path",
    "get_func_qualified_name",
    "is_package_available",
    "make_key",
    "safe_key_serializer",
    "safe_temp_file",
    "safe_value_serializer",
]
