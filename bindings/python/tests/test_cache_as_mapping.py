"""``Cache`` as a mapping that threads share and subclasses extend."""

from __future__ import annotations

import copy
import enum
import pickle
import threading

import pytest

import twat_cache as tc
from twat_cache.exceptions import ConfigurationError


@pytest.fixture(params=["memory", "disk", "file"])
def cache(request, folder):
    path = None if request.param == "memory" else folder
    with tc.Cache(request.param, path) as made:
        yield made


def test_setdefault_gives_all_callers_the_value_of_one(cache):
    gate = threading.Barrier(4)
    got = {}

    def work(me):
        for n in range(60):
            gate.wait(10)
            got[me, n] = cache.setdefault(("key", n), [me])

    threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert all(got[me, n] == cache["key", n] for me in range(4) for n in range(60))


def test_setdefault_is_that_of_a_dictionary(cache):
    assert cache.setdefault("a", 1) == 1 == cache.setdefault("a", 2) == cache["a"]
    assert cache.setdefault("none") is None and cache["none"] is None
    assert cache.setdefault("short", 1, ttl=0) == 1 and "short" not in cache
    cache.setdefault("tagged", 1, tag="t")
    assert cache.evict("t") and "tagged" not in cache


@pytest.mark.parametrize("tag", [5, b"text", 1.5, object(), ["a", 5], [None], "\ud800"])
def test_a_tag_of_a_wrong_kind_is_refused_as_such(tag, folder):
    with tc.Cache("disk", folder) as cache:
        for call in (
            lambda: cache.set("k", 1, tag=tag), lambda: cache.add("k", 1, tag=tag), lambda: cache.set_many({"k": 1}, tag=tag),
            lambda: cache.setdefault("k", 1, tag=tag), lambda: cache.evict(tag),
        ):  # fmt: skip
            with pytest.raises(ConfigurationError, match="tag: expected text"):
                call()
        assert "k" not in cache
        cache.set("k", 1, tag=("a", "b"))
        assert cache.evict("b") and "k" not in cache


class Named(tc.Cache):
    __slots__ = ("slot",)

    def __init__(self, name, *, folder):
        super().__init__("disk", folder)
        self.name, self.slot = name, [name]


def test_a_subclass_with_an_init_of_its_own_can_be_pickled_and_copied(folder):
    cache = Named("mine", folder=folder)
    cache["a"] = 1
    for other in (pickle.loads(pickle.dumps(cache)), copy.copy(cache), copy.deepcopy(cache)):
        assert type(other) is Named and (other.name, other.slot, other["a"]) == ("mine", ["mine"], 1)
        other.close()


class Number(enum.IntEnum):
    SEVEN = 7


class Mine(int):
    pass


class Words(str):
    pass


class Octets(bytes):
    pass


def test_keys_that_are_equal_in_a_dictionary_are_one_key(cache):
    for plain, like in [
        (7, Number.SEVEN), (77, Mine(77)), ("a", Words("a")), (b"b", Octets(b"b")), ((1, "x"), (Mine(1), Words("x"))),
        (("n", (7,)), ("n", (Number.SEVEN,))),
    ]:  # fmt: skip
        cache[like] = 1
        assert plain in cache and like in cache and {plain: 1} == {like: 1} and cache.pop(plain) == 1
    cache[True] = "true"
    assert 1 not in cache, "a truth value is none of the numbers"
