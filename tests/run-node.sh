#!/usr/bin/env bash
# The Node package: builds it over the debug library and runs all its tests.
# TWAT_QUICK=1 leaves out the long runs.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

need() { command -v "$1" >/dev/null || { echo "missing: $1 ($2)"; exit 1; }; }
need node "Node.js 20 or later: https://nodejs.org"
need npm "it comes with Node.js"
need cc "a C compiler"
need readelf "binutils"

cargo build --locked
cd bindings/node
# The lock file decides; installing again only when it changed.
if ! cmp -s package-lock.json node_modules/.lock-installed; then
  npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json node_modules/.lock-installed
fi
TWAT_CACHE_LIB="$root/target/debug" npm run --silent build
node scripts/test.mjs
