#!/usr/bin/env bash
# The C and C++ tests: every program of tests/c is compiled with all warnings
# as errors, linked with the shared and with the static library, and run.
# TWAT_PROFILE=release takes that build; NAMES... runs only those programs.
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

say "passed"
