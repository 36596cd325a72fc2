"""What programs that were written for twat-cache 2.x import, call and expect."""

from __future__ import annotations

import asyncio
import importlib
import math
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Awaitable

import pytest

import twat_cache as tc
from twat_cache import backend_selector as bs
from twat_cache import engines
from twat_cache.exceptions import ConfigurationError

NAMES = {
    "hybrid_cache": "hybrid_cache smart_cache",
    "engines.aiocache": "AioCacheEngine",
    "engines.cachebox": "CacheBoxEngine",
    "engines.cachetools": "CacheToolsEngine",
    "engines.diskcache": "DiskCacheEngine",
    "engines.functools": "FunctoolsCacheEngine FunctoolsEngine",
    "engines.functools_engine": "FunctoolsCacheEngine FunctoolsEngine",
    "engines.joblib": "JoblibEngine",
    "engines.klepto": "KleptoEngine",
    "engines.redis": "RedisCacheEngine RedisEngine",
    "engines.engines": "get_engine_manager MemoryEngine",
    "engines.base": "BaseCacheEngine CacheEngine is_package_available",
    "engines": "FunctoolsEngine FunctoolsCacheEngine",
    "decorators": "CacheDecorator AsyncCacheDecorator get_cache_dir _create_engine make_key",
    "utils": "make_key get_cache_dir",
    "type_defs": "T CacheConfig CacheStats CacheEngine",
    "config": "EvictionPolicy",
    "logging": "LOG_LEVEL",
    "cache": "_active_caches",
    "backend_selector": """TYPE_TO_BACKEND SIZE_TO_BACKEND ALTERNATIVE_BACKENDS PERSISTENCE_TO_BACKEND ACCESS_TO_BACKEND
        CONCURRENCY_TO_BACKEND SIZE_THRESHOLDS""",
    "__main__": "get_cache_path",
}


@pytest.mark.parametrize("module", NAMES)
def test_modules_and_names(module):
    loaded = importlib.import_module(f"twat_cache.{module}")
    for name in NAMES[module].split():
        assert hasattr(loaded, name), name


def test_the_module_hybrid_cache_does_not_hide_the_decorator():
    code = """if True:
        from twat_cache.hybrid_cache import hybrid_cache as one, smart_cache
        import twat_cache.hybrid_cache
        from twat_cache import hybrid_cache
        assert one is hybrid_cache is twat_cache.hybrid_cache and hybrid_cache()(lambda: 1)() == 1
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


# Engines and contexts


@pytest.mark.parametrize("name", ["diskcache", "functools", "joblib", "memory", None])
def test_a_miss_of_a_context_is_none_or_the_default(name, folder):
    options = {} if name in ("functools", "memory", None) else {"folder_name": folder}
    for maker in (tc.CacheContext, tc.engine_context):
        with maker(engine_name=name, **options) as cache:
            cached = cache.get("key")
            if not cached:
                cache.set("key", [1])
            assert cached is None and cache.get("key") == [1] and cache.get("other", 5) == 5
            cache.clear()
    engine = tc.get_or_create_engine(engine_name=name, **options)
    assert engine.get("key") is None and engine.get("key", default=7) == 7
    engine.cleanup()


@pytest.mark.parametrize("name", ["memory", "disk", "file"])
def test_what_a_context_gives_can_do_all_that_a_cache_can(name, folder):
    with tc.CacheContext(engine_name=name, folder_name=folder) as cache:
        cache["a"] = 1
        assert cache["a"] == 1 and "a" in cache and "b" not in cache and len(cache) == 1 and bool(cache)
        with pytest.raises(KeyError):
            cache["b"]
        with pytest.raises(KeyError):
            del cache["b"]
        assert cache.add("b", 2) and not cache.add("b", 3) and cache["b"] == 2
        assert cache.incr("n") == 1 and cache.incr("n", 4) == 5 and cache.decr("n") == 4 == cache["n"]
        assert cache.setdefault("c", 3) == 3 == cache.setdefault("c", 4)
        assert cache.pop("c") == 3 and cache.pop("c", None) is None
        with pytest.raises(KeyError):
            cache.pop("c")
        cache.set_many({"x": 1, "y": 2})
        cache.update({"z": 3})
        assert cache.get_many(["x", "y", "none"]) == {"x": 1, "y": 2} and cache.delete_many(["x", "none"]) == 1
        assert set(cache) == {"a", "b", "n", "y", "z"} == set(cache.keys()) and ("z", 3) in cache.items()
        assert 3 in cache.values() and list(cache.iterkeys("z")) == ["z"]
        cache.set("t", 1, expire=0.05)
        cache.set("u", 1, ttl=0.05)
        cache.set("v", 1, expire=math.inf)
        assert cache.touch("a", 60) and not cache.touch("none", 60)
        time.sleep(0.07)
        assert "t" not in cache and "u" not in cache and "v" in cache
        cache.expire()
        with pytest.raises(ConfigurationError, match="expire"):
            cache.set("w", 1, ttl=1, expire=1)
        cache.set("w", 1, tag="group")
        assert cache.evict("group") and "w" not in cache and not cache.evict("nothing")
        assert cache.volume() >= 0 and cache.info()["engine"] == name
        stats = cache.stats
        assert stats["size"] == len(cache) and stats["uptime"] >= 0 and stats["policy"] == "lru"
        assert (stats["path"] is None) == (name == "memory")
        assert cache._make_key(len, (1,), {}) == cache._make_key(len, (1,), {}) != cache._make_key(len, (2,), {})
        assert cache._get_cached_value("a") == 1 and cache._cache is not None
        cache._set_cached_value("q", 9)
        with pytest.raises(KeyError):
            cache._get_cached_value("none")
        assert cache.popitem()[0] not in cache

        async def coroutines():
            await cache.aset("async", 1, ttl=60)
            await cache.aset_many({"more": 2})
            assert await cache.aget("async") == 1 and await cache.aget("none", 3) == 3
            assert await cache.aget_many(["async", "more"]) == {"async": 1, "more": 2}
            assert await cache.adelete("async") and not await cache.adelete("async")
            await cache.aclear()
            assert len(cache) == 0

        asyncio.run(coroutines())


class Old(engines.BaseCacheEngine):
    def __init__(self, config):
        super().__init__(config)
        self.data = {}


class WithOldNames(Old):
    def _get_cached_value(self, key):
        return self.data[key]

    def _set_cached_value(self, key, value):
        self.data[key] = value


class WithNoneForAMiss(Old):
    def _get_cached_value(self, key):
        return self.data.get(key)

    def _set_cached_value(self, key, value):
        self.data[key] = value


class WithGetOfOneArgument(Old):
    def get(self, key):
        return self.data.get(key)

    def set(self, key, value):
        self.data[key] = value


class WithGetThatRaises(Old):
    def get(self, key):
        return self.data[key]

    def set(self, key, value, ttl=None):
        self.data[key] = value


class WithDefault(Old):
    def get(self, key, default=None):
        return self.data.get(key, default)

    def set(self, key, value, ttl=None):
        self.data[key] = value


@pytest.mark.parametrize("kind", [WithOldNames, WithNoneForAMiss, WithGetOfOneArgument, WithGetThatRaises, WithDefault])
def test_engines_of_ones_own_in_every_form(kind, ran):
    engine = kind(tc.CacheConfig())
    f = engine.cache(lambda x: ran([x]))
    assert f(1) == f(1) == [1] and ran.n == 1
    none = engine.cache(lambda: ran(None))
    none(), none()
    assert ran.n in (2, 3), "None may be a miss, where a miss is None"
    if "get" not in vars(kind):
        assert engine.get("none") is None and engine.get("none", 5) == 5
    engine.set("k", 1)
    assert engine["k"] == 1 and "k" in engine and "none" not in engine and engine._get_cached_value("k") == 1
    assert engine.stats["path"] is None and engine.stats["uptime"] >= 0
    assert asyncio.run(engine.aget("k")) == 1
    with pytest.raises(KeyError):
        engine["none"]
    with pytest.raises(NotImplementedError):
        Old(tc.CacheConfig()).get("k")
    with pytest.raises(NotImplementedError):
        Old(tc.CacheConfig()).set("k", 1)


def test_the_manager_knows_the_old_names():
    manager = engines.get_engine_manager()
    assert manager.get_engine("no_such") is None
    for name in ("functools", "cachetools", "cachebox", "aiocache", "diskcache", "klepto", "joblib"):
        assert name in engines.get_available_engines() and name in manager.list_engines()
    assert isinstance(manager.create_engine_instance(tc.CacheConfig(maxsize=5)), engines.MemoryEngine)
    assert tc.decorators._create_engine(tc.CacheConfig(maxsize=5)).get("k") is None


def test_answers_equal_the_old_names_of_the_same_engine():
    answer = tc.select_backend_for_data(data=[1])
    assert (
        answer == "memory" and answer == "cachetools" and "functools" == answer and answer in ("cachetools", "klepto")
    )
    assert answer != "diskcache" and answer != 5 and {answer: 1}["memory"] == 1 and isinstance(answer, str)
    assert (
        bs.get_type_based_backend("numpy.ndarray") == "joblib"
        and tc.configure_for_json().preferred_engine == "diskcache"
    )
    assert bs.get_available_backend("klepto") == "diskcache" and bs.SIZE_TO_BACKEND[tc.DataSize.SMALL] == "cachetools"
    assert tc.decorators._select_best_backend() == "cachetools"
    assert bs.TYPE_TO_BACKEND[int] == "cachetools" and bs.TYPE_TO_BACKEND["numpy.ndarray"] == "joblib"
    assert bs.TYPE_TO_BACKEND[object] == "klepto" and bs.get_type_based_backend(Awaitable) == "aiocache"
    assert all(bs.is_backend_available(name) for name in bs.ALTERNATIVE_BACKENDS["cachetools"])
    assert bs.SIZE_THRESHOLDS[tc.DataSize.MEDIUM] == 1 << 20


def test_selection_and_its_configurations():
    assert tc.select_backend_for_data(config=tc.CacheConfig(use_sql=True)) == "disk"
    size = bs.estimate_data_size([1, 2, 3])
    assert size == tc.DataSize.SMALL and tc.DataSize.SMALL == size and size > 50 and size != tc.DataSize.LARGE
    assert isinstance(size, int) and size == int(size) and bs.estimate_data_size(b"x" * 2_000_000) == tc.DataSize.LARGE

    def f() -> list[int]: ...

    assert bs.analyze_function_return_type(f) == list[int] and bs.get_type_based_backend(list[int]) == "memory"
    assert tc.smart_cache_config(f).preferred_engine == "cachetools" and tc.smart_cache_config(f, ttl=5)["ttl"] == 5
    assert tc.configure_for_images().folder_name and tc.configure_for_json().folder_name
    for package, configure in (("numpy", tc.configure_for_numpy), ("pandas", tc.configure_for_pandas)):
        pytest.importorskip(package)
        assert configure().folder_name == f"{package}_cache" and configure(folder_name="x").folder_name == "x"
    assert tc.configure_for_type("numpy.ndarray").folder_name == "ndarray_cache"
    assert tc.configure_for_type(int).folder_name is None


# Decorators


@pytest.mark.parametrize("deco", [tc.bcache, tc.fcache], ids=lambda deco: deco.__name__)
def test_a_small_maxsize_counts_entries_and_a_large_one_bytes(deco, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few = deco(folder_name=str(tmp_path / "few"), maxsize=100)(lambda x: x)
    for i in range(150):
        few(i)
    assert 0 < few.cache_info().currsize <= 100 and few.cache_info().maxsize == 100
    size = 5_000_000 + len(deco.__name__)
    with pytest.warns(UserWarning, match=f"max_bytes={size}.*max_entries={size}"):
        deco(folder_name=str(tmp_path / "large"), maxsize=size)(lambda x: x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        deco(folder_name=str(tmp_path / "large"), maxsize=size)(lambda x: x)  # once
    assert deco(maxsize=0)(lambda: [1])() == [1]


@pytest.mark.parametrize(
    "config", [tc.CacheConfig(maxsize=3, ttl=50), {"maxsize": 3, "ttl": 50}], ids=["object", "dict"]
)
def test_every_decorator_takes_a_configuration(config, tmp_path):
    stored = {"config": config, "folder_name": str(tmp_path / "store")}
    for deco in (tc.mcache(config=config), tc.ucache(config=config), tc.cache(config=config), tc.cache(config)):
        f = deco(lambda x: [x])
        assert f(1) is f(1) and f.cache_info().maxsize == 3 and f.cache_parameters()["ttl"] == 50
        assert deco(lambda x: x).cache_parameters()["ttl"] == 50
    assert tc.mcache(2, config=config)(lambda x: x).cache_info().maxsize == 2, "what the code says goes first"
    for deco in (tc.bcache(**stored), tc.fcache(config=config, folder_name=str(tmp_path / "files"))):
        f = deco(lambda x: [x])
        assert f(1) == f(1) == [1] and f.cache_info().hits == 1 and f.cache_parameters()["ttl"] == 50

    @tc.acache(config=config)
    async def fetch(x):
        return [x]

    assert asyncio.run(fetch(1)) == [1] and fetch.cache_info().maxsize == 3
    for i, deco in enumerate((tc.hybrid_cache, tc.smart_cache)):
        f = deco(config=config, name=f"configured {i} {type(config)}")(lambda x: [x])
        assert f(1) == f(1) == [1] and f.cache_info().hits == 1


def test_what_the_configuration_functions_give_goes_into_every_decorator():
    hybrid, smart = tc.hybrid_cache_config(size_threshold=1000), tc.smart_cache_config()
    for i, config in enumerate((hybrid, smart)):
        for deco in (tc.mcache, tc.ucache, tc.cache, tc.hybrid_cache, tc.smart_cache, tc.bcache, tc.fcache):
            f = deco(config=config, name=f"{deco.__name__} of 2.x {i}")(lambda n: list(range(n)))
            assert f(3) == f(3) == [0, 1, 2]
    f = tc.hybrid_cache(config=hybrid)(lambda n: list(range(n)))
    assert f(3) is f(3) and f(1000) is not f(1000) == f(1000)


def test_hybrid_cache_takes_names_of_engines():
    assert tc.hybrid_cache(small_result_engine="cachetools", large_result_engine="diskcache")(lambda: [1])() == [1]
    files = tc.hybrid_cache(large_result_engine="joblib", size_threshold=100)(lambda n: bytes(n))
    assert files(1000) == files(1000) and files.cache_parameters()["engine"] == "file"
    stored = tc.hybrid_cache(small_result_engine="diskcache")(lambda: [1])
    assert stored() == stored() and stored() is not stored()
    live = tc.hybrid_cache(large_result_engine="memory", size_threshold=10)(lambda: list(range(100)))
    assert live() is live()
    with pytest.raises(tc.EngineError, match="large_result_engine"):
        tc.hybrid_cache(large_result_engine="tape")(lambda: 1)


# Helpers


def test_stores_are_cleared_by_folder_and_directory(tmp_path, ran):
    f = tc.cache(folder_name="mine", cache_dir=str(tmp_path), cache_type="disk")(lambda: ran([1]))
    g = tc.cache(folder_name="other", cache_dir=str(tmp_path), cache_type="disk")(lambda: ran([1]))
    f(), g()
    tc.clear_cache(folder_name="mine", cache_dir=tmp_path)
    assert f() == [1] and ran.n == 3 and g() == [1] and ran.n == 3
    tc.clear_cache(cache_dir=tmp_path)
    assert f() == g() == [1] and ran.n == 5
    with tc.Cache("disk", tmp_path / "closed") as cache:
        cache["a"] = 1
    tc.clear_cache(folder_name=str(tmp_path / "closed"))
    assert not (tmp_path / "closed").exists() and (tmp_path / "mine").exists()


def test_statistics_are_a_named_tuple():
    from twat_cache.cache import CacheStats, get_stats, register_cache, update_stats

    assert CacheStats(1, 2, 3, 4) == (1, 2, 3, 4) and CacheStats().maxsize is None
    hits, misses, _, _ = CacheStats(hits=5)
    assert (hits, misses) == (5, 0)
    register_cache("of 2.x", {}, None, CacheStats(maxsize=5))
    update_stats("of 2.x", hit=True)
    update_stats("of 2.x", miss=True, size=2)
    assert get_stats("of 2.x")["hits"] == 1 == get_stats("of 2.x")["misses"] and get_stats("of 2.x")["size"] == 2
    tc.clear_cache("of 2.x")
    assert get_stats("of 2.x")["hits"] == 0


def test_small_helpers(tmp_path):
    from twat_cache import paths, utils

    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="expected a directory"):
        paths.validate_cache_path(tmp_path / "file")
    with pytest.raises(tc.PathError):
        paths.validate_cache_path(tmp_path / "file")
    assert utils.safe_key_serializer({"b", "a"}) == '["a", "b"]' == utils.safe_key_serializer(frozenset("ab"))
    assert utils.make_key(None, 1) == "[[1], {}]"
    assert utils.get_cache_dir("made").is_dir() and utils.get_cache_dir() == tc.get_cache_path()


def test_an_argument_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("TWAT_CACHE_MAXSIZE", "7")
    assert tc.mcache(maxsize=3)(lambda x: x).cache_info().maxsize == 3
    assert tc.mcache()(lambda x: x).cache_info().maxsize == 7
