"""Every public name, imported and used at least once."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

import twat_cache as tc

ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
TOP = """mcache bcache fcache acache ucache hybrid_cache smart_cache cache Cache CacheConfig create_cache_config
CacheContext engine_context get_or_create_engine clear_cache get_stats get_cache_path configure_for_type
configure_for_numpy configure_for_pandas configure_for_images configure_for_json hybrid_cache_config
smart_cache_config select_backend_for_data DataSize DataPersistence AccessPattern ConcurrencyLevel
TwatCacheError ConfigurationError EngineError EngineNotAvailableError CacheOperationError CacheKeyError
CacheValueError SerializationError ResourceError ConcurrencyError PathError report set_project __version__"""
MODULES = {
    "config": "CacheConfig create_cache_config",
    "cache": "CacheStats CacheEntry register_cache update_stats clear_cache get_stats",
    "context": "CacheContext engine_context get_or_create_engine",
    "decorators": """mcache bcache fcache acache ucache hybrid_cache smart_cache cache make_key HAS_AIOCACHE
        HAS_CACHEBOX HAS_CACHETOOLS HAS_DISKCACHE HAS_JOBLIB HAS_KLEPTO _get_available_backends _select_best_backend""",
    "engines": """get_available_engines get_engine_manager CacheEngineManager EngineManager BaseCacheEngine CacheEngine
        MemoryEngine DiskEngine FileEngine RedisEngine FunctoolsCacheEngine CacheToolsEngine CacheBoxEngine
        AioCacheEngine DiskCacheEngine KleptoEngine JoblibEngine RedisCacheEngine is_package_available""",
    "engines.common": """ensure_dir_exists safe_key_serializer safe_value_serializer safe_temp_file
        get_func_qualified_name create_cache_key""",
    "utils": """ensure_dir_exists safe_key_serializer safe_value_serializer safe_temp_file
        get_func_qualified_name create_cache_key""",
    "keys": "hashkey typedkey methodkey stringkey digestkey",
    "paths": "get_cache_path validate_cache_path clear_cache get_cache_dir",
    "backend_selector": """estimate_data_size detect_result_type analyze_function_return_type get_type_based_backend
        get_available_backend is_backend_available select_backend_for_data configure_for_type configure_for_numpy
        configure_for_pandas configure_for_images configure_for_json hybrid_cache_config smart_cache_config
        DataSize DataPersistence AccessPattern ConcurrencyLevel""",
    "exceptions": """TwatCacheError ConfigurationError EngineError EngineNotAvailableError CacheOperationError
        CacheKeyError CacheValueError SerializationError ResourceError ConcurrencyError PathError""",
    "logging": "logger",
    "type_defs": """P R F AsyncR CacheKey CacheValue CacheDecorator AsyncCacheDecorator KeyMaker Serializer""",
}


def test_every_top_level_name():
    for name in TOP.split():
        assert getattr(tc, name) is not None, name
    assert set(TOP.split()) == set(tc.__all__)
    assert set(dir(tc)) <= set(tc.__all__) and len(dir(tc)) <= 18
    assert {"mcache", "bcache", "fcache", "acache", "ucache", "Cache", "report"} <= set(dir(tc))
    assert (
        tc.__doc__.splitlines()[0] == "Memoize functions: in memory, on disk, in files, in redis or in tiers of them."
    )
    with pytest.raises(AttributeError, match="no_such"):
        tc.no_such


@pytest.mark.parametrize("module", MODULES)
def test_every_name_of_a_module(module):
    loaded = importlib.import_module(f"twat_cache.{module}")
    for name in MODULES[module].split():
        assert hasattr(loaded, name), name


def test_the_decorator_and_the_module_of_one_name():
    code = """if True:
        import twat_cache.cache
        from twat_cache.cache import CacheStats
        from twat_cache import cache
        import twat_cache
        assert twat_cache.cache is cache and callable(cache)
        assert cache(lambda x: x + 1)(1) == 2 and cache(maxsize=3)(lambda: 4)() == 4
    """
    subprocess.run([sys.executable, "-c", code], check=True, env=ENV)


def test_importing_loads_neither_ctypes_nor_the_core():
    code = "import sys, twat_cache; print({'ctypes', 'asyncio', 'inspect', 'twat_cache._ffi'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-S", "-c", code], text=True, env=ENV).strip() == "set()"


DECORATED = """if True:
    import sys
    from twat_cache import mcache, bcache
    @mcache(maxsize=10)
    def f(x, y=1): return x
    @bcache(name="imports")
    def g(x, y=1): return [x]
    assert f(1) == 1 and g(1) == g(1) == [1] and g.cache_info().hits == 1
    large = {"inspect", "dataclasses", "pathlib", "json", "logging", "asyncio", "datetime", "decimal", "tempfile", "shutil",
             "pickle", "tomllib", "copy", "uuid", "numpy", "importlib.metadata"}
    print(sorted(large & set(sys.modules)))
"""


def test_decorating_and_calling_load_no_large_module(tmp_path):
    # A project's own file that only names the package is not parsed.
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["twat_cache"]\n')
    env = {**ENV, "TWAT_CACHE_DIR": str(tmp_path)}
    out = subprocess.check_output([sys.executable, "-S", "-c", DECORATED], text=True, env=env, cwd=tmp_path)
    assert out.strip() == "[]"


def test_helpers_do_what_their_names_say(tmp_path):
    from twat_cache import keys, paths, utils
    from twat_cache.cache import CacheStats, register_cache, update_stats
    from twat_cache.decorators import _get_available_backends, _select_best_backend, make_key

    assert make_key(None, 1, b=2) == make_key(None, 1, b=2) != make_key(None, 2, b=2)
    assert make_key(str, 1) == '[["1"], {}]'
    assert _get_available_backends()["disk"] is True
    assert _select_best_backend() == "memory" and _select_best_backend("diskcache") == "disk"
    assert _select_best_backend(needs_disk=True) == "disk" and _select_best_backend(is_async=True) == "memory"
    assert utils.safe_key_serializer("a") == "a" and utils.safe_key_serializer(None) == "None"
    assert utils.safe_key_serializer({"b": [1, True]}) == '{"b": "[\\"1\\", \\"True\\"]"}'
    assert utils.safe_value_serializer({"a": 1}) == '{"a": 1}' and "object" in utils.safe_value_serializer(object())
    assert utils.ensure_dir_exists(tmp_path / "a" / "b").is_dir()
    with pytest.raises(tc.PathError, match="Failed to create cache directory"):
        (tmp_path / "file").write_text("")
        utils.ensure_dir_exists(tmp_path / "file" / "b")
    path, file = utils.safe_temp_file()
    file.close()
    assert path.stat().st_mode & 0o777 == 0o600 and path.name.startswith("twat_cache_")
    path.unlink()
    assert utils.get_func_qualified_name(test_every_top_level_name).endswith(".test_every_top_level_name")
    assert "1" in utils.create_cache_key(len, (1,), {"a": 2})
    assert keys.methodkey(object(), 1) == keys.hashkey(1) and keys.stringkey(1) != keys.stringkey(1.0)
    assert len(keys.digestkey("x" * 10_000)) == 64
    register_cache("mine", {}, None, CacheStats())
    update_stats("mine", hit=True, size=3)
    update_stats("nobody", hit=True)
    assert tc.get_stats("mine")["hits"] == 1 and tc.get_stats("mine")["size"] == 3
    assert paths.validate_cache_path(tmp_path / "new") == tmp_path / "new"
    with pytest.raises(tc.PathError):
        paths.validate_cache_path(tmp_path / "file")


def test_exceptions_and_their_texts():
    import pickle

    assert str(tc.TwatCacheError("m", "a")) == "('m', 'a')" and tc.TwatCacheError("m").message == "m"
    assert str(tc.EngineNotAvailableError("x")) == "Cache engine 'x' is not available"
    assert str(tc.EngineNotAvailableError("x", "why")) == "Cache engine 'x' is not available: why"
    assert str(tc.EngineNotAvailableError("a whole text")) == "a whole text"
    assert issubclass(tc.ConfigurationError, ValueError) and issubclass(tc.SerializationError, tc.CacheOperationError)
    assert issubclass(tc.PathError, tc.ResourceError) and issubclass(tc.ConcurrencyError, tc.ResourceError)
    error = pickle.loads(pickle.dumps(tc.EngineNotAvailableError("x", "why")))
    assert str(error).endswith("why")


def test_the_version_is_the_cores():
    assert tc.__version__.count(".") == 2


def test_folder_names():
    from twat_cache import paths

    assert tc.get_cache_path("a-b_c.1", create=False).name == "a-b_c.1"
    for wrong in ("a/b", "..", ".", "", "a b", "ä", "a\0b", "../x"):
        with pytest.raises(ValueError):
            tc.get_cache_path(wrong, create=False)
    made = tc.get_cache_path("made")
    assert made.is_dir() and made.stat().st_mode & 0o777 == 0o700
    assert tc.get_cache_path("x", use_temp=True, create=False).parent.name.startswith("twat_cache-")
    assert tc.get_cache_path("/abs/olute", create=False).as_posix() == "/abs/olute"
    with tc.Cache("disk", path=paths.get_cache_path("store")) as cache:
        cache["a"] = 1
    paths.clear_cache("store")
    paths.clear_cache("made")
    assert not tc.get_cache_path("store", create=False).exists() and made.exists()
