"""Results that are used up by reading: the second hit must not find them empty."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import tempfile

import pytest

import twat_cache as tc
from twat_cache.exceptions import CacheValueError


@contextlib.contextmanager
def _context():
    yield


class Cursor:
    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


ONCE = {
    "map": lambda: map(str, [1]), "zip": lambda: zip([1], [2]), "filter": lambda: filter(None, [1]), "iter": lambda: iter([1]),
    "reversed": lambda: reversed([1]), "enumerate": lambda: enumerate([1]), "chain": lambda: itertools.chain([1]), "file": lambda: open(os.devnull),
    "bytes file": lambda: io.BytesIO(b"x"), "text file": lambda: io.StringIO("x"), "raw file": lambda: open(os.devnull, "rb", buffering=0),
    "scandir": lambda: os.scandir("/"), "reader": lambda: csv.reader(["a"]), "dict reader": lambda: csv.DictReader(["a"]),
    "temporary file": tempfile.NamedTemporaryFile, "memoryview": lambda: memoryview(bytearray(1)), "context": _context, "cursor": Cursor,
    "generator": lambda: (x for x in [1]),
}  # fmt: skip


@pytest.mark.parametrize("kind", ONCE)
@pytest.mark.parametrize(
    "options",
    [{}, {"maxsize": 5}, {"ttl": 9}, {"policy": "sieve", "maxsize": 5}, {"cache_if": bool}, {"maxsize": 0}],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_memory_memoizers_refuse_what_is_used_up_by_reading(kind, options):
    f = tc.mcache(**options)(ONCE[kind])
    with pytest.raises(CacheValueError, match="used twice"):
        f()


def test_what_can_be_read_again_is_kept(ran):
    f = tc.mcache(lambda kind: ran({"a": 1}.keys() if kind else range(3)))
    assert list(f(0)) == list(f(0)) == [0, 1, 2] and list(f(1)) == list(f(1)) == ["a"] and ran.n == 2


def test_an_iterator_from_a_store_is_new_at_each_hit(folder):
    for options in ({}, {"memory": 10}):
        f = tc.bcache(folder_name=folder, name=f"f{options}", **options)(lambda: iter([1, 2]))
        assert [list(f()) for _ in range(3)] == [[1, 2]] * 3
