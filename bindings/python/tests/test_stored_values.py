"""Values in stores: what comes back, what is written, what is never loaded."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import os
import pickle
import stat
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest

import twat_cache as tc
from twat_cache._serialize import signing, values
from twat_cache.exceptions import ConfigurationError, SerializationError


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


@dataclasses.dataclass(frozen=True)
class Fixed:
    x: int


Pair = collections.namedtuple("Pair", "a b")


class Colour(enum.Enum):
    RED = 1


class Custom:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is Custom and other.x == self.x


VALUES = [
    None, False, True, 0, -(2**70), 1.5, "text", b"bytes", [1, (2, {3})], {"a": {1: None}}, frozenset([1]),
    Decimal("1.50"), dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, 12), dt.timedelta(1, 2, 3), Path("/a"), 1 + 2j,
    Point(1, 2.5), Fixed(3), Pair(1, [2]), Colour.RED, Custom(4), collections.OrderedDict(a=1), range(3),
    {"nested": [Point(1), Custom(2)]}, bytearray(b"x"), ValueError, b"x" * 100_000, "y" * 200_000,
]  # fmt: skip


@pytest.mark.parametrize("deco", [tc.bcache, tc.fcache])
@pytest.mark.parametrize("compress", [False, True])
def test_every_kind_of_value_comes_back_equal_and_of_its_type(deco, compress, folder, ran):
    f = deco(folder_name=folder, compress=compress)(lambda i: ran(VALUES[i]))
    for i, value in enumerate(VALUES):
        first, second = f(i), f(i)
        assert first is value and second == value and type(second) is type(value), value
    assert ran.n == len(VALUES) and f.cache_info().hits == len(VALUES)


def test_arrays_are_views_of_the_file_and_frames_come_back(folder, ran):
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    make = {
        "plain": lambda: np.arange(10_000.0).reshape(100, 100),
        "fortran": lambda: np.asfortranarray(np.arange(6).reshape(2, 3)),
        "empty": lambda: np.zeros((0, 3)),
        "scalar": lambda: np.array(5),
        "text": lambda: np.array(["a", "bc"]),
        "objects": lambda: np.array([{"a": 1}, None], dtype=object),
        "records": lambda: np.zeros(3, dtype=[("a", "<i4"), ("b", "<f8")]),
        "frame": lambda: pd.DataFrame({"a": range(1000), "b": np.arange(1000.0), "c": ["x"] * 1000}),
        "series": lambda: pd.Series([1.5, 2.5], name="s"),
    }
    f = tc.fcache(folder_name=folder)(lambda kind: ran(make[kind]()))
    for kind in make:
        first, second = f(kind), f(kind)
        if kind in ("frame", "series"):
            assert first.equals(second) and type(first) is type(second)
        else:
            assert first.dtype == second.dtype and first.shape == second.shape and (first == second).all(), kind
    assert ran.n == len(make)
    view = f("plain")
    assert not view.flags.writeable and view.ctypes.data % 64 == 0
    own = tc.fcache(folder_name=folder + "2", mmap=False)(lambda: np.arange(10))
    own(), own()[:].sort()
    assert own().flags.writeable


def test_a_mapped_array_outlives_its_entry_and_its_store(folder):
    np = pytest.importorskip("numpy")
    f = tc.fcache(folder_name=folder)(lambda n: np.arange(n))
    f(100_000)
    view = f(100_000)
    f.cache_clear()
    f.cache.store.close()
    assert view[-1] == 99_999 and view.sum() == 99_999 * 50_000


@pytest.mark.parametrize("serializer", ["auto", "msgpack", "json", "pickle", pickle])
def test_serializers(serializer, folder, ran):
    f = tc.bcache(folder_name=folder, serializer=serializer)(lambda x: ran({"a": [x]}))
    assert f(1) == f(1) == {"a": [1]} and ran.n == 1


def test_a_serializer_of_arguments(folder, ran):
    f = tc.bcache(folder_name=folder, serializer=lambda value: str(value))(lambda x: ran(1))
    f(1), f("1"), f(Custom)
    assert ran.n == 2


def test_what_cannot_be_serialised_is_told_by_its_type(folder):
    f = tc.bcache(folder_name=folder)(lambda: threading.Lock())
    with pytest.raises(SerializationError, match="lock"):
        f()
    with pytest.raises(SerializationError, match="Custom"):
        tc.bcache(folder_name=folder, serializer="msgpack", name="m")(lambda: Custom(1))()
    with pytest.raises(ConfigurationError, match="serializer"):
        tc.bcache(folder_name=folder, serializer="yaml")(lambda: 1)


def test_a_planted_pickle_is_never_loaded(folder, tmp_path, ran):
    mark = tmp_path / "mark"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {mark}",)

    f = tc.bcache(folder_name=folder, name="victim")(lambda x: ran(Custom(x)))
    f(1)
    key, body = f.cache_key(1), pickle.dumps(Evil())
    foreign = values.Codec("pickle", "victim")
    for planted in (
        b"\x10" + bytes(32) + body,
        b"\x11" + bytes(32) + values._HEAD_17.pack(0, len(body)) + body,
        b"\x10" + values.Codec("pickle", "another")._sign(key, body) + body,
        b"\x10" + foreign._sign(b"another key", body) + body,
        b"\x10", b"\x11", b"\x10" + bytes(31), b"\x11" + bytes(40),
    ):  # fmt: skip
        f.cache.store.set(key, planted)
        before = ran.n
        assert f(1) == Custom(1) and ran.n == before + 1
    assert not mark.exists()
    with tc.Cache("disk", path=folder, namespace="victim") as direct:
        f.cache.store.set(key, b"\x10" + bytes(32) + body)
        assert direct.get(key) is None and not mark.exists()


def test_a_named_type_is_never_imported(folder, tmp_path, ran):
    (tmp_path / "leaves_a_mark.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\nclass P: pass\n")
    sys.path.insert(0, str(tmp_path))
    try:
        f = tc.bcache(folder_name=folder)(lambda: ran(1))
        out = bytearray(b"\x01")
        from twat_cache._serialize import msgpack_writer as mp

        mp.write_named(values._ENCODER, out, "leaves_a_mark.P", {"x": 1})
        f()
        f.cache.store.set(f.cache_key(), bytes(out))
        assert f() == 1 and ran.n == 2 and not (tmp_path / "mark").exists()
    finally:
        sys.path.remove(str(tmp_path))


def test_the_secret_is_private_and_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("TWAT_CACHE_SECRET", raising=False)
    secret = signing.secret()
    path = tmp_path / "twat_cache" / "secret"
    assert path.read_bytes() == secret and len(secret) == 32 and stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setenv("TWAT_CACHE_SECRET", "00" * 32)
    assert signing.secret() == bytes(32)
    monkeypatch.setenv("TWAT_CACHE_SECRET", "any text")
    assert len(signing.secret()) == 32 and signing.secret() != secret


def test_a_damaged_value_is_computed_anew(folder, ran):
    f = tc.bcache(folder_name=folder)(lambda x: ran([x]))
    f(1)
    for damaged in (b"", b"\x01", b"\x63new format", b"\x01\xc1", b"\x03garbage"):
        f.cache.store.set(f.cache_key(1), damaged)
        assert f(1) == [1] and f(1) == [1]
    assert ran.n == 6


def test_a_direct_get_names_the_format_it_cannot_read(folder):
    with tc.Cache("disk", path=folder) as cache:
        cache._store.set(b"k", b"\x63x")
        with pytest.raises(tc.CacheOperationError, match="format 99"):
            cache.get("k")


def test_a_serializer_that_fails_is_a_miss_or_names_the_type(folder, ran):
    class Broken:
        def dumps(self, value):
            if value is None:
                raise ValueError("no")
            return b"text"

        def loads(self, data):
            raise ValueError("never")

    f = tc.bcache(folder_name=folder, serializer=Broken())(lambda x: ran(x))
    assert f(1) == 1 and f(1) == 1 and ran.n == 2
    with pytest.raises(SerializationError, match="NoneType"):
        f(None)


def test_no_place_for_the_secret_keeps_pickles_for_this_process(folder, ran, monkeypatch, caplog, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    f = tc.bcache(folder_name=folder)(lambda x: ran(range(x)))
    assert f(3) == f(3) == range(3) and ran.n == 1
    assert "secret" in caplog.text
