"""Values beyond what a C int holds: each size that crosses into the core and back is whole."""

from __future__ import annotations

import ctypes
import os

import pytest

import twat_cache as tc
from twat_cache._ffi import abi, values


def test_no_size_beyond_a_c_int_reaches_string_at(monkeypatch):
    sizes = []
    real = ctypes.string_at

    def string_at(address, size):
        sizes.append(size)
        return real(address, size)

    monkeypatch.setattr(ctypes, "string_at", string_at)
    monkeypatch.setattr(values, "INT_MAX", 99)
    data = bytes(range(256)) * 4
    with tc.Cache("memory") as cache:
        for value in (data, "x" * 70_000, {"a": data}, {1, 2}):
            cache["k"] = value
            assert cache["k"] == value and cache.get_many(["k"]) == {"k": value} and list(cache) == ["k"]
    assert max(sizes, default=0) <= 99


def test_sizes_at_the_border_are_read_whole_or_not_at_all(monkeypatch):
    """Memory that is never touched: what matters is how the size is handed on."""
    asked = []
    monkeypatch.setattr(ctypes, "string_at", lambda address, size: asked.append(ctypes.c_int(size).value) or b"")
    for size in (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 5):
        if size <= values.INT_MAX:
            values.bytes_at(0, size)
            assert asked == [size]
        else:
            with pytest.raises((ValueError, MemoryError)):
                monkeypatch.setattr(values, "memoryview", lambda view: _Whole(ctypes.sizeof(view)), raising=False)
                values.bytes_at(1, size)
    assert _Whole.sizes == [2**31, 2**32 - 1, 2**32, 2**32 + 5]


class _Whole:
    sizes: list[int] = []

    def __init__(self, size):
        self.sizes.append(size)

    def tobytes(self):
        raise MemoryError


def test_every_length_of_the_abi_is_as_wide_as_an_address():
    for name, (_, parameters) in abi.SYMBOLS.items():
        for pair in ("pn", "sn"):
            assert all(ctypes.sizeof(abi._TYPES[letter]) == 8 for letter in pair if letter in parameters), name
    for structure in (abi.Bytes, abi.Slice):
        assert dict(structure._fields_)["len"] is ctypes.c_size_t


@pytest.mark.skipif(not os.environ.get("TWAT_SOAK"), reason="takes 13 GiB of memory and 4.1 GiB of disk: make soak")
def test_a_value_of_more_than_4_gib_comes_back_whole(tmp_path):
    n = 4_402_341_478
    value = bytearray(n)
    value[-1], value[2**31], value[2**32] = 1, 2, 3
    whole = bytes(value)
    del value
    with tc.Cache("disk", str(tmp_path), max_bytes=20 * 2**30) as cache:
        cache.set("k", whole)
        found = cache.get("k")
        assert len(found) == n and found == whole
