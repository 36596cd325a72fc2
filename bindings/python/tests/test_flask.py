"""The backend inside Flask-Caching."""

from __future__ import annotations

import pickle
import threading
import time

import flask
import flask_caching
import pytest

from frameworks import redis_server
from twat_cache.exceptions import ConfigurationError

BACKEND = "twat_cache.flask_caching.TwatCache"


@pytest.fixture(params=["memory", "disk", "file"])
def app(request, tmp_path):
    app = flask.Flask("site")
    app.config.update(
        CACHE_TYPE=BACKEND,
        CACHE_DIR=str(tmp_path / "store"),
        CACHE_OPTIONS={"engine": request.param},
    )
    return app


@pytest.fixture
def cache(app):
    cache = flask_caching.Cache(app)
    with app.app_context():
        yield cache


def test_a_view_runs_once_and_again_after_it_is_deleted(app):
    cache = flask_caching.Cache(app)
    ran = []

    @app.route("/slow/<name>")
    @cache.cached(timeout=60)
    def slow(name):
        ran.append(name)
        return f"hello {name}"

    client = app.test_client()
    assert client.get("/slow/a").data == client.get("/slow/a").data == b"hello a"
    assert client.get("/slow/b").data == b"hello b"
    assert ran == ["a", "b"]
    with app.app_context():
        cache.delete("view//slow/a")
    client.get("/slow/a")
    assert ran == ["a", "b", "a"]


def test_memoized_functions_and_their_deletion(cache):
    ran = []

    @cache.memoize(60)
    def add(a, b=0):
        ran.append((a, b))
        return {"sum": a + b, "of": (a, b)}

    assert add(1, 2) == add(1, b=2) == {"sum": 3, "of": (1, 2)}
    add(2)
    assert ran == [(1, 2), (2, 0)]
    cache.delete_memoized(add, 1, 2)
    add(1, 2), add(2)
    assert ran == [(1, 2), (2, 0), (1, 2)]
    cache.delete_memoized(add)
    add(2)
    assert len(ran) == 4


def test_the_contract_of_cachelib(cache):
    assert cache.get("a") is None and not cache.has("a")
    assert cache.set("a", [1, (2, 3)]) and cache.get("a") == [1, (2, 3)] and cache.has("a")
    assert cache.add("a", 5) is False and cache.add("b", None) is True
    assert cache.has("b") and cache.get("b") is None
    assert cache.get_many("a", "zz", "b") == [[1, (2, 3)], None, None]
    assert cache.get_dict("a", "zz") == {"a": [1, (2, 3)], "zz": None}
    assert cache.set_many({"x": 1, "y": 2}) == ["x", "y"]
    assert cache.delete("x") is True and cache.delete("x") is False
    assert cache.delete_many("y", "nothing") == ["y", "nothing"]
    assert cache.clear() and not cache.has("a")


def test_counters(cache):
    backend = cache.cache
    assert backend.inc("n") == 1 and backend.inc("n", 4) == 5 and backend.dec("n", 2) == 3
    cache.set("m", 10)
    assert backend.inc("m") == 11 and cache.get("m") == 11
    cache.set("half", 0.5)
    assert backend.inc("half") == 1.5
    threads = [threading.Thread(target=lambda: [backend.inc("t") for _ in range(100)]) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert cache.get("t") == 400


def test_timeouts(cache):
    cache.set("short", 1, timeout=1)
    cache.set("never", 1, timeout=0)
    assert cache.get("short") == 1
    time.sleep(1.3)
    assert cache.get("short") is None and cache.get("never") == 1


def test_a_value_that_cannot_be_stored_raises_a_pickle_error(cache):
    with pytest.raises(pickle.PickleError, match="lock"):
        cache.set("k", threading.Lock())


def test_two_prefixes_of_one_directory_do_not_see_each_other(app, tmp_path):
    first = flask_caching.Cache(app, config={**app.config, "CACHE_KEY_PREFIX": "one"})
    second = flask_caching.Cache(app, config={**app.config, "CACHE_KEY_PREFIX": "two"})
    backends = [app.extensions["cache"][c] for c in (first, second)]
    backends[0].set("k", 1)
    assert backends[1].get("k") is None
    backends[1].clear()
    assert backends[0].get("k") == 1


def test_processes_share_results_on_a_server(app):
    with redis_server() as url:
        app.config.update(CACHE_DIR=None, CACHE_OPTIONS=None, CACHE_REDIS_URL=url)
        cache = flask_caching.Cache(app)
        with app.app_context():
            cache.set("k", {"a": (1, 2)}, timeout=30)
            assert cache.get("k") == {"a": (1, 2)} and cache.cache.inc("n") == 1 and cache.cache.inc("n") == 2
            assert cache.cache._cache.engine == "redis"
    with app.app_context():
        assert cache.get("k") is None and cache.set("k", 1) is False and not cache.has("k")


def test_wrong_options_say_what_was_expected(app):
    app.config["CACHE_OPTIONS"] = {"max_entrys": 5}
    with pytest.raises(ConfigurationError, match="did you mean"):
        flask_caching.Cache(app)
