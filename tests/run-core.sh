#!/usr/bin/env bash
# The Rust tests: units, ABI rules, conformance, models, traces, hazards of the
# store, redis and tiers against real servers.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/packages.sh
command -v cargo >/dev/null || { echo "missing: cargo (the Rust toolchain: https://rustup.rs)"; exit 1; }
command -v cc >/dev/null || { echo "missing: cc (a C compiler)"; exit 1; }
need_package redis-server redis-server
need_package openssl openssl
exec cargo test --locked "$@"
