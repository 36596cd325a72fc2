"""The native byte path: look-ups that read a value where the store has it."""

from __future__ import annotations

import gc
import sys
import threading

import pytest

import twat_cache as tc
from twat_cache import _speedups
from twat_cache._serialize import values
from twat_cache._speedups import speed
from twat_cache.exceptions import CacheOperationError

pytestmark = pytest.mark.skipif(speed is None, reason=_speedups.why_not)
MISSING = object()
SAMPLES = {
    "small": {"id": 1, "tags": ("a", b"b")},
    "large": [f"text {i}" for i in range(20_000)],
    "raw": b"\x01not MessagePack",
    "large raw": bytes(200_000),
    "empty": b"",
    "pickle": range(3),
    "deep": [[[None] * 3] * 3] * 3,
}


@pytest.fixture(params=["memory", "disk", "file"])
def cache(request, tmp_path):
    options = {} if request.param == "memory" else {"path": tmp_path / "store"}
    with tc.Cache(request.param, **options) as made:
        yield made


def test_every_engine_has_the_same_values_as_without_it(cache):
    for key, value in SAMPLES.items():
        cache.set(key, value)
    for key, value in SAMPLES.items():
        assert cache[key] == value and type(cache[key]) is type(value)
        data = cache._store.get(key.encode())
        assert cache._codec.decode(key.encode(), data) == value
    assert cache.get("nothing", MISSING) is MISSING


def test_a_value_that_cannot_be_read_is_the_same_error_as_without_it(cache):
    for data in (
        b"",
        b"\x01",
        b"\x01\xc1",
        b"\x01\x91",
        b"\x01\x01\x01",
        b"\x63?",
        b"\x01\xc7\x01\x3f\x00",
        b"\x01\xa1\xff",
    ):
        cache._store.set(b"key", data)
        with pytest.raises(values.Foreign) as pure:
            cache._codec.decode(b"key", data)
        with pytest.raises(CacheOperationError) as ours:
            cache.get("key")
        assert str(pure.value) in str(ours.value)


def test_a_closed_store_says_so(cache):
    cache.set("key", 1)
    cache.close()
    with pytest.raises(CacheOperationError, match="already closed"):
        cache.get("key")
    assert not cache._store._busy


def test_a_close_waits_for_a_look_up_that_gave_the_lock_up(tmp_path):
    for _ in range(20):
        cache = tc.Cache("disk", path=tmp_path / "store")
        cache.set("large", SAMPLES["large"])
        troubles = []

        def read(cache=cache, troubles=troubles):
            try:
                while True:
                    assert cache.get("large") == SAMPLES["large"]
            except CacheOperationError as error:
                if "already closed" not in str(error):
                    troubles.append(error)
            except BaseException as error:  # noqa: BLE001
                troubles.append(error)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        cache.close()
        for thread in threads:
            thread.join()
        assert not troubles and not cache._store._busy


def test_a_look_up_inside_of_a_look_up_has_a_buffer_of_its_own(tmp_path):
    with tc.Cache("memory") as cache:
        cache.set("inner", ["inner"] * 50)

        class Reader:
            def dumps(self, value):
                return value.encode()

            def loads(self, data):
                return cache.get("inner"), data.decode()

        with tc.Cache("memory", serializer=Reader()) as outer:
            outer.set("key", "outer")
            assert outer.get("key") == (["inner"] * 50, "outer")


def test_hits_misses_and_errors_leave_nothing_behind(cache):
    for key, value in SAMPLES.items():
        cache.set(key, value)
    cache._store.set(b"bad", b"\x01\xc1")
    keys = ["small", "raw", "empty", "deep", "nothing"]

    def many(rounds):
        for _ in range(rounds):
            for key in keys:
                cache.get(key)
            try:
                cache.get("bad")
            except CacheOperationError:
                pass
        for _ in range(rounds // 100):
            cache.get("large"), cache.get("large raw"), cache.get("pickle")

    many(100)
    gc.collect()
    before = sys.getallocatedblocks()
    many(2_000)
    gc.collect()
    assert sys.getallocatedblocks() - before < 300


def test_fetch_refuses_arguments_of_the_wrong_kind():
    for wrong in ((), (1, 2, 3), (None, None, None, 0, "text"), (None, None, None, "flags", b"key")):
        with pytest.raises(TypeError):
            speed.fetch(*wrong)
    with pytest.raises(AttributeError):
        speed.fetch(None, None, None, 1, b"key")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="ctypes loads in one interpreter only before 3.13")
def test_each_interpreter_has_a_module_of_its_own():
    import _interpreters

    code = """
import twat_cache
from twat_cache import _speedups
assert _speedups.form() == "native"
with twat_cache.Cache("memory") as cache:
    for n in range(200):
        cache.set("key", {"a": [1, (2, 3)], "n": n})
        assert cache.get("key") == {"a": [1, (2, 3)], "n": n}
"""
    for _ in range(3):
        made = _interpreters.create()
        try:
            assert _interpreters.run_string(made, code) is None
        finally:
            _interpreters.destroy(made)
