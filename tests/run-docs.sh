#!/usr/bin/env bash
# The documentation: every code block of every page runs, and its output is as
# the page says (tests/docs/blocks.py has the rules); every link leads somewhere.
# C and C++ blocks run in tests/run-c.sh. Arguments choose pages.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
source tools/venv.sh
source tools/packages.sh
source tools/node.sh
need_package redis-server redis-server
need_package pkg-config pkg-config
cargo build --quiet --locked
pip_install -r bindings/python/requirements-test.txt -r tests/docs/requirements.txt

# The Node package over the library just built, unless the Node tests made it.
node_modules
(cd bindings/node && TWAT_CACHE_LIB="$root/target/debug" npm run --silent build)

stage=$root/target/docs-test
rm -rf "$stage"
mkdir -p "$stage/node_modules"
ln -s "$root/bindings/node" "$stage/node_modules/twat-cache"
ln -s "$root/bindings/node/node_modules/keyv" "$stage/node_modules/keyv"
TWAT_PROFILE=debug tools/install.sh install "$stage/prefix" "" >/dev/null

export PATH=$root/.venv/bin:$PATH
export PKG_CONFIG_PATH=$stage/prefix/lib/pkgconfig LD_LIBRARY_PATH=$stage/prefix/lib CMAKE_PREFIX_PATH=$stage/prefix
export TWAT_CACHE_LIBRARY=$root/target/debug/libtwat_cache.so
export PYTHONPATH=$root/bindings/python/src PYTHONDONTWRITEBYTECODE=1

if [ $# -gt 0 ]; then pages=("$@"); else mapfile -t pages < <(git ls-files '*.md' ':!CHANGELOG.md' ':!.github'); fi
"$PYTHON" tests/docs/links.py
"$PYTHON" tests/docs/blocks.py "$stage" "${pages[@]}"
rm -rf "$stage"
