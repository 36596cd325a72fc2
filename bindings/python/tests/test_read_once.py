"""Results that are used up by reading: the second hit must not find them empty."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import csv
import dataclasses
import io
import itertools
import os
import tempfile
import threading
import time
import urllib.response

import attrs
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
    "pipe": lambda: os.popen("true"), "response": lambda: urllib.response.addinfo(io.BytesIO(), {}),
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


@dataclasses.dataclass
class Record:
    rows: object


Row = collections.namedtuple("Row", "rows")


@attrs.define
class Attributes:
    rows: object


HOLDERS = {
    "tuple": lambda once: (1, once), "list": lambda once: [1, once], "dict": lambda once: {"a": once}, "namedtuple": Row,
    "deque": lambda once: collections.deque([once]), "set": lambda once: {once}, "dataclass": Record, "attrs": Attributes,
    "ordered": lambda once: collections.OrderedDict(a=once), "deeper": lambda once: {"a": [Record((once,))]},
    "late": lambda once: [*range(900), once],
}  # fmt: skip


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("options", [{}, {"maxsize": 5}, {"ttl": 9}, {"cache_if": bool}], ids=str)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_is_used_up_inside_a_result_is_refused(holder, options):
    for kind in ("map", "generator", "file", "reader"):
        if holder == "set" and kind == "reader":
            continue
        f = tc.mcache(**options)(lambda kind=kind: HOLDERS[holder](ONCE[kind]()))
        with pytest.raises(CacheValueError, match="used twice"):
            f()


def test_results_that_hold_what_can_be_read_again_are_kept(ran):
    ring = []
    ring.append(ring)
    results = [(1, "a", [2.5, {"k": {3}}]), {"a": range(3)}, Record([1]), Row({"x": None}.keys()), ring, [[]] * 5_000]
    for result in results:
        f = tc.mcache(lambda it=result: ran(it))
        assert f() is f() is result
    assert ran.n == len(results)


def test_threads_that_wait_for_an_iterator_have_one_each(folder):
    begun, out = threading.Event(), []

    @tc.bcache(folder_name=folder)
    def f():
        begun.set()
        time.sleep(0.2)
        return (iter([1, 2]), 3)

    def call():
        out.append(list(f()[0]))

    first = threading.Thread(target=call)
    first.start()
    assert begun.wait(9)
    others = [threading.Thread(target=call) for _ in range(3)]
    for thread in others:
        thread.start()
    for thread in (first, *others):
        thread.join(20)
    assert out == [[1, 2]] * 4


def test_tasks_that_wait_for_an_iterator_have_one_each(folder):
    @tc.bcache(folder_name=folder)
    async def f():
        await asyncio.sleep(0.05)
        return iter([1, 2])

    async def main():
        return [list(it) for it in await asyncio.gather(f(), f(), f())]

    assert asyncio.run(main()) == [[1, 2]] * 3


def test_a_memory_before_a_store_keeps_nothing_that_is_used_up(folder):
    f = tc.bcache(folder_name=folder, memory=10)(lambda: {"rows": iter([1, 2])})
    assert [list(f()["rows"]) for _ in range(4)] == [[1, 2]] * 4
