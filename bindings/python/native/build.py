"""Builds the native part for the interpreter that runs this.

python build.py                 into the source tree, where its source is newer than what is there
python build.py --out DIRECTORY into a directory; --headers names the headers of another CPython, --suffix its suffix
CC, CFLAGS and LDFLAGS are heeded. Without a C compiler or Python's headers nothing is
built and the package runs in pure Python: that is said, and is no failure, unless
--required is given. `pip install` builds by setup.py instead.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PACKAGE = HERE.parent / "src" / "twat_cache"
FLAGS = ["-std=c11", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-fno-strict-overflow", "-Wall", "-Wextra"]


def sources() -> list[Path]:
    return sorted(HERE.glob("*.c"))


def is_current(built: Path) -> bool:
    """Whether what is there is newer than all that it is made of."""
    if not built.is_file():
        return False
    made_of = [*HERE.iterdir(), ROOT / "include" / "twat_cache.h"]
    return all(one.stat().st_mtime <= built.stat().st_mtime for one in made_of)


def build(out: Path, headers: str, suffix: str) -> str | None:
    """Builds it; why not, where that cannot be."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        return f"the C compiler {compiler[0]} was not found"
    if not (Path(headers) / "Python.h").is_file():
        return f"Python.h was not found in {headers} (Debian: python3-dev)"
    link = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    made = out / f"_speed{suffix}"
    # Programs that run have the old file mapped: the new one replaces it, and is there as a whole or not at all.
    temporary = out / f"_speed{suffix}.{os.getpid()}"
    command = [
        *compiler, *FLAGS, *shlex.split(os.environ.get("CFLAGS", "")),
        f"-I{headers}", f"-I{ROOT / 'include'}",
        *map(str, sources()), *link, *shlex.split(os.environ.get("LDFLAGS", "")),
        "-o", str(temporary),
    ]  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    try:
        if subprocess.run(command, check=False).returncode:
            return f"{shlex.join(command)} failed"
        temporary.replace(made)
    finally:
        temporary.unlink(missing_ok=True)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=PACKAGE)
    parser.add_argument("--headers", default=sysconfig.get_path("include"))
    parser.add_argument("--suffix", default=sysconfig.get_config_var("EXT_SUFFIX"))
    parser.add_argument("--required", action="store_true", help="fail where it cannot be built")
    options = parser.parse_args()
    if is_current(options.out / f"_speed{options.suffix}"):
        return 0
    trouble = build(options.out, options.headers, options.suffix)
    if trouble is None:
        return 0
    print(f"the native part of the Python package was not built: {trouble}", file=sys.stderr)
    return 1 if options.required else 0


if __name__ == "__main__":
    sys.exit(main())
