#!/usr/bin/env bash
# The Node package: builds it over the debug library and runs all its tests.
#
#   tests/run-node.sh         test; TWAT_QUICK=1 leaves out the long runs
#   tests/run-node.sh bench   measured comparisons over the shipped library
#   tests/run-node.sh build   only the package, over the shipped library
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
what=${1:-test}

need() { command -v "$1" >/dev/null || { echo "missing: $1 ($2)"; exit 1; }; }
source tools/node.sh
need_node
need cc "a C compiler"
need readelf "binutils"
need python3 "CPython 3.10 or later, for the stores shared with Python"

source tools/packages.sh
if [ "$what" = test ]; then
  need_package redis-server redis-server
  need c++ "a C++ compiler, for the stores shared with C++"
fi
case $what in
  test) cargo build --locked; profile=debug ;;
  bench | build) cargo library; profile=library ;;
  *) echo "unknown: $what; expected test, bench or build"; exit 2 ;;
esac

node_modules
cd bindings/node
TWAT_CACHE_WERROR=1 TWAT_CACHE_LIB="$root/target/$profile" npm run --silent build
# The examples import the package by its name.
mkdir -p "$root/examples/node/node_modules"
ln -sfn ../../../bindings/node "$root/examples/node/node_modules/twat-cache"

case $what in
  test) node scripts/test.mjs ;;
  bench) mkdir -p "$root/target/bench" && node --expose-gc bench/run.mjs "$root/target/bench/node.json" ;;
esac
