"""Django's own ``BaseCacheTests``, from its source distribution, on our backend.

Run as ``python django_suite.py DJANGO_SOURCE ENGINE [REDIS_URL]``; prints unittest's report.
It is a program of its own because Django's settings are one a process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

source, engine = sys.argv[1], sys.argv[2]
os.environ.setdefault("TWAT_CACHE_DIR", tempfile.mkdtemp())
sys.path.insert(0, os.path.join(source, "tests"))

import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "cache"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SECRET_KEY="tests",  # noqa: S106
    ROOT_URLCONF="cache.tests",
    USE_TZ=False,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from cache.tests import BaseCacheTests, caches_setting_for_tests, f  # noqa: E402,F401
from django.core.cache import cache, caches  # noqa: E402
from django.test import TestCase, override_settings  # noqa: E402
from django.test.utils import get_runner  # noqa: E402

# The tests that cannot apply, and why. Ours stand below.
CANNOT_APPLY = {
    "test_cull": "expects that a full cache drops a third of itself at once; ours drops one entry at a time",
    "test_zero_cull": "expects that CULL_FREQUENCY=0 empties a full cache; ours drops one entry at a time",
}
BOUNDED_BY_THE_SERVER = ("test_cull", "test_zero_cull", "test_cull_delete_when_store_empty")


def caches_setting() -> dict:
    place = tempfile.mkdtemp()
    if engine == "redis":
        # A server has bounds of its own, so Django's redis back end leaves these out too.
        return caches_setting_for_tests(
            exclude={"cull", "zero_cull"}, BACKEND="twat_cache.django.TwatCache", LOCATION=sys.argv[3]
        )
    setting = caches_setting_for_tests(BACKEND="twat_cache.django.TwatCache")
    for alias, params in setting.items():
        # Bounds belong to a store, so the bounded ones have places of their own.
        place_of = alias if "cull" in alias else "shared"
        params["LOCATION"] = os.path.join(place, place_of)
        params["OPTIONS"] = {**params.get("OPTIONS", {}), "engine": engine}
    return setting


@override_settings(CACHES=caches_setting())
class TwatCacheTests(BaseCacheTests, TestCase):
    def _bounded(self, alias: str) -> int:
        bounded = caches[alias]
        for i in range(1, 50):
            bounded.set(f"cull{i}", "value", 1000)
        return sum(bounded.has_key(f"cull{i}") for i in range(1, 50))

    def test_cull(self):
        self.assertEqual(self._bounded("cull"), 30)

    def test_zero_cull(self):
        self.assertEqual(self._bounded("zero_cull"), 30)

    def test_incr_leaves_the_time_to_live(self):
        cache.set("n", 1, timeout=1000)
        cache.incr("n")
        cache.set("m", 1, timeout=None)
        self.assertEqual(cache.incr("m", 4), 5)

    def test_incr_beyond_the_counter(self):
        cache.set("big", 2**70)
        self.assertEqual(cache.incr("big"), 2**70 + 1)
        cache.set("half", 0.5)
        self.assertEqual(cache.incr("half"), 1.5)


if engine == "redis":
    for name in BOUNDED_BY_THE_SERVER:
        setattr(TwatCacheTests, name, None)


if __name__ == "__main__":
    import unittest

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(TwatCacheTests)
    names = {test._testMethodName for test in suite}
    runner = get_runner(settings)(verbosity=1)
    runner.setup_test_environment()
    databases = runner.setup_databases()
    result = runner.run_suite(suite)
    runner.teardown_databases(databases)
    print(json.dumps({
        "ran": result.testsRun,
        "failed": len(result.failures) + len(result.errors),
        "skipped": [str(test) for test, _ in result.skipped],
        "missing": sorted(set(CANNOT_APPLY) - names) if engine != "redis" else [],
    }))  # fmt: skip
    sys.exit(not result.wasSuccessful())
