"""Every type and symbol of include/twat_cache.h, declared once. A test compares the two."""

from __future__ import annotations

from ctypes import (
    POINTER,
    Structure,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

OK, MISS, TRUNCATED, EXISTS, PENDING = 0, 1, 2, 3, 5
E_ARG, E_CONFIG, E_NOMEM, E_IO, E_FULL, E_TOO_LARGE = -1, -2, -3, -4, -5, -6
E_BUSY, E_CORRUPT, E_UNAVAILABLE, E_CLOSED = -7, -8, -9, -10
E_UNSUPPORTED, E_VERSION, E_PANIC = -11, -12, -99

TTL_DEFAULT = 0
TTL_NEVER = 2**64 - 1
SET_ADD = 1
FETCH_REFRESH = 1
STATS_EXACT = 1
NEEDS_NOTHING, NEEDS_MARK, NEEDS_LOG = 0, 1, 2
DIGEST_BYTES = 32
NAMESPACE_BYTES = 200


class Bytes(Structure):
    """``twat_bytes``."""

    _fields_ = [("data", c_void_p), ("len", c_size_t), ("owner", c_void_p)]


class Option(Structure):
    """``twat_option``."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("type_name", c_char_p),
        ("default_value", c_char_p),
        ("range", c_char_p),
        ("engines", c_char_p),
        ("doc", c_char_p),
    ]


class Slice(Structure):
    """``twat_slice``."""

    _fields_ = [("data", c_void_p), ("len", c_size_t)]


class SetOptions(Structure):
    """``twat_set_options``."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("ttl_ms", c_uint64),
        ("cost", c_uint64),
        ("flags", c_uint64),
        ("tags", POINTER(Slice)),
        ("n_tags", c_size_t),
    ]


STATS_FIELDS = (
    "hits",
    "misses",
    "sets",
    "deletes",
    "evictions",
    "expirations",
    "rejected",
    "corrupt",
    "errors",
    "entries",
    "bytes",
    "max_entries",
    "max_bytes",
    "flags",
)


class Stats(Structure):
    """``twat_stats``."""

    _fields_ = [("struct_size", c_size_t), *((name, c_uint64) for name in STATS_FIELDS)]


# Letters: what a parameter is. A pointer is passed as an address, an object
# made by byref, or bytes, all of which c_void_p takes; so one letter does for
# every pointer that is not text.
_TYPES: dict[str, Any] = {
    "p": c_void_p,
    "s": c_char_p,
    "n": c_size_t,
    "i": c_int32,
    "u": c_uint32,
    "U": c_uint64,
    "I": c_int64,
    "-": None,
}

# name -> (result, parameters)
SYMBOLS: dict[str, tuple[str, str]] = {
    "twat_last_error": ("s", ""),
    "twat_status_name": ("s", "i"),
    "twat_version_number": ("u", ""),
    "twat_version_string": ("s", ""),
    "twat_has_engine": ("i", "s"),
    "twat_bytes_free": ("-", "p"),
    "twat_config_new": ("i", "sp"),
    "twat_config_set": ("i", "pss"),
    "twat_config_set_u64": ("i", "psU"),
    "twat_config_load": ("i", "ppn"),
    "twat_config_add_tier": ("i", "pp"),
    "twat_config_free": ("-", "p"),
    "twat_option_count": ("n", ""),
    "twat_option_info": ("i", "np"),
    "twat_cache_open": ("i", "pp"),
    "twat_cache_close": ("i", "p"),
    "twat_cache_get": ("i", "ppnp"),
    "twat_cache_get_into": ("i", "ppnpnp"),
    "twat_cache_set": ("i", "ppnpnU"),
    "twat_cache_add": ("i", "ppnpnU"),
    "twat_cache_set_with": ("i", "ppnpnp"),
    "twat_cache_set_file": ("i", "ppnsp"),
    "twat_cache_delete": ("i", "ppn"),
    "twat_cache_contains": ("i", "ppn"),
    "twat_cache_touch": ("i", "ppnU"),
    "twat_cache_incr": ("i", "ppnIIUp"),
    "twat_cache_fetch": ("i", "ppnppp"),
    "twat_lease_set": ("i", "ppnp"),
    "twat_lease_fail": ("i", "pU"),
    "twat_lease_renew": ("i", "p"),
    "twat_lease_free": ("-", "p"),
    "twat_cache_invalidate_tag": ("i", "ppn"),
    "twat_cache_len": ("i", "pp"),
    "twat_cache_expire": ("i", "pp"),
    "twat_cache_clear": ("i", "p"),
    "twat_cache_flush": ("i", "p"),
    "twat_cache_info": ("i", "pp"),
    "twat_cache_check": ("i", "pip"),
    "twat_cache_export": ("i", "psp"),
    "twat_cache_import": ("i", "psp"),
    "twat_cache_get_many": ("i", "ppnp"),
    "twat_cache_set_many": ("i", "pppnp"),
    "twat_cache_delete_many": ("i", "ppnp"),
    "twat_cache_delete_prefix": ("i", "ppnp"),
    "twat_cache_scan": ("i", "ppnp"),
    "twat_scan_next": ("i", "pp"),
    "twat_scan_free": ("-", "p"),
    "twat_cache_stats": ("i", "pp"),
    "twat_policy_new": ("i", "pp"),
    "twat_policy_needs": ("i", "p"),
    "twat_policy_insert": ("i", "ppnUUppnp"),
    "twat_policy_evicted": ("i", "ppnp"),
    "twat_policy_hits": ("i", "ppn"),
    "twat_policy_remove": ("i", "pU"),
    "twat_policy_clear": ("i", "p"),
    "twat_policy_stats": ("i", "pp"),
    "twat_policy_free": ("-", "p"),
    "twat_hash": ("i", "pnp"),
    "twat_mac": ("i", "pnpnp"),
    "twat_parse_duration": ("i", "sp"),
    "twat_parse_size": ("i", "sp"),
    "twat_parse_percent": ("i", "sp"),
    "twat_name_namespace": ("i", "pnpnp"),
    "twat_option_nearest": ("i", "spnp"),
}


def declare(library: Any) -> None:
    """Gives every function of a loaded library its types."""
    for name, (result, parameters) in SYMBOLS.items():
        function = getattr(library, name)
        function.restype = _TYPES[result]
        function.argtypes = [_TYPES[letter] for letter in parameters]
