#!/usr/bin/env bash
# Each fuzz target for a while: FUZZ_SECONDS (60) each. Arguments choose among
# them. cargo-fuzz and a nightly toolchain for the Rust ones, clang's libFuzzer
# for the C++ one. What is found lies in target/fuzz/artifacts; copy it into
# fuzz/corpus/<target>, where `cargo test --test fuzz_corpus` replays it.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/c/lib.sh
seconds=${FUZZ_SECONDS:-60}
targets=${*:-config envelope calls decode}
out=$PWD/target/fuzz
export PATH=$PWD/target/tools/bin:$PATH

need_cargo_fuzz() {
    cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal >/dev/null 2>&1 ||
        missing "a nightly toolchain" "rustup toolchain install nightly"
    command -v cargo-fuzz >/dev/null || cargo install --quiet --locked --root target/tools cargo-fuzz ||
        missing cargo-fuzz "cargo install cargo-fuzz"
}

# New inputs go to target/, so that the corpus in the tree stays small.
prepare() {
    mkdir -p "$out/corpus/$1" "$out/artifacts/$1"
    options=("$out/corpus/$1" "$PWD/fuzz/corpus/$1")
    limits=("-max_total_time=$seconds" "-artifact_prefix=$out/artifacts/$1/" -max_len=4096 -timeout=20
        -rss_limit_mb=2048 -print_funcs=0 -verbosity=0)
}

for target in $targets; do
    prepare "$target"
    say "fuzzing $target for $seconds seconds"
    case $target in
    config | envelope | calls)
        need_cargo_fuzz
        cargo +nightly fuzz run --target-dir "$out/build" "$target" "${options[@]}" -- "${limits[@]}"
        ;;
    decode)
        need_package clang++ clang
        need_clang_runtime
        build_library
        stage "$stage"
        clang++ -std=c++17 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
            -Iinclude -Ibindings/c fuzz/cpp/decode.cpp -o "$out/decode" "${shared[@]}"
        "$out/decode" "${options[@]}" "${limits[@]}"
        ;;
    *) fail "expected config, envelope, calls or decode, found: $target" ;;
    esac
done
say "nothing found"
