#!/usr/bin/env bash
# tools/install.sh install|uninstall PREFIX [DESTDIR]: lays down (or removes)
# what C and C++ programs need. `make install` builds first. LIBDIR is
# PREFIX/lib unless given; TWAT_PROFILE=debug installs that build (for tests).
set -euo pipefail
verb=${1:?install or uninstall}
prefix=${2:?PREFIX, an absolute directory}
destdir=${3:-}
cd "$(dirname "$0")/.."

case $prefix in
/*) ;;
*) echo "PREFIX: expected an absolute path, found: $prefix" >&2; exit 2 ;;
esac
prefix=${prefix%/}
libdir=${LIBDIR:-$prefix/lib}
built=target/${TWAT_PROFILE:-library}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
major=${version%%.*}
description=$(sed -n 's/^description = "\(.*\)"/\1/p' Cargo.toml | head -1)
# What rustc --print native-static-libs says; tests/run-c.sh compares.
native="-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc"

lib=$destdir$libdir
include=$destdir$prefix/include
cmake=$lib/cmake/twat_cache
man=$destdir$prefix/share/man/man3
headers=(bindings/c/twat_cache/*.hpp)

filled_in() {
    local up
    up=$(realpath -m --relative-to="$libdir/cmake/twat_cache" "$prefix/include")
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@LIBDIR@|$libdir|g" -e "s|@VERSION@|$version|g" \
        -e "s|@MAJOR@|$major|g" -e "s|@DESCRIPTION@|$description|g" -e "s|@NATIVE_LIBS@|$native|g" -e "s|@NATIVE_LIST@|${native// /;}|g" -e "s|@INCLUDE_FROM_CMAKE@|$up|g" "$1"
}

# Every file of the package; directories of our own are removed when empty.
files() {
    printf '%s\n' "$lib/libtwat_cache.so.$version" "$lib/libtwat_cache.so.$major" \
        "$lib/libtwat_cache.so" "$lib/libtwat_cache.a" "$lib/pkgconfig/twat_cache.pc" \
        "$cmake/twat_cache-config.cmake" "$cmake/twat_cache-config-version.cmake" \
        "$include/twat_cache.h" "$include/twat_cache.hpp" "$man/twat_cache.3"
    printf "$include/twat_cache/%s\n" "${headers[@]##*/}"
}

write() {
    install -d "$(dirname "$2")"
    filled_in "$1" >"$2"
    chmod 644 "$2"
}

case $verb in
install)
    for library in libtwat_cache.so libtwat_cache.a; do
        [ -f "$built/$library" ] || { echo "missing: $built/$library (make build)" >&2; exit 1; }
    done
    install -d "$lib" "$man"
    install -m755 "$built/libtwat_cache.so" "$lib/libtwat_cache.so.$version"
    strip --strip-unneeded "$lib/libtwat_cache.so.$version"
    ln -sfn "libtwat_cache.so.$version" "$lib/libtwat_cache.so.$major"
    ln -sfn "libtwat_cache.so.$major" "$lib/libtwat_cache.so"
    tools/static-lib.sh "$built/libtwat_cache.a" "$lib/libtwat_cache.a"
    chmod 644 "$lib/libtwat_cache.a"
    install -Dm644 -t "$include" include/twat_cache.h bindings/c/twat_cache.hpp
    install -Dm644 -t "$include/twat_cache" "${headers[@]}"
    write bindings/c/twat_cache.pc.in "$lib/pkgconfig/twat_cache.pc"
    write bindings/c/cmake/twat_cache-config.cmake.in "$cmake/twat_cache-config.cmake"
    write bindings/c/cmake/twat_cache-config-version.cmake.in "$cmake/twat_cache-config-version.cmake"
    awk -v version="$version" -f tools/man.awk include/twat_cache.h >"$man/twat_cache.3"
    chmod 644 "$man/twat_cache.3"
    echo "installed into $destdir$prefix (run ldconfig where that is a system directory)"
    ;;
uninstall)
    files | while read -r file; do rm -f "$file"; done
    rmdir "$include/twat_cache" "$cmake" 2>/dev/null || true
    echo "removed from $destdir$prefix"
    ;;
*)
    echo "expected install or uninstall, found: $verb" >&2
    exit 2
    ;;
esac
