#!/usr/bin/env bash
# tools/cross.sh [TARGET…]: builds the core for systems that this machine is not, and runs
# what can be run. Not a part of `make test`. docs/distribution.md says what came of it.
#
#   windows  x86_64-pc-windows-gnu      builds; unit tests and a C program under wine
#   arm64    aarch64-unknown-linux-gnu  builds; unit tests under qemu
#   musl     x86_64-unknown-linux-musl  builds
#   macos    aarch64-apple-darwin       is checked; nothing is linked
#
# Needs cargo, cargo-zigbuild and ziglang (tools/dist/requirements.txt), and the standard
# library of each target: from rustup (`rustup target add`), or made here from its source
# (Debian: rust-src, `RUSTC_BOOTSTRAP=1`). In a Debian sid of its own:
#
#   debootstrap --variant=minbase --include=ca-certificates sid ROOM
#   apt-get install rustc cargo rust-src gcc libc6-dev gcc-mingw-w64-x86-64-win32 \
#       gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user wine wine64 python3-venv
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "cross: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "missing: $1 ($2)"
}

# std TARGET [test]: how cargo gets the standard library of a target, in $std.
std() {
    std=()
    if [ -d "$(rustc --print target-libdir --target "$1")" ]; then
        return
    fi
    [ -f "$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ] ||
        fail "no standard library for $1: rustup target add $1, or install rust-src"
    export RUSTC_BOOTSTRAP=1
    std=("-Zbuild-std=std,panic_unwind${2:+,$2}")
}

windows() {
    local target=x86_64-pc-windows-gnu
    need x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64-win32
    need wine "wine, wine64"
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine WINEDEBUG=-all
    std $target test
    cargo build --locked --lib "${std[@]}" --target $target
    local out=$built/$target/debug
    x86_64-w64-mingw32-gcc -Wall -Wextra -Werror -Iinclude tests/c/every_system.c \
        -L"$out" -ltwat_cache -o "$out/every_system.exe"
    wine "$out/every_system.exe"
    cargo test --locked --lib "${std[@]}" --target $target
}

arm64() {
    local target=aarch64-unknown-linux-gnu
    need aarch64-linux-gnu-gcc "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    need qemu-aarch64 qemu-user
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    std $target test
    cargo build --locked --lib "${std[@]}" --target $target
    cargo test --locked --lib "${std[@]}" --target $target
}

musl() {
    need cargo-zigbuild "pip install -r tools/dist/requirements.txt"
    std x86_64-unknown-linux-musl
    cargo-zigbuild build --locked --lib "${std[@]}" --target x86_64-unknown-linux-musl
}

macos() {
    need cargo-zigbuild "pip install -r tools/dist/requirements.txt"
    std aarch64-apple-darwin
    cargo-zigbuild check --locked --lib "${std[@]}" --target aarch64-apple-darwin
}

need cargo https://rustup.rs
built=${CARGO_TARGET_DIR:-$PWD/target/cross}
export CARGO_TARGET_DIR=$built
[ $# -gt 0 ] || set -- windows arm64 musl macos
for system; do
    case $system in
    windows | arm64 | musl | macos) echo "== $system" && ("$system") ;;
    *) fail "expected windows, arm64, musl or macos, got: $system" ;;
    esac
done
