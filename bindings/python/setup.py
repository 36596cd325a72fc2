"""Builds the core library with cargo and puts it into the package, and the native part with the C compiler.

Everything else is in pyproject.toml. The core's source is the repository around
this directory, or the directory ``core`` of a source distribution.
TWAT_CACHE_LIBRARY names a library that is built already; TWAT_CACHE_PROFILE=dev
builds without optimisation, for tests of the packaging itself. TWAT_CACHE_PURE=1 leaves
the native part out, as does a machine without a C compiler: the wheel is then one
for any Python 3.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.dist import Distribution

HERE = Path(__file__).resolve().parent
NAME = {"darwin": "libtwat_cache.dylib", "win32": "twat_cache.dll"}.get(sys.platform, "libtwat_cache.so")
CORE = (
    "Cargo.toml", "Cargo.lock", "cbindgen.toml", "README.md", "LICENSE", "build.rs", ".cargo", "src", "include",
    "benches",  # the manifest names them
)  # fmt: skip


def core() -> Path:
    for place in (HERE / "core", HERE.parent.parent):
        if (place / "Cargo.toml").is_file() and (place / "include" / "twat_cache.h").is_file():
            return place
    raise SystemExit(f"twat-cache: the source of the core was not found beside {HERE}")


def version() -> str:
    found = re.search(r'^version = "([^"]+)"', (core() / "Cargo.toml").read_text(), re.M)
    if found is None:
        raise SystemExit("twat-cache: Cargo.toml has no version")
    return found.group(1)


def build_library() -> Path:
    given = os.environ.get("TWAT_CACHE_LIBRARY")
    if given:
        if not Path(given).is_file():
            raise SystemExit(f"twat-cache: TWAT_CACHE_LIBRARY: expected a shared object, found no file at: {given}")
        return Path(given)
    profile = os.environ.get("TWAT_CACHE_PROFILE", "release")
    if profile not in ("release", "dev"):
        raise SystemExit(f"twat-cache: TWAT_CACHE_PROFILE: expected release or dev, found: {profile}")
    cargo = shutil.which("cargo") or shutil.which("cargo", path=os.path.expanduser("~/.cargo/bin"))
    if cargo is None:
        raise SystemExit(
            "twat-cache: building from source needs cargo (Rust 1.88 or newer, https://rustup.rs) and a C compiler, "
            "and cargo was not found; install it, or install a wheel for this platform"
        )
    source = core()
    target = Path(os.environ.get("CARGO_TARGET_DIR") or source / "target")
    # .cargo/config.toml says what `cargo library` is.
    command, folder = {"release": (["library"], "library"), "dev": (["build", "--lib", "--locked"], "debug")}[profile]
    if subprocess.run([cargo, *command, "--target-dir", str(target)], cwd=source).returncode:
        raise SystemExit("twat-cache: cargo could not build the core; its messages are above")
    return target / folder / NAME


class BuildPy(build_py):
    def run(self) -> None:
        if not self.editable_mode:
            # What an earlier build left would go into the wheel.
            shutil.rmtree(Path(self.build_lib) / "twat_cache", ignore_errors=True)
        super().run()
        if self.editable_mode:
            return
        place = Path(self.build_lib) / "twat_cache" / "_ffi" / NAME
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(build_library(), place)
        place.chmod(0o755)
        strip = shutil.which("strip")
        if strip and sys.platform == "linux":
            subprocess.run([strip, "--strip-unneeded", str(place)], check=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib) / "twat_cache" / "_ffi" / NAME)]


def native_part() -> list[Extension]:
    """The extension ``_speed``, which the package does without where it cannot be built."""
    if os.environ.get("TWAT_CACHE_PURE", "") not in ("", "0"):
        return []
    files = sorted(path.relative_to(HERE).as_posix() for path in (HERE / "native").glob("*.c"))
    headers = [str(core() / "include")]
    flags = [] if sys.platform == "win32" else ["-std=c11", "-fvisibility=hidden", "-g1"]
    return [Extension("twat_cache._speed", files, include_dirs=headers, extra_compile_args=flags, optional=True)]


class BuildExt(build_ext):
    def built(self) -> bool:
        """Whether there is a native part."""
        return any(Path(self.get_ext_fullpath(one.name)).is_file() for one in self.extensions)


class Wheel(bdist_wheel):
    """This platform; this CPython with the native part, else any Python 3, since ctypes loads the library."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, platform = super().get_tag()
        return (python, abi, platform) if self.get_finalized_command("build_ext").built() else ("py3", "none", platform)


class Sdist(sdist):
    """Takes the core along."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        source = core()
        shutil.copytree(HERE / "native", Path(base_dir) / "native", dirs_exist_ok=True)
        for name in CORE:
            place, copy = source / name, Path(base_dir) / "core" / name
            if place.is_dir():
                shutil.copytree(place, copy, dirs_exist_ok=True)
            elif place.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place, copy)


class Binary(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(
    version=version(),
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt, "bdist_wheel": Wheel, "sdist": Sdist},
    distclass=Binary,
    ext_modules=native_part(),
)
