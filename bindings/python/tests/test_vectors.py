"""The vectors of keys and values that every language runs."""

from __future__ import annotations

import json

import pytest

from make_vectors import _named_type
from twat_cache._identity import call_keys
from twat_cache._serialize.values import Codec, Foreign
from twat_cache.exceptions import CacheKeyError
from vectors import ROOT, Counter, Json, NotInPython, Raw, python, same

pytest.importorskip("numpy")


def load(name):
    path = ROOT / name
    return json.loads(path.read_text()) if path.is_file() else []


def short(entry):
    text = json.dumps(entry.get("args", entry.get("value")))
    return text[:60]


@pytest.mark.parametrize("entry", load("keys.json"), ids=short)
def test_key_vector(entry):
    if entry.get("error"):
        try:
            args = [python(typed) for typed in entry["args"]]
        except NotInPython:
            return  # a dict cannot hold both
        with pytest.raises(CacheKeyError):
            call_keys.encode_call(call_keys.prefix_of(entry["name"]), args, {})
        return
    args = [_named_type(typed) for typed in entry["args"]]
    kwargs = {name: python(typed) for name, typed in entry["kwargs"]}
    assert call_keys.encode_call(call_keys.prefix_of(entry["name"]), args, kwargs).hex() == entry["hex"]
    backwards = dict(reversed(kwargs.items()))
    assert call_keys.encode_call(call_keys.prefix_of(entry["name"]), args, backwards).hex() == entry["hex"]


@pytest.mark.parametrize("entry", load("values.json"), ids=short)
def test_value_vector(entry):
    if "python" not in entry.get("languages", ["python"]):
        pytest.skip("not a value that Python reads")
    value, data = python(entry["value"]), bytes.fromhex(entry["hex"])
    plain = value
    codec = Codec()
    if isinstance(value, Raw):
        plain = bytes(value)
    elif isinstance(value, Json):
        plain, codec = value.value, Codec("json")
    elif isinstance(value, Counter):
        plain = int(value)
    assert same(codec.decode(b"", data), plain)
    if not entry.get("decode_only") and not isinstance(value, Counter):
        assert bytes(codec.encode(b"", plain)).hex() == entry["hex"]


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 9, 20])
def test_a_value_that_is_cut_short_is_never_read_as_another(cut):
    whole = bytes(Codec().encode(b"", {"a": [1, "text" * 10, 2.5, (1, 2)]}))
    with pytest.raises(Foreign):
        Codec().decode(b"", whole[:cut])


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\xc1",
        b"\x01\xdd\xff\xff\xff\xff",
        b"\x01\x93\x01",
        b"\x01\xd4\x63\x00",
        b"\x01\x01\x01",
        b"\x01\xa1\xff",
        b"\x01" + b"\x91" * 100_000,
        b"\x05",
        b"\x09x",
        b"\x02{",
        b"\x01\x81\x90\x01",
        b"\x03",
        b"\x03C\x01\x03" + bytes(60),
    ],
)
def test_bytes_that_are_no_value_are_refused(data):
    with pytest.raises(Foreign):
        Codec().decode(b"", data)


def test_msgpack_of_others_reads_ours_and_ours_theirs():
    msgpack = pytest.importorskip("msgpack")
    plain = {"a": [1, -1, 2**40, 1.5, None, True, "é", b"\x00"], "b": {}, "c": "x" * 300, "d": list(range(70000))}
    ours = bytes(Codec().encode(b"", plain))[1:]
    assert msgpack.unpackb(ours) == plain
    assert ours == msgpack.packb(plain)


def test_a_named_tuple_whose_fields_were_reordered_is_a_miss(monkeypatch):
    import collections
    import sys
    import types

    module = types.ModuleType("places_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def define(fields):
        kind = collections.namedtuple("Place", fields, module=module.__name__)
        module.Place = kind
        return kind

    data = Codec().encode(b"", define("lat lon")(1.0, 2.0))
    assert Codec().decode(b"", data) == (1.0, 2.0)
    define("lon lat")
    with pytest.raises(Foreign, match=r"places_of_a_test\.Place"):
        Codec().decode(b"", data)
