"""Bounds, policy, compression and permissions belong to the store: only what is said changes them."""

import pytest

import twat_cache as tc

STATED = {"max_entries": 5000, "max_bytes": 1_000_000, "policy": "fifo", "compression": "zstd", "compression_level": 7}


def in_force(info):
    return {name: info[name] for name in STATED}


@pytest.mark.parametrize("deco", [tc.bcache, tc.fcache])
def test_a_decorator_without_options_keeps_the_settings_of_the_store(tmp_path, deco):
    folder = str(tmp_path / "store")
    tc.Cache("disk", folder, **STATED).close()
    f = deco(folder_name=folder, name="f")(lambda x: x)
    assert f(1) == 1
    assert in_force(f.cache.store.info()) == STATED
    assert f.cache_parameters()["policy"] == "fifo"
    g = deco(folder_name=folder, name="g")(lambda x: x)
    assert g(1) == 1 and in_force(g.cache.store.info()) == STATED


def test_what_a_decorator_says_changes_the_store(tmp_path):
    folder = str(tmp_path / "store")
    tc.Cache("disk", folder, **STATED).close()
    f = tc.bcache(folder_name=folder, name="f", max_bytes=2_000_000, policy="lfu")(lambda x: x)
    info = f.cache.store.info()
    assert (info["max_bytes"], info["compression"], info["policy"]) == (2_000_000, "zstd", "lfu")
    assert info["replaced"] == {"max_bytes": 1_000_000, "policy": "fifo"}


def test_a_second_cache_in_the_process_without_options_joins_the_first(tmp_path):
    first = tc.Cache("disk", str(tmp_path / "store"), **STATED)
    second = tc.Cache("disk", str(tmp_path / "store"))
    first["x"] = 1
    assert second["x"] == 1 and second.stats()["max_bytes"] == 1_000_000


def test_compress_false_is_said_and_no_compress_is_not(tmp_path):
    folder = str(tmp_path / "store")
    tc.Cache("disk", folder, compress=True).close()
    with tc.Cache("disk", folder) as cache:
        assert cache.info()["compression"] == "zstd"
    with tc.Cache("disk", folder, compress=False) as cache:
        assert cache.info()["compression"] == "none"
    tc.Cache("memory", compress=False).close()
