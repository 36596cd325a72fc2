"""Full disks, read-only media and other people's stores: what can be served is, and no result is ever lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

import pytest

ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
BEFORE = """
import asyncio, logging, os, resource, subprocess, sys
import twat_cache as tc
from twat_cache import decorators, paths
from twat_cache._memoize import async_flight, stored
from twat_cache._serialize import signing
warnings = []
class Note(logging.Handler):
    def emit(self, record):
        warnings.append(record.getMessage())
logging.getLogger("twat_cache").addHandler(Note())
os.chmod(sys.argv[1], 0o755)
place, ran = sys.argv[1], []
def body(x):
    ran.append(x)
    return (x, b"%d" % x * 60_000)
def all_of(names="bfuhs"):
    made = {
        "b": lambda: tc.bcache(folder_name=place + "/b", name="body")(body),
        "f": lambda: tc.fcache(folder_name=place + "/f", name="body")(body),
        "u": lambda: tc.ucache(folder_name=place + "/u", name="body")(body),
        "h": lambda: tc.hybrid_cache(large_result_config={"folder_name": place + "/h"}, size_threshold=10, name="body")(body),
        "s": lambda: tc.smart_cache({"folder_name": place + "/s", "preferred_engine": "disk"}, name="body")(body),
    }
    return [made[name]() for name in names]
def later(folder):
    @tc.bcache(folder_name=place + folder, name="later")
    async def fetch(x):
        return body(x)
    return fetch
"""

FULL = """
functions, fetch = all_of(), later("/b")
for f in functions:
    assert f(1) == (1, b"1" * 60_000) and f(1) == (1, b"1" * 60_000), f
before = len(ran)
assert before == len(functions), ran
fill()
for f in functions:
    for n in range(10, 60):
        assert f(n) == (n, b"%d" % n * 60_000)
assert asyncio.run(fetch(5)) == (5, b"5" * 60_000)
told = [text for text in warnings if "results are computed" in text]
assert told and len(told) == len(set(told)), warnings
kept = [f for f in functions if f(1) and f.cache_info().hits >= 2]
assert len(kept) == len(functions), "what was kept before is served"
print("served")
"""

READ_ONLY = """
for f in all_of():
    f(1)
    f.cache.store.close()
make_read_only()
ran.clear()
for f in all_of("bfu"):
    assert f.cache.store.engine in ("disk", "file"), f.cache.store.engine
    assert f(1) == (1, b"1" * 60_000) and ran == [] and f.cache_info().hits == 1
    assert f(2) == f(2) == (2, b"2" * 60_000) and ran == [2, 2]
    ran.clear()
new = tc.bcache(folder_name=place + "/new", name="body")(body)
assert new(3) == new(3) and ran == [3] and new.cache.store.engine == "memory"
assert any("falls back to memory" in text for text in warnings), warnings
print("served")
"""


def run(script, *, mounted):
    """Runs a script over a directory; ``mounted``: a small file system of its own."""
    place = tempfile.mkdtemp(prefix="twat-cache-media-")
    command = [sys.executable, "-c", BEFORE + script, place]
    if mounted:
        setup = f'mount -t tmpfs -o size=8m tmpfs {place} && exec "$@"'
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", *user, "--mount", "sh", "-c", setup, "sh", *command]
    try:
        return subprocess.run(command, env=ENV, text=True, capture_output=True, check=False, timeout=120)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def may_mount():
    done = run("print('mounted')", mounted=True) if shutil.which("unshare") else None
    if done is None or done.stdout.strip() != "mounted":
        pytest.skip(f"needs the right to mount: {done.stderr.strip() if done else 'there is no unshare'}")


def test_a_full_disk_costs_the_store_and_never_the_result(may_mount):
    fill = """
def fill():
    with open(place + "/filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096: pass
        except OSError as error:
            assert error.errno == 28
"""
    done = run(fill + FULL, mounted=True)
    assert done.stdout.strip() == "served", done.stderr


def test_a_limit_of_the_size_of_files_costs_the_store_and_never_the_result():
    fill = """
def fill():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
"""
    done = run(fill + FULL, mounted=False)
    assert done.stdout.strip() == "served", done.stderr


def test_a_read_only_medium_serves_what_it_has(may_mount):
    done = run(
        """
def make_read_only():
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
"""
        + READ_ONLY,
        mounted=True,
    )
    assert done.stdout.strip() == "served", done.stderr


# LMDB reads safely only beside a lock file that the reader may write, so the store of
# somebody who keeps it to himself cannot be read, not even where its bytes can.
OTHERS = """
f, = all_of("b")
f(1)
f.cache.store.close()
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for folder, _, files in os.walk(place):
    os.chmod(folder, 0o555)
    for file in files:
        os.chmod(os.path.join(folder, file), 0o444)
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
ran.clear()
g, = all_of("b")
assert g(1) == g(1) == (1, b"1" * 60_000) and ran == [1] and g.cache.store.engine == "memory"
text, = warnings
assert "falls back to memory" in text and "Failed to open the cache in" in text and "Permission denied" in text, text
assert "create" not in text
try:
    tc.Cache("disk", path=place + "/b")
except tc.PathError as error:
    assert "Failed to open the cache in" in str(error), error
try:
    tc.Cache("disk", path=place + "/new")
except tc.PathError as error:
    assert "Failed to create cache directory" in str(error), error
print("served", flush=True)
os._exit(0)
"""


def test_the_store_of_somebody_else_is_told_as_that():
    done = run(OTHERS, mounted=False)
    assert done.stdout.strip() == "served" and done.returncode == 0, done.stderr
