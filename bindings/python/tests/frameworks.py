"""Source distributions that tests need: fetched once, kept under target/."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
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
