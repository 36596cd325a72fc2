"""The native codec beside the one in Python: the same bytes, the same values, the same errors; and no harm."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import tracemalloc

import pytest

import native_values as nv
from twat_cache import _speedups
from twat_cache._identity import call_keys as _keys
from twat_cache._serialize import values as _codec
from twat_cache._serialize.msgpack_format import Malformed
from twat_cache._serialize.msgpack_writer import Unencodable
from twat_cache._speedups import speed
from twat_cache.exceptions import CacheKeyError

pytestmark = pytest.mark.skipif(speed is None, reason=_speedups.why_not)
SOAK = int(os.environ.get("TWAT_SOAK", "0"))


@pytest.mark.parametrize("seed", range(4 + 100 * SOAK))
def test_both_codecs_have_the_same_bytes_values_and_errors(seed):
    pytest.importorskip("numpy")
    assert nv.run(seed, 250) > 150


@pytest.mark.parametrize("kind", range(5))
def test_both_codecs_refuse_the_same_depth(kind):
    for levels in range(58, 70):
        nv.compare_key(nv.deep(levels, kind))
        data = nv.compare_encoding(nv.deep(levels, kind))
        if data is not None:
            nv.compare_decoding(data)
    for levels in (100, 159, 161, 300, 5_000, 100_000):
        nv.compare_decoding(b"\x01" + b"\x91" * levels + b"\xc0")
        nv.compare_decoding(b"\x01" + b"\x81\xa1k" * levels + b"\xc0")


@pytest.fixture
def alone():
    """The native reader without the other to ask."""

    def read_pure(data, start):
        raise AssertionError(f"asked to read {bytes(data)!r}")

    speed.configure({**_codec.HOOKS, "read_pure": read_pure})
    yield
    speed.configure(_codec.HOOKS)


def test_the_native_reader_reads_by_itself_all_that_is_written(alone):
    chance = nv.random.Random(7)
    for sample in [*nv.ATOMS, *(nv.value(chance) for _ in range(300)), *(nv.deep(60, kind) for kind in range(5))]:
        data = nv.written(_codec.encode_here, sample)
        if isinstance(data, bytes):
            assert nv.read(speed.decode, data) == data


@pytest.mark.parametrize("head", [b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9", b"\xc7\x08\x01\xdd", b"\x92\xdd"])
def test_a_length_that_the_bytes_do_not_have_reserves_nothing(head, alone):
    data = head + b"\xff\xff\xff\xf0" + b"\x01" * 1000
    tracemalloc.start()
    try:
        for _ in range(10):
            with pytest.raises(AssertionError, match="asked to read"):
                speed.decode(data, 0)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_nested_lengths_together_reserve_no_more_than_there_are_bytes(alone):
    room = 1 << 20
    data = (b"\xdd" + room.to_bytes(4, "big")) * 60 + b"\xc0" * room
    tracemalloc.start()
    try:
        with pytest.raises(AssertionError):
            speed.decode(data, 0)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20  # once eight bytes for each byte, not sixty times
    finally:
        tracemalloc.stop()


class Meddler:
    """Runs code of its own while it is written."""

    def __init__(self, action):
        self.action = action

    @property
    def __class__(self):
        self.action()
        return type(None)  # and is written as None


@pytest.mark.parametrize("encode", [_codec.encode_here, _codec._encode])
def test_what_is_changed_while_it_is_written_is_an_error(encode):
    items = [1, 2, "text", 4]
    items[1] = Meddler(items.clear)
    with pytest.raises(Unencodable):
        encode(items)
    items = []
    items += [Meddler(lambda: items.append(object())), 2]
    with pytest.raises(Unencodable):
        encode([items])
    pairs = {}
    pairs.update(a=Meddler(pairs.clear), b=2)
    with pytest.raises((Unencodable, RuntimeError)):
        encode(pairs)
    pairs = {i: i for i in range(5)}
    pairs[2] = Meddler(lambda: pairs.update((n, object()) for n in range(100, 200)))
    with pytest.raises((Unencodable, RuntimeError)):
        encode(pairs)


def test_an_item_that_vanishes_while_it_is_written_is_held():
    items = []
    items.append([Meddler(items.clear), "x" * 100, {"k": "v" * 100}])
    with pytest.raises(Unencodable):
        speed.encode(items)
    pairs = {}
    pairs[("key", 1)] = [Meddler(pairs.clear), "y" * 100]
    with pytest.raises((Unencodable, RuntimeError)):
        speed.encode(pairs)


def test_keys_of_records_are_shared_and_no_key_is_kept_for_ever():
    data = speed.encode([{f"name {i % 3}": i} for i in range(9)])
    first, second = speed.decode(data, 1)[::3][:2]
    assert next(iter(first)) is next(iter(second))
    key = next(iter(first))
    held = sys.getrefcount(key)
    del second
    gc.collect()
    assert sys.getrefcount(key) < held


def test_the_collector_finds_what_was_read():
    [loop] = speed.decode(speed.encode([[]]), 1)
    (inner,) = speed.decode(speed.encode(([],)), 1)
    assert gc.is_tracked(loop) and gc.is_tracked(inner)
    assert gc.is_tracked(speed.decode(speed.encode(([],)), 1)) and gc.is_tracked(speed.decode(speed.encode([1]), 1))
    assert not gc.is_tracked(speed.decode(speed.encode((1, "a", None, 2.5)), 1))


def test_hits_and_errors_leave_nothing_behind():
    values = [nv.value(nv.random.Random(seed), 3) for seed in range(60)]
    datas = [data for data in (nv.written(_codec.encode_here, value) for value in values) if isinstance(data, bytes)]
    chance = nv.random.Random(1)
    datas = [data for data in datas if len(data) < 2000]
    datas += [nv.damaged(chance, data) for data in datas for _ in range(3)]
    values = [value for value in values if len(repr(value)) < 2000]

    def all_of_them(rounds):
        for _ in range(rounds):
            for data in datas:
                quietly(speed.decode, data, 1)
            for value in values:
                quietly(speed.encode, value)
                quietly(speed.encode_call, b"\x93", (), (value,), {"k": value, "a": 1})

    rounds = (20_000 + 80_000 * SOAK) // len(datas)
    all_of_them(3)
    gc.collect()
    before = sys.getallocatedblocks()
    all_of_them(rounds)
    gc.collect()
    assert sys.getallocatedblocks() - before < 300, rounds


def quietly(function, *args):
    try:
        function(*args)
    except Exception:  # noqa: BLE001
        pass


def test_threads_read_and_write_beside_each_other():
    shared = {"rows": [{"id": i, "tags": ["a", (i, "b")]} for i in range(50)]}
    data, troubles = speed.encode(shared), []

    def work():
        try:
            for _ in range(100):
                assert speed.decode(speed.encode(shared), 1) == shared and speed.decode(data, 1) == shared
        except BaseException as error:  # noqa: BLE001
            troubles.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles


def test_a_thread_with_a_small_stack_reads_the_deepest_value():
    data, found = speed.encode(nv.deep(64, 0)), []
    small = b"\x01" + b"\x91" * 5_000 + b"\xc0"
    before = threading.stack_size(64 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append((speed.decode(data, 1), quietly(speed.decode, data, 1))))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(found) == 1 and nv.read(speed.decode, small) is Malformed


@pytest.mark.parametrize(
    "keywords", [None, {}, {"b": 1, "a": 2, "long name": [0.0, -0.0, float("nan")]}, {1: 2, None: 3, "x": {}}]
)
def test_keys_are_canonical_in_both_forms(keywords):
    for positional in ((), (1,), ("text", -0.0, {"b": 1, "a": {2: 1, "c": -0.0}}), [1, 2], ({3, 1, 2}, b"", 2**70)):
        ours = speed.encode_call(b"\x94\x03\xa1f", ("a",), positional, keywords)
        assert ours == _keys.encode_call(b"\x94\x03\xa1f", positional, keywords, ("a",))


def test_an_argument_that_has_no_key_is_blamed_by_its_name():
    for bad in (object(), [object()], {"k": "\ud800"}, {1: 0, Alike(1): 0}):
        with pytest.raises(CacheKeyError, match="argument 'second'"):
            speed.encode_call(b"\x94\x03\xa1f", ("first", "second"), (1, bad), None)


class Alike(int):
    """A key of a dictionary that is encoded as another one is."""

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return 5

    def __cache_key__(self):
        return 1


def test_an_error_of_a_users_own_key_is_raised_as_it_is():
    class Angry:
        def __cache_key__(self):
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        speed.encode_call(b"\x94\x03\xa1f", (), (Angry(),), None)


def test_hooks_and_addresses_of_the_wrong_kind_are_refused():
    for wrong in ({}, None, {"malformed": ValueError}):
        with pytest.raises((TypeError, ValueError), match="expected"):
            speed.configure(wrong)
        with pytest.raises((TypeError, ValueError), match="expected"):
            speed.connect(wrong)
    with pytest.raises(TypeError):
        speed.decode("text", 0)
    for start in (-1, 5):
        with pytest.raises((Malformed, TypeError, ValueError)):
            speed.decode(b"\xc0", start)


def test_the_environment_switches_it_off():
    code = "from twat_cache import _speedups; from twat_cache._serialize import values; print(_speedups.form(), values._decode(values._encode([1]), 1))"
    for value, form in (("1", "pure Python (TWAT_CACHE_PURE is set)"), ("0", "native"), ("", "native")):
        env = {**os.environ, "TWAT_CACHE_PURE": value}
        found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
        assert found.stdout.strip() == f"{form} [1]", found.stderr
