"""What tests of adapters need: source distributions, fetched once and kept under target/, and a server."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def source_of(project: str) -> Path:
    """The unpacked source distribution of the installed version of a project."""
    wanted = f"{project}-{version(project)}"
    place = ROOT / "target" / "python" / "sources"
    unpacked = place / wanted
    if not unpacked.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--no-binary", project, "--dest", str(place), f"{project}=={version(project)}"],
            check=True, timeout=600, env={**os.environ, "TWAT_CACHE_LIBRARY": ""},
        )  # fmt: skip
        with tarfile.open(place / f"{wanted}.tar.gz") as archive:
            archive.extractall(place, filter="data")
    return unpacked


@contextlib.contextmanager
def redis_server(*arguments):
    """The URL of a redis server of its own, which ends with the block."""
    with tempfile.TemporaryDirectory(prefix="twat-redis-") as place:
        path = os.path.join(place, "s.sock")
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", place, *arguments],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for(path, server)
            yield f"unix://{path}"
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(path, server):
    end = time.monotonic() + 30
    while True:
        assert server.poll() is None and time.monotonic() < end, "the server did not start"
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(path)
            return
        time.sleep(0.05)
