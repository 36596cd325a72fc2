#!/usr/bin/env bash
# The C and C++ tests under sanitizers and valgrind:
#   address   AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
#   thread    ThreadSanitizer, library and program alike, where there is a
#             nightly toolchain to build the library with it
#   valgrind  memcheck; no definite leak, no error
#   python    the native part of the Python package under the first two
# Arguments choose among them; all of them by default.
# "quick" is the part of address that make test runs.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/c/lib.sh
passes=${*:-address thread valgrind python}

build_library
stage "$stage"

# A sanitizer that is not linked finds nothing: a program with a known mistake
# must fail, and with the sanitizer's own words.
proves() {
    local kind=$1 words=$2
    shift 2
    compile_c tests/c/foreign/mistakes.c "$stage/mistakes.o" "$@"
    $CC "$@" "$stage/mistakes.o" -o "$stage/mistakes" -pthread
    if "$stage/mistakes" "$kind" >"$stage/mistakes.log" 2>&1; then
        fail "$kind: the mistake was not found: the sanitizer is not linked"
    fi
    grep -q "$words" "$stage/mistakes.log" || fail "$kind: expected '$words': $(cat "$stage/mistakes.log")"
}

under_address() {
    local flags=(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0
    export UBSAN_OPTIONS=print_stacktrace=1
    say "AddressSanitizer and UndefinedBehaviorSanitizer"
    proves address "heap-buffer-overflow" "${flags[@]}"
    proves leak "detected memory leaks" "${flags[@]}"
    proves undefined "signed integer overflow" "${flags[@]}"
    for source in tests/c/*.c; do
        name=$(basename "$source" .c)
        wanted "$name" "$@" || continue
        compile_c "$source" "$stage/$name.o" "${flags[@]}"
        $CC "${flags[@]}" "$stage/$name.o" -o "$stage/$name-address" "${shared[@]}" -pthread
        run "$stage/$name-address"
    done
    [ $# != 0 ] || need_for_cxx_tests
    for source in tests/cpp/*.cpp; do
        name=$(basename "$source" .cpp)
        wanted "cpp/$name" "$@" || continue
        # UndefinedBehaviorSanitizer's check of virtual calls needs RTTI.
        compile_cxx "$CXX" "$source" "$stage/cpp-$name.o" "${flags[@]}"
        $CXX "${flags[@]}" "$stage/cpp-$name.o" -o "$stage/cpp-$name-address" "${shared[@]}" -pthread
        run "$stage/cpp-$name-address"
    done
}

# The live caches are headers: they need no library that is built with the sanitizer.
live_under_thread() {
    local flags=(-fsanitize=thread) name
    say "ThreadSanitizer: live caches"
    proves thread "data race" "${flags[@]}"
    for name in "$@"; do
        compile_cxx "$CXX" "tests/cpp/$name.cpp" "$stage/cpp-$name-thread.o" "${flags[@]}"
        $CXX "${flags[@]}" "$stage/cpp-$name-thread.o" -o "$stage/cpp-$name-thread" "${shared[@]}" -pthread
        TSAN_OPTIONS=halt_on_error=1 run "$stage/cpp-$name-thread"
    done
}

under_thread() {
    local flags=(-fsanitize=thread) target=x86_64-unknown-linux-gnu lib=target/tsan
    live_under_thread live live_threads failures
    say "ThreadSanitizer"
    need_package clang clang
    need_clang_runtime
    CC=clang proves thread "data race" "${flags[@]}"
    # Races inside of the library are seen only if it is built with the
    # sanitizer too, the standard library included.
    if ! cargo +nightly --version >/dev/null 2>&1 ||
        ! { rustup component list --toolchain nightly 2>/dev/null | grep -q '^rust-src (installed)' ||
            rustup component add rust-src --toolchain nightly >/dev/null 2>&1; }; then
        echo "not here: ThreadSanitizer needs a nightly toolchain with rust-src"
        return
    fi
    target=$(rustc -vV | sed -n 's/^host: //p')
    # The runtime is the Rust toolchain's: Debian's clang is older, and lacks
    # functions that newer instrumentation calls.
    RUSTFLAGS=-Zsanitizer=thread CARGO_TARGET_DIR=$lib CFLAGS=-fsanitize=thread CC=clang \
        cargo +nightly rustc --locked --lib --crate-type staticlib -Zbuild-std --target "$target"

    local runtime
    runtime=$(rustc +nightly --print sysroot)/lib/rustlib/$target/lib/librustc-nightly_rt.tsan.a
    [ -f "$runtime" ] || { echo "not here: the nightly toolchain has no ThreadSanitizer for $target"; return; }
    for name in threads one_then_many; do
        CC=clang compile_c "tests/c/$name.c" "$stage/$name-thread.o" "${flags[@]}"
        clang -rdynamic "$stage/$name-thread.o" "$lib/$target/debug/libtwat_cache.a" \
            -o "$stage/$name-thread" \
            -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive "${native[@]}" -lresolv
        TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/tests/c/foreign/tsan.supp" \
            run "$stage/$name-thread"
    done
}

under_valgrind() {
    say "valgrind memcheck"
    need_package valgrind valgrind
    export TWAT_TEST_SLOW=10
    for source in tests/c/*.c; do
        name=$(basename "$source" .c)
        compile_c "$source" "$stage/$name.o"
        $CC "$stage/$name.o" -o "$stage/$name" "${shared[@]}" -pthread
        run valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
            --errors-for-leak-kinds=definite "$stage/$name"
    done
}

for pass in $passes; do
    case $pass in
    address | thread | valgrind) "under_$pass" ;;
    python) tests/run-python.sh address ;;
    quick)
        under_address basics values_outlive_cache nulls threads
        live_under_thread live_threads
        ;;
    *) fail "expected address, thread, valgrind or python, found: $pass" ;;
    esac
done
say "clean"
