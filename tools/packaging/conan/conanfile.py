"""Conan recipe: `conan create tools/packaging/conan --build=missing` (Conan 2) in a checkout."""

import os
import re
from typing import ClassVar

from conan import ConanFile
from conan.tools.files import copy, load


class TwatCache(ConanFile):
    name = "twat-cache"
    license = "MIT"
    url = "https://github.com/twardoch/twat-cache"
    description = "One embeddable cache for every language: memory, disk, file, redis and tiers behind one C ABI"
    topics = ("cache", "memoization", "lmdb", "redis")
    settings = "os", "arch", "compiler", "build_type"
    options: ClassVar = {"shared": [True, False]}
    default_options: ClassVar = {"shared": True}

    @property
    def _tree(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        self.version = re.search(r'^version = "(.+)"', load(self, os.path.join(self._tree, "Cargo.toml")), re.M)[1]

    def export_sources(self):
        for pattern in (
            "src/*", "include/*", "benches/*", "bindings/c/*", "tools/*", "docs/symbols.txt", ".cargo/*", "Cargo.*",
            "build.rs", "README.md", "LICENSE",
        ):  # fmt: skip
            excludes = ("*/node_modules/*", "tools/packaging/*")
            copy(self, pattern, self._tree, self.export_sources_folder, excludes=excludes)

    def configure(self):
        # The ABI is C's, whatever compiles the library.
        self.settings.rm_safe("compiler.libcxx")
        self.settings.rm_safe("compiler.cppstd")

    def build(self):
        self.run("cargo library")

    def package(self):
        self.run(f'tools/install.sh install "{self.package_folder}"')
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        # One kind of library a package.
        unwanted = "libtwat_cache.a" if self.options.shared else "libtwat_cache.so*"
        for folder, _, files in os.walk(os.path.join(self.package_folder, "lib")):
            for file in files:
                if re.fullmatch(unwanted.replace(".", r"\.").replace("*", ".*"), file):
                    os.unlink(os.path.join(folder, file))

    def package_info(self):
        self.cpp_info.libs = ["twat_cache"]
        self.cpp_info.set_property("pkg_config_name", "twat_cache")
        self.cpp_info.set_property("cmake_file_name", "twat_cache")
        self.cpp_info.set_property("cmake_target_name", f"twat_cache::{'shared' if self.options.shared else 'static'}")
        if self.settings.os == "Linux" and not self.options.shared:
            self.cpp_info.system_libs = ["util", "rt", "pthread", "m", "dl"]
