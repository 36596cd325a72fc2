#!/usr/bin/env bash
# tools/install.sh install|uninstall PREFIX [DESTDIR]: installs (or removes)
# what C and C++ programs need. `make install` builds first. LIBDIR is
# PREFIX/lib unless given. TWAT_RELOCATABLE=1 makes a tree that works wherever it
# is unpacked. For tests: TWAT_PROFILE=debug installs that build,
# TWAT_STATIC_LIB names a static library that tools/static-lib.sh has made.
set -euo pipefail
verb=${1:?install or uninstall}
prefix=${2:?PREFIX, an absolute directory}
destdir=${3:-}
cd "$(dirname "$0")/.."
# What is installed is for everybody, whatever the umask of who installs it.
umask 022

refuse() {
    echo "$*" >&2
    exit 2
}

case $verb in
install | uninstall) ;;
*) refuse "expected install or uninstall, got: $verb" ;;
esac
# A path without doubled slashes, and without one at its end, but for / itself.
tidy() {
    local path=$1
    while [[ $path == *//* ]]; do path=${path//\/\//\/}; done
    [ "$path" = / ] || path=${path%/}
    printf '%s/' "$path" # the slash keeps a newline at the end, which is refused below
}
tidied=$(tidy "$prefix")
prefix=${tidied%/}
# What paths below the prefix begin with: empty for /.
root=${prefix%/}
tidied=$(tidy "${LIBDIR:-$root/lib}")
libdir=${tidied%/}
destdir=${destdir%"${destdir##*[!/]}"}
built=target/${TWAT_PROFILE:-library}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
major=${version%%.*}
description=$(sed -n 's/^description = "\(.*\)"/\1/p' Cargo.toml | head -1)
# What rustc --print native-static-libs says, but for -lgcc_s: every C compiler
# driver brings its own libgcc, and there is no static libgcc_s.
# tests/c/installed.sh compares.
native="-lutil -lrt -lpthread -lm -ldl -lc"

# Before anything is written: what the installed files cannot express. A
# newline ends a line of a .pc file; pkg-config prints $ and parentheses without
# quotes; : and ; separate the directories that pkg-config and CMake search.
for name in PREFIX LIBDIR; do
    [ $name = PREFIX ] && path=$prefix || path=$libdir
    case $path in
    /*) ;;
    *) refuse "$name: expected an absolute path, got: $path" ;;
    esac
    case $path in
    *[$'\n\r$();:']* | *[[:blank:]])
        refuse "$name: expected a path without newline, \$ ( ) : ; and without a blank at its end, which pkg-config" \
            "and CMake cannot express, got: $path"
        ;;
    esac
done

lib=$destdir$libdir
include=$destdir$root/include
cmake=$lib/cmake/twat_cache
man=$destdir$root/share/man/man3
headers=(bindings/c/twat_cache/*.hpp)

# Every file of the package.
files=("$lib/libtwat_cache.so.$version" "$lib/libtwat_cache.so.$major" "$lib/libtwat_cache.so"
    "$lib/libtwat_cache.a" "$lib/pkgconfig/twat_cache.pc" "$cmake/twat_cache-config.cmake"
    "$cmake/twat_cache-config-version.cmake" "$include/twat_cache.h" "$include/twat_cache.hpp"
    "$man/twat_cache.3")
for header in "${headers[@]}"; do files+=("$include/twat_cache/${header##*/}"); done

# A path as a value in a .pc file: a backslash before whatever is not plain.
pc_path() {
    local text=$1 out="" c i
    for ((i = 0; i < ${#text}; i++)); do
        c=${text:i:1}
        case $c in
        [A-Za-z0-9/._-]) out+=$c ;;
        *) out+=\\$c ;;
        esac
    done
    printf '%s' "$out"
}

# The template with the values that are ours; paths are not among them.
filled_in() {
    sed -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" -e "s|@DESCRIPTION@|$description|g" \
        -e "s|@NATIVE_LIBS@|$native|g" -e "s|@NATIVE_LIST@|${native// /;}|g" "$1"
}

pkgconfig_file() {
    # Relative to the prefix, so that --define-prefix and a moved tree work; not below /, where
    # that would be //lib.
    local base='${prefix}'
    if [ -n "${TWAT_RELOCATABLE:-}" ]; then
        printf 'prefix=${pcfiledir}/../..\n'
    else
        printf 'prefix=%s\n' "$(pc_path "$prefix")"
        [ -n "$root" ] || base=
    fi
    printf 'exec_prefix=${prefix}\n'
    case $libdir in
    "$root"/*) printf 'libdir=%s/%s\n' "$base" "$(pc_path "${libdir#"$root"/}")" ;;
    *) printf 'libdir=%s\n' "$(pc_path "$libdir")" ;;
    esac
    printf 'includedir=%s/include\n' "$base"
    filled_in bindings/c/twat_cache.pc.in
}

cmake_file() {
    local up
    # By the names alone, as CMake reads it: symbolic links may differ where it is installed.
    up=$(realpath -ms --relative-to="$libdir/cmake/twat_cache" "$root/include")
    # In a bracket argument no character has a meaning.
    printf 'set(_twat_cache_include_from_here [==[%s]==])\n' "$up"
    filled_in bindings/c/cmake/twat_cache-config.cmake.in
}

# write FILE COMMAND...: the output of a command as a file.
write() {
    local file=$1
    shift
    install -d -- "$(dirname -- "$file")"
    "$@" >"$file.new"
    chmod 644 "$file.new"
    mv -f -- "$file.new" "$file"
}

case $verb in
install)
    for library in libtwat_cache.so libtwat_cache.a; do
        [ -f "$built/$library" ] || { echo "missing: $built/$library (make build)" >&2; exit 1; }
    done
    for tool in install strip ld objcopy nm ar ranlib awk realpath; do
        command -v $tool >/dev/null || { echo "missing: $tool (binutils, coreutils)" >&2; exit 1; }
    done
    # Made before the first file is installed, since it takes longest and may fail.
    archive=${TWAT_STATIC_LIB:-}
    if [ -z "$archive" ]; then
        archive=$(mktemp)
        trap 'rm -f "$archive"' EXIT
        tools/static-lib.sh "$built/libtwat_cache.a" "$archive"
    fi
    install -d -- "$lib" "$man"
    install -m644 -- "$archive" "$lib/libtwat_cache.a"
    install -m755 -- "$built/libtwat_cache.so" "$lib/libtwat_cache.so.$version"
    strip --strip-unneeded -- "$lib/libtwat_cache.so.$version"
    ln -sfn -- "libtwat_cache.so.$version" "$lib/libtwat_cache.so.$major"
    ln -sfn -- "libtwat_cache.so.$major" "$lib/libtwat_cache.so"
    install -d -- "$include/twat_cache"
    install -m644 -t "$include" -- include/twat_cache.h bindings/c/twat_cache.hpp
    install -m644 -t "$include/twat_cache" -- "${headers[@]}"
    write "$lib/pkgconfig/twat_cache.pc" pkgconfig_file
    write "$cmake/twat_cache-config.cmake" cmake_file
    write "$cmake/twat_cache-config-version.cmake" filled_in bindings/c/cmake/twat_cache-config-version.cmake.in
    write "$man/twat_cache.3" awk -v version="$version" -f tools/man.awk include/twat_cache.h
    echo "installed into $destdir$prefix (run ldconfig where that is a system directory)"
    ;;
uninstall)
    rm -f -- "${files[@]}"
    rmdir -- "$include/twat_cache" "$cmake" 2>/dev/null || true
    echo "removed from $destdir$prefix"
    ;;
esac
