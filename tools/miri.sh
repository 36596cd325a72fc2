#!/usr/bin/env bash
# The ABI contract tests under Miri. LMDB is C, which Miri
# does not run, so nothing here opens a store; the policies are safe Rust.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo +nightly miri --version >/dev/null 2>&1; then
  rustup component add miri rust-src --toolchain nightly >/dev/null 2>&1 ||
    { echo "missing: Miri (rustup toolchain install nightly --component miri --component rust-src)"; exit 1; }
fi
# Isolation off: the clock is read. Little-endian 64-bit host as it is.
export MIRIFLAGS="${MIRIFLAGS:--Zmiri-disable-isolation -Zmiri-strict-provenance}"
export CARGO_TARGET_DIR=target/miri
cargo +nightly miri test --test abi
cargo +nightly miri test --lib -- ffi:: envelope:: counted:: lock:: engine::memory::tests::
