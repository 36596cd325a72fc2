#!/usr/bin/env bash
# The C and C++ tests: every program of tests/c is compiled with all warnings
# as errors, linked with the shared and with the static library, and run; then
# the package is installed into an empty directory and the examples are built
# with that.
# TWAT_PROFILE=library takes the shipped build; "cargo-c" compares with the real
# cargo-c where that is installed; NAMES... runs only those programs.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/c/lib.sh

build_library
stage "$stage"

say "the header alone, as C99, C11 and C++17"
for standard in c99 c11; do
    $CC -std=$standard "${warnings[@]}" -Iinclude tests/c/header_alone.c \
        -o "$stage/header_$standard" "${shared[@]}"
    run "$stage/header_$standard"
done
$CXX -x c++ -std=c++17 "${warnings[@]}" -Iinclude tests/c/header_alone.c -x none \
    -o "$stage/header_cxx17" "${shared[@]}"
run "$stage/header_cxx17"

say "the C programs, shared and static"
for source in tests/c/*.c; do
    name=$(basename "$source" .c)
    wanted "$name" "$@" || continue
    compile_c "$source" "$stage/$name.o"
    $CC "$stage/$name.o" -o "$stage/$name" "${shared[@]}" -pthread
    $CC "$stage/$name.o" -o "$stage/$name-static" "${static[@]}"
    run "$stage/$name"
    run "$stage/$name-static"
done

say "programs built against a recorded header, with today's library"
for header in tests/abi/twat_cache-"$major".*.h; do
    mkdir -p "$stage/recorded"
    cp "$header" "$stage/recorded/twat_cache.h"
    for name in basics nulls sized_structs policy; do
        wanted "recorded/$name" "$@" || continue
        compile_c "tests/c/$name.c" "$stage/$name.o" -I"$stage/recorded"
        $CC "$stage/$name.o" -o "$stage/recorded-$name" "${shared[@]}" -pthread
        run "$stage/recorded-$name"
    done
done

say "the C++ header: gcc and clang, without RTTI, without exceptions, C++20, every warning"
need_package clang++ clang
need_for_cxx_tests
if wanted cpp/header "$@"; then
    for flags in -fno-rtti "-fno-rtti -fno-exceptions" -std=c++20 -std=gnu++17; do
        compile_cxx "$CXX" tests/cpp/header.cpp "$stage/header.o" $flags
        compile_cxx clang++ tests/cpp/header.cpp "$stage/header.o" $flags
    done
    # Through -I a program's own warnings apply to our headers.
    compile_cxx "$CXX" tests/cpp/header.cpp "$stage/header.o" -Wfloat-equal -Wuseless-cast -Weffc++ -Wconversion \
        -Wsign-conversion -Wold-style-cast
    compile_cxx clang++ tests/cpp/header.cpp "$stage/header.o" -Wfloat-equal -Wconversion -Wsign-conversion -Wold-style-cast
fi

say "C++ programs that must not compile, each with its text"
for source in tests/cpp/refused/*.cpp; do
    wanted "cpp/refused" "$@" || continue
    expected=$(sed -n 's,^// expected: ,,p' "$source")
    flags=$(sed -n 's,^// flags: ,,p' "$source")
    for compiler in "$CXX" clang++; do
        # shellcheck disable=SC2086
        if $compiler ${flags:--std=c++17} -fsyntax-only -Iinclude -Ibindings/c "$source" 2>"$stage/refused.log"; then
            fail "$source: expected an error, got none ($compiler)"
        fi
        grep -qF "$expected" "$stage/refused.log" || { cat "$stage/refused.log"; fail "$source: expected '$expected' ($compiler)"; }
    done
done

say "the C++ programs, shared and static"
for source in tests/cpp/*.cpp; do
    name=$(basename "$source" .cpp)
    wanted "cpp/$name" "$@" || continue
    [ "$name" != locale ] || continue
    compile_cxx "$CXX" "$source" "$stage/cpp-$name.o" -fno-rtti
    $CXX "$stage/cpp-$name.o" -o "$stage/cpp-$name" "${shared[@]}" -pthread
    $CXX "$stage/cpp-$name.o" -o "$stage/cpp-$name-static" "${static[@]}"
    run "$stage/cpp-$name"
    run "$stage/cpp-$name-static"
done

if wanted cpp/locale "$@"; then
    say "a locale with a decimal comma: libstdc++ and libc++"
    need_locale de_DE.UTF-8
    need_libcxx
    for variant in "$CXX" "clang++ -stdlib=libc++"; do
        compile_cxx "$variant" tests/cpp/locale.cpp "$stage/cpp-locale.o"
        $variant "$stage/cpp-locale.o" -o "$stage/cpp-locale" "${shared[@]}" -pthread
        run "$stage/cpp-locale"
    done
fi

if wanted valgrind "$@"; then
    say "a store of its defaults under valgrind"
    need_package valgrind valgrind
    compile_c bindings/node/test/programs/open_store.c "$stage/open_store.o"
    $CC "$stage/open_store.o" -o "$stage/open_store" "${shared[@]}" -pthread
    run valgrind -q --leak-check=full --error-exitcode=9 "$stage/open_store" "$TWAT_TEST_ROOT/valgrind" >/dev/null
fi

if wanted documents "$@"; then
    source tests/c/documents.sh
fi

if wanted sanitize "$@"; then
    tests/run-sanitize.sh quick
fi

if wanted installed "$@"; then
    source tests/c/installed.sh
fi

if wanted prefixes "$@"; then
    source tests/c/prefixes.sh
fi

# Not part of all: it builds the library anew.
if [ $# != 0 ] && wanted cargo-c "$@"; then
    source tests/c/cargo_c.sh
fi

say "passed"
