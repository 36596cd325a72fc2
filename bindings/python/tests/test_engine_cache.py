"""``engine.cache(func)``: once for many callers, never on the loop, and never without a result."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import twat_cache as tc
from twat_cache import engines
from twat_cache.exceptions import CacheValueError, ConfigurationError, ResourceError, SerializationError

ENGINES = ["memory", "disk", "file"]


class Slow(engines.BaseCacheEngine):
    """A user's own, which waits."""

    def __init__(self, config):
        super().__init__(config)
        self.kept, self.threads = {}, set()

    def get(self, key):
        self.threads.add(threading.get_ident())
        time.sleep(0.05)
        return self.kept[key]

    def set(self, key, value, ttl=None):
        self.threads.add(threading.get_ident())
        time.sleep(0.05)
        self.kept[key] = value


def test_coroutines_ask_an_engine_that_waits_without_holding_the_loop(ran):
    engine = Slow(tc.CacheConfig())

    @engine.cache
    async def fetch(x):
        await asyncio.sleep(0)
        return ran([x])

    async def main():
        assert await asyncio.gather(*(fetch(1) for _ in range(20))) == [[1]] * 20
        assert await fetch(1) == [1]

    asyncio.run(main())
    assert ran.n == 1 and threading.get_ident() not in engine.threads
    assert engine.stats["hits"] + engine.stats["misses"] == 21


@pytest.mark.parametrize("name", ENGINES)
def test_threads_compute_once(name, folder, ran):
    with tc.engine_context(engine_name=name, folder_name=folder) as engine:

        @engine.cache
        def slow(x):
            time.sleep(0.05)
            return ran((x,))

        results = []
        threads = [threading.Thread(target=lambda: results.append(slow(1))) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert results == [(1,)] * 8 and ran.n == 1


@pytest.mark.parametrize("name", ENGINES)
def test_coroutines_compute_once(name, folder, ran):
    with tc.engine_context(engine_name=name, folder_name=folder) as engine:

        @engine.cache
        async def slow(x):
            await asyncio.sleep(0.02)
            return ran((x,))

        async def main():
            first = [asyncio.ensure_future(slow(1)) for _ in range(8)]
            await asyncio.sleep(0.019)
            late = [asyncio.ensure_future(slow(1)) for _ in range(8)]
            return await asyncio.gather(*first, *late)

        assert asyncio.run(main()) == [(1,)] * 16 and ran.n == 1


def test_a_look_up_that_came_too_early_finds_what_landed_meanwhile(ran):
    class Late(Slow):
        held, go = threading.Event(), threading.Event()

        def get(self, key):
            found = key in self.kept
            if ran.n == 0 and len(self.threads) and not self.held.is_set():
                self.held.set()
                self.go.wait(5)
            self.threads.add(object())
            if not found:
                raise KeyError(key)
            return self.kept[key]

    for kind in (False, True):
        ran.n = 0
        Late.held, Late.go = threading.Event(), threading.Event()
        engine = Late(tc.CacheConfig())
        if kind:

            @engine.cache
            async def fetch(x):
                while not Late.held.is_set():
                    await asyncio.sleep(0.001)
                return ran([x])

            async def main(fetch=fetch):
                first, second = asyncio.ensure_future(fetch(1)), asyncio.ensure_future(fetch(1))
                done, _ = await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
                Late.go.set()
                assert await first == await second == [1]

            asyncio.run(main())
        else:

            @engine.cache
            def plain(x):
                Late.held.wait(5)
                return ran([x])

            results = []
            threads = [threading.Thread(target=lambda f=plain: results.append(f(1))) for _ in range(2)]
            [t.start() for t in threads]
            while not results:
                time.sleep(0.001)
            Late.go.set()
            [t.join() for t in threads]
            assert results == [[1], [1]]
        assert ran.n == 1 and (engine.stats["hits"], engine.stats["misses"]) == (1, 1), kind


@pytest.mark.parametrize("name", ENGINES)
def test_after_cleanup_a_function_computes(name, folder, ran, caplog):
    with tc.engine_context(engine_name=name, folder_name=folder) as engine:
        f = engine.cache(lambda x: ran(x))

        @engine.cache
        async def later(x):
            return ran(x)

        assert f(1) == f(1) == 1 and ran.n == 1
    assert f(2) == 2 and f(3) == 3 and asyncio.run(later(4)) == 4 and ran.n == 4
    assert f(2) == 2 and ran.n == (4 if name == "memory" else 5)


def test_an_engine_that_fails_costs_the_store_never_the_result(ran, caplog):
    class Broken(engines.BaseCacheEngine):
        def get(self, key):
            raise ResourceError("no such luck")

        def set(self, key, value, ttl=None):
            raise ResourceError("no such luck")

    f = Broken(tc.CacheConfig()).cache(lambda x: ran(x))
    assert f(1) == f(1) == 1 and ran.n == 2 and caplog.text.count("no such luck") == 1


@pytest.mark.parametrize("name", ENGINES)
def test_what_cannot_be_kept_is_told(name, folder):
    with tc.engine_context(engine_name=name, folder_name=folder) as engine:
        with pytest.raises(ConfigurationError, match="generator"):

            @engine.cache
            def numbers():
                yield 1

        with pytest.raises(CacheValueError, match="generator"):
            engine.cache(lambda: (x for x in ()))()
        if name != "memory":
            with pytest.raises(SerializationError, match="lock"):
                engine.cache(lambda: threading.Lock())()
