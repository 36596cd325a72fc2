"""The reader in Python and the compiled one give the same, for values and for bytes that are none."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from pathlib import PurePosixPath

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twat_cache._identity import call_keys
from twat_cache._serialize import msgpack_package, msgpack_reader
from twat_cache._serialize.msgpack_format import Malformed
from twat_cache._serialize.values import Codec
from vectors import same

NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.integers(0, 300) | st.integers(0x10000, 0xFFFFFFFF)
PLAIN = (
    NUMBERS | st.none() | st.booleans() | st.text(max_size=40) | st.binary(max_size=300) | st.decimals(allow_nan=False)
    | st.dates() | st.datetimes(timezones=st.none() | st.just(dt.timezone.utc)) | st.timedeltas() | st.complex_numbers()
    | st.uuids() | st.just(PurePosixPath("/a/b")).map(str)
)  # fmt: skip
HASHABLE = st.text(max_size=5) | st.integers() | st.binary(max_size=3) | st.tuples(st.integers())
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=40) | st.lists(inner, max_size=40).map(tuple)
    | st.dictionaries(HASHABLE, inner, max_size=20) | st.sets(HASHABLE, max_size=5) | st.frozensets(HASHABLE, max_size=5)
    | st.integers(60, 140).flatmap(lambda n: st.just([n / 7] * n))
    | st.sampled_from([list(range(n)) for n in (130, 300, 70_000)]),
    max_leaves=60,
)  # fmt: skip


def both(data, monkeypatch):
    monkeypatch.setattr(msgpack_reader, "LONG", 0)
    assert msgpack_package.long_reader(msgpack_reader.read_extension) is not None, "the tests have msgpack"
    results = []
    for read in (lambda: msgpack_reader.decode(data, 1), lambda: _in_python(data, monkeypatch)):
        try:
            results.append(read())
        except Malformed:
            results.append(Malformed)
    return results


def _in_python(data, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(msgpack_reader, "LONG", 1 << 62)
        return msgpack_reader.decode(data, 1)


@settings(max_examples=150, deadline=None)
@given(value=VALUES)
@example(value=[float("nan"), -0.0, 2**64, -1, -(2**63), 255, 256, 65535, 65536])
@example(value=[(1, "a", 2.5)] * 1000)
@example(value=[{"id": n, "name": f"n{n}"} for n in range(300)])
@example(value=dt.datetime(1, 1, 1, tzinfo=dt.timezone.utc))
@example(value=Decimal("-0.0"))
def test_every_value_is_the_same_by_both(value):
    data = bytes(Codec().encode(b"k", value))
    if data[0] != 1:
        return
    with pytest.MonkeyPatch.context() as monkeypatch:
        fast, slow = both(data, monkeypatch)
    assert same(fast, value) and same(slow, value)


@settings(max_examples=300, deadline=None)
@given(
    value=VALUES,
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3),
    cut=st.integers(0, 3),
)
def test_damaged_bytes_are_the_same_by_both(value, changes, cut):
    data = bytearray(Codec().encode(b"k", value))
    if data[0] != 1:
        return
    for at, byte in changes:
        data[1 + at % max(1, len(data) - 1) : 2 + at % max(1, len(data) - 1)] = bytes((byte,))
    with pytest.MonkeyPatch.context() as monkeypatch:
        fast, slow = both(bytes(data[: len(data) - cut]), monkeypatch)
    assert (fast is Malformed) == (slow is Malformed)
    if fast is not Malformed:
        assert same(fast, slow)


@pytest.mark.parametrize("n", [63, 64, 65, 127, 128, 129, 1000])
@pytest.mark.parametrize("item", [0.5, 300, 70_000, 2**40, 200, "text", True, None, (1, 2), {"a": 1}])
def test_long_lists_and_lists_cut_short(n, item):
    for value in ([item] * n, [item] * (n - 1) + [0.25], [1, *[item] * n], [[item] * n, item]):
        data = bytes(Codec().encode(b"k", value))
        with pytest.MonkeyPatch.context() as monkeypatch:
            assert both(data, monkeypatch) == [value, value]
            assert both(data[:-1], monkeypatch) == [Malformed, Malformed] == both(data + b"\xc0", monkeypatch)


EDGES = [
    0,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2**32 - 1,
    2**32,
    2**64 - 1,
    -1,
    -32,
    -33,
    -128,
    -129,
    -(2**63),
    0.0,
    -0.0,
]


@settings(max_examples=200, deadline=None)
@given(
    one=st.sampled_from(EDGES), other=st.sampled_from(EDGES), n=st.integers(60, 200), at=st.integers(0, 200),
)  # fmt: skip
def test_numbers_written_at_one_go_are_written_as_ever(one, other, n, at):
    value = [one] * n
    value[at % n] = other
    assert bytes(Codec().encode(b"k", value))[1:] == msgpack.packb(value)
    assert call_keys.ENCODER.encode(value) == msgpack.packb(value)
    truths = [*value[:-1], True]
    assert bytes(Codec().encode(b"k", truths))[1:] == msgpack.packb(truths)


def test_without_the_package_the_reader_in_python_reads_all():
    code = """if True:
        import sys
        sys.modules["msgpack"] = None
        from twat_cache._serialize.values import Codec
        value = [(n, str(n), n / 3) for n in range(2000)]
        assert Codec().decode(b"k", bytes(Codec().encode(b"k", value))) == value
    """
    subprocess.run([sys.executable, "-c", code], check=True)
