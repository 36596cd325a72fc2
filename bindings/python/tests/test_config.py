"""Configuration, its precedence, the selector's tables, contexts, engines, statuses."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import subprocess
import sys
import threading

import pytest

import twat_cache as tc
from twat_cache import backend_selector as bs
from twat_cache import engines
from twat_cache._ffi import abi
from twat_cache._ffi import status as _status
from twat_cache.exceptions import ConfigurationError, EngineError, EngineNotAvailableError

ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_environment_and_file_reach_every_decorator_and_the_code_goes_before_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWAT_CACHE_POLICY", "fifo")
    monkeypatch.setenv("TWAT_CACHE_TTL", "60")
    (tmp_path / "twat_cache.toml").write_text('policy = "mru"\nmaxsize = 7\n')

    async def later(x):
        return x

    for n, deco in enumerate((tc.mcache, tc.bcache, tc.fcache, tc.acache, tc.ucache, tc.cache)):
        func = later if deco is tc.acache else lambda x: x
        shown = deco(name=f"outside{n}")(func).cache_parameters()
        assert (shown["policy"], shown["ttl"]) == ("fifo", 60), deco
        said = deco(name=f"said{n}", ttl=5, **({} if deco is tc.fcache else {"policy": "lru"}))(func)
        shown = said.cache_parameters()
        assert shown["ttl"] == 5 and shown["policy"] == ("fifo" if deco is tc.fcache else "lru"), deco
    if importlib.util.find_spec("tomllib") or importlib.util.find_spec("tomli"):
        assert tc.mcache(lambda x: x).cache_info().maxsize == 7
    assert tc.mcache(maxsize=3, ttl=float("inf"))(lambda x: x).cache_parameters()["ttl"] is None
    assert tc.mcache(maxsize=3)(lambda x: x).cache_info().maxsize == 3


@pytest.mark.parametrize(
    "text",
    [
        "[tool.twat_cache]\nmaxsize = 13", " [ tool . 'twat_cache' ]\nmaxsize = 13", "[tool]\ntwat_cache = {maxsize = 13}",
        "[tool]\ntwat_cache.maxsize = 13", "tool.twat_cache.maxsize = 13", '["tool"."twat_cache"]\nmaxsize = 13',
    ],
)  # fmt: skip
def test_every_way_to_write_the_table_is_read(text, tmp_path, monkeypatch):
    if not (importlib.util.find_spec("tomllib") or importlib.util.find_spec("tomli")):
        pytest.skip("needs Python 3.11 or tomli to read TOML")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(text)
    assert tc.CacheConfig().maxsize == 13


@pytest.mark.parametrize("policy", ["sieve", "tinylfu", "s3fifo", "none", "ttl", "lfu"])
def test_a_policy_from_outside_that_an_engine_refuses_is_told_and_left_out(policy, monkeypatch, caplog, folder):
    monkeypatch.setenv("TWAT_CACHE_POLICY", policy)
    refused = {tc.mcache: ("tinylfu", "ttl"), tc.bcache: ("sieve", "tinylfu", "s3fifo", "ttl")}
    for deco, names in refused.items():
        with caplog.at_level(logging.WARNING, "twat_cache"):
            f = deco(name=f"{deco.__name__}-{policy}")(lambda x: x)
        assert f(1) == f(1) == 1 and f.cache_info().hits == 1
        assert f.cache_parameters()["policy"] == ("lru" if policy in names else policy), deco
    with pytest.raises(ConfigurationError, match="policy"):
        tc.bcache(folder_name=folder, policy="sieve")(lambda x: x)
    one = tc.bcache(folder_name=folder, policy="rr", name="one")(lambda x: x)
    assert tc.bcache(folder_name=folder, name="two")(lambda x: x).cache_parameters()["policy"] == "rr"
    assert one(1) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"maxsize": -1}, {"maxsize": 0}, {"maxsize": True}, {"ttl": -1}, {"ttl": "x"}, {"policy": "lruu"}, {"policy": 1},
        {"redis_port": 0}, {"redis_port": 65536}, {"redis_db": -1}, {"no_such": 1}, {"compression_level": 10},
        {"cache_type": "tape"}, {"secure": 1}, {"use_sql": "yes"}, {"max_bytes": 5}, {"folder_name": 5},
        {"serializer": "yaml"}, {"dir_permissions": 0o70000},
    ],
)  # fmt: skip
def test_every_wrong_field_is_told_by_its_name(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))) as caught:
        tc.create_cache_config(**wrong)
    assert isinstance(caught.value, ValueError)


def test_a_misspelt_field_gets_the_nearest_one():
    with pytest.raises(ConfigurationError, match="did you mean 'maxsize'"):
        tc.CacheConfig(maxsiz=1)
    config = tc.CacheConfig()
    with pytest.raises(ConfigurationError):
        config.maxsize = -5
    with pytest.raises(ConfigurationError):
        config.nothing = 1


def test_round_trip_and_secrets():
    config = tc.CacheConfig(maxsize=5, ttl=1.5, redis_password="secret", redis_url="redis://:secret@h")
    assert tc.CacheConfig.from_dict(config.to_dict()) == config == tc.CacheConfig(**config.model_dump())
    assert "secret" not in repr(config) and config.validate_config()
    assert (config.get_maxsize(), config.get_redis_password(), config.get_use_sql()) == (5, "secret", False)
    assert (config.get_folder_name(), config.get_preferred_engine(), config.get_cache_type()) == (None, None, None)
    assert (config.get_redis_host(), config.get_redis_port(), config.get_redis_db()) == ("localhost", 6379, 0)
    open_to_all = tc.CacheConfig(secure=False)
    assert (open_to_all.dir_permissions, open_to_all.file_permissions) == (0o755, 0o644)


def test_precedence_arguments_environment_file_defaults(tmp_path, monkeypatch, caplog):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.twat_cache]\nmaxsize = 11\nredis_port = 7000\nttl = 5\npolicy = "wrong"\nnothing_like_it = 1\n'
    )
    monkeypatch.chdir(inner)
    monkeypatch.setenv("TWAT_CACHE_REDIS_PORT", "7001")
    monkeypatch.setenv("TWAT_CACHE_TTL", "soon")
    monkeypatch.setenv("TWAT_CACHE_MAX_BYTES", "1000000")
    has_toml = any(importlib.util.find_spec(name) for name in ("tomllib", "tomli"))
    with caplog.at_level(logging.WARNING, "twat_cache"):
        config = tc.CacheConfig()
    assert config.maxsize == (11 if has_toml else None) and config.redis_port == 7001
    assert config.ttl == (5 if has_toml else None)
    assert config.policy == "lru" and config.max_bytes == 1_000_000
    assert "TWAT_CACHE_TTL" in caplog.text and (not has_toml or "nothing_like_it" in caplog.text)
    assert tc.CacheConfig(redis_port=7002, maxsize=1).redis_port == 7002
    (inner / "twat_cache.toml").write_text("maxsize = 12\n")
    assert tc.CacheConfig().maxsize == (12 if has_toml else None)
    (inner / "twat_cache.toml").write_text("not toml [")
    assert tc.CacheConfig().maxsize in (11, 12, None)
    f = tc.bcache(folder_name=str(tmp_path / "store"), max_bytes=2_000_000)(lambda: 1)
    assert f() == 1 and f.cache.store.stats()["max_bytes"] == 2_000_000
    g = tc.bcache(folder_name=str(tmp_path / "store2"))(lambda: 1)
    assert g.cache.store.stats()["max_bytes"] == 1_000_000


def test_the_cache_directory_comes_from_the_environment(tmp_path):
    code = "import twat_cache as tc; f = tc.bcache(lambda: 1); f(); print(f.cache_parameters()['folder'])"
    env = {**ENV, "TWAT_CACHE_DIR": str(tmp_path)}
    out = subprocess.check_output([sys.executable, "-c", code], env=env, text=True).strip()
    assert out.startswith(str(tmp_path / "twat_cache")) and os.path.isdir(out)


def test_logging_is_silent_until_it_is_asked(tmp_path):
    code = "from twat_cache.logging import logger; logger.warning('heard'); import twat_cache as tc; tc.ucache(preferred_engine='zzz')(lambda: 1)"
    quiet = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True, text=True, check=True)
    assert quiet.stderr == "" == quiet.stdout
    loud = subprocess.run(
        [sys.executable, "-c", code], env={**ENV, "TWAT_CACHE_LOG_LEVEL": "info"}, capture_output=True, text=True
    )
    assert "heard" in loud.stderr and "zzz" in loud.stderr
    env = {**ENV, "TWAT_CACHE_LOG_FILE": "1", "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert "heard" in (tmp_path / "logs" / "twat_cache.log").read_text()


# The selector


@pytest.mark.parametrize(
    "given, expected",
    [
        ({}, "memory"), ({"data": 1}, "memory"), ({"data": b"x" * 5_000_000}, "disk"), ({"data_type": "numpy.ndarray"}, "file"),
        ({"data_type": dict}, "memory"), ({"size": 1000}, "memory"), ({"size": 50 << 20}, "disk"), ({"size": 200 << 20}, "file"),
        ({"size": bs.DataSize.VERY_LARGE}, "file"), ({"persistence": "long_term"}, "disk"), ({"persistence": bs.DataPersistence.EPHEMERAL}, "memory"),
        ({"concurrency": "multi_process"}, "disk"), ({"concurrency": bs.ConcurrencyLevel.DISTRIBUTED}, "redis"),
        ({"data_type": "image"}, "disk"), ({"data": object()}, "disk"), ({"concurrency": "multi_thread"}, "memory"),
        ({"config": tc.CacheConfig(preferred_engine="joblib"), "data": 1}, "file"),
    ],
)  # fmt: skip
def test_the_selectors_table(given, expected):
    assert bs.select_backend_for_data(**given) == expected


def test_access_patterns_are_policies():
    for pattern, policy in (("random", "rr"), ("frequency", "lfu"), ("temporal", "lru")):
        config = tc.CacheConfig()
        bs.select_backend_for_data(access_pattern=pattern, config=config)
        assert config.policy == policy
    config = tc.CacheConfig(policy="fifo")
    bs.select_backend_for_data(access_pattern="random", config=config)
    assert config.policy == "fifo"


def test_types_sizes_and_return_annotations():
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")

    class CustomClass:
        pass

    names = [bs.detect_result_type(x) for x in (1, np.ones(1), pd.DataFrame(), CustomClass(), None)]
    assert names == ["int", "numpy.ndarray", "pandas.DataFrame", "CustomClass", "NoneType"]
    assert bs.get_type_based_backend(np.ndarray) == "file" and bs.get_type_based_backend(CustomClass) == "disk"
    assert bs.get_type_based_backend(type("D", (dict,), {})) == "memory"

    def f() -> list[int]: ...

    assert bs.analyze_function_return_type(f) == list[int] and bs.analyze_function_return_type(lambda: 1) is None
    assert bs.estimate_data_size(np.ones(1000)) == 8000 and bs.estimate_data_size([b"x" * 1000] * 1000) > 1_000_000
    loop = []
    loop.append(loop)
    assert bs.estimate_data_size(loop) > 0
    assert [bs.size_class(n).value for n in (0, 10 << 10, 1 << 20, 100 << 20)] == [
        "small",
        "medium",
        "large",
        "very_large",
    ]
    assert bs.is_backend_available("diskcache") and not bs.is_backend_available("tape")
    assert bs.get_available_backend("joblib") == "file" and bs.get_available_backend("tape", needs_disk=True) == "disk"


def test_ready_made_configurations():
    pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert tc.configure_for_numpy().preferred_engine == "file" and tc.configure_for_numpy(ttl=5).ttl == 5
    assert tc.configure_for_pandas().preferred_engine == "file" and tc.configure_for_images().preferred_engine == "disk"
    assert tc.configure_for_json().compress and tc.configure_for_type(int).preferred_engine == "memory"
    assert tc.hybrid_cache_config(size_threshold=5) == {
        "small_result_engine": "memory", "large_result_engine": "disk", "size_threshold": 5,
    }  # fmt: skip
    assert tc.smart_cache_config().cache_type == "auto"


# Engines and contexts


def test_the_manager_knows_names_and_aliases():
    manager = engines.get_engine_manager()
    assert manager is engines.get_engine_manager() and {"memory", "disk", "file"} <= set(
        engines.get_available_engines()
    )
    assert manager.get_engine("diskcache") is engines.DiskEngine is engines.KleptoEngine
    assert manager.get_engine("aiocache") is engines.MemoryEngine and "redis" in manager.list_engines()
    assert manager.get_engine("no_such") is None
    with pytest.raises(EngineError, match="no_such"):
        manager.make(tc.CacheConfig(), "no_such")
    with pytest.raises(EngineError, match="BaseCacheEngine"):
        manager.register_engine("x", dict)
    assert manager.select_engine(tc.CacheConfig(folder_name="x")) is engines.DiskEngine
    assert manager.select_engine(tc.CacheConfig(), "joblib") is engines.FileEngine
    assert engines.is_package_available("json") and not engines.is_package_available("no_such_package_at_all")
    assert engines.RedisEngine.is_available() in (True, False)


@pytest.mark.parametrize("name", ["memory", "disk", "file"])
def test_an_engine_does_what_its_contract_says(name, folder, ran):
    with tc.engine_context(engine_name=name, folder_name=folder, maxsize=100, ttl=60) as engine:
        assert engine.name == name
        assert engine.get("a") is None
        with pytest.raises(KeyError):
            engine["a"]
        engine.set("a", (1, [2]))
        engine.set(("x", 1), None)
        engine.set([1, 2], "by its form")
        assert engine.get("a") == (1, [2]) and engine.get(("x", 1)) is None and engine.get([1, 2]) == "by its form"
        assert engine.get("zz", 5) == 5
        assert engine.delete("a") and not engine.delete("a")
        f = engine.cache(lambda x, y=1: ran(x + y))
        assert f(1) == f(1, y=1) == 2 and ran.n == 1

        @engine.cache
        async def later(x):
            return ran(x)

        assert asyncio.run(later(1)) == asyncio.run(later(1)) == 1 and ran.n == 2
        assert engine.stats["hits"] >= 2 and engine.stats["maxsize"] == 100
        engine.clear()
        assert engine.stats["size"] == 0
    engine.cleanup()


def test_contexts_nest_repeat_and_leave_the_users_errors_alone(caplog):
    context = tc.CacheContext(maxsize=3)
    with context as outer:
        outer.set("k", 1)
        with context as inner:
            assert context.engine is inner is not outer
            assert inner.get("k") is None
        assert context.engine is outer and outer.get("k") == 1
    assert context.engine is None

    class Failing(engines.BaseCacheEngine):
        cleaned = 0

        def cleanup(self):
            Failing.cleaned += 1
            raise OSError("cleanup")

    engines.get_engine_manager().register_engine("failing", Failing)
    with caplog.at_level(logging.ERROR, "twat_cache"), pytest.raises(ZeroDivisionError):
        with tc.CacheContext(engine_name="failing"):
            1 / 0  # noqa: B018
    assert Failing.cleaned == 1 and "cleanup" in caplog.text

    async def main():
        async with tc.CacheContext(engine_name="memory") as engine:
            engine.set("a", 1)
            assert engine.get("a") == 1

    asyncio.run(main())
    with pytest.raises(ConfigurationError):
        tc.CacheContext(config=5)
    with pytest.raises(ConfigurationError, match="no_such"):
        tc.CacheContext(no_such=1)


def test_a_user_engine_that_is_not_available():
    class Never(engines.BaseCacheEngine):
        @classmethod
        def is_available(cls):
            return False

    engines.get_engine_manager().register_engine("never", Never)
    with pytest.raises(EngineNotAvailableError, match="never"), tc.engine_context(engine_name="never"):
        pass
    assert "never" not in engines.get_available_engines()


# The registry


def test_a_server_that_is_down_does_not_keep_other_caches_from_being_cleared(monkeypatch, ran):
    monkeypatch.setenv("TWAT_CACHE_REDIS_PORT", "1")
    far = tc.bcache(engine="redis", name="far")(lambda x: x)
    near = tc.mcache(lambda x: ran(x))
    assert far(1) == near(1) == 1
    with pytest.raises(tc.EngineNotAvailableError):
        tc.clear_cache()
    assert near(1) == 1 and ran.n == 2


def test_clearing_and_figures_by_name(folder):
    folder += "-of-its-own"

    @tc.mcache(name="the only one")
    def one(x):
        return x

    @tc.bcache(folder_name=folder)
    def two(x):
        return x

    one(1), one(1), two(1), two(1), two(2)
    assert tc.get_stats("the only one")["hits"] == 1 and tc.get_stats("two")["misses"] == 2
    assert tc.get_stats(os.path.basename(folder))["hits"] == 1
    tc.clear_cache("two")
    assert two.cache_info().currsize == 0 and one.cache_info().currsize == 1
    assert tc.get_stats("nobody") == {
        "total_caches": 0,
        "hits": 0,
        "misses": 0,
        "size": 0,
        "maxsize": 0,
        "hit_ratio": 0.0,
    }


# Statuses


@pytest.mark.parametrize(
    "status, opening, expected",
    [
        (abi.E_ARG, True, tc.ConfigurationError), (abi.E_CONFIG, True, tc.ConfigurationError), (abi.E_ARG, False, tc.CacheValueError),
        (abi.E_NOMEM, False, MemoryError), (abi.E_IO, False, tc.ResourceError), (abi.E_FULL, False, tc.ResourceError),
        (abi.E_BUSY, False, tc.ResourceError), (abi.E_TOO_LARGE, False, tc.CacheValueError),
        (abi.E_CORRUPT, False, tc.CacheOperationError), (abi.E_VERSION, False, tc.CacheOperationError),
        (abi.E_UNSUPPORTED, False, tc.CacheOperationError), (abi.E_UNAVAILABLE, False, tc.EngineNotAvailableError),
        (abi.E_CLOSED, False, tc.CacheOperationError), (abi.E_PANIC, False, tc.EngineError), (-55, False, tc.EngineError),
    ],
)  # fmt: skip
def test_every_status_has_its_exception(status, opening, expected):
    assert type(_status.error_of(status, opening=opening)) is expected or issubclass(
        type(_status.error_of(status, opening=opening)), expected
    )
    if status == abi.E_PANIC:
        assert "report this" in str(_status.error_of(status))
    if status == abi.E_CLOSED:
        assert str(_status.error_of(status)) == "already closed"


def test_hybrid_and_smart_put_results_where_they_belong(folder, ran):
    large = tc.CacheConfig(folder_name=folder, compress=True)
    f = tc.hybrid_cache(None, large, size_threshold=1000)(lambda n: ran(list(range(n))))
    small = f(3)
    assert f(3) is small and f(10_000) == f(10_000) and f(10_000) is not f(10_000) and ran.n == 2
    assert f.cache_info().hits == 4 and f.cache_info().currsize == 2 and f.cache.store.stats()["entries"] == 1
    assert f.invalidate(3) and f.invalidate(10_000) and f.cache_info().currsize == 0
    g = tc.smart_cache(tc.CacheConfig(folder_name=folder + "2"), analyze_every_call=True)(lambda n: ran("x" * n))
    assert len(g(5)) == len(g(5)) == 5 and len(g(3_000_000)) == len(g(3_000_000)) == 3_000_000
    assert g.cache.store.stats()["entries"] == 1 and len(g.cache.objects) == 1
    everything = tc.hybrid_cache(analyze_first_call=False, name="all")(lambda: ran("x" * (2 << 20)))
    assert everything() is everything()


def test_small_results_are_objects_of_any_type_and_never_on_disk():
    for deco in (tc.hybrid_cache, tc.smart_cache):
        f = deco(name=f"any-{deco.__name__}")(lambda x: [lambda: x])
        assert f(1) is f(1) and f(1)[0]() == 1 and f.cache_info() == (2, 1, f.cache_info().maxsize, 1), deco
        assert f.cache.store.stats()["entries"] == 0 and f.invalidate(1) and f.cache_info().currsize == 0


def test_what_has_no_bytes_stays_an_object_wherever_it_was_to_go(ran):
    f = tc.smart_cache(lambda: ran(threading.Lock()))
    assert f() is f() and ran.n == 1 and f.cache.store.stats()["entries"] == 0


def test_ucache_by_its_configuration(folder, ran):
    f = tc.ucache(config=tc.CacheConfig(folder_name=folder, maxsize=7))(lambda x: ran(x))
    assert f.cache_parameters()["engine"] == "disk" and f.cache_info().maxsize == 7
    g = tc.ucache(maxsize=3, config={"maxsize": 9, "policy": "fifo"})(lambda x: ran(x))
    assert g.cache_parameters()["maxsize"] == 3 and g.cache_parameters()["policy"] == "fifo"
    h = tc.ucache(maxsize=0)(lambda x: ran(x))
    h(1), h(1)
    assert ran.n == 2
    with pytest.raises(ConfigurationError, match="config"):
        tc.ucache(config=5)(lambda: 1)
    with pytest.raises(ConfigurationError, match="no_such"):
        tc.ucache(no_such=5)(lambda: 1)
    k = tc.cache(maxsize=3, folder_name=folder + "2", compress=True, max_bytes=1_000_000)(lambda x: ran(x))
    assert k(1) == k(1) == 1 and k.cache_parameters()["engine"] == "disk"
