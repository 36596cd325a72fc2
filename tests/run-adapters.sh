#!/usr/bin/env bash
# Hosts and frameworks that the packages are used in: jest; Node 22 and 24, Bun, Deno, Next.js, ncc, Vite.
# They are large downloads, so they are no part of `make test`.
#
#   tests/run-adapters.sh     all; TWAT_QUICK=1 runs jest alone
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
source tools/node.sh
need_node
command -v cc >/dev/null || { echo "missing: cc (a C compiler)"; exit 1; }

if [ "${TWAT_QUICK:-}" = 1 ]; then
  tests=(jest.test.mjs)
  omit=(--omit=optional)
else
  tests=(jest.test.mjs hosts.test.mjs bundlers.test.mjs next.test.mjs)
  omit=()
fi

cargo build --locked
node_modules
cd bindings/node
TWAT_CACHE_WERROR=1 TWAT_CACHE_LIB="$root/target/debug" npm run --silent build
cd adapters
npm ci --ignore-scripts --no-audit --no-fund "${omit[@]}"
# npm keeps the mode of a file from its archive; these have none that can be run.
chmod -f +x node_modules/@deno/*/deno node_modules/@oven/*/bin/bun node_modules/node2?/bin/node || true
node --test --test-reporter=spec "${tests[@]}"
