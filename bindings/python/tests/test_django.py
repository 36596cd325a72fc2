"""The backend inside Django: its own tests, and what is ours."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import django
import pytest
from django.conf import settings

from frameworks import redis_server, source_of

if not settings.configured:
    settings.configure(SECRET_KEY="tests", INSTALLED_APPS=[], CACHES={})
    django.setup()

from django.core.cache import CacheHandler  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402

from twat_cache._ffi.bytecache import ByteCache  # noqa: E402
from twat_cache.exceptions import EngineNotAvailableError  # noqa: E402

BACKEND = "twat_cache.django.TwatCache"
ENGINES = ("memory", "disk", "file")


def test_djangos_own_base_cache_tests_pass_on_every_engine():
    source = source_of("django")
    script = Path(__file__).with_name("django_suite.py")
    with redis_server() as url:
        # They mostly sleep, so they sleep side by side.
        running = {
            engine: subprocess.Popen(
                [sys.executable, str(script), str(source), engine, url],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment(),
            )
            for engine in (*ENGINES, "redis")
        }  # fmt: skip
        for engine, process in running.items():
            output, _ = process.communicate(timeout=300)
            assert process.returncode == 0, f"{engine}:\n{output}"
            report = json.loads(output.splitlines()[-1])
            assert report["ran"] >= 50, output
            assert report["failed"] == 0 and report["skipped"] == [] and report["missing"] == []


def _environment():
    paths = [str(Path(__file__).parents[1] / "src"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.fixture(params=ENGINES)
def caches(request, tmp_path):
    place = {"BACKEND": BACKEND, "LOCATION": str(tmp_path / "store"), "OPTIONS": {"engine": request.param}}
    return CacheHandler({"default": place, "other": {**place, "KEY_PREFIX": "other"}})


def test_aliases_of_one_location_share_a_store_and_not_their_keys(caches):
    caches["default"].set("k", 1)
    assert caches["other"].get("k") is None
    caches["other"].set("k", 2)
    assert caches["default"].get("k") == 1
    caches["other"].clear()
    assert caches["default"].get("k") is None


def test_threads_of_one_process_share_a_store_in_memory(caches):
    caches["default"].set("k", "from the first")
    found = []
    thread = threading.Thread(target=lambda: found.append(caches["default"].get("k")))
    thread.start()
    thread.join()
    assert found == ["from the first"]


def test_adding_to_a_number_is_atomic_between_threads(caches):
    caches["default"].set("n", 0)

    def add():
        cache = caches["default"]
        for _ in range(200):
            cache.incr("n")

    threads = [threading.Thread(target=add) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert caches["default"].get("n") == 800


def test_coroutines(caches):
    cache = caches["default"]

    async def main():
        await cache.aset("a", {"x": 1})
        assert await cache.aget("a") == {"x": 1} and await cache.aget("b", "no") == "no"
        await cache.aset_many({"n": 1, "m": 2})
        assert await cache.aget_many(["n", "m", "o"]) == {"n": 1, "m": 2}
        assert await cache.aincr("n", 5) == 6 and await cache.adecr("n") == 5
        assert await cache.aadd("n", 9) is False and await cache.ahas_key("n")
        assert await cache.aget_or_set("new", lambda: 3) == 3
        await cache.adelete_many(["n", "m"])
        assert not await cache.ahas_key("n")

    asyncio.run(main())


def test_a_planted_pickle_is_a_miss_and_is_not_loaded(tmp_path):
    mark = tmp_path / "mark"

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(mark),))

    place = str(tmp_path / "store")
    cache = CacheHandler({"default": {"BACKEND": BACKEND, "LOCATION": place}})["default"]
    with ByteCache("disk", {"path": place, "namespace": "django"}) as store:
        store.set(b":1:k", b"\x10" + bytes(32) + pickle.dumps(Bomb()))
    assert cache.has_key("k")
    assert cache.get("k", "a miss") == "a miss" and cache.get_many(["k"]) == {}
    assert not mark.exists()


def test_a_value_too_large_for_the_store_leaves_nothing_old_behind(tmp_path):
    options = {"engine": "memory", "max_bytes": 65536}
    cache = CacheHandler({"default": {"BACKEND": BACKEND, "LOCATION": str(tmp_path), "OPTIONS": options}})["default"]
    cache.set("k", "old")
    cache.set("k", b"x" * 200_000)
    assert cache.get("k") is None
    assert cache.set_many({"a": b"x" * 200_000, "b": 1}) == ["a"]
    assert cache.get("b") == 1


@pytest.mark.parametrize(
    "params, text",
    [
        ({"LOCATION": "a/b"}, "folder_name"),
        ({"LOCATION": "memory", "OPTIONS": {"max_entrys": 3}}, "did you mean"),
        ({"LOCATION": "memory", "OPTIONS": {"engine": "memcached"}}, "engine: expected one of"),
        ({"LOCATION": "", "OPTIONS": {"engine": "disk"}}, "needs a directory"),
    ],
)
def test_wrong_settings_say_what_was_expected(params, text):
    with pytest.raises(ImproperlyConfigured, match=text):
        CacheHandler({"default": {"BACKEND": BACKEND, **params}})["default"].get("k")


def test_contradicting_bounds_of_one_location_are_refused(caches):
    caches["default"].get("k")
    place = {"BACKEND": BACKEND, **{k: v for k, v in caches.settings["default"].items() if k == "LOCATION"}}
    engine = caches.settings["default"]["OPTIONS"]["engine"]
    other = CacheHandler({"default": {**place, "OPTIONS": {"engine": engine, "MAX_ENTRIES": 5}}})
    with pytest.raises(ImproperlyConfigured, match="max_entries"):
        other["default"].get("k")


def test_importing_the_package_does_not_import_django():
    code = "import sys, twat_cache; assert 'django' not in sys.modules and 'flask' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=_environment())


def test_a_server_that_is_down_is_a_miss_and_its_password_is_told_to_nobody(caplog):
    with redis_server("--requirepass", "right") as url:
        wrong = url.replace("unix://", "unix://:hunter2@")
        refused = CacheHandler({"default": {"BACKEND": BACKEND, "LOCATION": wrong}})["default"]
        refused.set("k", 1)
        assert refused.get("k", "nothing") == "nothing"
        with pytest.raises(ImproperlyConfigured) as error:
            other = {"BACKEND": BACKEND, "LOCATION": wrong, "OPTIONS": {"timeout_ms": 100}}
            CacheHandler({"default": other})["default"].get("k")
        assert "hunter2" not in str(error.value) + caplog.text and caplog.text
        right = url.replace("unix://", "unix://:right@")
        cache = CacheHandler({"default": {"BACKEND": BACKEND, "LOCATION": right}})["default"]
        cache.set("k", 1)
        assert cache.get("k") == 1
    cache.set("k", 2)
    assert cache.get("k", "nothing") == "nothing" and cache.get_many(["k"]) == {} and not cache.has_key("k")
    assert cache.set_many({"k": 3}) == ["k"] and cache.add("k", 4) is False
    with pytest.raises(EngineNotAvailableError):
        cache.delete("k")
